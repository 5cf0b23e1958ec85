//! Whether AWS's own signer would have made a signature.

use crate::service::Service;
use anyhow::Result;
use aws_credential_types::Credentials as Identity;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use hyper::HeaderMap;
use rewound_core::{
    dynamodb::sign::Credentials,
    time::{Millis, parse_iso, to_iso},
};
use std::time::{Duration, UNIX_EPOCH};

/// How far a clock may be off, in milliseconds.
const NEAR: u64 = 5 * 60 * 1_000;

/// Signs the request to the service with AWS's own signer, at the time that it names, and compares.
pub(crate) fn check(
    headers: &HeaderMap,
    body: &[u8],
    service: Service,
    region: &str,
    credentials: &Credentials,
    now: Millis,
) -> Result<(), String> {
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
    if signed + NEAR < now {
        let earliest = to_iso(now - NEAR);
        return Err(format!("Signature expired: {date} is now earlier than {earliest} (5 min.)"));
    }
    if signed > now + NEAR {
        return Err(format!("Signature not yet current: {date} is still later than {}", to_iso(now + NEAR)));
    }
    let Credentials { access_key_id, secret_access_key, session_token } = credentials;
    let identity = Identity::new(access_key_id, secret_access_key, session_token.clone(), None, "gate");
    let identity = identity.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service.name())
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
                "The request signature we calculated does not match the signature you provided: {} is {}, and {} by \
                 AWS's signer",
                theirs.name(),
                header(theirs.name())?,
                theirs.value()
            ));
        }
    }
    Ok(())
}

/// `20150830T123600Z` as `2015-08-30T12:36:00Z`.
fn iso(basic: &str) -> Option<String> {
    let part = |from: usize, to: usize| basic.get(from..to);
    let (date, time) =
        ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(9, 11)?, part(11, 13)?, part(13, 16)?));
    Some(format!("{}-{}-{}T{}:{}:{}", date.0, date.1, date.2, time.0, time.1, time.2))
}
