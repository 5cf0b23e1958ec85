//! What the emulator does not do and AWS does: a gate before it that lets nothing through whose signature AWS's own
//! signer would not have made, or whose clock is more than five minutes off. On order it does what a bad day does as
//! well.

use crate::{
    Listening, Stopped,
    answer::{self, Answer, Part},
    clock,
    faults::{Plan, refuse, spoil},
    orders::{Count, obey},
    service::Service,
    signature,
};
use anyhow::Result;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use rewound_core::{dynamodb::sign::Credentials, time::Millis};
use serde_json::{Value, json};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};
use tokio::net::{TcpListener, TcpStream};

/// What DynamoDB takes in one request.
const MAX_BODY: usize = 16 << 20;

/// The gate, open until it is dropped.
#[derive(Debug)]
pub struct Gate {
    /// Where it listens, such as `http://127.0.0.1:8000`.
    pub url: String,
    watch: Arc<Watch>,
    _listening: Listening,
}

/// What every request is judged by.
#[derive(Debug)]
pub(crate) struct Watch {
    upstream: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    region: String,
    credentials: Credentials,
    /// How far the gate's clock is ahead of this machine's, in milliseconds.
    pub(crate) skew: AtomicI64,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) plan: Plan,
    pub(crate) count: Count,
}

impl Gate {
    /// A gate before the DynamoDB at `upstream`, on that port of loopback (on a free one where it is 0), for whoever
    /// has these credentials.
    ///
    /// # Errors
    /// A port that is taken, or an `upstream` that is no URL.
    pub fn start(port: u16, upstream: &str, region: &str, credentials: Credentials) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let watch = Arc::new(Watch {
            upstream: upstream.parse()?,
            client: Client::builder(TokioExecutor::new()).build(connector),
            region: region.to_owned(),
            credentials,
            skew: AtomicI64::new(0),
            notes: Mutex::default(),
        });
        let (url, listening) =
            Listening::start(port, |listener, stopped| serve(listener, stopped, Arc::clone(&watch)))?;
        Ok(Self { url, watch, _listening: listening })
    }

    /// Carries out an order, which is a line of JSON, and gives the answer:
    ///
    /// - `{"faults": ["lost", "error", "throttle", "conflict", "slow", "cut", "garbage", "type"], "every": 5}`: from
    ///   now on every fifth signed request for data suffers the next of these; with `"only": "TransactWriteItems"`
    ///   every fifth of that action. None of them ends it. `{"ok": true}`.
    /// - `{"skew": milliseconds}`: the gate's clock is so much ahead of this machine's. `{"ok": true}`.
    /// - `{"count": true}`: what came by since the last count, `{"passed": n, "actions": {"GetItem": n, …}, "bytes":
    ///   {"sent": n, "received": n}, "faults": {"lost": n, …}}`, in requests whose signature was right and in bytes of
    ///   bodies as the client sees them.
    ///
    /// Anything else: `{"error": "…"}`, and nothing is changed.
    pub fn order(&self, line: &str) -> Value {
        obey(&self.watch, line).unwrap_or_else(|error| json!({ "error": error }))
    }
}

async fn serve(listener: TcpListener, stopped: Stopped, watch: Arc<Watch>) -> Result<(), String> {
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(talk(stream, Arc::clone(&watch)))),
                // Too many files are open, or the client is gone already: others may come.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    // Connections end with the runtime, as those of a process do that is killed.
    tokio::select! {
        () = stopped => Ok(()),
        () = accepting => Ok(()),
    }
}

async fn talk(stream: TcpStream, watch: Arc<Watch>) {
    // Where it cannot be set, answers come a little later.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request| watch.answer(request));
    // An error is that the client hung up, or that the gate had to: nobody is there to be told.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

impl Watch {
    /// Answers, or closes the connection.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Answer> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Ok(failure(
                    Service::DynamoDb,
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    &error.to_string(),
                ));
            }
        };
        let mut answer = if head.method == Method::POST {
            self.signed(&head.headers, body).await?
        } else {
            // What a browser asks before a request is not signed.
            self.pass(head.method, &head.headers, body).await
        };
        let headers = answer.headers_mut();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(self.now()));
        if let Ok(date) = HeaderValue::try_from(date) {
            headers.insert(hyper::header::DATE, date);
        }
        // A page of another origin may read the answer, and these of its headers.
        headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        headers.insert("access-control-expose-headers", HeaderValue::from_static("date, x-amz-crc32"));
        Ok(answer)
    }

    async fn signed(&self, headers: &HeaderMap, body: Bytes) -> io::Result<Answer> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let target = text("x-amz-target");
        let service = Service::of(target);
        let checked = signature::check(headers, &body, service, &self.region, &self.credentials, self.now());
        if let Err(message) = checked {
            return Ok(failure(service, StatusCode::BAD_REQUEST, "InvalidSignatureException", &message));
        }
        // The same target is another operation, or none, in another of AWS's protocols.
        if text("content-type") != service.content_type() {
            let message = format!("the content type is to be {}", service.content_type());
            return Ok(failure(service, StatusCode::NOT_FOUND, "UnknownOperationException", &message));
        }
        let action = target.rsplit('.').next().unwrap_or_default();
        let fault = self.note(|Notes { plan, count }| {
            let fault = plan.next(action);
            count.passed += 1;
            *count.actions.entry(action.to_owned()).or_default() += 1;
            count.bytes.sent += body.len() as u64;
            if let Some((fault, _)) = fault {
                *count.faults.entry(fault).or_default() += 1;
            }
            fault
        });
        let answer = match fault {
            None => self.pass(Method::POST, headers, body).await,
            Some((fault, before)) => match refuse(service, fault, before, action, &body) {
                Some(answer) => answer,
                None => spoil(service, fault, self.pass(Method::POST, headers, body).await).await?,
            },
        };
        self.note(|notes| notes.count.bytes.received += answer.body().len() as u64);
        Ok(answer)
    }

    /// Asks the emulator.
    async fn pass(&self, method: Method, headers: &HeaderMap, body: Bytes) -> Answer {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.upstream.clone();
        *request.headers_mut() = headers.clone();
        for name in ["host", "content-length", "transfer-encoding", "connection"] {
            request.headers_mut().remove(name);
        }
        match self.ask(request).await {
            Ok(answer) => answer,
            Err(error) => failure(Service::DynamoDb, StatusCode::BAD_GATEWAY, "InternalFailure", &error),
        }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let (mut head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        for name in ["content-length", "transfer-encoding", "connection"] {
            head.headers.remove(name);
        }
        let mut answer = Response::from_parts(head, Part::from(body));
        if !answer.headers().contains_key("x-amz-crc32") {
            answer::seal(&mut answer);
        }
        Ok(answer)
    }

    /// The gate's clock.
    fn now(&self) -> Millis {
        clock().saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }

    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An error of the gate's own, as AWS's front door writes it.
fn failure(service: Service, status: StatusCode, code: &str, message: &str) -> Answer {
    let name = match service {
        Service::DynamoDb => format!("com.amazon.coral.service#{code}"),
        Service::Events => code.to_owned(),
    };
    answer::json(service, status, &json!({ "__type": name, "message": message }))
}
