//! The edge: a Cloudflare Worker around the core. HTTP comes in, DynamoDB's HTTP API is called.
//!
//! Every rule, format and retry is the core's ([`rewound_core::http`] and [`rewound_core::dynamodb`]). What is here is
//! what the core may not do: read requests, send calls, wait, look at the clock, ask the host's cryptography.
//!
//! | module | brings |
//! |---|---|
//! | `edge` | a request's way from the runtime to its answer |
//! | `feed` | the read side: what follows a commit, and what the clock wakes |
//! | `isolate` | what is kept between requests, and the calls to DynamoDB |
//! | `crypto` | the check of a token's signature, and published keys |
//! | `host` | what would be many steps between Rust and JavaScript, in one each |
//! | `line` | commands to a hot aggregate, one behind the other |

mod crypto;
mod edge;
mod feed;
mod host;
mod isolate;
mod line;

use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, console_log, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    edge::serve(request, &env, edge::Place::Front, &|work| context.wait_until(work)).await
}

/// The sweep. An edge that is not set up says so to whoever asks it, and to its log here.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    match isolate::Isolate::of(&env) {
        Ok(isolate) => feed::Follower::new(&isolate, &env).sweep().await,
        Err(reasons) => console_log!("{}", serde_json::json!({ "work": "sweep", "reasons": reasons })),
    }
}
