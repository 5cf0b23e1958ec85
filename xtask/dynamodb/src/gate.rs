//! What the emulator does not do and AWS does: a gate before it that lets nothing through whose signature AWS's own
//! signer would not have made, or whose clock is more than five minutes off.

use crate::{Listening, Stopped, clock, signature};
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
use rewound_core::dynamodb::sign::Credentials;
use serde_json::json;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
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
    passed: AtomicU64,
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
            passed: AtomicU64::new(0),
        });
        let (url, listening) =
            Listening::start(port, |listener, stopped| serve(listener, stopped, Arc::clone(&watch)))?;
        Ok(Self { url, watch, _listening: listening })
    }

    /// How many signed requests it let through.
    pub fn passed(&self) -> u64 {
        self.watch.passed.load(Ordering::Relaxed)
    }
}

type Answer = Response<Full<Bytes>>;

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
    /// Answers.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Answer> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Ok(failure(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    &error.to_string(),
                ));
            }
        };
        let mut answer = if head.method == Method::POST {
            self.signed(&head.headers, body).await
        } else {
            // What a browser asks before a request is not signed.
            self.pass(head.method, &head.headers, body).await
        };
        let headers = answer.headers_mut();
        // A page of another origin may read the answer, and these of its headers.
        headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        headers.insert("access-control-expose-headers", HeaderValue::from_static("date, x-amz-crc32"));
        Ok(answer)
    }

    async fn signed(&self, headers: &HeaderMap, body: Bytes) -> Answer {
        let checked = signature::check(headers, &body, &self.region, &self.credentials, clock());
        if let Err(message) = checked {
            return failure(StatusCode::BAD_REQUEST, "InvalidSignatureException", &message);
        }
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.pass(Method::POST, headers, body).await
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
            Err(error) => failure(StatusCode::BAD_GATEWAY, "InternalFailure", &error),
        }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let (mut head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        for name in ["content-length", "transfer-encoding", "date", "connection"] {
            head.headers.remove(name);
        }
        if !head.headers.contains_key("x-amz-crc32") {
            head.headers.insert("x-amz-crc32", crc32fast::hash(&body).into());
        }
        Ok(Response::from_parts(head, Full::new(body)))
    }
}

/// An error of the gate's own, as AWS's front door writes it.
fn failure(status: StatusCode, code: &str, message: &str) -> Answer {
    let error =
        json!({ "__type": format!("com.amazon.coral.service#{code}"), "message": message }).to_string();
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    let answer = answer.header("x-amz-crc32", crc32fast::hash(error.as_bytes()).to_string());
    answer.body(error.into()).unwrap_or_default()
}
