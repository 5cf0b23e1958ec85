//! AWS Signature Version 4: the headers that make a request to DynamoDB or EventBridge somebody's.
//!
//! A signature covers the method, the path, the query, the headers, the body and the time, so each
//! attempt is signed anew. The time is an argument. Where the clock that it came from is too far off,
//! AWS refuses the request, and [`correction`] tells from the answer by how much: signed with the
//! [`corrected`] time, it is sent once more.
//!
//! ```
//! use rewound_core::dynamodb::sign::{Api, Credentials, sign};
//!
//! let credentials = Credentials {
//!     access_key_id: "AKIDEXAMPLE".into(),
//!     secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
//!     session_token: None,
//! };
//! let (region, body) = ("eu-central-1", br#"{"TableName":"events","Key":{}}"#);
//! let (host, target) = (Api::Tables.host(region), Api::Tables.target("GetItem"));
//! let headers = sign(&credentials, region, &host, &target, body, 1_440_938_160_000);
//!
//! // POST https://dynamodb.eu-central-1.amazonaws.com/ with `body` and these headers:
//! assert_eq!(headers.len(), 4);
//! assert_eq!(headers[0], ("content-type", "application/x-amz-json-1.0".into()));
//! assert_eq!(headers[1], ("x-amz-target", "DynamoDB_20120810.GetItem".into()));
//! assert_eq!(headers[2], ("x-amz-date", "20150830T123600Z".into()));
//! let (name, signature) = &headers[3];
//! assert_eq!(*name, "authorization");
//! assert!(signature.starts_with(
//!     "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/dynamodb/aws4_request, \
//!      SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="
//! ));
//! ```
//!
//! # Sources
//!
//! - Signing: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//! - DynamoDB's requests:
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html>
//! - Hosts: <https://docs.aws.amazon.com/general/latest/gr/ddb.html>
//! - Error codes: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html>, and
//!   how they are written:
//!   <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization>
//! - The `Date` header: <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>

use super::error::bare;
use crate::{
    order::Map,
    time::{Millis, parse_iso, to_iso},
    value::hex,
};
use sha2::{Digest, Sha256};
use std::fmt;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs: an access key, and the token that comes with a temporary one.
///
/// Its `Debug` shows neither the secret nor the token, so that a log cannot give them away.
///
/// ```
/// use rewound_core::dynamodb::sign::Credentials;
/// let credentials = Credentials {
///     access_key_id: "AKIDEXAMPLE".into(),
///     secret_access_key: "hush".into(),
///     session_token: Some("hush".into()),
/// };
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { access_key_id: "AKIDEXAMPLE", .. }"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public name of the key. It is sent.
    pub access_key_id: String,
    /// The secret that signs. It is never sent.
    pub secret_access_key: String,
    /// The session token of a temporary key, empty or none for a lasting one. It is sent.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What is called: DynamoDB's two APIs, and EventBridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// DynamoDB's tables and their rows.
    Tables,
    /// The streams of the tables' changes.
    Streams,
    /// EventBridge.
    Events,
}

impl Api {
    /// The host that answers in a region such as `eu-central-1`.
    ///
    /// ```
    /// use rewound_core::dynamodb::sign::Api;
    /// assert_eq!(Api::Tables.host("eu-central-1"), "dynamodb.eu-central-1.amazonaws.com");
    /// assert_eq!(Api::Streams.host("cn-north-1"), "streams.dynamodb.cn-north-1.amazonaws.com.cn");
    /// assert_eq!(Api::Events.host("eu-central-1"), "events.eu-central-1.amazonaws.com");
    /// ```
    pub fn host(self, region: &str) -> String {
        let service = match self {
            Api::Tables => "dynamodb",
            Api::Streams => "streams.dynamodb",
            Api::Events => "events",
        };
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("{service}.{region}.amazonaws.com{suffix}")
    }

