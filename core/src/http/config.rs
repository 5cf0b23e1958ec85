//! How an edge is set up, from variables: nothing is open unless they say so in as many words.

use super::{auth, live};
use crate::{
    domains,
    dynamodb::{Layout, sign::Api, sign::Credentials},
    feed::{self, outbox::Outbox},
};
use serde_json::Value;

/// A variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a secret: set with `wrangler secret put`, and never written down.
    pub secret: bool,
    /// What it says, and what it is where it is not set.
    pub about: &'static str,
}

const fn variable(name: &'static str, about: &'static str) -> Variable {
    Variable { name, secret: false, about }
}

const fn secret(name: &'static str, about: &'static str) -> Variable {
    Variable { name, secret: true, about }
}

/// Every variable that is read.
pub const VARIABLES: &[Variable] = &[
    variable("AWS_REGION", "The region of the tables, such as eu-west-1."),
    secret("AWS_ACCESS_KEY_ID", "The key that may use them."),
    secret("AWS_SECRET_ACCESS_KEY", "Its secret."),
    secret("AWS_SESSION_TOKEN", "Its token, where the key is a temporary one."),
    variable("AWS_ENDPOINT_URL_DYNAMODB", "Where DynamoDB is, for one on loopback; else the region's own."),
    variable(
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
        "Where its streams are; where DynamoDB is, if that is set, else the region's own.",
    ),
    variable(
        "AWS_ENDPOINT_URL_EVENTBRIDGE",
        "Where EventBridge is, for one on loopback; else the region's own.",
    ),
    variable("TABLE_PREFIX", "What the tables' names begin with: rewound."),
    variable(
        "TABLES",
        r#"Names of tables that are called otherwise, as JSON: {"events": "…", "helpers": "…", "views": "…", "BankAccount": "…"}."#,
    ),
    secret("JWT_SECRET", "The secret for tokens with HS256: 32 bytes or more."),
    variable(
        "JWT_JWKS",
        "The public keys for tokens with RS256 and ES256: a JWK Set as JSON, or the https address of one.",
    ),
    variable("JWT_AUDIENCE", "What every token has to name as its audience (aud)."),
    variable(
        "JWT_ISSUER",
        "Who has to have issued every token (iss); anybody who has a key, where it is not set.",
    ),
    variable(
        "OPEN",
        "What is open without a token, in words: health, openapi, metrics. Nothing where it is not set.",
    ),
    variable(
        "CORS_ORIGINS",
        "The origins whose pages may ask, in words such as https://app.example; * for all. None where it is not set.",
    ),
    variable("MAX_BODY_BYTES", "The most bytes of a request's body: 262144."),
    variable("STORE_TIMEOUT_MS", "The milliseconds after which a request to DynamoDB counts as lost: 5000."),
    variable(
        "CACHED_AGGREGATES",
        "How many states an isolate remembers: 1000, and no more than 16 MB of them; 0 for none.",
    ),
    variable(
        "HOT_AGGREGATES",
        "The aggregates whose commands wait in line in a Durable Object each, by name, such as BankAccount. None where it is not set.",
    ),
    variable(
        "LIVE_POLLS",
        "How often DynamoDB is asked for a stream that is followed live before it ends itself: 40.",
    ),
    variable("LIVE_PAUSE_MS", "The milliseconds between: 1000."),
    variable(
        "NUDGE",
        "Whether views, transfers and the outbox follow right behind a command: on. Where it is off, the next sweep brings them there.",
    ),
    variable(
        "SWEEP_CALLS",
        "After how many requests a sweep leaves the rest to the next: 5000. A Worker may make 10000 at a time, or 50 where it is free.",
    ),
    variable(
        "OUTBOX",
        "Where every event is sent: eventbridge, or queue for the Cloudflare Queue that is bound as OUTBOX_QUEUE. Nowhere where it is not set.",
    ),
    variable("EVENT_BUS", "The name or ARN of EventBridge's bus: default."),
    variable("EVENT_SOURCE", "What the events on it say that they come from: rewound."),
];

