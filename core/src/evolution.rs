//! How events and states outlive the programs that wrote them: the steps that lift an old event, what a log holds
//! of which schema version, whether it can be imported, and what a load does with a snapshot.

use crate::{
    domain::{Domain, Instance, Snapshot, SnapshotError},
    domains::generic::Generic,
    error::{Problem, ReduceError},
    event::Event,
    import::{EventLog, LineProblem},
    run::begin_and_say,
    store::Loaded,
    timeline::Timeline,
    upcast::{Upcaster, newest, upcast},
    value::{Change, Object, Value, diff, unsafe_number},
};
use std::collections::BTreeMap;

/// An event that has changed twice, as an example: `fullName` became `name`, and `mail` became `email`; then addresses
/// were written in lower case, and the language was added.
///
/// ```
/// use rewound_core::{evolution::{EXAMPLE, lifted}, value::json};
/// let old = json!({"fullName": "Ada Lovelace", "mail": "Ada@Example.com"}).as_object().cloned().unwrap();
/// let stages = lifted(&EXAMPLE, "CustomerRegistered", 1, old).unwrap();
/// assert_eq!(stages.last().unwrap().version, 3);
/// assert_eq!(stages.last().unwrap().payload["email"], "ada@example.com");
/// ```
pub const EXAMPLE: [Upcaster; 2] = [
    Upcaster {
        event: "CustomerRegistered",
        from: 1,
        renamed: None,
        lift: |payload| {
            for (old, new) in [("fullName", "name"), ("mail", "email")] {
                let value = payload.shift_remove(old).ok_or_else(|| format!("`{old}` is missing"))?;
                payload.insert(new.to_owned(), value);
            }
            Ok(())
        },
    },
    Upcaster {
        event: "CustomerRegistered",
        from: 2,
        renamed: None,
        lift: |payload| {
            let email = payload.get("email").and_then(Value::as_str).ok_or("`email` is no text")?;
            let email = email.to_ascii_lowercase();
            payload.insert("email".to_owned(), email.into());
            payload.entry("language").or_insert_with(|| "en".into());
            Ok(())
        },
    },
];

/// Events of the [`EXAMPLE`] as three programs wrote them, a line each.
pub const EXAMPLE_EVENTS: &str = r#"{"eventId":"01HRG27DW00000000000000001","eventName":"CustomerRegistered","aggregateName":"Customer","aggregateId":"c1","aggregateVersion":1,"actorId":"shop","fullName":"Ada Lovelace","mail":"Ada@Example.com"}
{"eventId":"01HRG27DW00000000000000002","eventName":"CustomerRegistered","aggregateName":"Customer","aggregateId":"c2","aggregateVersion":1,"actorId":"shop","fullName":"Grace Hopper","mail":"grace@example.com"}
{"eventId":"01HRG27DW00000000000000003","eventName":"CustomerRegistered","aggregateName":"Customer","aggregateId":"c3","aggregateVersion":1,"actorId":"shop","fullName":"Alan Turing","mail":"ALAN@EXAMPLE.COM"}
{"eventId":"01HRG27DW00000000000000004","eventName":"CustomerRegistered","aggregateName":"Customer","aggregateId":"c4","aggregateVersion":1,"actorId":"shop","schemaVersion":2,"name":"Edsger Dijkstra","email":"Edsger@example.com"}
{"eventId":"01HRG27DW00000000000000005","eventName":"CustomerRegistered","aggregateName":"Customer","aggregateId":"c5","aggregateVersion":1,"actorId":"shop","schemaVersion":3,"name":"Barbara Liskov","email":"barbara@example.com","language":"en"}
{"eventId":"01HRG27DW00000000000000006","eventName":"CustomerRegistered","aggregateName":"Customer","aggregateId":"c6","aggregateVersion":1,"actorId":"shop","schemaVersion":3,"name":"Margaret Hamilton","email":"margaret@example.com","language":"en"}
"#;

/// A payload on its way to today's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The schema version.
    pub version: u32,
    /// What the event is called in that version.
    pub name: String,
    /// What it says in that version.
    pub payload: Object,
}

