//! Query parameters of lists: filters derived from the declared fields, order, and pages.

use crate::{
    fault::Fault,
    field::{Field, Type},
    read,
    schema::EntityInfo,
    value::Value,
};
use regex::{Regex, RegexBuilder};

/// What a list is asked for.
#[derive(Debug, Default)]
pub struct ListQuery {
    /// All of these must hold.
    pub filters: Vec<Filter>,
    /// What to sort by, and whether descending.
    pub sort: Option<(By, bool)>,
    /// Entries to leave out at the front.
    pub skip: usize,
    /// Entries to keep after that.
    pub limit: Option<usize>,
    /// Which page of `size` entries, from 0.
    pub page: usize,
    /// Entries of a page.
    pub size: Option<usize>,
    /// Public shapes for who could see private ones.
    pub short: bool,
    /// Extended shapes.
    pub with_conn: bool,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The field of this place.
    Field(usize),
    /// The uid.
    Uid,
}

/// One condition on one field.
#[derive(Debug)]
pub struct Filter {
    /// The field's place.
    pub field: usize,
    /// The comparison.
    pub test: Test,
}

/// A comparison of a query.
#[derive(Debug)]
pub enum Test {
    /// Equal to this value.
    Is(Value),
    /// Smaller, greater, ...: one of these orders to this value.
    Order(&'static [std::cmp::Ordering], Value),
    /// The text, or one of the texts, passes.
    Text(TextTest, String),
    /// The text as a whole matches.
    Matches(Pattern),
}

/// A regular expression, and the parameter that gave it.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    parameter: String,
}

/// A regular expression that takes too long to answer, by its parameter: it is as wrong as one that cannot be read.
#[derive(Debug)]
pub struct TooSlow<'a>(pub &'a str);

impl From<TooSlow<'_>> for Fault {
    fn from(TooSlow(parameter): TooSlow<'_>) -> Self {
        let msg = "this regular expression takes too long: write a simpler one, or use __contains, __startswith or \
                   __endswith";
        Self::query(parameter, msg, "value_error.regex")
    }
}

impl Test {
    /// Cheap tests first: most nodes fail them.
    fn cost(&self) -> u8 {
        match self {
            Self::Is(_) => 0,
            Self::Order(..) => 1,
            Self::Text(..) => 2,
            Self::Matches(_) => 3,
        }
    }
}

/// A comparison of texts; the `i` ones do not tell upper from lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the parameters")]
pub enum TextTest {
    Contains,
    IContains,
    StartsWith,
    IStartsWith,
    EndsWith,
    IEndsWith,
}

/// The largest regular expression that is taken, compiled. Matching takes time in proportion to this and to the text.
const REGEX_BYTES: usize = 1 << 18;
/// The longest text that is matched, in bytes: with the worst expression that takes half a second.
const REGEX_TEXT: usize = 1 << 16;

impl Filter {
    /// Whether a node's values pass, as v1 shows them. Missing values pass no comparison. Regular expressions ask
    /// `late` whether there is time for them.
    pub fn passes(
        &self,
        fields: &[Field],
        values: &[Value],
        late: &mut dyn FnMut() -> bool,
    ) -> Result<bool, TooSlow<'_>> {
        let value = &*values[self.field].shown(&fields[self.field]);
        Ok(match &self.test {
            Test::Is(wanted) => match (value, wanted) {
                (Value::Counts(_), _) => value.as_number() == wanted.as_number(),
                _ => value == wanted,
            },
            Test::Order(orders, other) => !value.is_null() && orders.contains(&value.order(other)),
            Test::Matches(Pattern { regex, parameter }) => match value.as_str() {
                Some(text) if text.len() > REGEX_TEXT || late() => return Err(TooSlow(parameter)),
                Some(text) => regex.is_match(text),
                None => false,
            },
            Test::Text(test, part) => match value {
                Value::Text(text) => test.passes(text, part),
                Value::Texts(texts) => texts.iter().any(|text| test.passes(text, part)),
                _ => false,
            },
        })
    }
}

impl TextTest {
    fn passes(self, text: &str, part: &str) -> bool {
        match self {
            Self::Contains => text.contains(part),
            Self::StartsWith => text.starts_with(part),
            Self::EndsWith => text.ends_with(part),
            _ if !text.is_ascii() => match self {
                Self::IStartsWith => text.to_lowercase().starts_with(part),
                Self::IEndsWith => text.to_lowercase().ends_with(part),
                _ => text.to_lowercase().contains(part),
            },
            // no copy for the texts that nearly all are; `part` is in lower case
            Self::IStartsWith => starts_ignoring_case(text.as_bytes(), part.as_bytes()),
            Self::IEndsWith => {
                let at = text.len().checked_sub(part.len());
                at.is_some_and(|at| text.as_bytes()[at..].eq_ignore_ascii_case(part.as_bytes()))
            }
            Self::IContains => (0..=text.len().saturating_sub(part.len()))
                .any(|at| starts_ignoring_case(&text.as_bytes()[at..], part.as_bytes())),
        }
    }

