//! What the feeder does at the registry, and how fresh everything is: beside v1, never in its shapes.

use super::{
    changes::{number, object},
    parts::{Named, Part, list, named, or_null, text, word},
    paths::{bearer, parameter, query},
    responses::{self, empty, error, with},
};
use utoipa::openapi::{
    Content, HttpMethod, KnownFormat, ObjectBuilder, PathItem, PathsBuilder, Required, SchemaFormat,
    path::{Operation, OperationBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{AdditionalProperties, SchemaType, Type as JsonType},
};

pub(super) const TAGS: [(&str, &str); 2] = [
    ("feeder", "What the feeder does: providers with what could not be read, its lease, its runs."),
    ("freshness", "When what the graph holds was last read, and what could not be read since."),
];

const PROVIDER: &str = "The provider's name; with its type it names one provider.";

/// Adds the shapes.
pub(super) fn add(shapes: &mut Named) {
    scopes(shapes);
    freshness(shapes);
    providers(shapes);
    runs(shapes);
}

fn scopes(shapes: &mut Named) {
    let scope = || {
        object(
            "What one list of one project covers; what is not said is all of it.",
            [
                ("region", text("The region's name.").build().into()),
                ("project", text("The project's id at its provider.").build().into()),
            ],
        )
        .property(
            "service",
            text("The service's type; not there: not even which services there are.").build(),
        )
        .property("endpoint", text("The service's address.").build())
        .property("list", text("The list as the document names it: `flavors`.").build())
    };
    let class = || {
        text("The kind of failure: `unauthorized`, `forbidden`, `unavailable`, `unreachable`, `timeout`, `garbage`, `configuration`.").build()
    };
    let reason = || text("What failed, for people.").build();
    let unread =
        scope().property("class", class()).required("class").property("reason", reason()).required("reason");
    shapes.add("UnreadScope".to_owned(), unread.build());
    let stale = scope()
        .property("class", class())
        .required("class")
        .property("reason", reason())
        .required("reason")
        .property("since", moment("The first failure."))
        .required("since")
        .property("attempted", moment("The last failure."))
        .required("attempted")
        .property("succeeded", or_null(moment("When it was last read whole; null: never.")))
        .required("succeeded");
    shapes.add("StaleScope".to_owned(), stale.build());
    let state = shapes.add("ScopeState".to_owned(), word(&["fresh", "stale"]).build());
    let times = scope()
        .property("state", state)
        .required("state")
        .property("succeeded", or_null(moment("When it was last read whole; null: never.")))
        .required("succeeded")
        .property("attempted", moment("When that was last tried."))
        .required("attempted")
        .property("since", moment("Of a stale one, the first failure."))
        .property("class", class())
        .property("reason", reason());
    shapes.add("ScopeFreshness".to_owned(), times.build());
}

fn freshness(shapes: &mut Named) {
    let held_back = object(
        "A part that was not removed, because it is too much at once.",
        [
            ("remove", number("Nodes that would go.")),
            ("of", number("Of how many that the provider has.")),
            ("limit", part("Which part may go at once.")),
        ],
    );
    let held_back = shapes.add("HeldBack".to_owned(), held_back.build());
    let trouble = object(
        "What is wrong with a provider as a whole: its entry in the provider files, its document.",
        [
            ("class", text("The kind of failure.").build().into()),
            ("reason", text("What failed, for people.").build().into()),
            ("since", moment("The first time.")),
        ],
    );
    let trouble = shapes.add("ProviderTrouble".to_owned(), trouble.build());
    let lists = ObjectBuilder::new()
        .description(Some("When each list was last read, in all scopes that are not stale."))
        .additional_properties(Some(AdditionalProperties::RefOr(moment(""))))
        .build();
    let provider = |doc: &str| {
        object(
            doc,
            [
                ("uid", text("Its uid.").build().into()),
                ("name", text("Its name.").build().into()),
                ("type", text("Its technology.").build().into()),
                ("status", text("Its status; `limited` while something is stale.").build().into()),
                (
                    "attempted",
                    or_null(moment(
                        "When it was last read, well or not; null: never by a feeder that tells.",
                    )),
                ),
                ("lists", or_null(lists.clone().into())),
                ("stale", list(named("StaleScope"))),
                ("held_back", or_null(held_back.clone())),
                ("trouble", or_null(trouble.clone())),
            ],
        )
    };
    shapes.add("ProviderFreshness".to_owned(), provider("How fresh a provider is.").build());
    let whole = provider("How fresh a provider is, scope by scope.");
    let whole = whole.property("scopes", list(named("ScopeFreshness"))).required("scopes");
    shapes.add("ProviderScopes".to_owned(), whole.build());
}

fn providers(shapes: &mut Named) {
    let read = ObjectBuilder::new()
        .description(Some("What was read and what not."))
        .property("at", moment("When it was read."))
        .required("at")
        .property("asked", or_null(list(text("").build().into())))
        .property("unread", list(named("UnreadScope")));
    let read = shapes.add("ProviderReading".to_owned(), read.build());
    let sent = object(
        "A provider document, and how much of the provider it knows. `asked` are the only lists that were asked for; what is \
         unread, and what was not asked for, stays as it is.",
        [
            ("document", named("ProviderCreate")),
            ("read", read),
            ("removal_limit", part("Which part of the provider's nodes may go at once; more is held back.")),
        ],
    );
    let confirm = ObjectBuilder::new()
        .schema_type(JsonType::Boolean)
        .default(Some(false.into()))
        .description(Some("Let go whatever it is."));
    let sent = sent.property("confirm_removals", confirm.build());
    shapes.add("ReadProvider".to_owned(), sent.build());

    let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue).build();
    let fields = ObjectBuilder::new()
        .description(Some("Each field: `old` and `new`, or of relations what is `added` and `removed`."))
        .additional_properties(Some(AdditionalProperties::RefOr(any.into())));
    let action = shapes.add("PlannedAction".to_owned(), word(&["add", "change", "remove"]).build());
    let difference = object(
        "What becomes of one node.",
        [
            ("action", action),
            ("kind", text("Its entity: `Flavor`.").build().into()),
            ("name", text("Its name.").build().into()),
        ],
    )
    .property("uuid", text("Its id at its provider.").build())
    .property("at", list(text("Region, then service.").build().into()))
    .property("fields", fields.build());
    let difference = shapes.add("PlannedChange".to_owned(), difference.build());
    let outcome = shapes
        .add("ReconcileOutcome".to_owned(), word(&["created", "updated", "not_modified", "removed"]).build());
    let flag = ObjectBuilder::new().schema_type(JsonType::Boolean).description(Some(
        "Whether how fresh this is was kept too; else the record of the run must tell it.",
    ));
    let done = object(
        "What became of a provider, or would.",
        [
            ("uid", or_null(text("Its uid.").build().into())),
            ("outcome", outcome),
            ("added", number("New nodes.")),
            ("changed", number("Nodes with other values or relations.")),
            ("removed", number("Nodes that are gone.")),
            ("held_back", or_null(named("HeldBack"))),
            ("status", text("Its status from now on.").build().into()),
            ("recorded", flag.build().into()),
            ("digest", text("Names what the change does, whoever computes it.").build().into()),
        ],
    )
    .property("changes", list(difference));
    shapes.add("Reconciled".to_owned(), done.build());
}

