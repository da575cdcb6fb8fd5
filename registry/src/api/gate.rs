//! Before every operation: who asks, and may they. No handler can be reached with a caller but through here.

use super::{ApiError, App, Shared, audit::Asked, body, caller::Caller};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use schema::Operation;
use std::sync::Arc;

/// A handler behind the gate of its operation.
pub(super) fn gated(
    app: &Shared,
    operation: Operation,
    handler: MethodRouter<Shared>,
) -> MethodRouter<Shared> {
    handler.layer(middleware::from_fn_with_state((Arc::clone(app), operation), pass))
}

/// Routes behind one more gate.
pub(super) fn before(app: &Shared, operation: Operation, routes: Router<Shared>) -> Router<Shared> {
    routes.layer(middleware::from_fn_with_state((Arc::clone(app), operation), pass))
}

/// A handler before which it is decided once more.
pub(super) fn decided(app: &Shared, handler: MethodRouter<Shared>) -> MethodRouter<Shared> {
    handler.layer(middleware::from_fn_with_state(Arc::clone(app), decide))
}

async fn decide(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions_mut().remove::<Caller>() else {
        return ApiError::Internal.into_response();
    };
    match caller.once_more(&app, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err((_, error)) => error.into_response(),
    }
}

async fn pass(
    State((app, operation)): State<(Shared, Operation)>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request);
    let (who, answer) = match Caller::of(&app, request.headers(), operation).await {
        Ok(caller) => {
            let who = caller.identity().clone();
            request.extensions_mut().insert(caller);
            (who, next.run(request).await)
        }
        Err((who, error)) => (who, refuse(&app, request, error).await),
    };
    asked.answered(&who, answer.status());
    answer
}

async fn refuse(app: &App, request: Request, error: ApiError) -> Response {
    let (parts, body) = request.into_parts();
    body::discard(app, &parts.headers, body).await;
    error.into_response()
}
