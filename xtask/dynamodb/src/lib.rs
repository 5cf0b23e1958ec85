//! A DynamoDB on loopback, for tests and for work without an account, and a store on it.
//!
//! The emulator is dynoxide, embedded: it starts in milliseconds, keeps everything in memory or in a file, and ends with
//! its [`Server`]. It does not check signatures, its streams never change, and nothing ever goes wrong with it: a [`Gate`]
//! before it sees to all of that, and stands for EventBridge as well.

mod answer;
mod bus;
mod faults;
mod gate;
mod orders;
mod service;
mod signature;
mod streams;

pub use gate::Gate;

use anyhow::{Context, Result, anyhow};
use dynoxide::{Database, server};
use rewound_core::{
    domains,
    dynamodb::{
        Call, Layout,
        chore::{self, Chore},
        exchange::{Exchange, Next, Received},
        sign::{Credentials, sign},
    },
    store::{Reply, Request, Store},
    time::Millis,
};
use std::{
    path::Path,
    pin::Pin,
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::TcpListener,
    runtime::{Handle, Runtime},
    sync::oneshot,
};

/// An emulator that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, such as `http://127.0.0.1:8000`.
    pub url: String,
    _listening: Listening,
}

impl Server {
    /// Starts one on that port of loopback; on a free one where it is 0. It keeps everything in memory, or else in
    /// that file: SQLite with a log that is written ahead, so whatever was acknowledged is there again after a kill.
    /// (Only what it remembers of client request tokens is not.)
    ///
    /// # Errors
    /// A port that is taken, or a file that is no database and cannot become one.
    pub fn start(port: u16, file: Option<&Path>) -> Result<Self> {
        let database = match file {
            None => Database::memory(),
            Some(file) => {
                let name = file.to_str().with_context(|| format!("{} is no UTF-8", file.display()))?;
                Database::new(name)
            }
        };
        let database = database.map_err(|error| match file {
            None => anyhow!("the emulator does not start: {error}"),
            Some(file) => anyhow!("the emulator does not start with {}: {error}", file.display()),
        })?;
        let (url, listening) = Listening::start(port, |listener, stopped| {
            server::serve_with_shutdown(listener, database, stopped)
        })?;
        Ok(Self { url, _listening: listening })
    }
}

type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that listens on loopback in a thread of its own, until it is dropped.
#[derive(Debug)]
struct Listening {
    /// What runs in the thread, for whoever else has to wait for something there.
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Listening {
    fn start<F: Future<Output = Result<(), String>> + Send + 'static>(
        port: u16,
        serve: impl FnOnce(TcpListener, Stopped) -> F,
    ) -> Result<(String, Self)> {
        let runtime = Runtime::new()?;
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .with_context(|| format!("port {port} of 127.0.0.1 is not to be had"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Box::pin(async { drop(stopped.await) }));
        let thread = thread::spawn(move || {
            if let Err(error) = runtime.block_on(serving) {
                eprintln!("what listened on loopback stopped: {error}");
            }
        });
        Ok((url, Self { runtime: handle, stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody to tell.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A layout of tables with this prefix for every compiled domain, whose rows are ours.
pub fn layout(prefix: &str) -> Layout {
    let mut layout = Layout::prefixed(prefix);
    for domain in domains::all() {
        layout.trust(domain.name(), domain.fingerprint());
    }
    layout
}

/// A store on a DynamoDB, asked over HTTP.
#[derive(Debug)]
pub struct Client {
    url: String,
    agent: ureq::Agent,
    layout: Arc<Layout>,
    credentials: Credentials,
}

/// The region and the key of the harness. The emulator takes any; a [`Gate`] only its own.
pub const REGION: &str = "eu-west-1";

/// See [`REGION`].
pub fn credentials() -> Credentials {
    Credentials { access_key_id: "AKIDLOCAL".into(), secret_access_key: "local".into(), session_token: None }
}

impl Client {
    /// A store on the DynamoDB at `url`.
    pub fn new(url: &str, layout: Layout) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { url: url.to_owned(), agent: config.into(), layout: layout.into(), credentials: credentials() }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes its tables.
    ///
    /// # Errors
    /// What DynamoDB says, for instance that they are there.
    pub fn create_tables(&self) -> Result<()> {
        self.do_chore(Chore::tables(&self.layout)).map(drop)
    }

    /// Does a chore; gives the fingerprint, where one was asked for.
    ///
    /// # Errors
    /// As the chore ends.
    pub fn do_chore(&self, mut chore: Chore) -> Result<Option<u64>> {
        let (mut answer, mut now) = (None, clock());
        loop {
            let response = answer.as_ref().map(Received::response);
            let next = chore.next(response, now, u128::from(now));
            now = clock();
            answer = match next {
                chore::Next::Done(result) => return Ok(result?),
                chore::Next::Wait(milliseconds) => {
                    thread::sleep(Duration::from_millis(milliseconds));
                    None
                }
                chore::Next::Send(call) => self.send(&call, now).ok(),
            };
        }
    }

    /// Makes a call: HTTP's status, and the body.
    ///
    /// # Errors
    /// No answer.
    pub fn call(&self, call: &Call) -> Result<(u16, Vec<u8>)> {
        self.send(call, clock()).map(|received| (received.status, received.body))
    }

    fn send(&self, call: &Call, now: Millis) -> Result<Received> {
        let host = self.url.trim_start_matches("http://");
        let headers = sign(&self.credentials, REGION, host, &call.target, call.body.as_bytes(), now);
        let request = self.agent.post(&self.url);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut response = request.send(&call.body)?;
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (date, crc32) = (header("date"), header("x-amz-crc32"));
        Ok(Received {
            status: response.status().as_u16(),
            date,
            crc32,
            body: response.body_mut().read_to_vec()?,
        })
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
                        Ok(received) => exchange.answered(received.response(), now),
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
