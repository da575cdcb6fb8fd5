//! The comparison: every operation, parameter, body, answer and shape, to the last leaf.

use super::shape::{Shape, mark, resolve, shape};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// One difference: where, and what ours says that the contract does not.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    pub place: String,
    pub what: String,
}

/// All differences of ours from the contract.
pub fn differences(contract: &Json, ours: &Json) -> Vec<Difference> {
    let mut compare = Compare { contract, ours, found: Vec::new() };
    compare.paths();
    compare.found
}

struct Compare<'a> {
    contract: &'a Json,
    ours: &'a Json,
    found: Vec<Difference>,
}

/// How a part of the contract comes: told when null is more than the contract says.
#[derive(Clone, Copy)]
enum Comes {
    Always,
    Optional,
}

/// Parts of a document by name.
type Parts<'j> = BTreeMap<String, &'j Json>;

fn parts(object: Option<&Json>) -> Parts<'_> {
    let entries = object.and_then(Json::as_object).into_iter().flatten();
    entries.map(|(name, part)| (name.clone(), part)).collect()
}

fn borrowed(parts: &BTreeMap<String, Json>) -> Parts<'_> {
    parts.iter().map(|(name, part)| (name.clone(), part)).collect()
}

fn list(json: Option<&Json>) -> &[Json] {
    json.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

impl Compare<'_> {
    fn note(&mut self, place: &str, what: impl Into<String>) {
        self.found.push(Difference { place: place.to_owned(), what: what.into() });
    }

    /// Looks at what both have under each name, and notes what one of them alone has.
    fn each(
        &mut self,
        place: &str,
        what: &str,
        theirs: &Parts,
        ours: &Parts,
        mut both: impl FnMut(&mut Self, &str, &Json, &Json),
    ) {
        for name in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            match (theirs.get(name), ours.get(name)) {
                (Some(theirs), Some(ours)) => both(self, name, theirs, ours),
                (Some(_), None) => self.note(place, format!("no {what} {name}")),
                _ => self.note(place, format!("{what} {name} more")),
            }
        }
    }

    fn same(&mut self, place: &str, what: &str, theirs: Option<&Json>, ours: Option<&Json>) {
        if theirs != ours {
            let say = |value: Option<&Json>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
            self.note(place, format!("{what} is {}, not {}", say(ours), say(theirs)));
        }
    }

    fn paths(&mut self) {
        let (theirs, ours) = (parts(self.contract.get("paths")), parts(self.ours.get("paths")));
        self.each("paths", "path", &theirs, &ours, |compare, path, theirs, ours| {
            let (theirs, ours) = (parts(Some(theirs)), parts(Some(ours)));
            compare.each(path, "method", &theirs, &ours, |compare, method, theirs, ours| {
                compare.operation(&format!("{} {path}", method.to_uppercase()), theirs, ours);
            });
        });
    }

    fn operation(&mut self, place: &str, theirs: &Json, ours: &Json) {
        let security = |operation: &Json| {
            let ways: BTreeSet<_> = list(operation.get("security")).iter().map(ToString::to_string).collect();
            json!(ways)
        };
        self.same(place, "security", Some(&security(theirs)), Some(&security(ours)));

        let (a, b) = (parameters(self.contract, theirs), parameters(self.ours, ours));
        self.each(place, "parameter", &a, &b, |compare, name, theirs, ours| {
            compare.parameter(&format!("{place} {name}"), theirs, ours);
        });

        let body = |operation| {
            let mut parts = parts(Some(operation));
            parts.retain(|name, _| name == "requestBody");
            parts
        };
        self.each(place, "body", &body(theirs), &body(ours), |compare, _, theirs, ours| {
            let place = format!("{place} body");
            let (theirs, ours) = (resolve(compare.contract, theirs), resolve(compare.ours, ours));
            compare.same(&place, "required", theirs.get("required"), ours.get("required"));
            compare.content(&place, theirs, ours);
        });

        let (a, b) = (parts(theirs.get("responses")), parts(ours.get("responses")));
        self.each(place, "status", &a, &b, |compare, status, theirs, ours| {
            let place = format!("{place} {status}");
            let (theirs, ours) = (resolve(compare.contract, theirs), resolve(compare.ours, ours));
            let (a, b) = (parts(theirs.get("headers")), parts(ours.get("headers")));
            compare.each(&place, "header", &a, &b, |_, _, _, _| {});
            compare.content(&place, theirs, ours);
        });
    }

    fn parameter(&mut self, place: &str, theirs: &Json, ours: &Json) {
        let facts = |parameter: &Json| {
            let mut facts = parameter.as_object().cloned().unwrap_or_default();
            facts.retain(|key, _| key != "description" && key != "schema");
            facts.entry("required").or_insert(json!(false));
            Json::from(facts)
        };
        self.same(place, "parameter", Some(&facts(theirs)), Some(&facts(ours)));
        self.schemas(place, &theirs["schema"], &ours["schema"], Comes::Optional);
    }

    fn content(&mut self, place: &str, theirs: &Json, ours: &Json) {
        let (theirs, ours) = (parts(theirs.get("content")), parts(ours.get("content")));
        self.each(place, "content", &theirs, &ours, |compare, _, theirs, ours| {
            compare.schemas(place, &theirs["schema"], &ours["schema"], Comes::Always);
        });
    }

    fn schemas(&mut self, place: &str, theirs: &Json, ours: &Json, comes: Comes) {
        let (their, our) = (shape(self.contract, theirs), shape(self.ours, ours));
        self.null(place, &their, &our, comes);
        match (their.get("members"), our.get("members")) {
            (Some(a), Some(b)) => {
                self.members(place, list(Some(a)), list(Some(b)));
                self.told_apart(place, &their, &our);
            }
            (Some(a), None) if our.get("type") == Some(&json!("array")) => {
                let lists = list(Some(a)).iter().map(|member| shape(self.contract, member));
                let items: Vec<Json> = lists.filter_map(|list| list.get("items").cloned()).collect();
                self.note(place, format!("a list of one of {0}, not one of {0} lists", items.len()));
                let tell = their.get("discriminator").unwrap_or(&Json::Null);
                let one_of = json!({ "oneOf": items, "discriminator": tell });
                let item = our.get("items").unwrap_or(&Json::Null);
                self.schemas(&format!("{place}[]"), &one_of, item, Comes::Always);
            }
            (Some(a), None) => {
                self.note(place, "one shape, not one of several");
                let wanted = mark(self.ours, ours);
                let same = list(Some(a)).iter().find(|member| mark(self.contract, member) == wanted);
                match same {
                    Some(theirs) => self.schemas(place, theirs, ours, Comes::Always),
                    None => self.note(place, "and none of these"),
                }
            }
            (None, Some(_)) => self.note(place, "one of several shapes, not one"),
            (None, None) => self.leaves(place, &their, &our),
        }
    }

    fn null(&mut self, place: &str, theirs: &Shape, ours: &Shape, comes: Comes) {
        match (theirs.contains_key("nullable"), ours.contains_key("nullable"), comes) {
            (false, true, Comes::Always) => self.note(place, "may be null, always there in the contract"),
            (false, true, Comes::Optional) if theirs.contains_key("default") => {
                self.note(place, "may be null, in the contract optional with a default");
            }
            (false, true, Comes::Optional) => self.note(place, "may be null, in the contract optional"),
            (true, false, _) => self.note(place, "never null"),
            _ => {}
        }
    }

    /// Members of unions, paired by what tells them apart; ours may say more of it.
    fn members(&mut self, place: &str, theirs: &[Json], ours: &[Json]) {
        let marked = |api: &Json, members: &[Json]| -> BTreeMap<String, Json> {
            members.iter().map(|member| (mark(api, member), member.clone())).collect()
        };
        let (mut a, b) = (marked(self.contract, theirs), marked(self.ours, ours));
        if (a.len(), b.len()) != (theirs.len(), ours.len()) {
            self.note(place, "members that nothing tells apart");
        }
        let words = |mark: &str| mark.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        let more: Vec<_> = b.keys().filter(|ours| !a.contains_key(*ours)).cloned().collect();
        for ours in more {
            let fits = |theirs: &&String| !b.contains_key(*theirs) && words(theirs).is_subset(&words(&ours));
            let mut fitting = a.keys().filter(fits).cloned();
            if let (Some(theirs), None) = (fitting.next(), fitting.next())
                && let Some(member) = a.remove(&theirs)
            {
                a.insert(ours, member);
            }
        }
        self.each(place, "member", &borrowed(&a), &borrowed(&b), |compare, mark, theirs, ours| {
            compare.schemas(&format!("{place}<{mark}>"), theirs, ours, Comes::Always);
        });
    }

    fn told_apart(&mut self, place: &str, theirs: &Shape, ours: &Shape) {
        let tells = |shape: &Shape| {
            let tell = shape.get("discriminator")?.as_object()?;
            let words: Vec<_> = parts(tell.get("mapping")).into_keys().collect();
            Some(json!({ "by": tell["propertyName"], "words": words }))
        };
        match (tells(theirs), tells(ours)) {
            (None, Some(_)) => self.note(place, "told apart by a property"),
            (theirs, ours) => {
                self.same(place, "what tells members apart", theirs.as_ref(), ours.as_ref());
            }
        }
    }

    fn leaves(&mut self, place: &str, theirs: &Shape, ours: &Shape) {
        const COMPARED: [&str; 8] =
            ["type", "format", "enum", "default", "minimum", "maximum", "minLength", "maxLength"];
        let nothing = Json::Null;
        for key in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let (a, b) = (theirs.get(key), ours.get(key));
            match key.as_str() {
                "nullable" => {}
                key if COMPARED.contains(&key) => self.same(place, key, a, b),
                "items" => {
                    let (a, b) = (a.unwrap_or(&nothing), b.unwrap_or(&nothing));
                    self.schemas(&format!("{place}[]"), a, b, Comes::Always);
                }
                "properties" => self.properties(place, theirs, &parts(a), &parts(b)),
                "required" => self.required(place, list(a), list(b)),
                "additionalProperties" => match (a, b) {
                    (Some(a @ Json::Object(_)), Some(b @ Json::Object(_))) => {
                        self.schemas(&format!("{place}.*"), a, b, Comes::Always);
                    }
                    (None, Some(Json::Bool(false))) => self.note(place, "no properties but these"),
                    _ => self.same(place, key, a, b),
                },
                _ => self.note(place, format!("{key} cannot be compared yet: add it to the comparison")),
            }
        }
    }

    fn properties(&mut self, place: &str, object: &Shape, theirs: &Parts, ours: &Parts) {
        let required = list(object.get("required"));
        self.each(place, "property", theirs, ours, |compare, name, theirs, ours| {
            let comes = if required.contains(&json!(name)) { Comes::Always } else { Comes::Optional };
            compare.schemas(&format!("{place}.{name}"), theirs, ours, comes);
        });
    }

    fn required(&mut self, place: &str, theirs: &[Json], ours: &[Json]) {
        for name in theirs.iter().filter(|name| !ours.contains(name)).filter_map(Json::as_str) {
            self.note(&format!("{place}.{name}"), "optional, in the contract required");
        }
        for name in ours.iter().filter(|name| !theirs.contains(name)).filter_map(Json::as_str) {
            self.note(&format!("{place}.{name}"), "required, in the contract optional");
        }
    }
}

/// The parameters of an operation by place and name.
fn parameters<'j>(api: &'j Json, operation: &'j Json) -> Parts<'j> {
    let all = list(operation.get("parameters")).iter().map(|parameter| resolve(api, parameter));
    let text = |parameter: &Json, key: &str| parameter[key].as_str().unwrap_or_default().to_owned();
    all.map(|parameter| (format!("{} {}", text(parameter, "in"), text(parameter, "name")), parameter))
        .collect()
}
