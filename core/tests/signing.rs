//! Signatures against AWS's own test suite and AWS's own signer, and the clock against bad answers.

#![allow(clippy::disallowed_methods, reason = "AWS's test suite is read from its files")]

use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings},
    sign::v4::SigningParams,
};
use proptest::prelude::*;
use rewound_core::{
    dynamodb::sign::{Api, Credentials, Request, corrected, correction, parse_http_date, sign, sign_request},
    time::{Millis, parse_iso},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, UNIX_EPOCH},
};
use time::OffsetDateTime;

type Header = (&'static str, String);

/// The value of the only header of that name.
fn value<'a>(headers: &'a [(impl AsRef<str>, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(other, _)| other.as_ref().eq_ignore_ascii_case(name));
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

// AWS's test suite, which comes with the source of their signer. It is read where cargo put it.

/// The folder with the cases.
fn suite() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages.find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("aws-signing-test-suite").join("v4")
}

/// A request as the suite writes it, with the signature that it should have.
struct Signed {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: String,
}

impl Signed {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        // A value may go on in the next line, which starts with a space: one space stands for the break.
        let mut lines = Vec::<String>::new();
        for line in head.lines() {
            match line.strip_prefix(' ') {
                Some(more) => *lines.last_mut().unwrap() += &format!(" {more}"),
                None => lines.push(line.to_owned()),
            }
        }
        let (method, rest) = lines[0].split_once(' ').unwrap();
        // Not every case has the version, and a path may have a space in it.
        let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let headers = lines[1..].iter().map(|line| line.split_once(':').unwrap());
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs.map(|(name, value)| (percent_decoded(name), percent_decoded(value))).collect(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
            body: body.to_owned(),
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// The path without empty segments, `.` and `..`: the signer asks for such a one.
fn normal(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// The secrets that belong to the suite's access keys: the second is that of AWS's `Credentials::for_tests`.
const SECRETS: [(&str, &str); 2] = [
    ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby"),
];

fn check(case: &Path) {
    let name = case.file_name().unwrap().to_string_lossy();
    let read = |file: &str| fs::read_to_string(case.join(file)).ok();
    // Two cases are older than the rest, and have no context of their own.
    let context: Value =
        read("context.json").map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let signed = Signed::read(&read("header-signed-request.txt").unwrap());
    let expected = value(&signed.headers, "Authorization").unwrap();
    let scope = expected.split_once("Credential=").unwrap().1.split_once(',').unwrap().0;
    let [id, _, region, service, _] = scope.split('/').collect::<Vec<_>>().try_into().unwrap();
    let (_, secret) = SECRETS.into_iter().find(|(known, _)| *known == id).unwrap();
    let time = value(&signed.headers, "X-Amz-Date").unwrap();
    let (date, clock) = time.split_once('T').unwrap();
    let (date, clock) = ([&date[..4], &date[4..6], &date[6..]], [&clock[..2], &clock[2..4], &clock[4..]]);
    let now = parse_iso(&format!("{}T{}", date.join("-"), clock.join(":"))).unwrap();
    if context.is_object() {
        let keys = &context["credentials"];
        let found =
            [&keys["access_key_id"], &keys["secret_access_key"], &context["region"], &context["service"]];
        assert_eq!(found, [id, secret, region, service], "{name}");
        assert_eq!(parse_iso(context["timestamp"].as_str().unwrap()), Some(now), "{name}");
    }
    // The token may be meant to be sent and not signed: without one, the signature is the same.
    let token = context["credentials"]["token"].as_str().filter(|_| context["omit_session_token"] != true);
    let credentials = Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: token.map(str::to_owned),
    };
    let path = if context["normalize"] == false { signed.path } else { normal(&signed.path) };
    let ours = ["authorization", "x-amz-date", "x-amz-security-token"];
    let headers = signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<_> = headers.filter(|(name, _)| !ours.contains(&&*name.to_lowercase())).collect();
    let query: Vec<_> = signed.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (method, body) = (&*signed.method, signed.body.as_bytes());
    let request = Request { method, path: &path, query: &query, headers: &headers, body };
    let added = sign_request(&credentials, region, service, &request, now);
    assert_eq!(value(&added, "authorization"), Some(expected), "{name}");
    assert_eq!(value(&added, "x-amz-date"), Some(time), "{name}");
    assert_eq!(value(&added, "x-amz-security-token"), token, "{name}");
}

#[test]
fn awss_own_test_suite_passes() {
    let mut cases: Vec<_> = fs::read_dir(suite()).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 40, "the suite has shrunk: {cases:?}");
    for case in cases {
        check(&case);
    }
}

// AWS's own signer, over random requests.

/// What AWS's signer adds to a request.
fn theirs(
    credentials: &Credentials,
    region: &str,
    service: &str,
    (method, uri): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
    now: Millis,
) -> Vec<Header> {
    let token = credentials.session_token.clone();
    let Credentials { access_key_id, secret_access_key, .. } = credentials;
    let identity = AwsCredentials::new(access_key_id, secret_access_key, token, None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_millis(now))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = headers.iter().copied();
    let request = SignableRequest::new(method, uri, headers, SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = aws_sigv4::http_request::sign(request, &params).unwrap().into_parts();
    let (headers, _) = instructions.into_parts();
    headers.iter().map(|header| (header.name(), header.value().to_owned())).collect()
}

fn sorted(mut headers: Vec<Header>) -> Vec<Header> {
    headers.sort();
    headers
}

fn credentials() -> impl Strategy<Value = Credentials> {
    // As long as they come, and longer than the block of the hash, where HMAC hashes its key first.
    ("[A-Z0-9]{16,32}", "\\PC{0,100}", prop::option::of("[A-Za-z0-9+/=]{1,300}")).prop_map(
        |(access_key_id, secret_access_key, session_token)| Credentials {
            access_key_id,
            secret_access_key,
            session_token,
        },
    )
}

/// Milliseconds in the years that the format can write.
fn times() -> impl Strategy<Value = Millis> {
    0..253_402_300_800_000_u64
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn requests_to_dynamodb_are_signed_as_aws_signs_them(
        credentials in credentials(),
        region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
        operation in "[A-Z][A-Za-z]{3,20}",
        streams: bool,
        body in prop::collection::vec(any::<u8>(), 0..300),
        now in times(),
    ) {
        let api = if streams { Api::Streams } else { Api::Tables };
        let (host, target) = (api.host(&region), api.target(&operation));
        let mut ours = sign(&credentials, &region, &host, &target, &body, now);
        let headers: Vec<_> = ours.drain(..2).collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let uri = format!("https://{host}/");
        let theirs = theirs(&credentials, &region, "dynamodb", ("POST", &uri), &headers, &body, now);
        prop_assert_eq!(sorted(ours), sorted(theirs));
    }

    #[test]
    fn requests_to_any_service_are_signed_as_aws_signs_them(
        credentials in credentials(),
        method in "GET|POST|PUT|DELETE",
        // A segment as it would be sent or with letters of any kind, and never `.` or `..`.
        path in prop::collection::vec("[A-Za-z0-9_~:@!$&'()*+,;=-]{1,9}|(%[0-9A-F]{2}){1,3}|[α-ωሴ-ቖ]{1,5}", 0..4),
        query in prop::collection::vec(("\\PC{1,8}", "\\PC{0,8}"), 0..5),
        headers in prop::collection::vec(("[Mm]y-[A-Ca-c0-2]{1,2}", "[ -~é-üα-ω]{0,12}"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..300),
        now in times(),
    ) {
        let path = format!("/{}", path.join("/"));
        let pairs = query.iter().map(|(name, value)| [percent_encoded(name), percent_encoded(value)].join("="));
        let pairs: Vec<_> = pairs.collect();
        let uri = format!("https://example.com:8443{path}?{}", pairs.join("&"));
        let query: Vec<_> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = headers.chain([("Host", "example.com:8443")]).collect();
        let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body };
        let ours = sign_request(&credentials, "eu-north-1", "events", &request, now);
        let theirs = theirs(&credentials, "eu-north-1", "events", (&method, &uri), &headers, &body, now);
        prop_assert_eq!(sorted(ours), sorted(theirs));
    }

    #[test]
    fn dates_are_read_as_they_are_written(seconds in 0..253_402_300_800_i64) {
        let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second) = at.to_hms();
        let (weekday, month) = (&at.weekday().to_string()[..3], &month.to_string()[..3]);
        let text = format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
        prop_assert_eq!(parse_http_date(&text), Some(seconds as u64 * 1_000), "{}", text);
    }

    #[test]
    fn no_answer_is_too_strange(code in "\\PC*", message in "\\PC*", date in "\\PC*", now: u64) {
        prop_assert_eq!(correction(&code, &message, &date, now), None);
        let cut = "Sun, 30 Aug 2015 12:36:00 GMT";
        for end in 0..cut.len() {
            prop_assert_eq!(parse_http_date(&cut[..end]), None);
        }
    }
}

// The clock.

#[test]
fn what_is_no_http_date_is_refused() {
    for text in [
        "",
        " GMT",
        "Sun, 30 Aug 2015 12:36:00 UTC",
        "Sun, 30 Aug 2015 12:36:00 GMT ",
        "Sun, 30 Aug 2015 12:36:00.000 GMT",
        "Sun, 30 Aug 2015 12:36:0Z GMT",
        "Sun, 30 Aug 2015 12:36+01 GMT",
        "Sun, 30 Aug 2015 24:00:00 GMT",
        "Sun, 30 aug 2015 12:36:00 GMT",
        "Sun, 30 Avg 2015 12:36:00 GMT",
        "Sun, 3 Aug 2015 12:36:00 GMT",
        "Sun, 31 Feb 2015 12:36:00 GMT",
        "Sun, 30 Aug 15 12:36:00 GMT",
        "Sun,  30 Aug 2015 12:36:00 GMT",
        "Sat, 30 Aug 2015 12:36:00 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sunday, 30-Aug-15 12:36:00 GMT",
        "Sun Aug 30 12:36:00 2015",
        "2015-08-30T12:36:00Z",
    ] {
        assert_eq!(parse_http_date(text), None, "{text}");
    }
    // A leap second is the last moment of its minute.
    assert_eq!(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT"), Some(1_483_228_799_999));
}

#[test]
fn a_clock_is_corrected_where_it_was_the_reason() {
    const DATE: &str = "Sun, 30 Aug 2015 12:36:00 GMT";
    const NOW: Millis = 1_440_938_160_000;
    const HOUR: Millis = 3_600_000;
    let wrong = "The request signature we calculated does not match the signature you provided.";
    let early = "Signature not yet current: 20150830T133600Z is still later than 20150830T125100Z (20150830T123600Z + 15 min.)";
    let late = "Signature expired: 20150830T113600Z is now earlier than 20150830T122100Z (20150830T123600Z - 15 min.)";
    let forms = |code: &str| {
        let (namespace, address) = ("com.amazon.coral.service#", ":http://internal.amazon.com/coral/#x/");
        ["", namespace].map(|before| ["", address].map(|after| format!("{before}{code}{after}"))).concat()
    };
    for code in ["InvalidSignatureException", "SignatureDoesNotMatch"].into_iter().flat_map(forms) {
        assert_eq!(correction(&code, late, DATE, NOW - HOUR), Some(3_600_000), "{code}");
        assert_eq!(correction(&code, early, DATE, NOW + HOUR), Some(-3_600_000), "{code}");
        // The clock is right: it waited for long, or it is not the clock.
        assert_eq!(correction(&code, late, DATE, NOW + 500), Some(-500), "{code}");
        assert_eq!(correction(&code, wrong, DATE, NOW + 500), None, "{code}");
        assert_eq!(correction(&code, wrong, DATE, NOW + HOUR), Some(-3_600_000), "{code}");
    }
    for code in ["RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"].into_iter().flat_map(forms) {
        assert_eq!(correction(&code, "", DATE, NOW - 1), Some(1), "{code}");
        assert_eq!(correction(&code, "", "today", NOW - 1), None, "{code}");
    }
    for code in ["ExpiredTokenException", "UnrecognizedClientException", "AccessDeniedException", ""] {
        assert_eq!(correction(code, late, DATE, NOW - HOUR), None, "{code}");
    }
    assert_eq!(correction("RequestExpired", "", DATE, u64::MAX), None);
    assert_eq!(corrected(NOW - HOUR, 3_600_000), NOW);
    assert_eq!((corrected(5, -6), corrected(u64::MAX, 1)), (0, u64::MAX));
}

// What must not be seen.

#[test]
fn secrets_are_neither_shown_nor_sent() {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "hush-secret".into(),
        session_token: Some("hush-token".into()),
    };
    let shown = format!("{credentials:?} {credentials:#?}");
    assert!(shown.contains("AKIDEXAMPLE") && !shown.contains("hush"), "{shown}");
    let headers = sign(&credentials, "eu-central-1", "localhost:8000", "DynamoDB_20120810.Query", b"{}", 0);
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let expected = ["content-type", "x-amz-target", "x-amz-date", "x-amz-security-token", "authorization"];
    assert_eq!(names, expected);
    assert_eq!(value(&headers, "x-amz-security-token"), Some("hush-token"));
    assert!(!format!("{headers:?}").contains("hush-secret"));
}

#[test]
fn an_empty_token_is_none() {
    let [without, with] = [None, Some(String::new())].map(|session_token| {
        let (access_key_id, secret_access_key) = ("AKIDEXAMPLE".into(), "hush".into());
        let credentials = Credentials { access_key_id, secret_access_key, session_token };
        sign(&credentials, "eu-central-1", "localhost:8000", "DynamoDB_20120810.Query", b"{}", 0)
    });
    assert_eq!(without, with);
}
