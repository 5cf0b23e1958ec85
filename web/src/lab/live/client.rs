//! Asking an edge, with `fetch`: what comes back, and what went wrong in words that say what to do.

use crate::host;
use js_sys::{Reflect, Uint8Array};
use rewound_core::{
    http::{
        messages::{Message, Messages},
        path,
    },
    time::Millis,
};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, ReadableStreamDefaultReader, RequestInit, RequestMode, Response};

/// An edge, and who asks it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Client {
    pub(super) url: String,
    pub(super) token: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) etag: Option<String>,
    pub(super) timing: Option<String>,
    pub(super) retry_after: Option<String>,
    /// The body where it is JSON.
    pub(super) body: Value,
    pub(super) text: String,
}

/// Why there is no good answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// Nothing answers there.
    Silent(String),
    /// Something answers, and does not let this page see it.
    Hidden,
    /// It answered with a problem.
    Problem(Box<Reply>),
}

impl Reply {
    /// A member of a problem.
    pub(super) fn member(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    pub(super) fn code(&self) -> &str {
        self.member("code").unwrap_or("no-code")
    }

    /// The number of a header such as `dynamodb;desc="…", total;dur=12`.
    pub(super) fn time(&self) -> Option<&str> {
        self.timing.as_deref()?.split("dur=").nth(1)?.split([',', ';']).next()
    }

    fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Trouble {
    /// What it is, and what to do.
    pub(super) fn in_words(&self, url: &str) -> (String, String) {
        let origin = leptos::prelude::window().location().origin().unwrap_or_default();
        match self {
            Self::Silent(said) => (
                format!("Nothing answers at {url} ({said})."),
                "Is the edge started, and is this its address? `cargo xtask play --edge` starts one and prints both.".to_owned(),
            ),
            Self::Hidden => (
                format!("Something answers at {url}, but does not let pages of {origin} read it."),
                format!("Add {origin} to the edge's CORS_ORIGINS and start it again."),
            ),
            Self::Problem(reply) => {
                let said = reply.member("detail").map_or_else(|| reply.text.chars().take(200).collect(), str::to_owned);
                (said, advice(reply.status, reply.code()).to_owned())
            }
        }
    }

    pub(super) fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Problem(reply) => Some(reply),
            _ => None,
        }
    }
}

/// What to do about a problem.
fn advice(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (400, _) => "Correct the fields that are named.",
        (401, _) => {
            "The token is missing, expired, or not for this edge. Copy the one that the edge printed when it started, and connect again."
        }
        (403, _) => "The token is good and does not allow this. Ask for one whose scope does.",
        (404, "unknown-path" | "no-code") => "Is this the address of an edge, without a path behind it?",
        (404, _) => "It is not there (yet): look at the list again, or create it with its first command.",
        (409, "contention") => "Others were quicker, again and again. Nothing was written: send it again.",
        (409, _) => "A rule refuses it in this state. Another command, or another state, is needed.",
        (412, _) => {
            "Look at what happened meanwhile, decide anew, and send it on the version that is there now."
        }
        (422, _) => {
            "This key belongs to another command. A new command takes a new key; a repeat takes the same fields."
        }
        (429 | 503, _) => {
            "The store is busy. Wait a moment and send it again, with the same key if it has one."
        }
        (502, _) => "The store refuses the edge. Its log says why.",
        (500.., _) => "The edge failed. Its log says how.",
        _ => "The edge does not take this request.",
    }
}

impl Client {
    /// Asks for something.
    pub(super) async fn get(&self, place: &str, signal: Option<&AbortSignal>) -> Result<Reply, Trouble> {
        let response = self.fetch("GET", place, &[("Accept", "*/*")], None, signal).await?;
        read(&response).await
    }

