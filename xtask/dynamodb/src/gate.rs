//! What the emulator does not do and AWS does: a gate before it that lets nothing through whose signature AWS's own
//! signer would not have made, or whose clock is more than five minutes off. It has streams as AWS has them
//! ([`crate::streams`]) and an EventBridge ([`crate::bus`]). On order it does what a bad day does as well.

use crate::{
    Listening, Stopped,
    answer::{self, Answer, Part},
    bus::Bus,
    clock,
    faults::{Plan, refuse, spoil},
    orders::{Count, obey},
    service::Service,
    signature,
    streams::Streams,
};
use anyhow::Result;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header::{HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use rewound_core::{
    dynamodb::sign::{Credentials, sign},
    time::Millis,
};
use serde_json::{Value, json};
use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
};

/// What DynamoDB takes in one request.
const MAX_BODY: usize = 16 << 20;

/// The gate, open until it is dropped.
#[derive(Debug)]
pub struct Gate {
    /// Where it listens, such as `http://127.0.0.1:8000`.
    pub url: String,
    watch: Arc<Watch>,
    runtime: Handle,
    _listening: Listening,
}

/// What every request is judged by.
#[derive(Debug)]
pub(crate) struct Watch {
    upstream: Uri,
    bus: OnceLock<Uri>,
    client: Client<HttpConnector, Full<Bytes>>,
    region: String,
    credentials: Credentials,
    /// How far the gate's clock is ahead of this machine's, in milliseconds.
    pub(crate) skew: AtomicI64,
    notes: Mutex<Notes>,
    /// Held while the emulator is asked about a stream: nobody reads it while it is being split.
    pub(crate) streams: tokio::sync::Mutex<Streams>,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) plan: Plan,
    pub(crate) count: Count,
    pub(crate) bus: Bus,
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
            bus: OnceLock::new(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            region: region.to_owned(),
            credentials,
            skew: AtomicI64::new(0),
            notes: Mutex::default(),
            streams: tokio::sync::Mutex::default(),
        });
        let (url, listening) =
            Listening::start(port, |listener, stopped| serve(listener, stopped, Arc::clone(&watch)))?;
        Ok(Self { url, watch, runtime: listening.runtime.clone(), _listening: listening })
    }

    /// The gate, before the EventBridge at `url` as well: what it has nothing against is put there, and answered as it is
    /// there. The first one stays.
    ///
    /// # Errors
    /// A `url` that is none.
    pub fn with_bus(self, url: &str) -> Result<Self> {
        let url: Uri = url.parse()?;
        self.watch.bus.get_or_init(|| url);
        Ok(self)
    }

    /// Carries out an order, which is a line of JSON, and gives the answer:
    ///
    /// - `{"faults": ["lost", "error", "throttle", "conflict", "slow", "cut", "garbage", "type"], "every": 5}`: from
    ///   now on every fifth signed request for data, of a stream or with events suffers the next of these; with
    ///   `"only": "TransactWriteItems"` every fifth of that action. None of them ends it. `{"ok": true}`.
    /// - `{"skew": milliseconds}`: the gate's clock is so much ahead of this machine's. `{"ok": true}`.
    /// - `{"count": true}`: what came by since the last count, `{"passed": n, "actions": {"GetItem": n, …}, "bytes":
    ///   {"sent": n, "received": n}, "faults": {"lost": n, …}, "limited": n}`, in requests whose signature was right and
    ///   in bytes of bodies as the client sees them. `limited` were those that read a shard the sixth time in a second.
    /// - `{"streams": {"split": true}}`: every open shard of every stream ends where the stream ends now, and has two
    ///   children with half of its partition keys each. `{"ok": true}`, as to each of these:
    /// - `{"streams": {"expire": true}}`: every iterator that was given out has expired.
    /// - `{"streams": {"trim": true}}`: all records that there are now are gone, and so are closed shards.
    ///   `TrimmedDataAccessException` answers an iterator that would read one of them, and the sequence number of one,
    ///   even of the last. An iterator that has come behind them goes on.
    /// - `{"streams": {"disorder": true, "repeat": true, "page": 10, "empty": 2, "shards": 2}}`: from now on a page's
    ///   records come in reverse, and each comes in the next page again; a page has ten of them at most, those that come
    ///   again included; two empty pages come before each that has records; and a page of `DescribeStream` has two
    ///   shards at most. What is left out is not so: `{"streams": {}}` ends it all.
    /// - `{"bus": {"take": true}}`: `{"entries": […]}`, the entries of `PutEvents` that were taken since the last time, as
    ///   they were put and in their order.
    /// - `{"bus": {"fail": 3}}`: from now on every third entry that nothing is wrong with fails, with
    ///   `ThrottlingException` and `InternalFailure` in turn; with 0 none does. `{"ok": true}`.
    ///
    /// Anything else: `{"error": "…"}`, and nothing is changed.
    ///
    /// # Panics
    /// In a thread that runs asynchronous tasks, as whatever blocks does there.
    pub fn order(&self, line: &str) -> Value {
        let done = self.runtime.block_on(obey(&self.watch, line));
        done.unwrap_or_else(|error| json!({ "error": error }))
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
            self.pass(&self.upstream, head.method, &head.headers, body).await
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
        let fault = self.note(|Notes { plan, count, .. }| {
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
            None => self.carry_out(target, headers, body).await,
            Some((fault, before)) => match refuse(service, fault, before, action, &body) {
                Some(answer) => answer,
                None => spoil(service, fault, self.carry_out(target, headers, body).await).await?,
            },
        };
        self.note(|notes| notes.count.bytes.received += answer.body().sent().len() as u64);
        Ok(answer)
    }

    async fn carry_out(&self, target: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let service = Service::of(target);
        let done = match target {
            "DynamoDBStreams_20120810.DescribeStream" => self.describe_stream(&body).await,
            "DynamoDBStreams_20120810.GetShardIterator" => self.get_shard_iterator(&body).await,
            "DynamoDBStreams_20120810.GetRecords" => self.get_records(&body).await,
            "AWSEvents.PutEvents" => self.put_events(headers, &body).await,
            _ => {
                let to = if service == Service::Events { self.bus() } else { Some(&self.upstream) };
                return match to {
                    Some(to) => self.pass(to, Method::POST, headers, body).await,
                    None => answer::error(
                        service,
                        StatusCode::BAD_REQUEST,
                        "UnknownOperationException",
                        "without another EventBridge the gate knows PutEvents alone",
                    ),
                };
            }
        };
        done.map_or_else(|refused| *refused, |done| answer::json(service, StatusCode::OK, &done))
    }

    /// Asks the emulator something of the gate's own. An error is its answer, for the client.
    pub(crate) async fn emulator(&self, target: &str, body: &Value) -> Done {
        let body = body.to_string();
        let host = self.upstream.authority().map_or("", |authority| authority.as_str());
        let signed = sign(&self.credentials, &self.region, host, target, body.as_bytes(), clock());
        let mut headers = HeaderMap::new();
        for (name, value) in signed {
            // What is no header is missing then, and the emulator says so.
            headers.extend(
                HeaderValue::try_from(value).ok().map(|value| (HeaderName::from_static(name), value)),
            );
        }
        let answer = self.pass(&self.upstream, Method::POST, &headers, body.into()).await;
        read(Service::DynamoDb, answer)
    }

    /// Asks the emulator, or an EventBridge.
    pub(crate) async fn pass(&self, to: &Uri, method: Method, headers: &HeaderMap, body: Bytes) -> Answer {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = to.clone();
        *request.headers_mut() = headers.clone();
        for name in ["host", "content-length", "transfer-encoding", "connection"] {
            request.headers_mut().remove(name);
        }
        let service = if *to == self.upstream { Service::DynamoDb } else { Service::Events };
        match self.ask(request).await {
            Ok(mut answer) => {
                if service == Service::DynamoDb && !answer.headers().contains_key("x-amz-crc32") {
                    answer::seal(&mut answer);
                }
                answer
            }
            Err(error) => failure(service, StatusCode::BAD_GATEWAY, "InternalFailure", &error),
        }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let (mut head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        for name in ["content-length", "transfer-encoding", "connection"] {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, Part::from(body)))
    }

    /// The EventBridge that events are put to as well, if there is one.
    pub(crate) fn bus(&self) -> Option<&Uri> {
        self.bus.get()
    }

    /// The gate's clock.
    fn now(&self) -> Millis {
        clock().saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }

    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a request that the gate answers itself comes to: the body of the answer, or a refusal.
pub(crate) type Done = Result<Value, Box<Answer>>;

/// The body of an answer that is no error; the answer itself where it is one.
pub(crate) fn read(service: Service, answer: Answer) -> Done {
    if answer.status() != StatusCode::OK {
        return Err(Box::new(answer));
    }
    serde_json::from_slice(answer.body().sent()).map_err(|error| {
        Box::new(failure(service, StatusCode::BAD_GATEWAY, "InternalFailure", &error.to_string()))
    })
}

/// An error of the gate's own, as AWS's front door writes it.
fn failure(service: Service, status: StatusCode, code: &str, message: &str) -> Answer {
    let name = match service {
        Service::DynamoDb => format!("com.amazon.coral.service#{code}"),
        Service::Events => code.to_owned(),
    };
    answer::json(service, status, &json!({ "__type": name, "message": message }))
}
