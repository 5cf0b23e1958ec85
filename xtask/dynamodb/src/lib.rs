//! A DynamoDB on loopback, for tests and for work without an account, and a store on it.
//!
//! The emulator is dynoxide, embedded: it starts in milliseconds, keeps everything in memory, and ends with its
//! [`Server`]. It does not check signatures.

use anyhow::{Context, Result, anyhow, bail};
use dynoxide::{Database, server};
use rewound_core::{
    domains,
    dynamodb::{
        Call, Layout, Rows,
        exchange::{Exchange, Next, Response},
        sign::{Credentials, sign},
        table,
    },
    store::{Reply, Request, Store},
    time::Millis,
};
use std::{
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

/// An emulator that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, such as `http://127.0.0.1:8000`.
    pub url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts one on that port of loopback; on a free one where it is 0.
    ///
    /// # Errors
    /// A port that is taken.
    pub fn start(port: u16) -> Result<Self> {
        let runtime = Runtime::new()?;
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .with_context(|| format!("port {port} of 127.0.0.1 is not to be had"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let database = Database::memory().map_err(|error| anyhow!("the emulator does not start: {error}"))?;
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let stopped = async { drop(stopped.await) };
            if let Err(error) = server::serve_with_shutdown(listener, database, stopped).await {
                eprintln!("the emulator stopped: {error}");
            }
        };
        let thread = thread::spawn(move || runtime.block_on(serve));
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody to tell.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A layout of tables with this prefix for every compiled domain.
pub fn layout(prefix: &str) -> Layout {
    let rows = domains::all().map(|domain| {
        let table = format!("{prefix}-{}", domain.name());
        (domain.name().to_owned(), Rows { table, fingerprint: domain.fingerprint() })
    });
    Layout {
        events: format!("{prefix}-events"),
        helpers: format!("{prefix}-helpers"),
        aggregates: rows.into(),
    }
}

/// A store on a DynamoDB, asked over HTTP.
#[derive(Debug)]
pub struct Client {
    url: String,
    agent: ureq::Agent,
    layout: Arc<Layout>,
    credentials: Credentials,
}

/// Any will do: the emulator does not look.
const REGION: &str = "eu-west-1";

impl Client {
    /// A store on the DynamoDB at `url`.
    pub fn new(url: &str, layout: Layout) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        // Any key will do as well.
        let (access_key_id, secret_access_key) = ("local".to_owned(), "local".to_owned());
        let credentials = Credentials { access_key_id, secret_access_key, session_token: None };
        Self { url: url.to_owned(), agent: config.into(), layout: layout.into(), credentials }
    }

    /// Makes its tables.
    ///
    /// # Errors
    /// What DynamoDB says, for instance that they are there.
    pub fn create_tables(&self) -> Result<()> {
        for call in table::create(&self.layout) {
            let (status, body) = self.call(&call)?;
            if status != 200 {
                bail!("{} of {}: {status} {}", call.target, call.body, String::from_utf8_lossy(&body));
            }
        }
        Ok(())
    }

    /// Makes a call: HTTP's status, and the body.
    ///
    /// # Errors
    /// No answer.
    pub fn call(&self, call: &Call) -> Result<(u16, Vec<u8>)> {
        self.send(call, clock())
    }

    fn send(&self, call: &Call, now: Millis) -> Result<(u16, Vec<u8>)> {
        let host = self.url.trim_start_matches("http://");
        let headers = sign(&self.credentials, REGION, host, &call.target, call.body.as_bytes(), now);
        let request = self.agent.post(&self.url);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut response = request.send(&call.body)?;
        Ok((response.status().as_u16(), response.body_mut().read_to_vec()?))
    }
}

impl Store for Client {
    fn answer(&mut self, request: &Request) -> Reply {
        let (mut exchange, mut next) = Exchange::new(&self.layout, request.clone());
        loop {
            next = match next {
                Next::Done(reply) => return reply,
                Next::Send(call) => {
                    let now = clock();
                    match self.send(&call, now) {
                        Ok((status, body)) => {
                            exchange.answered(Response { status, body: &body, ..Response::default() }, now)
                        }
                        Err(_) => exchange.lost(),
                    }
                }
            };
        }
    }
}

/// This machine's, in milliseconds since the epoch.
fn clock() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as Millis)
}
