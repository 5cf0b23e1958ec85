//! Who may do what: JSON Web Tokens (RFC 7519) as bearer tokens (RFC 6750), and their scopes.
//!
//! A shell reads a [`Token`], asks the [`KeyRing`] which [`Check`] its signature has to pass, makes that with the
//! cryptography of its host, and only then asks for the [`Principal`]. Nothing in a token is believed before.
//!
//! | scope | allows |
//! |---|---|
//! | `BankAccount:read` | states, events and the list of bank accounts, and their views |
//! | `BankAccount:command` | their commands, but those that only the saga sends |
//! | `BankAccount:saga` | the commands that only the saga sends |
//! | `*:read`, `*:command`, `*:saga` | the same for every aggregate |
//! | `metrics:read` | `/metrics` |
//! | `feed:read` | how far the read side has come, and its dead letters with their events and with what AWS said |
//! | `feed:operate` | sweeps, rebuilds, dead letters tried again and given up |

use super::problem::Problem;
use crate::time::Millis;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256, and a secret that both sides have.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// What a signature is checked with.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// The secret's bytes.
    Secret(Vec<u8>),
    /// A JSON Web Key (RFC 7517): only what makes the public key.
    Public(Value),
}

/// A check that a shell makes: whether `signature` is one of `signed` by `key`.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// How the signature was made.
    pub algorithm: Algorithm,
    /// The key.
    pub key: Key,
    /// What was signed.
    pub signed: String,
    /// The signature: 32 bytes by HS256, `r` and `s` of 32 bytes each by ES256, as long as the key by RS256.
    pub signature: Vec<u8>,
}

impl Check {
    /// What tells this check from every other, for whoever remembers which of them passed. Comparing signatures
    /// themselves would tell, by the time that it takes, how far a guess is right.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let key = match &self.key {
            Key::Secret(bytes) => Sha256::digest(bytes),
            Key::Public(key) => Sha256::digest(key.to_string()),
        };
        digest.update(key);
        digest.update(Sha256::digest(&self.signature));
        digest.update([self.algorithm as u8]);
        digest.update(&self.signed);
        digest.finalize().into()
    }
}

/// Which tokens are good.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// The secret for HS256. Without one, no token with that algorithm is good.
    pub secret: Option<String>,
    /// What every token has to name among its audience (`aud`).
    pub audience: String,
    /// Who has to have issued it (`iss`), where that is said.
    pub issuer: Option<String>,
}

/// The public keys that are good now (a JWK Set, RFC 7517).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keys(Vec<Value>);

/// Public keys that are published somewhere, as far as they were fetched.
///
/// ```
/// use rewound_core::http::auth::{KeyRing, Need, Token};
/// // {"alg":"RS256","kid":"k1"}, {}, and a signature
/// let token = Token::read(Some("Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.c2lnbmF0dXJl"))?;
/// let mut ring = KeyRing::default();
/// assert_eq!(ring.need(&token, 1_000), Need::Fetch);
/// assert_eq!(ring.need(&token, 1_001), Need::Wait); // somebody fetches them already
/// ring.fetched(None, 1_500);
/// assert_eq!(ring.need(&token, 1_600), Need::Nothing);
/// assert_eq!(ring.check(&token, &Default::default(), 1_600).unwrap_err().status, 503);
/// # Ok::<_, rewound_core::http::problem::Problem>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: Keys,
    /// When they came, and when they were asked for last.
    came: Option<Millis>,
    asked: Option<Millis>,
    /// Whether what was asked for last has not come yet, and whether it failed.
    is_on_its_way: bool,
    has_failed: bool,
}

/// What has to be done before a token is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Fetch the keys, and say what [came of it](KeyRing::fetched).
    Fetch,
    /// Somebody else fetches them: look again in a moment.
    Wait,
}

/// How long published keys are taken for new, in milliseconds, and how long for good where no new ones can be had.
const FRESH: Millis = 10 * 60 * 1_000;
const GOOD: Millis = 24 * 60 * 60 * 1_000;
/// How long it takes at the least until they are asked for again: nobody can make us ask for ever, by naming keys that
/// there are not. Sooner where nobody answered.
const PATIENCE: Millis = 30 * 1_000;
const IMPATIENCE: Millis = 2 * 1_000;
/// Whoever fetched them for so long has gone.
const ON_ITS_WAY: Millis = 10 * 1_000;

