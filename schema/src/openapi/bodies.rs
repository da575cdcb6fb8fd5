//! What the bodies of requests may say: a patch of each entity, and the document of a provider.

use super::{
    names,
    parts::{self, Named, Part, Place, any_of, list, or_null, text},
};
use crate::{
    Kind,
    entity::{Projects, provider::AUTH_METHOD},
    field::Otherwise,
    schema::EntityInfo,
};
use utoipa::openapi::{
    ObjectBuilder,
    schema::{AdditionalProperties, SchemaType, Type as JsonType},
};

/// Adds the patch of an entity, and what a document says of it.
pub(super) fn add(named: &mut Named, entity: &EntityInfo) {
    let mut patch = closed().description(Some("What it does not name stays; null sets the default."));
    for field in &entity.fields {
        patch = patch.property(field.name, named.field(field, Place::Patch));
    }
    named.add(names::patch(entity), patch.build());

    let object = document(named, entity);
    let name = names::create(entity);
    match entity.decl.projects {
        Projects::No => {
            named.add(name, object.build());
        }
        Projects::One => {
            named.add(name, object.property("project", project()).required("project").build());
        }
        Projects::Sharing => {
            let object = object.build();
            let private = ObjectBuilder::from(object.clone()).property("is_shared", only(false));
            let private = private.property("projects", list(project())).required("projects");
            let shared = ObjectBuilder::from(object).property("is_shared", only(true));
            let members = [("Private", private), ("Shared", shared)]
                .map(|(which, object)| named.add(format!("{which}{name}"), object.build()));
            named.add(name, any_of(members));
        }
    }
}

/// The fields and children of an entity in a document.
fn document(named: &mut Named, entity: &EntityInfo) -> ObjectBuilder {
    // what a document does not say of shared entities stays as stored, as in a patch (`behaviour.md` 15)
    let place = if entity.decl.common { Place::Patch } else { Place::Document };
    let mut object = closed().description(Some(entity.decl.doc));
    for field in &entity.fields {
        object = object.property(field.name, named.field(field, place));
        if field.otherwise == Otherwise::Required {
            object = object.required(field.name);
        }
    }
    for child in entity.decl.children {
        let part = parts::named(&names::create(named.schema.entity(child.kind)));
        object = object.property(child.name, or_null(if child.many { list(part) } else { part }));
    }
    if entity.kind == Kind::IdentityProvider {
        let os = auth_method(named, "OsAuthMethodCreate", &["idp_name", "protocol"]);
        let k8s = auth_method(named, "K8sAuthMethodCreate", &["audience"]);
        object = object.property("relationship", or_null(any_of([os, k8s])));
    }
    object
}

/// How a provider of one type trusts the identity provider.
fn auth_method(named: &mut Named, name: &str, fields: &[&str]) -> Part {
    let fields = AUTH_METHOD.iter().filter(|field| fields.contains(&field.name));
    let object = fields.fold(closed(), |object, field| {
        object.property(field.name, text(field.doc).build()).required(field.name)
    });
    named.add(name.to_owned(), object.build())
}

fn project() -> Part {
    text("uuid of a project of this document.").build().into()
}

/// A flag that tells the private from the shared ones.
fn only(shared: bool) -> Part {
    let flag = ObjectBuilder::new().schema_type(SchemaType::new(JsonType::Boolean));
    let flag = flag.description(Some("Whether all projects of the provider may use it."));
    flag.enum_values(Some([shared])).default(Some(shared.into())).build().into()
}

/// An object with no other properties than its own.
fn closed() -> ObjectBuilder {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)))
}