    /// Sends a command.
    pub(super) async fn send(
        &self,
        aggregate: &str,
        id: &str,
        command: &str,
        fields: &Value,
        headers: &[(&str, &str)],
    ) -> Result<Reply, Trouble> {
        let place = path(&["aggregates", aggregate, id, "commands", command]);
        let mut all = vec![("Accept", "*/*"), ("Content-Type", "application/json")];
        all.extend(headers);
        read(&self.fetch("POST", &place, &all, Some(fields.to_string()), None).await?).await
    }

    /// Begins to follow a stream behind a cursor; an empty one is the start.
    pub(super) async fn follow(
        &self,
        aggregate: &str,
        id: &str,
        cursor: &str,
        signal: &AbortSignal,
    ) -> Result<Following, Trouble> {
        let place = path(&["aggregates", aggregate, id, "events"]);
        let mut headers = vec![("Accept", "text/event-stream")];
        if !cursor.is_empty() {
            headers.push(("Last-Event-ID", cursor));
        }
        let response = self.fetch("GET", &place, &headers, None, Some(signal)).await?;
        if response.status() != 200 {
            read(&response).await?;
        }
        let body = response.body().ok_or_else(|| Trouble::Silent("the answer has no body".to_owned()))?;
        Ok(Following { reader: body.get_reader().unchecked_into(), messages: Messages::default() })
    }

    async fn fetch(
        &self,
        method: &str,
        place: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
        signal: Option<&AbortSignal>,
    ) -> Result<Response, Trouble> {
        let lost = |error: JsValue| Trouble::Silent(host::said(&error));
        let all = Headers::new().map_err(lost)?;
        all.set("Authorization", &format!("Bearer {}", self.token)).map_err(lost)?;
        for (name, value) in headers {
            all.set(name, value).map_err(lost)?;
        }
        let request = RequestInit::new();
        request.set_method(method);
        request.set_headers(&all);
        request.set_signal(signal);
        if let Some(body) = body {
            request.set_body(&body.into());
        }
        let window = leptos::prelude::window();
        let asked = window.fetch_with_str_and_init(&format!("{}{place}", self.url), &request);
        match JsFuture::from(asked).await {
            Ok(response) => Ok(response.unchecked_into()),
            Err(error) if signal.is_some_and(AbortSignal::aborted) => Err(lost(error)),
            // A browser does not say whether nobody is there or the page may not see who is.
            Err(error) => Err(if self.is_there().await { Trouble::Hidden } else { lost(error) }),
        }
    }

    /// Whether anything answers, without a look at what it says.
    async fn is_there(&self) -> bool {
        let request = RequestInit::new();
        request.set_mode(RequestMode::NoCors);
        let url = format!("{}/healthz", self.url);
        let asked = leptos::prelude::window().fetch_with_str_and_init(&url, &request);
        JsFuture::from(asked).await.is_ok()
    }
}

async fn read(response: &Response) -> Result<Reply, Trouble> {
    let lost = |error: JsValue| Trouble::Silent(host::said(&error));
    let text = JsFuture::from(response.text().map_err(lost)?).await.map_err(lost)?;
    let text = text.as_string().unwrap_or_default();
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let reply = Reply {
        status: response.status(),
        etag: header("etag"),
        timing: header("server-timing"),
        retry_after: header("retry-after"),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    };
    if reply.is_good() { Ok(reply) } else { Err(Trouble::Problem(Box::new(reply))) }
}

/// A stream that is being followed.
pub(super) struct Following {
    reader: ReadableStreamDefaultReader,
    messages: Messages,
}

impl Following {
    /// The messages that came next; none where the stream has ended.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Message>>, Trouble> {
        let lost = |error: JsValue| Trouble::Silent(host::said(&error));
        let chunk = JsFuture::from(self.reader.read()).await.map_err(lost)?;
        let field = |name: &str| Reflect::get(&chunk, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if field("done").is_truthy() {
            return Ok(None);
        }
        let bytes = field("value").dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()).unwrap_or_default();
        Ok(Some(self.messages.push(&bytes)))
    }

    /// How long to wait before coming back.
    pub(super) fn retry(&self) -> Millis {
        self.messages.retry.unwrap_or(1_000)
    }
}