/// Every stage of a payload from its schema version to today's; the first is the payload as it is stored.
///
/// # Errors
/// As [`upcast`], with the stages before.
pub fn lifted(
    upcasters: &[Upcaster],
    event: &str,
    schema_version: u32,
    payload: Object,
) -> Result<Vec<Stage>, (Vec<Stage>, Problem)> {
    let mut stages = vec![Stage { version: schema_version, name: event.to_owned(), payload }];
    while let Some(last) = stages.last() {
        let step = upcasters.iter().find(|step| step.event == last.name && step.from == last.version);
        let mut payload = last.payload.clone();
        let Some(step) = step else {
            // Nothing is left to lift: what is newer than every step is told here.
            let newer = upcast(upcasters, &last.name, last.version, &mut payload).err();
            return newer.map_or(Ok(()), Err).map_err(|problem| (stages.clone(), problem)).map(|()| stages);
        };
        let one = std::slice::from_ref(step);
        match upcast(one, step.event, step.from, &mut payload).map(str::to_owned) {
            Ok(name) => stages.push(Stage { version: step.from + 1, name, payload }),
            Err(problem) => return Err((stages, problem)),
        }
    }
    Ok(stages)
}

/// What became of a field from one schema version to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It is as it was.
    Kept,
    /// It says something else.
    Changed,
    /// It is new.
    Added,
    /// It is new, and says what another field said, which is gone.
    Renamed {
        /// The name of that field.
        from: String,
    },
    /// It is gone.
    Removed,
}

/// What became of each field of a payload that was lifted, in the order of the new one; what is gone comes last.
///
/// ```
/// use rewound_core::{evolution::{Became, compare}, value::json};
/// let [old, new] = [json!({"fullName": "Ada", "fax": 1}), json!({"name": "Ada", "language": "en"})];
/// let found = compare(old.as_object().unwrap(), new.as_object().unwrap());
/// assert_eq!(found[0], ("name".to_owned(), Became::Renamed { from: "fullName".to_owned() }));
/// assert_eq!(found[1], ("language".to_owned(), Became::Added));
/// assert_eq!(found[2], ("fax".to_owned(), Became::Removed));
/// ```
pub fn compare(before: &Object, after: &Object) -> Vec<(String, Became)> {
    let mut gone: Vec<(&String, &Value)> =
        before.iter().filter(|(name, _)| !after.contains_key(*name)).collect();
    let mut found = Vec::new();
    for (name, value) in after {
        let became = match before.get(name) {
            Some(was) if was == value => Became::Kept,
            Some(_) => Became::Changed,
            None => match gone.iter().position(|(_, was)| *was == value) {
                Some(place) => Became::Renamed { from: gone.remove(place).0.clone() },
                None => Became::Added,
            },
        };
        found.push((name.clone(), became));
    }
    found.extend(gone.into_iter().map(|(name, _)| (name.clone(), Became::Removed)));
    found
}

/// The schema versions of an event: how many there are of each, and the first of them.
pub type Versions = BTreeMap<u32, (usize, Event)>;

/// What a log holds of each schema version: by aggregate, event and version, how many events, and one of them.
#[derive(Debug, Clone, Default)]
pub struct Census {
    counts: BTreeMap<String, BTreeMap<String, Versions>>,
}

impl Census {
    /// Counts an event.
    pub fn add(&mut self, event: &Event) {
        // An entry would take a copy of each name, for every event.
        let known = self.counts.get_mut(event.aggregate()).and_then(|events| events.get_mut(event.name()));
        let known = known.and_then(|versions| versions.get_mut(&event.schema_version()));
        match known {
            Some((count, _)) => *count += 1,
            None => {
                let events = self.counts.entry(event.aggregate().to_owned()).or_default();
                let versions = events.entry(event.name().to_owned()).or_default();
                versions.insert(event.schema_version(), (1, event.clone()));
            }
        }
    }

    /// The aggregates that there are.
    pub fn aggregates(&self) -> impl Iterator<Item = &str> {
        self.counts.keys().map(String::as_str)
    }