impl KeyRing {
    /// What has to be done before this token is looked at: the keys are old, or it names one that is not among them.
    pub fn need(&mut self, token: &Token, now: Millis) -> Need {
        let within = |time: Option<Millis>, span| time.is_some_and(|time| now.saturating_sub(time) < span);
        let is_unknown = token.is_unknown_to(&self.keys);
        if token.algorithm == Algorithm::Hs256 || !is_unknown && within(self.came, FRESH) {
            return Need::Nothing;
        }
        if self.is_on_its_way && within(self.asked, ON_ITS_WAY) {
            return if is_unknown { Need::Wait } else { Need::Nothing };
        }
        let patience = if self.has_failed { IMPATIENCE } else { PATIENCE };
        if within(self.asked, patience) {
            return Need::Nothing;
        }
        (self.asked, self.is_on_its_way) = (Some(now), true);
        Need::Fetch
    }

    /// What came of fetching them. Where it failed, the keys that were good before stay so for a day.
    pub fn fetched(&mut self, keys: Option<Keys>, now: Millis) {
        (self.is_on_its_way, self.has_failed) = (false, keys.is_none());
        if let Some(keys) = keys {
            (self.keys, self.came) = (keys, Some(now));
        } else if self.came.is_some_and(|came| now.saturating_sub(came) >= GOOD) {
            (self.keys, self.came) = (Keys::default(), None);
        }
    }

    /// The check that a token's signature has to pass. The key decides with which algorithm it is used, and the token
    /// only names it: a public key is never a secret.
    ///
    /// # Errors
    /// 401: there is no key for it. 503: the keys could not be fetched, and there may be one.
    pub fn check(&self, token: &Token, policy: &Policy, now: Millis) -> Result<Check, Problem> {
        if self.has_failed && token.is_unknown_to(&self.keys) {
            let wait = IMPATIENCE.saturating_sub(now.saturating_sub(self.asked.unwrap_or(now)));
            let detail = "The keys of whoever issues tokens cannot be fetched. Try again later.";
            return Err(Problem::new(503, "keys-unavailable", detail)
                .header("retry-after", wait.div_ceil(1_000).max(1).to_string()));
        }
        token.check(policy, &self.keys)
    }
}

/// A token as it came. Nothing in it is proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
}

/// Who sends a request, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's subject: the `actorId` of what is recorded.
    pub actor: String,
    scopes: Vec<String>,
}

/// What a request needs to be allowed, such as `read` of `BankAccount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// An aggregate's name, `metrics` or `feed`.
    pub of: &'a str,
    /// `read`, `command`, `operate`, or who alone sends the command.
    pub to: &'a str,
}

/// What [`Scope::of`] is for an edge's own numbers and for its read side: they are no aggregates, and `*` does not mean
/// them.
pub(super) const METRICS: &str = "metrics";
pub(super) const FEED: &str = "feed";

/// How far the clock of whoever made the token may be off, in seconds.
const LEEWAY: f64 = 30.0;
/// The most bytes of a token.
const LONGEST: usize = 8 * 1024;
/// The fewest bytes of a secret: as many as the hash has (RFC 7518, 3.2).
pub(super) const SHORTEST_SECRET: usize = 32;
/// The fewest bytes of an RSA key's modulus: 2048 bits (RFC 7518, 3.3).
const SHORTEST_RSA: usize = 256;
/// The most characters of an actor's name.
const LONGEST_ACTOR: usize = 200;

