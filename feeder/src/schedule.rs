//! When to run: a cron schedule in UTC that never overlaps itself.
//!
//! The scheduler of the library only rings: it knows nothing of runs under way, and its jobs are no part of a
//! shutdown. One loop here hears the bell, runs, and ends cleanly.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A schedule that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression is not understood.
    #[error(
        "`schedule` is {expression:?}, which is no cron expression ({why}): write five fields, such as \"*/15 * * * *\" \
         (every 15 minutes, UTC), or six with seconds first"
    )]
    Expression {
        /// As written.
        expression: String,
        /// What the library says.
        why: String,
    },
    /// The scheduler does not start.
    #[error("the scheduler does not start: {0}")]
    Start(String),
}

/// Runs at each time of a cron expression (five fields, or six with seconds; UTC), and at once when asked to, until
/// cancelled; then waits for the run under way. A time that comes while a run is under way is left out, and `skipped`
/// hears how long that run has taken so far.
pub async fn every<F, R>(
    expression: &str,
    at_start: bool,
    cancel: &CancellationToken,
    mut run: F,
    skipped: impl Fn(Duration),
) -> Result<(), ScheduleError>
where
    F: FnMut() -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let (ring, mut bell) = mpsc::channel::<()>(1);
    if at_start {
        ring.try_send(()).map_err(|why| ScheduleError::Start(why.to_string()))?;
    }
    let mut scheduler = start(expression, ring).await?;
    let runs = TaskTracker::new();
    let mut under_way: Option<Instant> = None;
    let finished = Arc::new(tokio::sync::Notify::new());
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            () = finished.notified() => under_way = None,
            heard = bell.recv() => match (heard, under_way) {
                (None, _) => break,
                (Some(()), Some(since)) => skipped(since.elapsed()),
                (Some(()), None) => {
                    under_way = Some(Instant::now());
                    let finished = Arc::clone(&finished);
                    let one = run();
                    runs.spawn(async move {
                        one.await;
                        finished.notify_one();
                    });
                }
            },
        }
    }
    runs.close();
    runs.wait().await;
    scheduler.shutdown().await.map_err(|why| ScheduleError::Start(why.to_string()))
}

async fn start(expression: &str, ring: mpsc::Sender<()>) -> Result<JobScheduler, ScheduleError> {
    // the library wants seconds
    let with_seconds = match expression.split_whitespace().count() {
        5 => format!("0 {expression}"),
        _ => expression.to_owned(),
    };
    let job = Job::new_async(with_seconds.as_str(), move |_, _| {
        let ring = ring.clone();
        Box::pin(async move {
            // a bell that nobody has heard yet need not ring twice
            let _ = ring.try_send(());
        })
    });
    let job = job.map_err(|why| ScheduleError::Expression {
        expression: expression.to_owned(),
        why: why.to_string(),
    })?;
    let failed = |why: tokio_cron_scheduler::JobSchedulerError| ScheduleError::Start(why.to_string());
    let scheduler = JobScheduler::new().await.map_err(failed)?;
    scheduler.add(job).await.map_err(failed)?;
    scheduler.start().await.map_err(failed)?;
    Ok(scheduler)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings each second; runs end when the test says so.
    #[tokio::test]
    async fn a_time_that_comes_during_a_run_is_left_out() {
        let cancel = CancellationToken::new();
        let (started, mut starts) = mpsc::unbounded_channel();
        let (skip, mut skips) = mpsc::unbounded_channel();
        let go_on = Arc::new(tokio::sync::Semaphore::new(0));
        let (inner, until) = (Arc::clone(&go_on), cancel.clone());
        let schedule = tokio::spawn(async move {
            let run = move || {
                let (started, go_on) = (started.clone(), Arc::clone(&inner));
                async move {
                    started.send("start").unwrap();
                    go_on.acquire().await.unwrap().forget();
                    started.send("end").unwrap();
                }
            };
            every("* * * * * *", true, &until, run, move |since| skip.send(since).unwrap()).await
        });
        assert_eq!(starts.recv().await, Some("start"), "at once");
        skips.recv().await.unwrap();
        let long = skips.recv().await.unwrap();
        assert!(long > Duration::from_secs(1), "two bells later: {long:?}");
        go_on.add_permits(1);
        assert_eq!(starts.recv().await, Some("end"), "nothing started in between");
        assert_eq!(starts.recv().await, Some("start"), "the next bell starts the next run");

        cancel.cancel();
        assert!(starts.try_recv().is_err(), "cancelling does not end the run under way");
        go_on.add_permits(1);
        schedule.await.unwrap().unwrap();
        assert_eq!(starts.recv().await, Some("end"), "the run under way was waited for");
    }

    #[tokio::test]
    async fn five_and_six_fields_are_understood_and_nothing_else() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let run = |expression: &'static str| {
            let cancel = cancel.clone();
            async move { every(expression, false, &cancel, || async {}, |_| {}).await }
        };
        assert_eq!(run("*/15 * * * *").await, Ok(()));
        assert_eq!(run("0 */15 * * * *").await, Ok(()));
        for wrong in ["", "hourly", "61 * * * *", "* * * *"] {
            let error = run(wrong).await.unwrap_err();
            assert!(error.to_string().contains("write five fields"), "{wrong}: {error}");
        }
    }
}