fn runs(shapes: &mut Named) {
    let holder = || text("The feeder's name.").build();
    let ask = ObjectBuilder::new()
        .description(Some("Whose the lease shall be, for how many seconds (5 to 3600)."))
        .property("holder", holder())
        .required("holder")
        .property("seconds", number("For how many seconds."))
        .required("seconds")
        .property("fence", or_null(number("The token that it has, to keep it.")));
    shapes.add("LeaseRequest".to_owned(), ask.build());
    let lease = object(
        "The right to write, of one feeder at a time.",
        [
            ("holder", holder().into()),
            (
                "fence",
                number("The fencing token: higher for each holder. A write with an earlier one is refused."),
            ),
            ("expires", moment("Until when nobody else gets it.")),
        ],
    )
    .property(
        "providers",
        list(text("A provider's name; without this list it is good for all.").build().into()),
    );
    shapes.add("Lease".to_owned(), lease.build());
    let flag = |doc: &str| ObjectBuilder::new().schema_type(JsonType::Boolean).description(Some(doc));
    let names = || list(text("").build().into());
    let ask = ObjectBuilder::new()
        .description(Some("Which providers to read, by name; none: all."))
        .property("providers", names())
        .property(
            "confirm_removals",
            flag("Remove also what would be held back.").default(Some(false.into())).build(),
        );
    shapes.add("RunRequest".to_owned(), ask.build());
    let request = object(
        "A run that was asked for and not made yet.",
        [
            ("id", text("Its id.").build().into()),
            ("requested", moment("When.")),
            ("by", text("By whom.").build().into()),
            ("providers", names()),
            ("confirm_removals", flag("Remove also what would be held back.").build().into()),
        ],
    );
    shapes.add("RequestedRun".to_owned(), request.build());
    let record = |doc: &str| {
        object(
            doc,
            [
                ("started", moment("When it started.")),
                ("finished", moment("When it ended.")),
                ("failed", flag("Whether anything went wrong.").build().into()),
            ],
        )
        .property("requests", names())
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
    };
    let fault = object(
        "What went wrong.",
        [
            ("class", text("The kind.").build().into()),
            ("message", text("What, and what to do.").build().into()),
        ],
    );
    let fault = shapes.add("RunFault".to_owned(), fault.build());
    let provider = object(
        "What became of a provider.",
        [
            ("name", text(PROVIDER).build().into()),
            ("type", text("Its technology.").build().into()),
            (
                "outcome",
                text("`created`, `updated`, `not_modified`, `removed`, `failed`, `skipped`.").build().into(),
            ),
        ],
    )
    .property("faults", list(fault))
    .property("unread", list(named("UnreadScope")))
    .property("read", or_null(named("ProviderReading")))
    .additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let provider = shapes.add("RunProvider".to_owned(), provider.build());
    let run = record("What became of a run.").property("providers", list(provider));
    shapes.add("RunRecord".to_owned(), run.build());
    let outcomes = ObjectBuilder::new()
        .description(Some("How many providers came to what."))
        .additional_properties(Some(AdditionalProperties::RefOr(number(""))));
    let brief = record("A run, without what became of each provider.")
        .property("id", text("Its id.").build())
        .required("id")
        .property("outcomes", outcomes.build())
        .required("outcomes");
    let brief = shapes.add("Run".to_owned(), brief.build());
    let both = object(
        "What was asked for, and the newest runs first.",
        [("requested", list(named("RequestedRun"))), ("runs", list(brief))],
    );
    shapes.add("Runs".to_owned(), both.build());
}