    /// What `X-Amz-Target` says for an operation such as `Query`.
    ///
    /// ```
    /// use rewound_core::dynamodb::sign::Api;
    /// assert_eq!(Api::Tables.target("Query"), "DynamoDB_20120810.Query");
    /// assert_eq!(Api::Streams.target("GetRecords"), "DynamoDBStreams_20120810.GetRecords");
    /// ```
    pub fn target(self, operation: &str) -> String {
        format!("{}.{operation}", self.version())
    }

    /// Whose operation `X-Amz-Target` names.
    ///
    /// ```
    /// use rewound_core::dynamodb::sign::Api;
    /// assert_eq!(Api::of("DynamoDBStreams_20120810.GetRecords"), Api::Streams);
    /// assert_eq!(Api::of("AWSEvents.PutEvents"), Api::Events);
    /// ```
    pub fn of(target: &str) -> Self {
        let is = |api: &Api| target.split_once('.').is_some_and(|(version, _)| version == api.version());
        [Api::Streams, Api::Events].into_iter().find(is).unwrap_or(Api::Tables)
    }

    /// What its targets begin with.
    fn version(self) -> &'static str {
        match self {
            Api::Tables => "DynamoDB_20120810",
            Api::Streams => "DynamoDBStreams_20120810",
            Api::Events => "AWSEvents",
        }
    }

    /// Its name in signatures, and the media type of its requests and answers.
    fn conventions(self) -> (&'static str, &'static str) {
        match self {
            Api::Tables | Api::Streams => ("dynamodb", "application/x-amz-json-1.0"),
            Api::Events => ("events", "application/x-amz-json-1.1"),
        }
    }
}

/// The headers of a `POST` to DynamoDB or EventBridge, in lower case: its content type, its target, the time and the
/// signature, and the session token if there is one.
///
/// `host` is where it goes, with the port unless that is the scheme's own: [`Api::host`], or an
/// emulator's. It is signed, and not among the headers that come back, since a browser sets it and lets
/// nobody else do so. The path is `/` and there is no query. `target` comes from [`Api::target`], `now` is
/// in milliseconds since 1970 (of which the signature keeps whole seconds), and `body` is what will be
/// sent, to the byte. DynamoDB takes the signature up to 5 or 15 minutes from `now`.
///
/// See the [module](self) for an example.
pub fn sign(
    credentials: &Credentials,
    region: &str,
    host: &str,
    target: &str,
    body: &[u8],
    now: Millis,
) -> Vec<(&'static str, String)> {
    let (service, media) = Api::of(target).conventions();
    let headers = [("content-type", media), ("host", host), ("x-amz-target", target)];
    let mut all = vec![("content-type", media.to_owned()), ("x-amz-target", target.to_owned())];
    all.extend(authorize(credentials, (region, service), "POST\n/\n\n", &headers, body, now));
    all
}

/// A request to any AWS service, before it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path as it will be sent, from its first slash on, and normal: without empty segments, `.` and
    /// `..`, which AWS takes out before it checks the signature.
    pub path: &'a str,
    /// The names and values of the query, in any order, not yet percent-encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The names and values of the headers to sign, in any order: `host` at least. Those that
    /// [`sign_request`] returns are added to them, and must not be among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// What will be sent, to the byte.
    pub body: &'a [u8],
}

/// The headers that sign a request to any AWS service but S3 (which has other rules for paths and bodies),
/// to be sent besides its own: `x-amz-date`, `x-amz-security-token` for temporary credentials, and
/// `authorization`.
///
/// `service` is the name that the service signs with, such as `events`; `now` is in milliseconds since
/// 1970. [`sign`] is this for DynamoDB.
///
/// ```
/// use rewound_core::dynamodb::sign::{Credentials, Request, sign_request};
/// let credentials = Credentials {
///     access_key_id: "AKIDEXAMPLE".into(),
///     secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
///     session_token: None,
/// };
/// let headers = [("Host", "example.amazonaws.com")];
/// let request = Request { method: "GET", path: "/", query: &[], headers: &headers, body: b"" };
/// let signed = sign_request(&credentials, "us-east-1", "service", &request, 1_440_938_160_000);
/// let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
///     SignedHeaders=host;x-amz-date, \
///     Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
/// assert_eq!(
///     signed,
///     [("x-amz-date", "20150830T123600Z".into()), ("authorization", authorization.into())]
/// );
/// ```
pub fn sign_request(
    credentials: &Credentials,
    region: &str,
    service: &str,
    request: &Request<'_>,
    now: Millis,
) -> Vec<(&'static str, String)> {
    let Request { method, path, query, headers, body } = *request;
    let (path, query) = (canonical_path(path), canonical_query(query));
    authorize(credentials, (region, service), &format!("{method}\n{path}\n{query}\n"), headers, body, now)
}

