//! One change set, one transaction, with compare-and-set of the revision.

use super::{
    connect::{ANSWER, Connection, Fault, STATEMENT},
    log, statements,
};
use crate::store::CommitError;
use neo4rs::{Query, Txn};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// How long all statements of one change set may take together.
const ALL: Duration = Duration::from_mins(2);

/// The statements of a change set, as soon as they are there. The first one takes the revision.
type Queries = JoinHandle<serde_json::Result<Vec<Query>>>;

/// A change set that is about to be sent.
pub(super) struct Work {
    pub queries: Queries,
    pub epoch: Arc<str>,
    /// The revision that it builds on.
    pub expected: u64,
}

/// Commits.
pub(super) async fn commit(connection: Arc<Connection>, work: Work) -> Result<(), CommitError> {
    let Work { queries, epoch, expected } = work;
    let began = Instant::now();
    let result = once(&connection, queries).await;
    tracing::debug!(
        revision = expected + 1,
        milliseconds = began.elapsed().as_millis(),
        "a transaction ended"
    );
    match result {
        Ok(()) => Ok(()),
        Err(Failed::Before(fault)) if fault.code() == statements::NOT_FOUND => {
            Err(mismatch(&connection, &epoch, expected).await?)
        }
        Err(Failed::Before(fault)) if fault.is_transient() => {
            Err(CommitError::Passing(connection.explain(fault).to_string()))
        }
        Err(Failed::Before(fault)) => Err(connection.explain(fault).into()),
        Err(Failed::After(fault)) => Err(CommitError::Unknown(connection.explain(fault).to_string())),
    }
}

/// What it was that a statement did not find: the revision that it builds on, or else a node.
async fn mismatch(connection: &Connection, epoch: &str, expected: u64) -> Result<CommitError, CommitError> {
    Ok(match log::head(connection).await? {
        Some(head) if head.revision == expected && head.epoch == epoch => CommitError::Edited,
        head => CommitError::Moved { expected, found: head.map_or(0, |head| head.revision) },
    })
}

enum Failed {
    /// Nothing of it is there.
    Before(Fault),
    /// The commit was sent, and no answer came.
    After(Fault),
}

async fn once(connection: &Connection, queries: Queries) -> Result<(), Failed> {
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
    let result = connection.within(ALL, statements(connection, &mut transaction, queries)).await;
    match result {
        Ok(()) => connection.within(STATEMENT, transaction.commit()).await.map_err(|fault| {
            connection.renew_writing();
            Failed::After(fault)
        }),
        Err(fault) => {
            // after a failed statement it is rolled back already, and says so with an error
            let rolled_back = tokio::time::timeout(ANSWER, transaction.rollback()).await;
            if rolled_back.is_err() || matches!(fault, Fault::Silent(_)) {
                connection.renew_writing();
            }
            Err(Failed::Before(fault))
        }
    }
}

async fn statements(connection: &Connection, transaction: &mut Txn, queries: Queries) -> Result<(), Fault> {
    let queries = queries.await.map_err(|broken| Fault::Unwritable(broken.to_string()))??;
    for query in queries {
        connection.within(STATEMENT, transaction.run(query)).await?;
    }
    Ok(())
}
