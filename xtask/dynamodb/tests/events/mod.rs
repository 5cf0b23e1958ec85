//! Requests to EventBridge, signed by AWS's own signer.

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use rewound_dynamodb::REGION;
use serde_json::Value;
use std::time::SystemTime;

/// Sends a request, signed for that service and of that media type: the status, and the answer.
pub(crate) fn send(
    url: &str,
    service: &str,
    content_type: &str,
    target: &str,
    body: &Value,
) -> (u16, Value, ureq::http::HeaderMap) {
    let body = body.to_string();
    let host = url.trim_start_matches("http://");
    let headers = [("content-type", content_type), ("host", host), ("x-amz-target", target)];
    let identity = Credentials::new("AKIDLOCAL", "local", None, None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let request = SignableRequest::new(
        "POST",
        format!("{url}/"),
        headers.into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    );
    let (signed, _) = sign(request.unwrap(), &params).unwrap().into_parts();
    let (signed, _) = signed.into_parts();
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut request = ureq::Agent::from(config).post(url);
    request = headers
        .into_iter()
        .filter(|(name, _)| *name != "host")
        .fold(request, |request, (name, value)| request.header(name, value));
    for header in &signed {
        request = request.header(header.name(), header.value());
    }
    let mut answer = request.send(&body).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (answer.status().as_u16(), json, answer.headers().clone())
}

/// As it is to be sent.
pub(crate) fn put(url: &str, body: &Value) -> (u16, Value) {
    let (status, answer, _) = send(url, "events", "application/x-amz-json-1.1", "AWSEvents.PutEvents", body);
    (status, answer)
}