/// How an edge is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The region that is signed for.
    pub region: String,
    /// Where DynamoDB, its streams and EventBridge are, in the order of [`Api`].
    endpoints: [String; 3],
    /// The key that may use it.
    pub credentials: Credentials,
    /// The tables. Nobody is trusted to have written rows yet.
    pub layout: Layout,
    /// Which tokens are good.
    pub policy: auth::Policy,
    /// The public keys, or where they are.
    pub keys: KeySource,
    /// What needs no token.
    pub open: Vec<String>,
    /// Whose pages may ask.
    pub origins: Vec<String>,
    /// The most bytes of a body.
    pub max_body: usize,
    /// The milliseconds after which a request to DynamoDB counts as lost.
    pub timeout: u32,
    /// How many states are remembered.
    pub cached: usize,
    /// The aggregates whose commands wait in line.
    pub hot: Vec<String>,
    /// How long a stream is followed.
    pub live: live::Limits,
    /// Whether the read side follows right behind a command.
    pub nudge: bool,
    /// How long a sweep may take.
    pub sweep: feed::Limits,
    /// Where every event is sent.
    pub outbox: Option<Outbox>,
}

/// Where public keys come from.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySource {
    /// These.
    Fixed(auth::Keys),
    /// A JWK Set at this address.
    Address(String),
}

impl Config {
    /// Reads the variables.
    ///
    /// ```
    /// use rewound_core::http::config::Config;
    /// let wrong = Config::read(&|_| None).unwrap_err();
    /// assert!(wrong.contains(&"JWT_AUDIENCE is not set: what every token has to name as its audience (aud).".into()));
    /// ```
    ///
    /// # Errors
    /// Everything that is missing or wrong, each as a sentence that names the variable and no value of a secret.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let get = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let words = |name: &str| -> Vec<String> {
            let text = get(name).unwrap_or_default();
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let mut needed = |name: &str| {
            get(name).unwrap_or_else(|| {
                wrong.push(format!("{name} is not set: {}", about(name)));
                String::new()
            })
        };
        let region = needed("AWS_REGION");
        let credentials = Credentials {
            access_key_id: needed("AWS_ACCESS_KEY_ID"),
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY"),
            session_token: get("AWS_SESSION_TOKEN"),
        };
        let audience = needed("JWT_AUDIENCE");
        let secret = get("JWT_SECRET");
        if secret.as_ref().is_some_and(|secret| secret.len() < auth::SHORTEST_SECRET) {
            wrong.push("JWT_SECRET is too short: it takes 32 bytes or more.".to_owned());
        }
        let mut keys = KeySource::Fixed(auth::Keys::default());
        match get("JWT_JWKS") {
            None if secret.is_none() => {
                wrong.push("neither JWT_SECRET nor JWT_JWKS is set: no token could be good.".to_owned());
            }
            None => {}
            Some(address) if is_safe(&address) => keys = KeySource::Address(address),
            Some(text) => match auth::Keys::read(&text) {
                Ok(read) => keys = KeySource::Fixed(read),
                Err(error) => {
                    wrong.push(format!("JWT_JWKS is neither an https address nor a JWK Set: {error}."))
                }
            },
        }
        let mut number = |name: &str, usual: u32| match get(name).map(|text| text.parse()) {
            None => usual,
            Some(Ok(number)) => number,
            Some(Err(_)) => {
                wrong.push(format!("{name} is no whole number below 2^32. {}", about(name)));
                usual
            }
        };
        let max_body = number("MAX_BODY_BYTES", 256 * 1024) as usize;
        let timeout = number("STORE_TIMEOUT_MS", 5_000);
        let cached = number("CACHED_AGGREGATES", 1_000) as usize;
        let usual = live::Limits::default();
        let live = live::Limits {
            polls: number("LIVE_POLLS", usual.polls).max(1),
            pause: number("LIVE_PAUSE_MS", usual.pause as u32).into(),
        };
        let sweep = feed::Limits { calls: number("SWEEP_CALLS", 5_000).max(1) };
        let (open, hot) = (words("OPEN"), words("HOT_AGGREGATES"));
        for word in open.iter().filter(|word| !["health", "openapi", "metrics"].contains(&word.as_str())) {
            wrong.push(format!("OPEN names {word}. {}", about("OPEN")));
        }
        for name in hot.iter().filter(|name| domains::find(name).is_none()) {
            wrong.push(format!("HOT_AGGREGATES names {name}, and no aggregate is called that."));
        }
        let mut given = |name: &str| {
            let address = get(name);
            if address.as_ref().is_some_and(|address| !is_safe(address)) {
                wrong.push(format!("{name} is neither an https address nor on loopback."));
            }
            address
        };
        let tables = given("AWS_ENDPOINT_URL_DYNAMODB");
        // An emulator mostly serves both.
        let streams = given("AWS_ENDPOINT_URL_DYNAMODB_STREAMS").or_else(|| tables.clone());
        let events = given("AWS_ENDPOINT_URL_EVENTBRIDGE");
        let endpoints = [(Api::Tables, tables), (Api::Streams, streams), (Api::Events, events)];
        let endpoints = endpoints.map(|(api, given)| {
            let address = given.unwrap_or_else(|| format!("https://{}", api.host(&region)));
            address.trim_end_matches('/').to_owned()
        });
        let text = |name: &str, usual: &str| get(name).unwrap_or_else(|| usual.to_owned());
        let (name, source) = (text("EVENT_BUS", "default"), text("EVENT_SOURCE", "rewound"));
        let outbox = match get("OUTBOX").as_deref() {
            None => None,
            Some("eventbridge") => Some(Outbox::Bus { name, source }),
            Some("queue") => Some(Outbox::Queue),
            Some(_) => {
                wrong.push("OUTBOX is neither eventbridge nor queue.".to_owned());
                None
            }
        };
        let nudge = match text("NUDGE", "on").as_str() {
            "on" => true,
            "off" => false,
            _ => {
                wrong.push("NUDGE is neither on nor off.".to_owned());
                true
            }
        };
        let layout = layout(get("TABLE_PREFIX").as_deref().unwrap_or("rewound"), get("TABLES"), &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let policy = auth::Policy { secret, audience, issuer: get("JWT_ISSUER") };
        let origins = words("CORS_ORIGINS");
        Ok(Self {
            region,
            endpoints,
            credentials,
            layout,
            policy,
            keys,
            open,
            origins,
            max_body,
            timeout,
            cached,
            hot,
            live,
            nudge,
            sweep,
            outbox,
        })
    }