/// The refusal of a token. People are told why; whoever guesses learns nothing that the token does not say itself.
fn bad(why: &str) -> Problem {
    Problem::new(401, "invalid-token", format!("The token is not good: {why}."))
        .header("www-authenticate", format!(r#"Bearer error="invalid_token", error_description="{why}""#))
}

impl Token {
    /// Reads the token of an `Authorization` header.
    ///
    /// # Errors
    /// 401, with what to do: there is none, or none that can be read.
    pub fn read(authorization: Option<&str>) -> Result<Self, Problem> {
        let missing = || {
            Problem::new(401, "no-token", "Send a token: `Authorization: Bearer …`.")
                .header("www-authenticate", r#"Bearer realm="rewound""#)
        };
        let (scheme, token) = authorization.and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        let token = token.trim();
        if token.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        let shape = || bad("it is no JSON Web Token");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = signed.split_once('.').ok_or_else(shape)?;
        let object = |part: &str| {
            let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
        };
        let header = object(header).ok_or_else(shape)?;
        let claims = object(claims).ok_or_else(shape)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| shape())?;
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("HS256") => Algorithm::Hs256,
            Some("RS256") => Algorithm::Rs256,
            Some("ES256") => Algorithm::Es256,
            _ => return Err(bad("its algorithm is none of HS256, RS256 and ES256")),
        };
        if header.get("crit").is_some() {
            return Err(bad("it asks for extensions that are not known here"));
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(bad("its kid is no text")),
        };
        Ok(Self { algorithm, kid, claims, signed: signed.to_owned(), signature })
    }

    /// Whether these keys may be too old to have the token's: it names one that they do not have.
    fn is_unknown_to(&self, keys: &Keys) -> bool {
        self.algorithm != Algorithm::Hs256 && keys.fitting(self.algorithm, self.kid.as_deref()).is_none()
    }

    fn check(&self, policy: &Policy, keys: &Keys) -> Result<Check, Problem> {
        let key = match self.algorithm {
            Algorithm::Hs256 => policy.secret.as_ref().map(|secret| Key::Secret(secret.clone().into_bytes())),
            algorithm => keys.fitting(algorithm, self.kid.as_deref()).map(Key::Public),
        };
        let key = key.ok_or_else(|| bad("no key is known here for its algorithm and kid"))?;
        let (signed, signature) = (self.signed.clone(), self.signature.clone());
        Ok(Check { algorithm: self.algorithm, key, signed, signature })
    }

    /// Who sends the token, at that time. Only for a token whose signature was found to be good.
    ///
    /// # Errors
    /// 401: what is wrong with its claims.
    pub fn principal(&self, policy: &Policy, now: Millis) -> Result<Principal, Problem> {
        let claim = |name: &str| self.claims.get(name).filter(|value| !value.is_null());
        let time = |name: &str| match claim(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| bad(&format!("its {name} is no time"))),
        };
        let now = now as f64 / 1_000.0;
        match time("exp")? {
            None => return Err(bad("it never expires: exp is missing")),
            Some(end) if end + LEEWAY <= now => return Err(bad("it has expired")),
            Some(_) => {}
        }
        for start in ["nbf", "iat"] {
            if time(start)?.is_some_and(|start| start - LEEWAY > now) {
                return Err(bad("it is not valid yet"));
            }
        }
        let meant = |audience: &Value| match audience {
            Value::Array(all) => all.iter().any(|one| *one == policy.audience),
            one => *one == policy.audience,
        };
        if !claim("aud").is_some_and(meant) {
            return Err(bad("it is for another audience"));
        }
        if policy.issuer.as_ref().is_some_and(|issuer| claim("iss").is_none_or(|found| found != issuer)) {
            return Err(bad("somebody else issued it"));
        }
        let actor = claim("sub").and_then(Value::as_str).unwrap_or_default();
        if actor.is_empty() || actor.chars().count() > LONGEST_ACTOR {
            return Err(bad("its subject is no text of 1 to 200 characters"));
        }
        let scopes = claim("scope").and_then(Value::as_str).unwrap_or_default();
        let scopes = scopes.split_ascii_whitespace().map(str::to_owned).collect();
        Ok(Principal { actor: actor.to_owned(), scopes })
    }
}

impl Policy {
    /// The refusal of a token whose signature is not good.
    pub fn forged() -> Problem {
        bad("its signature does not match")
    }
}