    /// The events of an aggregate: each name with its schema versions, how many there are, and the first of them.
    pub fn events(&self, aggregate: &str) -> impl Iterator<Item = (&str, &Versions)> {
        let events = self.counts.get(aggregate).into_iter().flatten();
        events.map(|(name, versions)| (name.as_str(), versions))
    }
}

/// Whether a log can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Every event is known, and every stream replays.
    Fine,
    /// It replays, and not all of it is understood.
    Risky,
    /// Some of it does not replay.
    Impossible,
}

/// Why a log is risky or impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An event has a newer schema version than any upcaster leads to.
    TooNew,
    /// An event could not be lifted to today's schema.
    NotLifted,
    /// The reducer does not take an event.
    NotReduced,
    /// Events stand behind a gap, which replay does not cross.
    BehindGap,
    /// Events stand behind one that does not reduce.
    NotReached,
    /// Lines were left out, or told of something wrong.
    Lines,
    /// No domain knows the aggregate: each field shows its last value.
    NoDomain,
    /// Events carry fields that their schema does not know, which are kept and decide nothing.
    UnknownFields,
    /// Numbers that JavaScript cannot hold.
    LargeNumbers,
    /// Events of an older schema version, which are lifted when they are read.
    Lifted,
}

impl What {
    /// How bad it is.
    pub fn kind(self) -> Kind {
        match self {
            What::TooNew | What::NotLifted | What::NotReduced | What::BehindGap | What::NotReached => {
                Kind::Impossible
            }
            What::Lines | What::NoDomain | What::UnknownFields | What::LargeNumbers => Kind::Risky,
            What::Lifted => Kind::Fine,
        }
    }
}

/// A reason, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What it is.
    pub what: What,
    /// How many events or lines it is true of.
    pub count: usize,
    /// The first of them.
    pub first: Place,
}

/// Where something is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The stream and the version in it, where it is an event.
    pub event: Option<(String, u64)>,
    /// What is said of it.
    pub message: String,
}

/// Whether a log can be imported, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The worst of the reasons.
    pub kind: Kind,
    /// The reasons, the worst first.
    pub reasons: Vec<Reason>,
    /// How many streams were replayed.
    pub streams: usize,
    /// How many events they hold.
    pub events: usize,
}

/// Whether a log can be imported by the domains that `find` gives. `back` is as in [`unsafe_number`].
///
/// ```
/// use rewound_core::{domains, evolution::{Kind, What, verdict}, import::EventLog};
/// let log = EventLog::from_bytes(br#"{"eventId":"00VQKTYNC0CDP7X95DEHXG9K22","eventName":"Create Fine","aggregateName":"TrafficFine","aggregateId":"f1","aggregateVersion":1,"actorId":"33"}"#);
/// let verdict = verdict(&log, domains::for_log, &|text| text.to_owned());
/// assert_eq!((verdict.kind, verdict.reasons[0].what), (Kind::Risky, What::NoDomain));
/// ```
pub fn verdict(log: &EventLog, find: Find, back: &dyn Fn(&str) -> String) -> Verdict {
    let mut judging = Judging::new(find);
    while judging.step(log, usize::MAX, back) {}
    judging.verdict(log.problems())
}

/// The domain that replays an aggregate's events, such as [`for_log`](crate::domains::for_log).
pub type Find = fn(&str) -> &'static dyn Domain;

/// A log that is being judged, a slice at a time.
#[derive(Debug)]
pub struct Judging {
    find: Find,
    stream: usize,
    /// How many events of that stream were judged.
    within: usize,
    /// The aggregate as far as it was replayed; none behind an event that does not reduce.
    instance: Option<Box<dyn Instance>>,
    reasons: BTreeMap<What, Reason>,
    events: usize,
}

impl Judging {
    /// Nothing judged yet.
    pub fn new(find: Find) -> Self {
        Self { find, stream: 0, within: 0, instance: None, reasons: BTreeMap::new(), events: 0 }
    }