/// Adds the paths.
pub(super) fn paths(paths: PathsBuilder) -> PathsBuilder {
    let mut lease = PathItem::new(HttpMethod::Put, take_lease());
    lease.get = Some(get_lease());
    let mut runs = PathItem::new(HttpMethod::Post, request_run());
    runs.get = Some(list_runs());
    let mut run = PathItem::new(HttpMethod::Put, record_run());
    run.get = Some(get_run());
    paths
        .path("/feeder/providers", PathItem::new(HttpMethod::Put, reconcile()))
        .path("/feeder/providers/{provider_uid}", PathItem::new(HttpMethod::Delete, remove()))
        .path("/feeder/lease", lease)
        .path("/feeder/runs", runs)
        .path("/feeder/runs/{run_id}", run)
        .path("/freshness", PathItem::new(HttpMethod::Get, list_freshness()))
        .path("/providers/{provider_uid}/freshness", PathItem::new(HttpMethod::Get, provider_freshness()))
}

pub(super) fn operation(id: &str, tag: usize, summary: &str) -> OperationBuilder {
    let operation = OperationBuilder::new().operation_id(Some(id)).tag(TAGS[tag].0).summary(Some(summary));
    responses::common(operation).securities(Some([bearer()]))
}

fn writing(id: &str, summary: &str) -> OperationBuilder {
    responses::of_writes(operation(id, 0, summary))
}

pub(super) fn saying(id: &str, summary: &str, shape: &str, required: Required) -> OperationBuilder {
    let body = RequestBodyBuilder::new()
        .content("application/json", Content::new(Some(named(shape))))
        .required(Some(required));
    responses::of_bodies(writing(id, summary)).request_body(Some(body.build()))
}