impl Keys {
    /// Reads a JWK Set, or a single key. Keys of other kinds than these tokens need are left out, and so is what is
    /// private in any.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(json: &str) -> Result<Self, String> {
        let set: Value =
            serde_json::from_str(json).map_err(|error| format!("the keys are no JSON: {error}"))?;
        let all = match set.get("keys") {
            Some(Value::Array(keys)) => keys.clone(),
            None if set.get("kty").is_some() => vec![set],
            _ => return Err("the keys are no JWK Set: `keys`, an array, is missing".to_owned()),
        };
        let keys: Vec<Value> = all.iter().filter_map(public).collect();
        match keys.is_empty() {
            true => Err("of the keys, none is for RS256 (of 2048 bits or more) or ES256".to_owned()),
            false => Ok(Self(keys)),
        }
    }

    /// The only key for that algorithm and name; without a name there has to be one alone.
    fn fitting(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<Value> {
        let kty = if algorithm == Algorithm::Rs256 { "RSA" } else { "EC" };
        let fits = |key: &&Value| {
            key.get("kty").is_some_and(|found| found == kty)
                && kid.is_none_or(|kid| key.get("kid").is_some_and(|found| found == kid))
        };
        let mut fitting = self.0.iter().filter(fits);
        fitting.next().filter(|_| fitting.next().is_none()).cloned()
    }
}

/// The public part of a key that is for RS256 or ES256.
fn public(key: &Value) -> Option<Value> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let is = |name: &str, wanted: &str| text(name).is_none_or(|found| found == wanted);
    let bytes = |name: &str| BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok();
    if !is("use", "sig") {
        return None;
    }
    let names: &[&str] = match text("kty")? {
        "RSA" if is("alg", "RS256") && bytes("n")?.len() >= SHORTEST_RSA => &["kty", "kid", "n", "e"],
        "EC" if is("alg", "ES256") && text("crv") == Some("P-256") => &["kty", "kid", "crv", "x", "y"],
        _ => return None,
    };
    let part = |name: &&str| Some(((*name).to_owned(), key.get(*name)?.clone()));
    Some(Value::Object(names.iter().filter_map(part).collect()))
}