    /// Whether something is open without a token.
    pub fn is_open(&self, what: &str) -> bool {
        self.open.iter().any(|open| open == what)
    }

    /// Where an API is, and its host and port as they are signed.
    pub fn endpoint(&self, api: Api) -> (&str, &str) {
        let [tables, streams, events] = &self.endpoints;
        let endpoint = match api {
            Api::Tables => tables,
            Api::Streams => streams,
            Api::Events => events,
        };
        (endpoint, endpoint.split_once("://").map_or("", |(_, host)| host))
    }
}

fn about(name: &str) -> String {
    let about = VARIABLES.iter().find(|variable| variable.name == name).map_or("", |variable| variable.about);
    let mut letters = about.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Whether what is sent there can only be read there: over TLS, or on this machine.
fn is_safe(address: &str) -> bool {
    let host = |rest: &str| rest.split(['/', ':', '?', '#']).next().unwrap_or_default().to_owned();
    match address.split_once("://") {
        Some(("https", rest)) => !host(rest).is_empty() && !rest.contains('@'),
        Some(("http", rest)) => {
            matches!(host(rest).as_str(), "127.0.0.1" | "localhost") && !rest.contains('@')
        }
        _ => false,
    }
}

fn layout(prefix: &str, names: Option<String>, wrong: &mut Vec<String>) -> Layout {
    let given = match names.map(|text| serde_json::from_str::<Value>(&text)) {
        None => Value::Null,
        Some(Ok(Value::Object(names))) if names.values().all(Value::is_string) => names.into(),
        Some(_) => {
            wrong.push("TABLES is no JSON object of names.".to_owned());
            Value::Null
        }
    };
    let known = |name: &String| {
        matches!(name.as_str(), "events" | "helpers" | "views") || domains::find(name).is_some()
    };
    for name in given.as_object().into_iter().flat_map(|names| names.keys()).filter(|name| !known(name)) {
        wrong.push(format!("TABLES names {name}, which is neither events, helpers, views nor an aggregate."));
    }
    let mut layout = Layout::prefixed(prefix);
    let rename = |name: &str, table: &mut String| {
        if let Some(given) = given.get(name).and_then(Value::as_str) {
            given.clone_into(table);
        }
    };
    rename("events", &mut layout.events);
    rename("helpers", &mut layout.helpers);
    rename("views", &mut layout.views);
    layout.aggregates.iter_mut().for_each(|(kind, rows)| rename(kind, &mut rows.table));
    layout
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "aws secret"),
        ("JWT_AUDIENCE", "edge"),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ];

    fn read(change: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let get = |name: &str| {
            let mut all = change.iter().chain(GOOD);
            all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Config::read(&get)
    }

    #[test]
    fn the_least_that_is_needed_is_closed() {
        let config = read(&[]).unwrap();
        let hosts = [Api::Tables, Api::Streams, Api::Events].map(|api| config.endpoint(api).1);
        let suffix = "eu-west-1.amazonaws.com";
        let expected = ["dynamodb", "streams.dynamodb", "events"].map(|name| format!("{name}.{suffix}"));
        assert_eq!(hosts.map(str::to_owned), expected);
        assert_eq!(config.endpoint(Api::Tables).0, "https://dynamodb.eu-west-1.amazonaws.com");
        assert_eq!((config.nudge, config.outbox), (true, None));
        let config = read(&[]).unwrap();
        assert_eq!((config.layout.events.as_str(), config.layout.aggregates.len()), ("rewound-events", 4));
        assert_eq!(config.layout.rows("Order").unwrap().table, "rewound-Order");
        assert!(
            config.origins.is_empty()
                && !["health", "openapi", "metrics"].iter().any(|what| config.is_open(what))
        );
        assert!(config.hot.is_empty());
    }

    #[test]
    fn what_is_said_is_done() {
        let config = read(&[
            ("OPEN", "health, metrics"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000/"),
            ("TABLE_PREFIX", "shop"),
            ("TABLES", r#"{"events": "log", "Order": "orders"}"#),
            ("HOT_AGGREGATES", "BankAccount"),
            ("CORS_ORIGINS", "https://a.example https://b.example"),
            ("LIVE_POLLS", "0"),
            ("NUDGE", "off"),
            ("OUTBOX", "eventbridge"),
            ("EVENT_BUS", "shop"),
            ("SWEEP_CALLS", "0"),
            ("JWT_JWKS", "https://id.example/keys"),
        ])
        .unwrap();
        assert!(config.is_open("health") && config.is_open("metrics") && !config.is_open("openapi"));
        assert_eq!([Api::Tables, Api::Streams].map(|api| config.endpoint(api).1), ["127.0.0.1:8000"; 2]);
        let bus = Outbox::Bus { name: "shop".into(), source: "rewound".into() };
        assert_eq!((config.nudge, config.outbox, config.sweep.calls), (false, Some(bus), 1));
        let names =
            [&config.layout.events, &config.layout.helpers, &config.layout.rows("Order").unwrap().table];
        assert_eq!(names, ["log", "shop-helpers", "orders"]);
        assert_eq!((config.hot.len(), config.origins.len(), config.live.polls), (1, 2, 1));
        assert_eq!(config.keys, KeySource::Address("https://id.example/keys".into()));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once_and_no_secret() {
        for (name, _) in GOOD {
            let wrong = read(&[(name, " ")]).unwrap_err().join("\n");
            assert!(wrong.contains(name), "{name}: {wrong}");
        }
        let wrong = read(&[
            ("JWT_SECRET", "hunter2"),
            ("OPEN", "everything"),
            ("HOT_AGGREGATES", "Bank"),
            ("TABLES", r#"{"evnets": "log"}"#),
            ("MAX_BODY_BYTES", "many"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.example"),
            ("JWT_JWKS", "http://id.example/keys"),
            ("OUTBOX", "pigeons"),
            ("NUDGE", "maybe"),
        ])
        .unwrap_err();
        assert_eq!(wrong.len(), 9, "{wrong:?}");
        assert!(!wrong.join("\n").contains("hunter2"));
        for address in
            ["http://127.0.0.1.example", "http://127.0.0.1@evil.example", "ftp://127.0.0.1", "https://"]
        {
            assert!(!is_safe(address), "{address}");
        }
    }

    #[test]
    fn every_variable_that_is_read_is_told_of() {
        let asked = std::cell::RefCell::new(Vec::new());
        let get = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            GOOD.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Config::read(&get).unwrap();
        let mut asked = asked.into_inner();
        asked.sort();
        let mut known: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
        known.sort();
        assert_eq!(asked, known);
    }
}
