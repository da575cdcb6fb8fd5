//! Taking over a database: what is added to it, once.

use super::{
    connect::{Connection, Fault},
    load, log,
    names::{self, GRAPH, META},
};
use crate::store::{StoreError, Survey, new_epoch};
use neo4rs::query;
use schema::Schema;
use std::time::Duration;

/// The form of the bookkeeping nodes.
const FORMAT: u64 = 1;
/// A constraint over a large graph takes its time.
const SCHEMA_CHANGE: Duration = Duration::from_mins(5);
const TRIES: usize = 5;

/// A property that is unique among the nodes of a label.
struct Unique {
    label: String,
    property: &'static str,
}

impl Unique {
    fn name(&self) -> String {
        format!("fedreg_{}_{}", self.label, self.property)
    }

    /// The index that stands in while duplicates forbid the constraint.
    fn stand_in(&self) -> String {
        format!("{}_index", self.name())
    }

    fn create(&self) -> String {
        let Self { label, property } = self;
        format!(
            "CREATE CONSTRAINT {} IF NOT EXISTS FOR (n:{label}) REQUIRE n.{property} IS UNIQUE",
            self.name()
        )
    }

    fn index(&self) -> String {
        let Self { label, property } = self;
        format!("CREATE INDEX {} IF NOT EXISTS FOR (n:{label}) ON (n.{property})", self.stand_in())
    }

    /// A label of our bookkeeping nodes, which no duplicates are allowed in.
    fn is_own(&self) -> bool {
        self.label.starts_with("FedReg")
    }
}

/// What the first start would add, and all that is there. Writes nothing.
pub(super) async fn survey(connection: &Connection, schema: &'static Schema) -> Result<Survey, StoreError> {
    let failed = |fault: Fault| connection.explain(fault);
    let meta = log::meta(connection).await.map_err(failed)?;
    check_format(connection, meta.as_ref())?;
    let mut would_add = Vec::new();
    for unique in missing(connection, schema).await.map_err(failed)? {
        match duplicates(connection, &unique).await.map_err(failed)? {
            0 => would_add.push(unique.create()),
            _ if has_stand_in(connection, &unique).await.map_err(failed)? => {}
            several => would_add.push(format!(
                "{} (no constraint, since values that stand in more than one node are {several})",
                unique.index()
            )),
        }
    }
    if meta.is_none() {
        would_add.push(format!("one node (:{META}) with the revision of the graph"));
    }
    Ok(Survey { would_add, loaded: load::read(connection, schema, meta.as_ref()).await? })
}

/// Makes constraints and the bookkeeping node where they are missing; where that node was `known` to be there, its
/// absence is no invitation to begin anew. Gives the epoch.
pub(super) async fn prepare(
    connection: &Connection,
    schema: &Schema,
    known: bool,
) -> Result<String, StoreError> {
    let failed = |fault: Fault| connection.explain(fault);
    let meta = log::meta(connection).await.map_err(failed)?;
    check_format(connection, meta.as_ref())?;
    if known && meta.is_none() {
        return Err(StoreError::Wiped);
    }
    for unique in missing(connection, schema).await.map_err(failed)? {
        constrain(connection, &unique).await.map_err(failed)?;
    }
    if let Some(meta) = meta {
        return Ok(meta.head.epoch);
    }
    let fresh = new_epoch();
    let text = format!(
        "MERGE (m:{META} {{key: '{GRAPH}'}}) \
         ON CREATE SET m.format = {FORMAT}, m.epoch = $epoch, m.revision = 0, m.oldest = 1 RETURN m.epoch AS epoch"
    );
    let row = again(connection, || query(&text).param("epoch", fresh.as_str())).await.map_err(failed)?;
    match row {
        Some(row) => row.get("epoch").map_err(|error| failed(error.into())),
        None => Err(failed(Fault::Answer("no row of a MERGE".to_owned()))),
    }
}