    /// How many events were judged.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Judges so many events more, or what is left of the stream; says whether there are more.
    pub fn step(&mut self, log: &EventLog, most: usize, back: &dyn Fn(&str) -> String) -> bool {
        let Some(stream) = log.streams().get(self.stream) else { return false };
        let domain = (self.find)(stream.aggregate_name());
        if self.within == 0 {
            self.instance = Some(domain.start(stream.aggregate_id()));
        }
        let mut judged = 0;
        for (index, (line, event)) in stream.lines().enumerate().skip(self.within).take(most) {
            judged += 1;
            self.judge(domain, line, event, index >= stream.whole(), back);
        }
        self.within += judged;
        self.events += judged;
        if self.within >= stream.events().len() {
            (self.stream, self.within, self.instance) = (self.stream + 1, 0, None);
        }
        self.stream < log.streams().len()
    }

    fn judge(
        &mut self,
        domain: &'static dyn Domain,
        line: u32,
        event: &Event,
        is_behind_gap: bool,
        back: &dyn Fn(&str) -> String,
    ) {
        let mut tell = |what: What, message: String| {
            let event = Some((event.aggregate_id().to_owned(), event.version()));
            count(&mut self.reasons, what, || Place { line, event, message });
        };
        let payload = Value::Object(event.payload());
        if let Some((pointer, number)) = unsafe_number(&payload, back) {
            tell(What::LargeNumbers, format!("{pointer}: {number} is beyond what JavaScript can hold"));
        }
        let Value::Object(mut payload) = payload else { return };
        if domain.fingerprint() == Generic.fingerprint() {
            tell(What::NoDomain, format!("no domain is named {}", event.aggregate()));
        } else if let Ok(name) =
            upcast(domain.upcasters(), event.name(), event.schema_version(), &mut payload)
        {
            if event.schema_version() < newest(domain.upcasters(), name) {
                tell(What::Lifted, format!("{} has schema version {}", event.name(), event.schema_version()));
            }
            let shape = domain.events().iter().find(|shape| shape.name == name);
            let unknown = shape.and_then(|shape| {
                payload.keys().find(|field| !shape.fields().any(|(known, _)| known == *field))
            });
            if let Some(field) = unknown {
                tell(What::UnknownFields, format!("/{field}: {name} has no such field today"));
            }
        }
        if is_behind_gap {
            return tell(What::BehindGap, "versions are missing before it".to_owned());
        }
        let Some(instance) = self.instance.take() else {
            return tell(What::NotReached, "an event before it does not reduce".to_owned());
        };
        match instance.apply(event) {
            Ok(next) => self.instance = Some(next),
            Err(error) => {
                let lifts = || {
                    upcast(domain.upcasters(), event.name(), event.schema_version(), &mut event.payload())
                        .is_ok()
                };
                let what = match &error.problem {
                    Problem::TooNew { .. } => What::TooNew,
                    Problem::Other(_) if !lifts() => What::NotLifted,
                    _ => What::NotReduced,
                };
                tell(what, format!("{}: {}", event.name(), error.problem));
            }
        }
    }

    /// The verdict on what was judged, and on what was wrong with the lines that it came from.
    pub fn verdict(mut self, problems: &[LineProblem]) -> Verdict {
        for problem in problems {
            let place = || Place { line: problem.line, event: None, message: problem.message.clone() };
            count(&mut self.reasons, What::Lines, place);
        }
        let reasons: Vec<Reason> = self.reasons.into_values().collect();
        let kind = reasons.iter().map(|reason| reason.what.kind()).max().unwrap_or(Kind::Fine);
        Verdict { kind, reasons, streams: self.stream, events: self.events }
    }
}

fn count(reasons: &mut BTreeMap<What, Reason>, what: What, place: impl FnOnce() -> Place) {
    match reasons.get_mut(&what) {
        Some(reason) => reason.count += 1,
        None => {
            reasons.insert(what, Reason { what, count: 1, first: place() });
        }
    }
}

