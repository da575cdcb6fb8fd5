//! Declaring a field: name, type, default, unit, and whether anonymous callers see it.

use crate::value::Value;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// Any text.
    Text,
    /// A URL, kept as written.
    Url,
    /// An ISO 3166-1 English short name.
    Country,
    /// One of a few words.
    Enum {
        /// The name of the enumeration in the OpenAPI document.
        name: &'static str,
        /// Its members.
        members: &'static [&'static str],
    },
    /// A truth value.
    Bool,
    /// A whole number.
    Int {
        /// The smallest that v1 shows.
        min: Option<i64>,
        /// Whether a document may say -1 for "unlimited" (`behaviour.md` 21).
        unlimited: bool,
    },
    /// A number.
    Float {
        /// The smallest allowed.
        min: Option<f64>,
        /// The largest allowed.
        max: Option<f64>,
    },
    /// A list of texts.
    Texts {
        /// Whether each must be an e-mail address.
        email: bool,
    },
    /// A calendar day.
    Date,
    /// A moment.
    Time,
    /// Whole numbers by name.
    Counts,
}

/// What a field holds when a document does not say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Otherwise {
    /// The document must say it.
    Required,
    /// Nothing.
    Null,
    /// A text.
    Text(&'static str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// An empty list.
    Empty,
}

/// One declared field of an entity or of a relation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its name on the wire, in queries and as Neo4j property.
    pub name: &'static str,
    /// What it holds.
    pub ty: Type,
    /// What it holds when a document does not say.
    pub otherwise: Otherwise,
    /// Whether anonymous callers see it.
    pub public: bool,
    /// Whether the graph keeps an index of it.
    pub indexed: bool,
    /// Whether it says which sort of thing the entity is, and never differs within it (`type` of a service).
    pub constant: bool,
    /// The unit of a number: `MiB`, `GiB`, `Gbit/s`.
    pub unit: Option<&'static str>,
    /// What it means, for the OpenAPI document.
    pub doc: &'static str,
}

impl Field {
    const fn new(name: &'static str, ty: Type, otherwise: Otherwise) -> Self {
        Self { name, ty, otherwise, public: false, indexed: false, constant: false, unit: None, doc: "" }
    }

    /// Anonymous callers see it too.
    pub const fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// A document must say it.
    pub const fn required(mut self) -> Self {
        self.otherwise = Otherwise::Required;
        self
    }

    /// Looked up by equality so often that the graph keeps an index of it.
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// What a document that does not say it means.
    pub const fn or(mut self, otherwise: Otherwise) -> Self {
        self.otherwise = otherwise;
        self
    }

    /// The unit.
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// What it means.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The value of a field that a document does not say.
    pub fn default_value(&self) -> Value {
        match self.otherwise {
            Otherwise::Required | Otherwise::Null => Value::Null,
            Otherwise::Text(text) => Value::text(text),
            Otherwise::Bool(b) => Value::Bool(b),
            Otherwise::Int(n) => Value::Int(n),
            Otherwise::Float(x) => Value::Float(x),
            Otherwise::Empty => Value::Texts(Box::default()),
        }
    }

    /// Whether v1 answers can show null for it.
    pub fn nullable(&self) -> bool {
        self.otherwise == Otherwise::Null
    }

    /// Whether v1 shows null for unlimited, since its own minimum leaves no room for -1.
    pub fn hides_unlimited(&self) -> bool {
        matches!(self.ty, Type::Int { min: Some(0), unlimited: true })
    }
}

/// A text; null when not said.
pub const fn text(name: &'static str) -> Field {
    Field::new(name, Type::Text, Otherwise::Null)
}

/// A URL that must be said.
pub const fn url(name: &'static str) -> Field {
    Field::new(name, Type::Url, Otherwise::Required)
}

/// A country that must be said.
pub const fn country(name: &'static str) -> Field {
    Field::new(name, Type::Country, Otherwise::Required)
}

/// One of a few words; `enum_name` is what OpenAPI calls them.
pub const fn choice(name: &'static str, enum_name: &'static str, members: &'static [&'static str]) -> Field {
    Field::new(name, Type::Enum { name: enum_name, members }, Otherwise::Null)
}

/// A word that is the same for all nodes of the entity.
pub const fn constant(name: &'static str, members: &'static [&'static str; 1]) -> Field {
    let mut field = Field::new(name, Type::Enum { name: "", members }, Otherwise::Text(members[0])).public();
    field.constant = true;
    field
}

/// A truth value, false when not said.
pub const fn flag(name: &'static str) -> Field {
    Field::new(name, Type::Bool, Otherwise::Bool(false))
}

/// A whole number of at least 0, 0 when not said.
pub const fn size(name: &'static str) -> Field {
    Field::new(name, Type::Int { min: Some(0), unlimited: false }, Otherwise::Int(0))
}

/// A whole number of at least `min`, null when not said.
pub const fn int(name: &'static str, min: i64) -> Field {
    Field::new(name, Type::Int { min: Some(min), unlimited: false }, Otherwise::Null)
}

/// A quota's limit or usage; -1 is unlimited, null is not said. v1 shows null for both.
pub const fn limit(name: &'static str) -> Field {
    Field::new(name, Type::Int { min: Some(0), unlimited: true }, Otherwise::Null)
}

/// A quota's limit or usage where v1 shows -1 for unlimited.
pub const fn open_limit(name: &'static str) -> Field {
    Field::new(name, Type::Int { min: Some(-1), unlimited: true }, Otherwise::Null)
}

/// A number, `otherwise` when not said.
pub const fn number(name: &'static str, otherwise: f64) -> Field {
    Field::new(name, Type::Float { min: None, max: None }, Otherwise::Float(otherwise))
}

/// A number between `min` and `max`, null when not said.
pub const fn between(name: &'static str, min: f64, max: f64) -> Field {
    Field::new(name, Type::Float { min: Some(min), max: Some(max) }, Otherwise::Null)
}

/// A list of texts, empty when not said.
pub const fn texts(name: &'static str) -> Field {
    Field::new(name, Type::Texts { email: false }, Otherwise::Empty)
}

/// A list of e-mail addresses, empty when not said.
pub const fn emails(name: &'static str) -> Field {
    Field::new(name, Type::Texts { email: true }, Otherwise::Empty)
}

/// A calendar day that must be said.
pub const fn date(name: &'static str) -> Field {
    Field::new(name, Type::Date, Otherwise::Required)
}

/// A moment; null when not said.
pub const fn time(name: &'static str) -> Field {
    Field::new(name, Type::Time, Otherwise::Null)
}

/// Whole numbers by name; null when not said.
pub const fn counts(name: &'static str) -> Field {
    Field::new(name, Type::Counts, Otherwise::Null)
}

/// What every entity has.
pub const DESCRIPTION: Field =
    text("description").or(Otherwise::Text("")).public().doc("Free text for people.");
