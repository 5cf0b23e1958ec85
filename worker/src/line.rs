//! Hot aggregates: a crowd of commands to one aggregate waits in line instead of racing and trying again. The line is a
//! Durable Object for each aggregate; the conditions of the transactions stay what keeps a stream whole.

use crate::edge::{self, Place};
use futures_util::lock::Mutex;
use rewound_core::http::problem::Problem;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

/// The name under which the Worker knows its lines.
const BINDING: &str = "LINE";

/// The line before one aggregate.
#[durable_object]
pub struct Line {
    state: State,
    env: Env,
    turn: Mutex<()>,
}

impl DurableObject for Line {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, turn: Mutex::new(()) }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let later = |work| self.state.wait_until(work);
        edge::serve(request, &self.env, Place::Line(&self.turn), &later).await
    }
}

/// Hands a request on to the line before its aggregate.
pub(crate) async fn forward(
    env: &Env,
    request: Request,
    aggregate: &str,
    id: &str,
) -> std::result::Result<Response, Problem> {
    let send = async {
        let line = env.durable_object(BINDING)?.id_from_name(&format!("{aggregate}/{id}"))?.get_stub()?;
        line.fetch_with_request(request).await
    };
    send.await.map_err(|error: worker::Error| {
        let detail = "The line before this aggregate failed, and the command may have taken effect. Send it again with \
                      the same Idempotency-Key to find out.";
        let problem = Problem::new(503, "line-unavailable", detail).with("uncertain", true.into());
        Problem { cause: Some(error.to_string().into()), ..problem.header("retry-after", "1") }
    })
}