/// The headers to add to a request whose canonical form has these three first lines: method, path, query.
/// DynamoDB's are always the same, so what makes them for other services stays out of its programs.
fn authorize(
    credentials: &Credentials,
    (region, service): (&str, &str),
    lines: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    now: Millis,
) -> Vec<(&'static str, String)> {
    let time = basic_iso(now);
    let mut added = vec![("x-amz-date", time.clone())];
    let token = credentials.session_token.as_ref().filter(|token| !token.is_empty());
    added.extend(token.map(|token| ("x-amz-security-token", token.clone())));

    let signed = headers.iter().copied().chain(added.iter().map(|(name, value)| (*name, &**value)));
    let (headers, names) = canonical_headers(signed);
    let canonical = format!("{lines}{headers}\n{names}\n{}", hex(&Sha256::digest(body)));

    let date = time.get(..8).unwrap_or_default();
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let canonical = hex(&Sha256::digest(canonical));
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{canonical}");
    let secret = format!("AWS4{}", credentials.secret_access_key);
    // Derived anew for each request. The key is good for a day, but to keep it would save five microseconds
    // out of fifteen, measured in WebAssembly, for a cache of secrets that the caller has to empty.
    let key = hmac(secret.as_bytes(), date);
    let key = [region, service, "aws4_request"].iter().fold(key, |key, part| hmac(&key, part));
    let signature = hex(&hmac(&key, &to_sign));

    let id = &credentials.access_key_id;
    let authorization =
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
    added.push(("authorization", authorization));
    added
}

/// A clock's time with a [`correction`] added, both in milliseconds.
///
/// ```
/// use rewound_core::dynamodb::sign::corrected;
/// assert_eq!(corrected(1_440_938_160_000, -60_000), 1_440_938_100_000);
/// ```
pub fn corrected(now: Millis, correction: i64) -> Millis {
    now.saturating_add_signed(correction)
}

/// By how many milliseconds to correct our clock, where AWS refused a request because of it; none where
/// that was not the reason, or where the answer has no [`Date`](parse_http_date) to tell.
///
/// `code` and `message` are the error's own: `__type` (or the header `x-amzn-errortype`) and `message`.
/// `date` is the answer's header, and `now` what our clock says when the answer arrives, with the correction
/// so far: what comes back is to be added to that. It is good to about two seconds, by which the answer was
/// under way and `Date` is rounded.
///
/// A correction of nearly nothing is one too: the request was held up for so long that its signature grew
/// old, and signed anew it will pass. Send the request once more and not twice: a second refusal has
/// another cause.
///
/// ```
/// use rewound_core::dynamodb::sign::correction;
/// let code = "com.amazon.coral.service#InvalidSignatureException";
/// let message = "Signature expired: 20150830T113600Z is now earlier than 20150830T122100Z \
///     (20150830T123600Z - 15 min.)";
/// let (date, now) = ("Sun, 30 Aug 2015 12:36:00 GMT", 1_440_934_560_000); // an hour late
/// assert_eq!(correction(code, message, date, now), Some(3_600_000));
/// assert_eq!(correction("ValidationException", "…", date, now), None);
/// ```
pub fn correction(code: &str, message: &str, date: &str, now: Millis) -> Option<i64> {
    // AWS's services refuse what is off by five minutes, or by fifteen. Its SDKs suspect the clock from four.
    const NEAR: u64 = 4 * 60 * 1_000;
    let server = parse_http_date(date)?;
    let off = server.abs_diff(now);
    let refused = match bare(code) {
        "RequestExpired" | "RequestInTheFuture" | "RequestTimeTooSkewed" => true,
        // What a wrong secret gives as well: the message tells the two apart. Since its wording is nowhere
        // promised, a clock that is clearly wrong is reason enough to try.
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            says(message, "Signature expired") || says(message, "not yet current") || off > NEAR
        }
        _ => false,
    };
    let off = i64::try_from(off).ok().filter(|_| refused)?;
    Some(if server < now { -off } else { off })
}

