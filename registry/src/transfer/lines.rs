//! A whole graph as lines of JSON, for backups: a header, the nodes in order of creation, relations, notes, the change
//! log when it is wanted, and an end that says how much there was. A file without its end is no backup.

use crate::{
    federation::Snapshot,
    graph::{
        Graph,
        apply::Misfit,
        change::{Created, Link, Note, Unreadable},
        stored::Stored,
    },
    progress::Progress,
    store::{Changed, Contents, Entry, Loaded},
};
use schema::Schema;
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};
use std::io::{self, BufRead, Write};

const FORMAT: u64 = 1;

/// Why a file cannot be taken for a graph.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin as it should.
    #[error("it is no export of a federation registry: the first line is no header")]
    NoHeader,
    /// A later version wrote it.
    #[error("it has format {0}; this version reads format {FORMAT}. Use the version that wrote it")]
    Format(u64),
    /// A line.
    #[error("line {line}: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// It is cut off.
    #[error("it ends too early, after line {0}: it was cut off, or is still being written")]
    NoEnd(usize),
    /// Its end does not say what it holds.
    #[error("it holds {found} while its end says {said}: it was changed since")]
    Count {
        /// What it holds.
        found: String,
        /// What its end says.
        said: String,
    },
    /// It is no graph.
    #[error("it is damaged: {0}")]
    Damaged(#[from] Misfit),
}

/// Writes a graph, and the entries of the log that shall go with it.
pub fn write(
    out: &mut impl Write,
    snapshot: &Snapshot,
    log: &[Entry],
    progress: &Progress,
) -> io::Result<()> {
    let Snapshot { graph, notes, revision, epoch, changed, .. } = snapshot;
    let schema = graph.schema;
    let header = json!({
        "format": FORMAT,
        "epoch": &**epoch,
        "revision": revision,
        "changed": { "revision": changed.revision, "at": changed.at.map(|at| at.to_rfc3339()) },
        "nodes": graph.len(),
    });
    let mut counts = Counts::default();
    let mut line = Lines(out);
    line.write("federation_registry", &header)?;
    for id in graph.iter() {
        line.write("node", &Stored(schema, &graph.record(id).to_created()))?;
        counts.nodes += 1;
        progress.add(1);
    }
    for id in graph.iter() {
        for link in graph.links_from(id) {
            line.write("relation", &Stored(schema, &link))?;
            counts.relations += 1;
        }
    }
    for note in notes.iter() {
        line.write("note", &note)?;
        counts.notes += 1;
    }
    for entry in log {
        line.write("change", &Stored(schema, entry))?;
        counts.changes += 1;
        progress.add(1);
    }
    line.write("end", &counts.to_json(graph))?;
    line.0.flush()
}

/// One object in each line, with one name that says what it is.
struct Lines<W>(W);

impl<W: Write> Lines<W> {
    fn write(&mut self, name: &str, what: &impl Serialize) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::new(&mut self.0);
        serializer.collect_map([(name, what)])?;
        self.0.write_all(b"\n")
    }
}

#[derive(Default)]
struct Counts {
    nodes: usize,
    relations: usize,
    notes: usize,
    changes: usize,
}

impl Counts {
    fn to_json(&self, graph: &Graph) -> Json {
        let Self { nodes, relations, notes, changes } = self;
        let digest = graph.digest().to_string();
        json!({ "nodes": nodes, "relations": relations, "notes": notes, "changes": changes, "digest": digest })
    }
}

/// Reads what [`write`] wrote.
pub fn read(input: impl BufRead, schema: &'static Schema) -> Result<Contents, LinesError> {
    let mut contents = Contents::default();
    let mut progress = Progress::new("reading", 0);
    let mut end = None;
    let mut last = 0;
    for (at, text) in input.lines().enumerate() {
        let (line, text) = (at + 1, text?);
        last = line;
        let wrong = |why: String| LinesError::Line { line, why };
        if text.trim().is_empty() {
            continue;
        }
        let json: Json = match serde_json::from_str(&text) {
            Ok(json) => json,
            Err(_) if at == 0 => return Err(LinesError::NoHeader),
            // the last line of a file that was cut off is half a line
            Err(error) if error.is_eof() => return Err(LinesError::NoEnd(at)),
            Err(error) => return Err(wrong(format!("not JSON: {error}"))),
        };
        let (name, json) = json
            .as_object()
            .and_then(|object| object.iter().next())
            .ok_or_else(|| wrong("not an object with one member".to_owned()))?;
        if at == 0 {
            if name != "federation_registry" {
                return Err(LinesError::NoHeader);
            }
            progress = Progress::new("reading", header(json, &mut contents.loaded)?);
            continue;
        }
        let unreadable = |error: Unreadable| wrong(error.to_string());
        match name.as_str() {
            "node" => contents.loaded.nodes.push(Created::from_json(schema, json).map_err(unreadable)?),
            "relation" => contents.loaded.links.push(Link::from_json(schema, json).map_err(unreadable)?),
            "note" => {
                let key = json.get("key").and_then(Json::as_str);
                let key = key.ok_or_else(|| wrong("a note without key".to_owned()))?.to_owned();
                contents.loaded.notes.push(Note { key, value: json.get("value").cloned() });
            }
            "change" => {
                let revision = json.get("revision").and_then(Json::as_u64).unwrap_or_default();
                contents.log.push(Entry::from_json(schema, revision, json).map_err(unreadable)?);
            }
            "end" => end = Some(json.clone()),
            other => return Err(wrong(format!("'{other}' is nothing that this version knows"))),
        }
        progress.add(usize::from(name == "node"));
    }
    if last == 0 {
        return Err(LinesError::NoHeader);
    }
    let said = end.ok_or(LinesError::NoEnd(last))?;
    let Loaded { nodes, links, notes, .. } = &contents.loaded;
    let counts = Counts {
        nodes: nodes.len(),
        relations: links.len(),
        notes: notes.len(),
        changes: contents.log.len(),
    };
    let found = counts.to_json(&Graph::build(schema, nodes.clone(), links.clone())?);
    if found != said {
        return Err(LinesError::Count { found: found.to_string(), said: said.to_string() });
    }
    Ok(contents)
}

/// Reads the header into what is loaded. Says how many nodes will follow.
fn header(json: &Json, loaded: &mut Loaded) -> Result<usize, LinesError> {
    let number = |name: &str| json.get(name).and_then(Json::as_u64);
    match number("format") {
        Some(FORMAT) => {}
        Some(other) => return Err(LinesError::Format(other)),
        None => return Err(LinesError::NoHeader),
    }
    let (Some(revision), Some(epoch)) = (number("revision"), json.get("epoch").and_then(Json::as_str)) else {
        return Err(LinesError::NoHeader);
    };
    loaded.revision = revision;
    epoch.clone_into(&mut loaded.epoch);
    let changed = json.get("changed");
    loaded.changed = Changed {
        revision: changed.and_then(|changed| changed.get("revision")?.as_u64()).unwrap_or(revision),
        at: changed.and_then(|changed| changed.get("at")?.as_str()?.parse().ok()),
    };
    Ok(number("nodes").and_then(|nodes| usize::try_from(nodes).ok()).unwrap_or_default())
}
