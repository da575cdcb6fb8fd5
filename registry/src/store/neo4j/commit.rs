//! One change set, one transaction, with compare-and-set of the revision.

use super::{
    connect::{ANSWER, Connection, Fault, STATEMENT},
    log, statements,
};
use crate::store::{CommitError, Entry};
use neo4rs::{Query, Txn};
use schema::Schema;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long all statements of one change set may take together.
const ALL: Duration = Duration::from_mins(2);

/// A change set, ready to be sent.
pub(super) struct Work {
    take: Query,
    rest: Vec<Query>,
    expected: u64,
}

/// The statements of a change set.
pub(super) fn work(schema: &Schema, entry: &Entry, epoch: &str, keep: u64) -> Work {
    let (take, mut rest) = statements::begin(schema, entry, epoch, keep);
    if !entry.by_hand {
        rest.extend(statements::of(schema, &entry.changes, statements::first_place(entry.revision)));
    }
    Work { take, rest, expected: entry.revision - 1 }
}

/// Commits.
pub(super) async fn commit(connection: Arc<Connection>, work: Work) -> Result<(), CommitError> {
    let (began, statements, revision) = (Instant::now(), work.rest.len() + 1, work.expected + 1);
    let result = once(&connection, &work).await;
    let milliseconds = began.elapsed().as_millis();
    tracing::debug!(revision, statements, milliseconds, "a transaction of {statements} statements ended");
    outcome(&connection, work.expected, result).await
}

enum Failed {
    /// Nothing of it is there.
    Before(Fault),
    /// The commit was sent, and no answer came.
    After(Fault),
}

/// Whether the revision was still free, so that it is ours now.
async fn once(connection: &Connection, work: &Work) -> Result<bool, Failed> {
    let graph = connection.writing();
    let mut transaction = match connection.within(ANSWER, graph.start_txn()).await {
        Ok(transaction) => transaction,
        Err(fault) => {
            if matches!(fault, Fault::Silent(_)) {
                connection.renew_writing();
            }
            return Err(Failed::Before(fault));
        }
    };
    let result = connection.within(ALL, statements(connection, &mut transaction, work)).await;
    match result {
        Ok(true) => match connection.within(STATEMENT, transaction.commit()).await {
            Ok(()) => Ok(true),
            Err(fault) => {
                connection.renew_writing();
                Err(Failed::After(fault))
            }
        },
        other => {
            // after a failed statement it is rolled back already, and says so with an error
            let rolled_back = tokio::time::timeout(ANSWER, transaction.rollback()).await;
            if rolled_back.is_err() || matches!(other, Err(Fault::Silent(_))) {
                connection.renew_writing();
            }
            other.map_err(Failed::Before)
        }
    }
}

async fn statements(connection: &Connection, transaction: &mut Txn, work: &Work) -> Result<bool, Fault> {
    match connection.within(STATEMENT, transaction.run(work.take.clone())).await {
        Err(fault) if fault.code() == statements::NOT_FOUND => return Ok(false),
        taken => taken?,
    }
    for query in &work.rest {
        connection.within(STATEMENT, transaction.run(query.clone())).await?;
    }
    Ok(true)
}

async fn outcome(
    connection: &Connection,
    expected: u64,
    result: Result<bool, Failed>,
) -> Result<(), CommitError> {
    match result {
        Ok(true) => Ok(()),
        Ok(false) => {
            let found = log::head(connection).await?.map_or(0, |head| head.revision);
            Err(CommitError::Moved { expected, found })
        }
        Err(Failed::After(fault)) => Err(CommitError::Unknown(connection.explain(fault).to_string())),
        Err(Failed::Before(fault)) if fault.code() == statements::NOT_FOUND => Err(CommitError::Edited),
        Err(Failed::Before(fault)) if fault.is_transient() => {
            Err(CommitError::Passing(connection.explain(fault).to_string()))
        }
        Err(Failed::Before(fault)) => Err(connection.explain(fault).into()),
    }
}
