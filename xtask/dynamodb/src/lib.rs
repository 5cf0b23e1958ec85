//! A DynamoDB on loopback, for tests and for work without an account, and a store on it.
//!
//! The emulator is dynoxide, embedded: it starts in milliseconds, keeps everything in memory, and ends with its
//! [`Server`]. It does not check signatures.

use anyhow::{Context, Result, anyhow, bail};
use dynoxide::{Database, server};
use rewound_core::{
    domains,
    dynamodb::{
        CONTENT_TYPE, Call, Layout, Rows,
        exchange::{Exchange, Next},
        table,
    },
    store::{Reply, Request, Store},
};
use std::thread;
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
    layout: Layout,
}

impl Client {
    /// A store on the DynamoDB at `url`.
    pub fn new(url: &str, layout: Layout) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { url: url.to_owned(), agent: config.into(), layout }
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
        // Any key will do: the emulator asks for credentials and does not check them.
        const KEY: &str = "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/dynamodb/aws4_request, \
            SignedHeaders=host, Signature=0";
        let request = self
            .agent
            .post(&self.url)
            .header("Content-Type", CONTENT_TYPE)
            .header("X-Amz-Target", &call.target)
            .header("X-Amz-Date", "20260101T000000Z")
            .header("Authorization", KEY);
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
                Next::Send(call) => match self.call(&call) {
                    Ok((status, body)) => exchange.answered(status, &body),
                    Err(_) => exchange.lost(),
                },
            };
        }
    }
}
