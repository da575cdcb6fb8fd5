//! What things are called. Generated clients make their types and functions of these names, so they say what
//! something is and not how it came to be: `Flavor`, `PublicFlavor`, `ExtendedFlavor`, `FlavorPatch`,
//! `list_flavors`. An entity as the extended shape of another one shows it has both names: `ProviderRegion`.

use crate::{schema::EntityInfo, view::Audience};

/// The plain shape: `Flavor`, `PublicFlavor`.
pub(super) fn plain(entity: &EntityInfo, audience: Audience) -> String {
    for_audience(entity.decl.name, audience)
}

/// The shape with what is related: `ExtendedFlavor`, `PublicExtendedFlavor`.
pub(super) fn extended(entity: &EntityInfo, audience: Audience) -> String {
    for_audience(&format!("Extended{}", entity.decl.name), audience)
}

/// An entity, or a family of them, within the extended shape of another: `ProviderRegion`, `ProjectQuota`.
pub(super) fn nested(root: &EntityInfo, name: &str, audience: Audience) -> String {
    let root = root.decl.family.unwrap_or(root.decl.name);
    for_audience(&format!("{root}{name}"), audience)
}

/// An entity with the properties of the relation that shows it, and no more: `ProviderWithAuthMethod`.
pub(super) fn with_auth_method(entity: &EntityInfo, audience: Audience) -> String {
    for_audience(&format!("{}WithAuthMethod", entity.decl.name), audience)
}

/// Any of the four shapes: `AnyFlavor`.
pub(super) fn any(entity: &EntityInfo) -> String {
    format!("Any{}", entity.decl.name)
}

/// The body of a PATCH: `FlavorPatch`.
pub(super) fn patch(entity: &EntityInfo) -> String {
    format!("{}Patch", entity.decl.name)
}

/// What a document says of an entity: `RegionCreate`.
pub(super) fn create(entity: &EntityInfo) -> String {
    format!("{}Create", entity.decl.name)
}

/// The operation on all entities of a kind, or on one of them: `list_flavors`, `get_flavor`.
pub(super) fn operation(verb: &str, entity: &EntityInfo, all: bool) -> String {
    let object = if all { entity.decl.path.to_owned() } else { snake(entity.decl.name) };
    format!("{verb}_{object}")
}

fn for_audience(name: &str, audience: Audience) -> String {
    match audience {
        Audience::Private => name.to_owned(),
        Audience::Public => format!("Public{name}"),
    }
}

/// `ComputeService` -> `compute_service`, `SLA` -> `sla`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = false;
    for c in name.chars() {
        if c.is_uppercase() && before {
            out.push('_');
        }
        before = c.is_lowercase();
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::snake;

    #[test]
    fn names_of_operations_are_in_snake_case() {
        assert_eq!(snake("BlockStorageService"), "block_storage_service");
        assert_eq!(snake("SLA"), "sla");
    }
}