/// Whether the text has that part. `str::contains` would bring four more kilobytes of WebAssembly (gzip), for
/// a search whose time does not grow with the part.
fn says(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

/// The milliseconds since 1970 of an HTTP date in the form that is sent today (IMF-fixdate, always in UTC);
/// `None` where it is none, or before 1970, or names the wrong day of the week.
///
/// ```
/// use rewound_core::dynamodb::sign::parse_http_date;
/// assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
/// assert_eq!(parse_http_date("Mon, 06 Nov 1994 08:49:37 GMT"), None);
/// assert_eq!(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), None);
/// ```
pub fn parse_http_date(text: &str) -> Option<Millis> {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970 began on a Thursday
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (weekday, rest) = text.strip_suffix(" GMT")?.split_once(' ')?;
    let mut parts = rest.splitn(4, ' ');
    let (day, month, year, time) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    // Eight characters have no room for a fraction or an offset of their own.
    let iso = (time.len() == 8).then(|| format!("{year}-{month:02}-{day}T{time}Z"))?;
    let time = parse_iso(&iso)?;
    let since_thursday = usize::try_from(time / 86_400_000 % 7).ok()?;
    (DAYS.get(since_thursday) == weekday.strip_suffix(',').as_ref()).then_some(time)
}

/// The time as a signature writes it: `20150830T123600Z`.
fn basic_iso(now: Millis) -> String {
    // All but the fraction of a second, without what separates the rest.
    to_iso(now).chars().take(19).filter(char::is_ascii_alphanumeric).chain(['Z']).collect()
}

/// The headers as they are signed, one a line: names in lower case and sorted, the values of one name in
/// their order with commas between, and no spaces but single ones inside. Then the names alone.
fn canonical_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> (String, String) {
    let mut sorted = Map::default();
    for (name, value) in headers {
        let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
        let values = sorted.entry(&name.to_ascii_lowercase(), Vec::new);
        values.into_iter().for_each(|values| values.push(words.join(" ")));
    }
    let (mut lines, mut names) = (String::new(), Vec::new());
    for (name, values) in sorted.iter() {
        lines += &[name, ":", &values.join(","), "\n"].concat();
        names.push(&**name);
    }
    (lines, names.join(";"))
}

/// The path as it is signed: encoded once more, however it is encoded on its way.
fn canonical_path(path: &str) -> String {
    match path {
        "" => "/".to_owned(),
        path => percent_encoded(path, b"-._~/"),
    }
}

/// The query as it is signed: encoded, then sorted by name and value.
fn canonical_query(query: &[(&str, &str)]) -> String {
    let encoded = |text| percent_encoded(text, b"-._~");
    let mut pairs: Vec<_> = query.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The text with each byte as `%XX` that is no ASCII letter, no digit and not in `kept`.
fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let hashed = Sha256::digest(key);
    let key = if key.len() > 64 { hashed.as_slice() } else { key };
    let padded = |with: u8| key.iter().chain(&[0; 64]).take(64).map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&padded(0x36), text.as_bytes()].concat());
    Sha256::digest([&padded(0x5c), inner.as_slice()].concat()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 2 and 6 of RFC 4231: a short key, and one that is longer than a block.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let short = hmac(b"Jefe", "what do ya want for nothing?");
        assert_eq!(hex(&short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = hmac(&[0xaa; 131], "Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