    fn of_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "contains" => Self::Contains,
            "icontains" => Self::IContains,
            "startswith" => Self::StartsWith,
            "istartswith" => Self::IStartsWith,
            "endswith" => Self::EndsWith,
            "iendswith" => Self::IEndsWith,
            _ => return None,
        })
    }
}

/// The suffixes that a type of field offers; the empty one is equality.
pub fn suffixes(field: &Field) -> &'static [&'static str] {
    const TEXT: &[&str] = &[
        "",
        "contains",
        "icontains",
        "startswith",
        "istartswith",
        "endswith",
        "iendswith",
        "regex",
        "iregex",
    ];
    match field.ty {
        _ if field.constant => &[],
        Type::Text | Type::Url | Type::Country | Type::Enum { .. } => TEXT,
        Type::Bool => &[""],
        Type::Int { .. } | Type::Float { .. } | Type::Date | Type::Time | Type::Counts => {
            &["", "lt", "gt", "lte", "gte", "ne"]
        }
        Type::Texts { .. } => &["contains", "icontains"],
    }
}

/// The name of the parameter of a field and a suffix.
pub fn parameter(field: &Field, suffix: &str) -> String {
    if suffix.is_empty() { field.name.to_owned() } else { format!("{}__{suffix}", field.name) }
}

/// Reads the parameters of a list; of a repeated one the last wins, unknown ones are nothing. All faults at once.
pub fn parse(entity: &EntityInfo, pairs: &[(String, String)]) -> Result<ListQuery, Vec<Fault>> {
    let mut query = ListQuery::default();
    let mut faults = Vec::new();
    let last =
        |name: &str| pairs.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let mut note = |fault| faults.push(fault);

    query.skip = last("skip").map_or(0, |text| number("skip", text, 0).map_err(&mut note).unwrap_or(0));
    query.limit = last("limit").and_then(|text| number("limit", text, 0).map_err(&mut note).ok());
    query.size = last("size").and_then(|text| number("size", text, 1).map_err(&mut note).ok());
    query.page = last("page").map_or(0, |text| number("page", text, 0).map_err(&mut note).unwrap_or(0));
    query.short = flag(last("short"), "short", &mut note);
    query.with_conn = flag(last("with_conn"), "with_conn", &mut note);
    if let Some(text) = last("sort").filter(|text| !text.is_empty()) {
        query.sort = sort(entity, text).map_err(&mut note).ok();
    }
    for (place, field) in entity.fields.iter().enumerate() {
        for suffix in suffixes(field) {
            let name = parameter(field, suffix);
            let Some(text) = last(&name) else { continue };
            match test(field, suffix, text) {
                Ok(test) => query.filters.push(Filter { field: place, test }),
                Err((msg, ty)) => note(Fault::query(&name, msg, ty)),
            }
        }
    }
    query.filters.sort_by_key(|filter| filter.test.cost());
    if faults.is_empty() { Ok(query) } else { Err(faults) }
}

/// Whether a query compares or sorts by what only known callers see (`behaviour.md` 3).
pub fn asks_private(entity: &EntityInfo, pairs: &[(String, String)]) -> bool {
    let asked = |name: &str| pairs.iter().any(|(given, _)| given == name);
    let sorted = |place: usize| {
        let mut sorts = pairs.iter().filter(|(name, _)| name == "sort");
        sorts.any(|(_, text)| sort(entity, text).is_ok_and(|(by, _)| by == By::Field(place)))
    };
    let mut private = entity.fields.iter().enumerate().filter(|(_, field)| !field.public);
    private.any(|(place, field)| {
        suffixes(field).iter().any(|suffix| asked(&parameter(field, suffix))) || sorted(place)
    })
}

fn starts_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    text.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part))
}

/// `short` and `with_conn` of a single node.
pub fn parse_single(pairs: &[(String, String)]) -> Result<(bool, bool), Vec<Fault>> {
    let last =
        |name: &str| pairs.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let mut faults = Vec::new();
    let mut note = |fault| faults.push(fault);
    let answer = (flag(last("short"), "short", &mut note), flag(last("with_conn"), "with_conn", &mut note));
    if faults.is_empty() { Ok(answer) } else { Err(faults) }
}

fn number(name: &str, text: &str, least: usize) -> Result<usize, Fault> {
    let n: i64 =
        text.parse().map_err(|_| Fault::query(name, "value is not a valid integer", "type_error.integer"))?;
    usize::try_from(n).ok().filter(|n| *n >= least).ok_or_else(|| {
        let msg = format!("ensure this value is greater than or equal to {least}");
        Fault::query(name, msg, "value_error.number.not_ge")
    })
}

