//! What the gate answers: in the service's form where the answer is its own, and whole or not.

use crate::service::Service;
use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame, SizeHint},
};
use serde_json::{Value, json};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// An answer on its way to the client.
pub(crate) type Answer = Response<Part>;

/// A body, or its beginning: where less is sent than was promised, the connection ends there.
#[derive(Debug, Default)]
pub(crate) struct Part {
    sent: Bytes,
    missing: usize,
    flushed: bool,
}

impl Part {
    /// The first half of what this would have been.
    pub(crate) fn half(self) -> Self {
        let half = self.sent.len() / 2;
        Self { missing: self.sent.len() - half, sent: self.sent.slice(..half), flushed: false }
    }

    /// What is sent.
    pub(crate) fn sent(&self) -> &[u8] {
        &self.sent
    }
}

impl From<Bytes> for Part {
    fn from(sent: Bytes) -> Self {
        Self { sent, ..Self::default() }
    }
}

impl Body for Part {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.sent.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.sent)))));
        }
        if self.missing == 0 {
            return Poll::Ready(None);
        }
        // An error at once would throw away what is still in the buffer: it is written out before the next poll.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("cut, as ordered"))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.is_empty() && self.missing == 0
    }

    /// What is promised: it becomes the answer's `content-length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.sent.len() + self.missing) as u64)
    }
}

/// An answer in JSON, as the service writes it: DynamoDB adds a checksum, EventBridge does not.
pub(crate) fn json(service: Service, status: StatusCode, json: &Value) -> Answer {
    let mut answer = of(status, service.content_type(), json.to_string());
    if service == Service::DynamoDb {
        seal(&mut answer);
    }
    answer
}

/// One of the service's own errors.
pub(crate) fn error(service: Service, status: StatusCode, code: &str, message: &str) -> Answer {
    json(service, status, &json!({ "__type": service.error(code), "message": message }))
}

/// A request that is refused for what it asks.
pub(crate) fn refusal(service: Service, code: &str, message: &str) -> Box<Answer> {
    Box::new(error(service, StatusCode::BAD_REQUEST, code, message))
}

/// Adds the checksum of the body, as DynamoDB does.
pub(crate) fn seal(answer: &mut Answer) {
    let checksum = crc32fast::hash(&answer.body().sent);
    answer.headers_mut().insert("x-amz-crc32", checksum.into());
}

/// An answer without a checksum.
pub(crate) fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Part::from(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(content_type));
    answer
}
