//! The shapes of answers: the plain ones, and the trees that `with_conn` adds.

use crate::{Kind, entity::Projects, field::Type, schema::EntityInfo, value::Value};

/// One part of an `_extended` shape: related nodes under a name.
#[derive(Debug, Clone, Copy)]
pub struct Branch {
    /// Its name in the answer.
    pub name: &'static str,
    /// The name of the relation to follow, at the node that it starts from.
    pub via: Via,
    /// Only nodes of this kind.
    pub only: Option<Kind>,
    /// The public shape, whoever asks (`behaviour.md` 8).
    pub public: bool,
    /// With the relation's own properties, under `relationship`.
    pub properties: bool,
    /// What each of the related nodes holds besides its fields.
    pub branches: &'static [Branch],
}

/// How a branch finds its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Along the relation of this name.
    Relation(&'static str),
    /// What a project can use: its own private resources, and the shared ones of the services on which it has
    /// a quota, each once. The name is the same at project and service.
    Usable(&'static str),
}

/// Related nodes under the name of their relation.
pub const fn branch(name: &'static str) -> Branch {
    Branch { name, via: Via::Relation(name), only: None, public: false, properties: false, branches: &[] }
}

/// The resources that a project can use.
pub const fn usable(name: &'static str) -> Branch {
    Branch { via: Via::Usable(name), ..branch(name) }
}

impl Branch {
    /// With further branches below.
    pub const fn with(mut self, branches: &'static [Branch]) -> Self {
        self.branches = branches;
        self
    }

    /// In the public shape.
    pub const fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// With the relation's properties.
    pub const fn properties(mut self) -> Self {
        self.properties = true;
        self
    }

    /// Only nodes of one kind, along the relation of this name.
    pub const fn of(mut self, kind: Kind, relation: &'static str) -> Self {
        self.only = Some(kind);
        self.via = Via::Relation(relation);
        self
    }
}

/// Whom a shape is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Anonymous callers.
    Public,
    /// Who is known.
    Private,
}

impl Audience {
    /// `schema_type` of a plain shape.
    pub const fn schema_type(self, extended: bool) -> &'static str {
        match (self, extended) {
            (Self::Public, false) => "public",
            (Self::Public, true) => "public_extended",
            (Self::Private, false) => "private",
            (Self::Private, true) => "private_extended",
        }
    }
}

/// A node's plain shape as JSON text without its last brace, and where the value of `schema_type` ends in it.
/// Both parts are written into an answer as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    text: Box<[u8]>,
    split: u32,
}

impl Plain {
    /// Writes the plain shape of a node.
    pub fn render(
        entity: &EntityInfo,
        values: &[Value],
        shared: bool,
        uid: &str,
        audience: Audience,
    ) -> Self {
        let mut out = Vec::with_capacity(384);
        out.push(b'{');
        for (field, value) in entity.fields.iter().zip(values) {
            if audience == Audience::Private || field.public {
                write_key(field.name, &mut out);
                value.write_v1(field, &mut out);
                out.push(b',');
            }
        }
        out.extend_from_slice(b"\"schema_type\":\"");
        out.extend_from_slice(audience.schema_type(false).as_bytes());
        let split = out.len();
        out.extend_from_slice(b"\",\"uid\":\"");
        out.extend_from_slice(uid.as_bytes());
        out.push(b'"');
        if audience == Audience::Private {
            if entity.decl.projects == Projects::Sharing {
                out.extend_from_slice(if shared { b",\"is_shared\":true" } else { b",\"is_shared\":false" });
            }
            for (field, value) in
                entity.fields.iter().zip(values).filter(|(field, _)| field.ty == Type::Country)
            {
                let code = value.as_str().and_then(crate::country::alpha3);
                out.extend_from_slice(b",\"");
                out.extend_from_slice(field.name.as_bytes());
                out.extend_from_slice(b"_code\":");
                code.map_or(Value::Null, Value::text).write_v1(field, &mut out);
            }
        }
        Self { text: out.into(), split: u32::try_from(split).unwrap_or(u32::MAX) }
    }

    /// Appends the shape, its last brace left out; `extended` names it an extended one.
    pub fn open(&self, extended: bool, out: &mut Vec<u8>) {
        if extended {
            let (head, tail) = self.text.split_at(self.split as usize);
            out.extend_from_slice(head);
            out.extend_from_slice(b"_extended");
            out.extend_from_slice(tail);
        } else {
            out.extend_from_slice(&self.text);
        }
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Never: a shape has at least its braces.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Appends `"name":`. Names are declared, so nothing in them needs escaping.
pub fn write_key(name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
