//! What providers offer beyond v1: lists of whatever the cloud says, by region.

use super::{
    changes::object,
    feeder::{moment, operation, saying},
    parts::{Named, Part, list, named, or_null, text},
    paths::parameter,
    responses::{empty, error, with},
};
use utoipa::openapi::{
    HttpMethod, ObjectBuilder, PathItem, PathsBuilder, Required,
    path::{Operation, ParameterIn},
    schema::AdditionalProperties,
};

const PATH: &str = "/providers/{provider_uid}/offer";

/// Adds the shapes.
pub(super) fn add(shapes: &mut Named) {
    let items = || {
        let item = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
        list(item.build().into())
    };
    let stale = object(
        "Why a list is as it was.",
        [("since", moment("The first failure.")), ("reason", text("What failed last.").build().into())],
    );
    let stale = shapes.add("StaleOffer".to_owned(), stale.build());
    let kept = object(
        "A list, as it was read last.",
        [
            ("items", or_null(items())),
            ("changed_at", or_null(moment("When it was read so first; null: it never was."))),
            ("stale", or_null(stale)),
        ],
    );
    let kept = shapes.add("OfferedList".to_owned(), kept.build());
    let offer =
        by_name("What a provider offers beyond v1: regions by name, lists by name.", by_name("", kept));
    shapes.add("Offer".to_owned(), offer);

    let region = ObjectBuilder::new()
        .description(Some("What was read of a region."))
        .property("lists", by_name("Lists that were read whole.", items()))
        .property("unknown", by_name("Lists that were not, and why.", text("").build().into()))
        .property("unread", or_null(text("Why not even the names of all lists are known.").build().into()));
    let region = shapes.add("OfferReadingRegion".to_owned(), region.build());
    let sent = object(
        "What was read of what a provider offers beyond v1.",
        [("at", moment("When.")), ("regions", by_name("Regions by name.", region))],
    );
    shapes.add("OfferReading".to_owned(), sent.build());
}

/// Adds the path.
pub(super) fn paths(paths: PathsBuilder) -> PathsBuilder {
    let mut item = PathItem::new(HttpMethod::Get, get());
    item.put = Some(put());
    paths.path(PATH, item)
}

fn get() -> Operation {
    operation("get_provider_offer", 0, "What a provider offers beyond v1")
        .description(Some(
            "Zones, volume types, whole quota sets and further services, as the cloud names them. For everybody with a \
             valid token.",
        ))
        .parameter(uid())
        .response("200", with("Lists by region; none for a provider that no feeder told of.", named("Offer")))
        .response("404", error("No provider has this uid."))
        .build()
}

fn put() -> Operation {
    saying("put_provider_offer", "Say what a provider offers beyond v1", "OfferReading", Required::True)
        .description(Some("Lists that could not be read stay as they were, and say so."))
        .parameter(uid())
        .response("204", empty("It is kept."))
        .response("304", empty("It was known already."))
        .response("404", error("No provider has this uid."))
        .build()
}

fn uid() -> utoipa::openapi::path::Parameter {
    parameter(ParameterIn::Path, "provider_uid", text("").build().into(), "Its uid.")
}

fn by_name(doc: &str, of: Part) -> Part {
    let described = (!doc.is_empty()).then_some(doc);
    let object = ObjectBuilder::new().description(described);
    object.additional_properties(Some(AdditionalProperties::RefOr(of))).build().into()
}