impl Principal {
    /// Allows what needs this scope, or refuses it.
    ///
    /// # Errors
    /// 403, with the scope that is missing.
    pub fn may(&self, Scope { of, to }: Scope<'_>) -> Result<(), Problem> {
        let grants = |scope: &String| {
            let every = |granted: &str| granted == "*" && ![METRICS, FEED].contains(&of);
            scope
                .split_once(':')
                .is_some_and(|(granted, what)| what == to && (granted == of || every(granted)))
        };
        if self.scopes.iter().any(grants) {
            return Ok(());
        }
        let scope = format!("{of}:{to}");
        let header = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
        Err(Problem::new(403, "insufficient-scope", format!("The token lacks the scope {scope}."))
            .with("scope", scope.into())
            .header("www-authenticate", header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Millis = 1_800_000_000_000;
    const SECONDS: u64 = NOW / 1_000;

    fn policy() -> Policy {
        Policy { secret: Some("s".repeat(32)), audience: "edge".into(), issuer: Some("us".into()) }
    }

    fn written(header: Value, claims: Value) -> String {
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        format!("Bearer {}.{}.{}", part(header), part(claims), BASE64URL_NOPAD.encode(b"signature"))
    }

    fn claims() -> Value {
        json!({ "sub": "ada", "aud": "edge", "iss": "us", "exp": SECONDS + 60, "scope": "Order:read *:command" })
    }

    fn principal(change: Value) -> Result<Principal, Problem> {
        let mut all = claims();
        all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Token::read(Some(&written(json!({"alg": "HS256"}), all)))?.principal(&policy(), NOW)
    }

    #[test]
    fn claims_are_held_to_the_policy() {
        assert_eq!(principal(json!({})).unwrap().actor, "ada");
        assert_eq!(principal(json!({"aud": ["other", "edge"], "nbf": SECONDS + 20})).unwrap().actor, "ada");
        let refused = [
            (json!({"exp": SECONDS - 31}), "expired"),
            (json!({"exp": null}), "never expires"),
            (json!({"exp": "tomorrow"}), "exp is no time"),
            (json!({"nbf": SECONDS + 31}), "not valid yet"),
            (json!({"iat": SECONDS + 31}), "not valid yet"),
            (json!({"aud": "other"}), "another audience"),
            (json!({"aud": ["other"]}), "another audience"),
            (json!({"aud": null}), "another audience"),
            (json!({"iss": "them"}), "somebody else"),
            (json!({"iss": null}), "somebody else"),
            (json!({"sub": ""}), "subject"),
            (json!({"sub": 7}), "subject"),
            (json!({"sub": "a".repeat(201)}), "subject"),
        ];
        for (change, why) in refused {
            let problem = principal(change.clone()).unwrap_err();
            assert_eq!(problem.status, 401, "{change}");
            assert!(problem.detail.contains(why), "{change}: {}", problem.detail);
            assert!(problem.headers.iter().any(|(name, _)| *name == "www-authenticate"));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let algorithm = |alg: Value| written(json!({ "alg": alg }), claims());
        for bad in [
            None,
            Some("Basic YTpi".to_owned()),
            Some("Bearer".to_owned()),
            Some("Bearer abc".to_owned()),
            Some("Bearer a.b.c".to_owned()),
            Some(format!("Bearer {}", "a".repeat(9_000))),
            Some(algorithm("none".into())),
            Some(algorithm("None".into())),
            Some(algorithm("HS512".into())),
            Some(algorithm(Value::Null)),
            Some(written(json!({"alg": "HS256", "crit": ["b64"]}), claims())),
            Some(written(json!({"alg": "RS256", "kid": 7}), claims())),
            Some(algorithm("HS256".into()) + "="),
        ] {
            let problem = Token::read(bad.as_deref()).unwrap_err();
            assert_eq!(problem.status, 401, "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_only_used_as_it_is_meant() {
        let n = BASE64URL_NOPAD.encode(&[0xab; 256]);
        let short = BASE64URL_NOPAD.encode(&[0xab; 128]);
        let set = json!({ "keys": [
            { "kty": "RSA", "kid": "r", "n": n, "e": "AQAB", "d": "private" },
            { "kty": "EC", "kid": "e", "crv": "P-256", "x": "x", "y": "y", "alg": "ES256" },
            { "kty": "EC", "kid": "other", "crv": "P-384", "x": "x", "y": "y" },
            { "kty": "RSA", "kid": "short", "n": short, "e": "AQAB" },
            { "kty": "RSA", "kid": "enc", "n": n, "e": "AQAB", "use": "enc" },
            { "kty": "oct", "kid": "o", "k": "c2VjcmV0" },
        ]});
        let keys = Keys::read(&set.to_string()).unwrap();
        let check = |alg: &str, kid: Option<&str>| {
            let mut header = json!({ "alg": alg });
            kid.map(|kid| header.as_object_mut().unwrap().insert("kid".into(), kid.into()));
            Token::read(Some(&written(header, claims()))).unwrap().check(&policy(), &keys)
        };
        let public = check("RS256", Some("r")).unwrap();
        assert_eq!(public.key, Key::Public(json!({"kty": "RSA", "kid": "r", "n": n, "e": "AQAB"})));
        assert_eq!(check("RS256", None).unwrap().key, public.key);
        assert!(matches!(check("ES256", Some("e")).unwrap().key, Key::Public(_)));
        // The old trick: HS256, signed with the public key as if it were the secret.
        assert_eq!(check("HS256", Some("r")).unwrap().key, Key::Secret("s".repeat(32).into_bytes()));
        for (alg, kid) in [
            ("ES256", "r"),
            ("RS256", "e"),
            ("ES256", "other"),
            ("RS256", "short"),
            ("RS256", "enc"),
            ("RS256", "o"),
        ] {
            assert_eq!(check(alg, Some(kid)).unwrap_err().status, 401, "{alg} {kid}");
        }
        let one = check("RS256", Some("r")).unwrap();
        assert_eq!(one.digest(), check("RS256", Some("r")).unwrap().digest());
        for other in [
            Check { algorithm: Algorithm::Hs256, ..one.clone() },
            Check { key: Key::Secret(vec![1]), ..one.clone() },
            Check { signed: format!("{}x", one.signed), ..one.clone() },
            Check { signature: b"signaturf".to_vec(), ..one.clone() },
        ] {
            assert_ne!(one.digest(), other.digest());
        }
        let without = Policy { secret: None, ..policy() };
        let token = Token::read(Some(&written(json!({"alg": "HS256"}), claims()))).unwrap();
        assert_eq!(token.check(&without, &keys).unwrap_err().status, 401);

        assert!(Keys::read("{}").is_err());
        assert!(Keys::read(r#"{"keys":[{"kty":"oct","k":"x"}]}"#).is_err());
        assert!(Keys::read("<html>").is_err());
    }

    #[test]
    fn published_keys_are_fetched_when_they_are_old_or_lack_one_and_not_all_the_time() {
        let set = |kid: &str| {
            let key = json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": "x", "y": "y" });
            Some(Keys::read(&key.to_string()).unwrap())
        };
        let token = |alg: &str, kid: &str| {
            Token::read(Some(&written(json!({ "alg": alg, "kid": kid }), claims()))).unwrap()
        };
        let (one, other, secret) = (token("ES256", "one"), token("ES256", "other"), token("HS256", "one"));
        let mut ring = KeyRing::default();
        assert_eq!((ring.need(&secret, NOW), ring.need(&one, NOW)), (Need::Nothing, Need::Fetch));
        // A hundred at once make one request.
        assert_eq!((ring.need(&one, NOW), ring.need(&other, NOW + 1)), (Need::Wait, Need::Wait));
        // Who fetched them has gone without a word.
        assert_eq!(ring.need(&one, NOW + ON_ITS_WAY - 1), Need::Wait);
        let mut gone = ring.clone();
        assert_eq!(gone.need(&one, NOW + PATIENCE), Need::Fetch);
        ring.fetched(set("one"), NOW);
        assert_eq!(ring.need(&one, NOW + FRESH - 1), Need::Nothing);
        assert_eq!(ring.need(&other, NOW + PATIENCE - 1), Need::Nothing);
        assert_eq!(ring.check(&other, &policy(), NOW).unwrap_err().status, 401);
        assert_eq!(ring.need(&other, NOW + PATIENCE), Need::Fetch);
        assert_eq!(ring.need(&one, NOW + PATIENCE), Need::Nothing, "an old key is good while new ones come");
        // Nobody answered: what is known stays good, and what is not may be.
        ring.fetched(None, NOW + PATIENCE);
        assert!(ring.check(&one, &policy(), NOW + PATIENCE).is_ok());
        assert_eq!(ring.check(&other, &policy(), NOW + PATIENCE).unwrap_err().status, 503);
        assert_eq!(ring.need(&other, NOW + PATIENCE + IMPATIENCE), Need::Fetch);
        ring.fetched(None, NOW + GOOD);
        assert_eq!(ring.check(&one, &policy(), NOW + GOOD).unwrap_err().status, 503, "not for ever");
    }

    #[test]
    fn a_scope_allows_what_it_names_and_nothing_else() {
        let ada = principal(json!({})).unwrap();
        let table = [
            ("Order", "read", true),
            ("Order", "command", true),
            ("BankAccount", "command", true),
            ("BankAccount", "read", false),
            ("BankAccount", "saga", false),
            ("metrics", "read", false),
        ];
        for (of, to, allowed) in table {
            let answer = ada.may(Scope { of, to });
            assert_eq!(answer.is_ok(), allowed, "{of}:{to}");
            if let Err(problem) = answer {
                assert_eq!(
                    (problem.status, problem.members),
                    (403, vec![("scope", json!(format!("{of}:{to}")))])
                );
            }
        }
        let reader = principal(json!({"scope": "*:read"})).unwrap();
        assert!(reader.may(Scope { of: "Order", to: "read" }).is_ok());
        assert!(reader.may(Scope { of: METRICS, to: "read" }).is_err());
        let nothing = principal(json!({"scope": null})).unwrap();
        assert!(nothing.may(Scope { of: "Order", to: "read" }).is_err());
    }
}
