//! Query strings and the paging that every list shares.

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use std::convert::Infallible;
use url::form_urlencoded;

/// The pairs of a query, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(pub Vec<(String, String)>);

impl Query {
    pub fn of(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(key, _)| key != name);
        self
    }

    /// The same with another value for a key, at the end.
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut out = self.without(name);
        out.0.push((name.to_owned(), value.to_owned()));
        out
    }

    /// `path?query`, or the path alone.
    pub fn on(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish();
        format!("{path}?{query}")
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri))
    }
}

/// A page of a list.
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    /// It is as full as was asked for, so that more may follow. `OpenStack` does not look whether more does: after a
    /// last page that is full comes an empty one.
    pub full: bool,
}

/// Why there is no page.
pub(crate) enum NoPage {
    /// `limit` is not a number.
    Limit(String),
    /// `marker` is no item of the list.
    Marker(String),
}

impl NoPage {
    pub fn message(&self) -> String {
        match self {
            Self::Limit(limit) => format!("Invalid input for query parameters limit. Value: {limit}."),
            Self::Marker(marker) => format!("marker [{marker}] not found"),
        }
    }
}

/// Cuts a list by `limit` and `marker`. `most` is the server's own bound, `usual` what it gives unasked.
pub(crate) fn page<T>(
    items: Vec<T>,
    id: impl Fn(&T) -> &str,
    query: &Query,
    usual: usize,
    most: usize,
) -> Result<Page<T>, NoPage> {
    let limit = match query.get("limit") {
        Some(text) => text.parse().map_err(|_| NoPage::Limit(text.to_owned()))?,
        None => usual,
    };
    let limit = if limit == 0 { most } else { limit.min(most) };
    let start = match query.get("marker") {
        Some(marker) => {
            1 + items
                .iter()
                .position(|item| id(item) == marker)
                .ok_or_else(|| NoPage::Marker(marker.to_owned()))?
        }
        None => 0,
    };
    let items: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    Ok(Page { full: items.len() == limit, items })
}