/// How a write of a provider is meant.
fn meant(operation: OperationBuilder) -> OperationBuilder {
    let flag = ObjectBuilder::new().schema_type(JsonType::Boolean).default(Some(false.into())).build().into();
    let known = "An ETag of an earlier answer: 412 when the graph is no longer in that state.";
    operation
        .parameter(query("dry_run", flag, "Say what would be, node by node, and change nothing."))
        .parameter(query("fence", number(""), "The token of the lease; needed unless `dry_run` is true."))
        .parameter(query(
            "digest",
            text("").build().into(),
            "What a dry run said: 412 when the change does something else now.",
        ))
        .parameter(parameter(ParameterIn::Header, "If-Match", text("").build().into(), known))
}

fn reconcile() -> Operation {
    let doc = "The provider is found by name and type. Scopes that could not be read keep what they hold, and the provider \
               becomes `limited` while there are any.";
    meant(saying(
        "reconcile_provider",
        "Make a provider equal to what was read of it",
        "ReadProvider",
        Required::True,
    ))
    .description(Some(doc))
    .response("200", with("What became of it.", named("Reconciled")))
    .response("201", with("It is new.", named("Reconciled")))
    .build()
}

fn remove() -> Operation {
    meant(writing("remove_provider", "Remove a provider that the provider files no longer name"))
        .parameter(parameter(ParameterIn::Path, "provider_uid", text("").build().into(), "Its uid."))
        .response("200", with("It is gone.", named("Reconciled")))
        .response("204", empty("It was not there."))
        .build()
}

fn take_lease() -> Operation {
    saying("take_lease", "Take the right to write, or keep it", "LeaseRequest", Required::True)
        .response("200", with("It is the caller's.", named("Lease")))
        .build()
}

fn get_lease() -> Operation {
    operation("get_lease", 0, "Who has the right to write")
        .response("200", with("The last lease that was given; null: none yet.", or_null(named("Lease"))))
        .build()
}

fn request_run() -> Operation {
    saying("request_run", "Ask for a run of the feeder", "RunRequest", Required::False)
        .response("202", with("The feeder makes it as soon as it looks.", named("RequestedRun")))
        .build()
}

fn list_runs() -> Operation {
    operation("list_runs", 0, "The feeder's runs")
        .parameter(query("limit", number(""), "At most so many; 100 are kept."))
        .response("200", with("The runs.", named("Runs")))
        .build()
}

fn record_run() -> Operation {
    saying("record_run", "Keep the record of a run, and give the lease back", "RunRecord", Required::True)
        .parameter(run_id())
        .parameter(query("fence", number(""), "The token of the lease."))
        .response("204", empty("It is kept."))
        .build()
}

fn get_run() -> Operation {
    operation("get_run", 0, "What became of each provider in one run")
        .parameter(run_id())
        .response("200", with("The run.", named("RunRecord")))
        .response("404", error("No run that is kept has this id."))
        .build()
}

fn run_id() -> utoipa::openapi::path::Parameter {
    parameter(
        ParameterIn::Path,
        "run_id",
        text("").build().into(),
        "8 to 64 letters, digits and dashes; they sort by time.",
    )
}

fn list_freshness() -> Operation {
    operation("list_freshness", 1, "How fresh each provider is")
        .description(Some("For everybody with a valid token."))
        .response("200", with("One entry for each provider.", list(named("ProviderFreshness"))))
        .build()
}

fn provider_freshness() -> Operation {
    operation("get_provider_freshness", 1, "How fresh each scope of a provider is")
        .description(Some("For everybody with a valid token."))
        .parameter(parameter(ParameterIn::Path, "provider_uid", text("").build().into(), "Its uid."))
        .response("200", with("The provider.", named("ProviderScopes")))
        .response("404", error("No provider has this uid."))
        .build()
}

pub(super) fn moment(doc: &str) -> Part {
    text(doc).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build().into()
}

fn part(doc: &str) -> Part {
    let number = ObjectBuilder::new().schema_type(JsonType::Number).minimum(Some(0.0)).maximum(Some(1.0));
    number.description(Some(doc)).build().into()
}