fn flag(text: Option<&str>, name: &str, note: &mut impl FnMut(Fault)) -> bool {
    text.is_some_and(|text| {
        boolean(text).unwrap_or_else(|| {
            note(Fault::query(name, "value could not be parsed to a boolean", "type_error.bool"));
            false
        })
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// `name`, `-name`, `name_asc`, `name_desc`; with both a minus and a suffix, the minus holds (`behaviour.md` 7).
fn sort(entity: &EntityInfo, text: &str) -> Result<(By, bool), Fault> {
    let by = |name: &str| (name == "uid").then_some(By::Uid).or_else(|| entity.field(name).map(By::Field));
    let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
    let stripped = name.strip_suffix("_asc").map(|name| (name, false));
    let stripped = stripped.or_else(|| name.strip_suffix("_desc").map(|name| (name, true)));
    let (name, down) = stripped.filter(|(name, _)| by(name).is_some()).unwrap_or((name, false));
    by(name).map(|by| (by, descending || down)).ok_or_else(|| {
        let near = crate::nearest(name, entity.fields.iter().map(|field| field.name).chain(["uid"]));
        let msg =
            format!("cannot sort by unknown attribute '{}'{}", read::short(name), read::did_you_mean(near));
        Fault::query("sort", msg, "value_error.sort")
    })
}

fn test(field: &Field, suffix: &str, text: &str) -> Result<Test, (String, &'static str)> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let orders: &'static [_] = match suffix {
        "" => return operand(field.ty, text).map(Test::Is),
        "regex" | "iregex" => return pattern(text, suffix == "iregex", parameter(field, suffix)),
        "lt" => &[Less],
        "gt" => &[Greater],
        "lte" => &[Less, Equal],
        "gte" => &[Greater, Equal],
        "ne" => &[Less, Greater],
        _ => {
            let test = TextTest::of_suffix(suffix).unwrap_or(TextTest::Contains);
            let part = if suffix.starts_with('i') { text.to_lowercase() } else { text.to_owned() };
            return Ok(Test::Text(test, part));
        }
    };
    operand(field.ty, text).map(|value| Test::Order(orders, value))
}

/// A regular expression for a whole value. It is read by itself first, so that what stands around it cannot complete
/// it, and faults speak of it alone.
fn pattern(text: &str, any_case: bool, parameter: String) -> Result<Test, (String, &'static str)> {
    let build = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        builder.case_insensitive(any_case).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build()
    };
    // the line end closes a comment of the extended syntax; the extended syntax does not see it
    let whole = |text: &str| build(&format!("^(?:{text})$")).or_else(|_| build(&format!("^(?:{text}\n)$")));
    let regex = build(text).and_then(|_| whole(text)).map_err(|why| {
        let why = why.to_string();
        (format!("not a regular expression that can be used: {}", read::short(&why)), "value_error.regex")
    })?;
    Ok(Test::Matches(Pattern { regex, parameter }))
}

fn operand(ty: Type, text: &str) -> Result<Value, (String, &'static str)> {
    match ty {
        Type::Bool => boolean(text)
            .map(Value::Bool)
            .ok_or_else(|| ("value could not be parsed to a boolean".to_owned(), "type_error.bool")),
        Type::Int { min, .. } => {
            let n: i64 = text
                .parse()
                .map_err(|_| ("value is not a valid integer".to_owned(), "type_error.integer"))?;
            match min {
                Some(min) if n < min => Err((
                    format!("ensure this value is greater than or equal to {min}"),
                    "value_error.number.not_ge",
                )),
                _ => Ok(Value::Int(n)),
            }
        }
        Type::Counts => text
            .parse()
            .map(Value::Int)
            .map_err(|_| ("value is not a valid integer".to_owned(), "type_error.integer")),
        Type::Float { min, max } => {
            let x = text.parse::<f64>().ok().filter(|x| x.is_finite());
            let x = x.ok_or_else(|| ("value is not a valid float".to_owned(), "type_error.float"))?;
            read::within(x, min, max).map(Value::Float)
        }
        Type::Date => {
            text.parse().map(Value::Date).map_err(|_| ("invalid date format".to_owned(), "value_error.date"))
        }
        Type::Time => read::moment(&text.replace(' ', "+"))
            .map(Value::Time)
            .ok_or_else(|| ("invalid datetime format".to_owned(), "value_error.datetime")),
        Type::Text | Type::Url | Type::Country | Type::Enum { .. } | Type::Texts { .. } => {
            Ok(Value::text(text))
        }
    }
}
