//! Before every operation: who asks, and may they. No handler can be reached with a caller but through here.

use super::{ApiError, App, Shared, audit::Asked, body, caller::Caller, fresh::fresh};
use crate::auth::Identity;
use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use schema::Operation;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// What stands before a handler.
#[derive(Clone)]
pub(super) struct Gate {
    pub app: Shared,
    pub operation: Operation,
    /// For the benchmark only.
    pub again: Option<Arc<Again>>,
}

/// What is done again, and how often, so that the benchmark finds out what doing it once costs.
#[derive(Debug, Default)]
pub struct Again {
    /// Finding out who asks, and deciding whether they may.
    pub gate: AtomicU32,
    /// Deciding alone.
    pub decision: AtomicU32,
}

impl Gate {
    /// The handler behind it.
    pub fn before(self, handler: MethodRouter<Shared>) -> MethodRouter<Shared> {
        handler.layer(middleware::from_fn_with_state(self, pass))
    }

    async fn let_in(&self, headers: &HeaderMap) -> Result<Caller, (Identity, ApiError)> {
        let mut caller = Caller::of(&self.app, headers, self.operation).await?;
        if let Some(again) = &self.again {
            for _ in 0..again.gate.load(Ordering::Relaxed) {
                caller = Caller::of(&self.app, headers, self.operation).await?;
            }
            for _ in 0..again.decision.load(Ordering::Relaxed) {
                caller = caller.once_more(&self.app, headers).await?;
            }
        }
        Ok(caller)
    }
}

/// One layer for all that comes before a handler: each costs more than what is done in it.
async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    let (who, answer) = match gate.let_in(request.headers()).await {
        Ok(caller) => {
            let who = caller.identity().clone();
            // once it is known who asks, a request waits for the revision that it names
            let ready = match gate.operation {
                Operation::Whoami => Ok(()),
                _ => fresh(&gate.app, request.headers()).await,
            };
            let answer = match ready {
                Ok(()) => {
                    request.extensions_mut().insert(caller);
                    next.run(request).await
                }
                Err(error) => error.into_response(),
            };
            (who, answer)
        }
        Err((who, error)) => (who, refuse(&gate.app, request, error).await),
    };
    asked.answered(&who, answer.status());
    answer
}

async fn refuse(app: &App, request: Request, error: ApiError) -> Response {
    let (parts, body) = request.into_parts();
    body::discard(app, &parts.headers, body).await;
    error.into_response()
}
