//! One page of a list, read straight into its items.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};

/// The items of a page and the link to the next one: Glance's `next`, or Nova's, Neutron's and Cinder's `KEY_links`.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    /// A page whose items stand under `key`.
    pub fn read(body: &[u8], key: &str) -> Result<Self, serde_json::Error> {
        let mut from = serde_json::Deserializer::from_slice(body);
        let page = Under { key, items: PhantomData }.deserialize(&mut from)?;
        from.end()?;
        Ok(page)
    }
}

struct Under<'k, T> {
    key: &'k str,
    items: PhantomData<T>,
}

#[derive(Deserialize)]
struct Link {
    rel: Option<String>,
    href: Option<String>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Under<'_, T> {
    type Value = Page<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Page<T>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Under<'_, T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut body: A) -> Result<Page<T>, A::Error> {
        let (mut items, mut next) = (None, None);
        while let Some(name) = body.next_key::<String>()? {
            match name.as_str() {
                name if name == self.key => items = Some(body.next_value()?),
                "next" => next = body.next_value()?,
                name if name.strip_suffix("_links") == Some(self.key) => {
                    let links: Option<Vec<Link>> = body.next_value()?;
                    let mut links = links.into_iter().flatten();
                    let link = links.find(|link| link.rel.as_deref() == Some("next"));
                    next = link.and_then(|link| link.href).or(next);
                }
                _ => drop(body.next_value::<IgnoredAny>()?),
            }
        }
        let items = items.ok_or_else(|| A::Error::custom(format_args!("`{}` is missing", self.key)))?;
        Ok(Page { items, next: next.filter(|link| !link.is_empty()) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn next(mut body: Value) -> Option<String> {
        body["flavors"] = json!([1, 2]);
        let page: Page<u8> = Page::read(body.to_string().as_bytes(), "flavors").unwrap();
        assert_eq!(page.items, [1, 2]);
        page.next
    }

    #[test]
    fn links_to_the_next_page_are_found() {
        let nova = json!([{"rel": "previous", "href": "/a"}, {"rel": "next", "href": "/b?marker=1"}]);
        assert_eq!(next(json!({"flavors_links": nova})).as_deref(), Some("/b?marker=1"));
        assert_eq!(next(json!({"next": "/v2/images?marker=2"})).as_deref(), Some("/v2/images?marker=2"));
        assert_eq!(next(json!({"next": null, "first": "/v2/images", "flavors_links": null})), None);
        assert_eq!(next(json!({"images_links": nova})), None);
        assert_eq!(next(json!({"next": ""})), None);
    }

    #[test]
    fn a_page_without_its_list_is_none() {
        for body in ["", "[]", "{}", "{\"flavors\": 7}", "{\"flavors\": []", "{\"flavors\": []} x"] {
            assert!(Page::<u8>::read(body.as_bytes(), "flavors").is_err(), "{body}");
        }
    }
}
