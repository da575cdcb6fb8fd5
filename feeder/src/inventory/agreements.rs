//! Which user group has which agreement: the index of `trusted_idps` by `doc_uuid`.

use std::collections::BTreeMap;

use schema::document::broken_rules;
use schema::field::Otherwise;
use schema::{Kind, Loc, Schema, read};
use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::fault::Issue;
use super::file::{SiteFile, Sla, TrustedIdp, UserGroup};
use super::origin::place;

/// One agreement, with the group and the identity provider that it belongs to.
#[derive(Clone, Copy)]
pub struct Grant<'a> {
    /// The identity provider and its place in the file.
    pub idp: (usize, &'a TrustedIdp),
    /// The group and its place below it.
    pub group: (usize, &'a UserGroup),
    /// The agreement and its place below that.
    pub sla: (usize, &'a Attributes<Sla>),
}

impl Grant<'_> {
    /// The entry of the group: `trusted_idps[0].user_groups[1]`.
    pub fn group_entry(&self) -> String {
        format!("trusted_idps[{}].user_groups[{}]", self.idp.0, self.group.0)
    }

    /// The entry of the agreement.
    pub fn sla_entry(&self) -> String {
        format!("{}.slas[{}]", self.group_entry(), self.sla.0)
    }
}

/// All agreements of a file by `doc_uuid`, and what is wrong with them.
pub fn agreements(file: &SiteFile) -> (BTreeMap<&str, Grant<'_>>, Vec<Issue>) {
    let mut index: BTreeMap<&str, Grant<'_>> = BTreeMap::new();
    let mut issues = Vec::new();
    for (t, idp) in file.trusted_idps.iter().enumerate() {
        if let Some(first) = file.trusted_idps[..t].iter().position(|earlier| earlier.issuer == idp.issuer) {
            issues.push(Issue {
                at: format!("trusted_idps[{t}].issuer"),
                message: format!("this issuer stands in trusted_idps[{first}] too: write its groups there"),
            });
        }
        for (u, group) in idp.user_groups.iter().enumerate() {
            if let Some(first) = idp.user_groups[..u].iter().position(|earlier| earlier.name == group.name) {
                issues.push(Issue {
                    at: format!("trusted_idps[{t}].user_groups[{u}].name"),
                    message: format!("this group stands in user_groups[{first}] too: write its SLAs there"),
                });
            }
            for (s, sla) in group.slas.iter().enumerate() {
                let grant = Grant { idp: (t, idp), group: (u, group), sla: (s, sla) };
                issues.extend(faults(Kind::Sla, &sla.values, &grant.sla_entry()));
                if let Some(first) = index.get(sla.text("doc_uuid")) {
                    issues.push(Issue {
                        at: format!("{}.doc_uuid", grant.sla_entry()),
                        message: format!(
                            "this agreement stands in {} too: an agreement is of one group; give each its own doc_uuid",
                            first.sla_entry()
                        ),
                    });
                } else {
                    index.insert(sla.text("doc_uuid"), grant);
                }
            }
        }
    }
    (index, issues)
}

/// What the schema finds wrong with one object.
fn faults(kind: Kind, values: &Map<String, Value>, entry: &str) -> Vec<Issue> {
    let entity = Schema::get().entity(kind);
    let mut faults = Vec::new();
    for field in &entity.fields {
        match values.get(field.name) {
            Some(value) => {
                faults.extend(read::field(field, value, &[]).err().map(|fault| (fault.loc, fault.msg)));
            }
            None if field.otherwise == Otherwise::Required => {
                faults.push((vec![Loc::from(field.name)], "field required: add it".to_owned()));
            }
            None => {}
        }
    }
    if faults.is_empty() {
        let get = |name: &str| {
            let field = entity.fields.iter().find(|field| field.name == name);
            let read = field.and_then(|field| read::field(field, values.get(name)?, &[]).ok().flatten());
            read.unwrap_or_default()
        };
        faults.extend(broken_rules(entity, &get, &[]).into_iter().map(|fault| (fault.loc, fault.msg)));
    }
    let issue =
        |(loc, message): (Vec<Loc>, String)| Issue { at: format!("{entry}.{}", place(&loc)), message };
    faults.into_iter().map(issue).collect()
}