/// What a load did.
#[derive(Debug, Clone, PartialEq)]
pub struct Loading {
    /// The version of the snapshot that it began with; 0 where it began with nothing.
    pub from: u64,
    /// How many events it folded.
    pub folded: u64,
    /// Why it did not take the snapshot, where there was one.
    pub refused: Option<SnapshotError>,
    /// The state that it came to.
    pub state: Option<Snapshot>,
    /// Where that state is not the one that all events make: what nothing but a replay can tell.
    pub wrong: Vec<Change>,
}

/// Loads an aggregate as it was at a version, from a snapshot and the events behind it, as a command does, and sees
/// whether that is what all of its events make.
///
/// ```
/// use rewound_core::{domain::SnapshotError, domains, evolution::{load, stale, tampered}, event::Event, timeline::Timeline};
/// let event = Event::parse(r#"{"eventId":"01K1RZXKEYCYQ5MSEQJ4Z5JNDE","eventName":"BlogPostCreated","aggregateName":"BlogPost","aggregateId":"p","aggregateVersion":1,"actorId":"ada","title":"Hello"}"#).unwrap();
/// let post = Timeline::new(domains::find("BlogPost").unwrap(), "p", vec![event]);
/// let snapshot = post.state_at(1).unwrap();
/// assert_eq!(load(&post, 1, Some(&snapshot))?.folded, 0);
/// // What another reducer made is known by its fingerprint …
/// let loading = load(&post, 1, Some(&stale(&snapshot)))?;
/// assert_eq!((loading.refused, loading.folded), (Some(SnapshotError::Stale), 1));
/// // … and a value that was changed and still fits is known by nothing.
/// let loading = load(&post, 1, Some(&tampered(&snapshot)))?;
/// assert_eq!((loading.refused, loading.wrong.len()), (None, 1));
/// # Ok::<_, rewound_core::error::ReduceError>(())
/// ```
///
/// # Errors
/// An event that the snapshot's state does not take.
pub fn load(timeline: &Timeline, version: u64, snapshot: Option<&Snapshot>) -> Result<Loading, ReduceError> {
    let version = version.min(timeline.len());
    let loaded = Loaded { version, snapshot: snapshot.cloned() };
    let (instance, refused) = begin_and_say(timeline.domain(), timeline.id(), loaded);
    let from = instance.version();
    let place = |version: u64| usize::try_from(version).unwrap_or(usize::MAX);
    let rest = timeline.events().get(place(from)..place(version)).unwrap_or_default();
    let state = instance.apply_all(rest)?.snapshot();
    let fields = |snapshot: Option<Snapshot>| {
        Value::Object(snapshot.map(|snapshot| snapshot.state).unwrap_or_default())
    };
    let wrong = diff(&fields(timeline.state_at(version)), &fields(state.clone()));
    Ok(Loading { from, folded: rest.len() as u64, refused, state, wrong })
}

/// The newest version up to `version` at which a store keeps a snapshot every so many events; none before the first.
///
/// ```
/// use rewound_core::evolution::snapshot_before;
/// assert_eq!(snapshot_before(250, 100), Some(200));
/// assert_eq!(snapshot_before(99, 100), None);
/// ```
pub fn snapshot_before(version: u64, every: u64) -> Option<u64> {
    let every = every.max(1);
    Some(version / every * every).filter(|version| *version > 0)
}

/// A snapshot that another reducer made.
pub fn stale(snapshot: &Snapshot) -> Snapshot {
    Snapshot { fingerprint: !snapshot.fingerprint, ..snapshot.clone() }
}

/// A snapshot whose first field was overwritten with what it cannot be.
pub fn corrupted(snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    if let Some(field) = snapshot.state.values_mut().next() {
        *field = Value::Array(vec![Value::Null]);
    }
    snapshot
}

/// A snapshot in which a value was changed that still is what it can be: the first number, or the first text where
/// there is none.
pub fn tampered(snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    let mut fields: Vec<&mut Value> = snapshot.state.values_mut().collect();
    // Numbers first; the sort keeps the rest in order.
    fields.sort_by_key(|field| !field.is_number());
    match fields.into_iter().next() {
        Some(Value::String(text)) => text.push('!'),
        Some(field) => *field = field.as_i64().map_or(Value::Null, |number| (number + 1).into()),
        None => {}
    }
    snapshot
}
