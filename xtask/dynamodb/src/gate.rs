//! What the emulator does not do and AWS does: a gate before it that lets nothing through whose signature AWS's own
//! signer would not have made, or whose clock is more than five minutes off.

use crate::Listening;
use anyhow::Result;
use aws_credential_types::Credentials as Identity;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode},
    routing::any,
};
use rewound_core::{
    dynamodb::sign::Credentials,
    time::{parse_iso, to_iso},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

/// How far a clock may be off, in milliseconds.
const NEAR: u64 = 5 * 60 * 1_000;

/// The gate, open until it is dropped.
#[derive(Debug)]
pub struct Gate {
    /// Where it listens, such as `http://127.0.0.1:8000`.
    pub url: String,
    passed: Arc<AtomicU64>,
    _listening: Listening,
}

struct Watch {
    upstream: String,
    agent: ureq::Agent,
    region: String,
    credentials: Credentials,
    passed: Arc<AtomicU64>,
}

impl Gate {
    /// A gate before the DynamoDB at `upstream`, on that port of loopback (on a free one where it is 0), for whoever
    /// has these credentials.
    ///
    /// # Errors
    /// A port that is taken.
    pub fn start(port: u16, upstream: &str, region: &str, credentials: Credentials) -> Result<Self> {
        let passed = Arc::new(AtomicU64::new(0));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let watch = Watch {
            upstream: upstream.to_owned(),
            agent,
            region: region.to_owned(),
            credentials,
            passed: Arc::clone(&passed),
        };
        let router = Router::new().fallback(any(answer)).with_state(Arc::new(watch));
        let (url, listening) = Listening::start(port, |listener, stopped| async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stopped)
                .await
                .map_err(|error| error.to_string())
        })?;
        Ok(Self { url, passed, _listening: listening })
    }

    /// How many signed requests it let through.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

type Answer = Response<axum::body::Body>;

async fn answer(State(watch): State<Arc<Watch>>, method: Method, headers: HeaderMap, body: Bytes) -> Answer {
    let answered = tokio::task::spawn_blocking(move || watch.answer(&method, &headers, &body)).await;
    answered.unwrap_or_else(|error| refusal(StatusCode::BAD_GATEWAY, "InternalFailure", &error.to_string()))
}

impl Watch {
    fn answer(&self, method: &Method, headers: &HeaderMap, body: &[u8]) -> Answer {
        // What a browser asks before a request is not signed.
        if method == Method::POST {
            if let Err(message) = self.check(headers, body) {
                return refusal(StatusCode::BAD_REQUEST, "InvalidSignatureException", &message);
            }
            self.passed.fetch_add(1, Ordering::Relaxed);
        }
        let mut request = axum::http::Request::builder().method(method.clone()).uri(&self.upstream);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && *name != "content-length") {
            request = request.header(name, value);
        }
        let sent = request.body(body).map_err(ureq::Error::from).and_then(|request| self.agent.run(request));
        let read = sent.and_then(|mut response| {
            let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
            Ok((response, body))
        });
        match read {
            Ok((response, body)) => {
                let mut answer = Response::builder().status(response.status());
                let own = ["content-length", "transfer-encoding", "date", "connection"];
                for (name, value) in
                    response.headers().iter().filter(|(name, _)| !own.contains(&name.as_str()))
                {
                    answer = answer.header(name, value);
                }
                if !response.headers().contains_key("x-amz-crc32") {
                    answer = answer.header("x-amz-crc32", crc32fast::hash(&body).to_string());
                }
                // A page of another origin may read these.
                answer = answer.header("access-control-expose-headers", "date, x-amz-crc32");
                answer.body(body.into()).unwrap_or_default()
            }
            Err(error) => refusal(StatusCode::BAD_GATEWAY, "InternalFailure", &error.to_string()),
        }
    }

    /// Signs the request with AWS's own signer, at the time that it names, and compares.
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        let header = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or_else(|| format!("the header {name} is missing"))
        };
        let authorization = header("authorization")?;
        let names = authorization.split("SignedHeaders=").nth(1).and_then(|rest| rest.split(',').next());
        let names: Vec<&str> = names.unwrap_or_default().split(';').collect();
        for name in ["content-type", "host", "x-amz-date", "x-amz-target"] {
            if !names.contains(&name) {
                return Err(format!("{name} is not among the signed headers"));
            }
        }
        let date = header("x-amz-date")?;
        let signed = iso(date).and_then(|iso| parse_iso(&iso)).ok_or(format!("{date} is no time"))?;
        let now = crate::clock();
        if signed + NEAR < now {
            let earliest = to_iso(now - NEAR);
            return Err(format!("Signature expired: {date} is now earlier than {earliest} (5 min.)"));
        }
        if signed > now + NEAR {
            return Err(format!(
                "Signature not yet current: {date} is still later than {}",
                to_iso(now + NEAR)
            ));
        }
        let Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let identity = Identity::new(access_key_id, secret_access_key, session_token.clone(), None, "gate");
        let identity = identity.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("dynamodb")
            .time(UNIX_EPOCH + Duration::from_millis(signed))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        // The time and the token are added by the signer.
        let others = names.iter().filter(|name| !matches!(**name, "x-amz-date" | "x-amz-security-token"));
        let others = others.map(|name| Ok((*name, header(name)?))).collect::<Result<Vec<_>, String>>()?;
        let uri = format!("http://{}/", header("host")?);
        let request = SignableRequest::new("POST", uri, others.into_iter(), SignableBody::Bytes(body));
        let request = request.map_err(|error| error.to_string())?;
        let (instructions, _) = sign(request, &params).map_err(|error| error.to_string())?.into_parts();
        let (theirs, _) = instructions.into_parts();
        for theirs in theirs {
            if header(theirs.name())? != theirs.value() {
                return Err(format!(
                    "The request signature we calculated does not match the signature you provided: {} is {}, and {} \
                     by AWS's signer",
                    theirs.name(),
                    header(theirs.name())?,
                    theirs.value()
                ));
            }
        }
        Ok(())
    }
}

/// `20150830T123600Z` as `2015-08-30T12:36:00Z`.
fn iso(basic: &str) -> Option<String> {
    let part = |from: usize, to: usize| basic.get(from..to);
    let (date, time) =
        ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(9, 11)?, part(11, 13)?, part(13, 16)?));
    Some(format!("{}-{}-{}T{}:{}:{}", date.0, date.1, date.2, time.0, time.1, time.2))
}

/// An error as DynamoDB writes it.
fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let body =
        serde_json::json!({ "__type": format!("com.amazon.coral.service#{code}"), "message": message });
    let answer = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    let answer = answer.header("access-control-allow-origin", "*");
    answer.header("access-control-expose-headers", "date").body(body.to_string().into()).unwrap_or_default()
}