fn check_format(connection: &Connection, meta: Option<&log::Meta>) -> Result<(), StoreError> {
    match meta {
        Some(meta) if meta.format != FORMAT => Err(StoreError::Format {
            path: connection.address().to_owned(),
            found: meta.format,
            known: FORMAT,
        }),
        _ => Ok(()),
    }
}

/// The constraints that are not there, by any name.
async fn missing(connection: &Connection, schema: &Schema) -> Result<Vec<Unique>, Fault> {
    let text = "SHOW CONSTRAINTS YIELD type, labelsOrTypes, properties WHERE type IN ['UNIQUENESS', \
                'NODE_PROPERTY_UNIQUENESS', 'NODE_KEY'] RETURN labelsOrTypes AS labels, properties AS properties";
    let mut rows = connection.rows(query(text)).await?;
    let mut there: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    while let Some(row) = rows.next().await? {
        there.push((row.get("labels")?, row.get("properties")?));
    }
    let wanted = names::unique(schema).into_iter();
    let known = |label: &str, property: &str| there.iter().any(|(l, p)| l == &[label] && p == &[property]);
    Ok(wanted
        .filter(|(label, property)| !known(label, property))
        .map(|(label, property)| Unique { label, property })
        .collect())
}

/// How many values stand in several nodes. Of our own bookkeeping none may: making the constraint tells.
async fn duplicates(connection: &Connection, unique: &Unique) -> Result<i64, Fault> {
    if unique.is_own() {
        return Ok(0);
    }
    let Unique { label, property } = unique;
    let text = format!(
        "MATCH (n:{label}) WHERE n.{property} IS NOT NULL WITH n.{property} AS value, count(*) AS times \
         WHERE times > 1 RETURN count(value) AS duplicates"
    );
    let row = connection.execute(query(&text), SCHEMA_CHANGE).await?;
    row.map_or(Ok(0), |row| Ok(row.get("duplicates")?))
}

/// Whether the index that stands in for a constraint was made.
async fn has_stand_in(connection: &Connection, unique: &Unique) -> Result<bool, Fault> {
    let text = "SHOW INDEXES YIELD name WHERE name = $name RETURN count(name) > 0 AS there";
    let row = connection.row(query(text).param("name", unique.stand_in())).await?;
    row.map_or(Ok(false), |row| Ok(row.get("there")?))
}

async fn constrain(connection: &Connection, unique: &Unique) -> Result<(), Fault> {
    let Unique { label, property } = unique;
    // an index of an earlier start, when there were duplicates, stands in the way
    let duplicates = duplicates(connection, unique).await?;
    if duplicates > 0 {
        tracing::warn!(
            %label, property, duplicates,
            "{duplicates} values of {property} stand in more than one node {label}: an index is made instead of a constraint"
        );
        again(connection, || query(&unique.index())).await?;
        return Ok(());
    }
    let drop = format!("DROP INDEX {} IF EXISTS", unique.stand_in());
    again(connection, || query(&drop)).await?;
    match again(connection, || query(&unique.create())).await {
        Ok(_) => {
            tracing::info!(%label, property, "constraint {} is made", unique.name());
            Ok(())
        }
        Err(fault) if fault.code() == "Neo.ClientError.Schema.IndexAlreadyExists" && !unique.is_own() => {
            tracing::warn!(
                %label, property,
                "an index of somebody else on {label}.{property} is kept; drop it to let a constraint be made"
            );
            Ok(())
        }
        Err(fault) => Err(fault),
    }
}

/// A statement that may be repeated, until the server no longer calls its failure transient.
async fn again(
    connection: &Connection,
    statement: impl Fn() -> neo4rs::Query,
) -> Result<Option<neo4rs::Row>, Fault> {
    let mut attempt = 1;
    loop {
        match connection.execute(statement(), SCHEMA_CHANGE).await {
            Err(fault) if fault.is_transient() && attempt < TRIES => {
                tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}
