//! Snapshots: where they stand in a history, what they spare a load, and what becomes of a damaged one.

use crate::{
    erased::{click, flag, part, text, value, word},
    format::{count, grouped},
    page::{Lab, Open},
    route::Route,
    streams,
    tree::brief,
};
use leptos::prelude::*;
use rewound_core::{
    domains,
    evolution::{Loading, corrupted, load, snapshot_before, stale, tampered},
    timeline::Timeline,
};
use std::rc::Rc;

/// The most snapshots that are marked one by one.
const MARKS: u64 = 120;

/// What was done to the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Nothing,
    Corrupt,
    Stale,
    Tampered,
}

const DONE: [(Done, &str, &str); 4] = [
    (Done::Nothing, "sound", "Leave it sound"),
    (Done::Corrupt, "corrupt", "Corrupt it"),
    (Done::Stale, "stale", "Make it stale"),
    (Done::Tampered, "tampered", "Change a value"),
];

/// Everything that this part knows. Copying it copies handles.
#[derive(Clone, Copy)]
pub(super) struct Shelf {
    lab: Lab,
    stream: Memo<Option<(String, String)>>,
    /// The stream that was chosen here.
    chosen: RwSignal<Option<(String, String)>>,
    timeline: RwSignal<Rc<Timeline>, LocalStorage>,
    length: RwSignal<u64>,
    /// How many events lie between two snapshots.
    every: RwSignal<u64>,
    /// The version that is loaded; the end where it is beyond.
    version: RwSignal<u64>,
    done: RwSignal<Done>,
}

/// What an address asks of this part.
struct Asked {
    chosen: Option<(String, String)>,
    every: u64,
    version: u64,
    done: Done,
}

impl Asked {
    fn of(route: &Route) -> Self {
        let number = |name: &str| route.setting(name).and_then(|text| text.parse().ok());
        let chosen = match route.path.as_slice() {
            [aggregate, id, ..] if route.screen == "evolution" => Some((aggregate.clone(), id.clone())),
            _ => None,
        };
        let done = DONE.iter().find(|done| route.setting("snapshot") == Some(done.1));
        Self {
            chosen,
            every: number("every").unwrap_or(3).clamp(2, 100),
            version: number("at").unwrap_or(u64::MAX),
            done: done.map_or(Done::Nothing, |done| done.0),
        }
    }
}

impl Shelf {
    pub(super) fn new(lab: Lab) -> Self {
        let Asked { chosen, every, version, done } = Asked::of(&lab.route.read_untracked());
        let chosen = RwSignal::new(chosen);
        let shelf = Self {
            lab,
            stream: Memo::new(move |_| {
                let open = lab.open.read();
                let open = open.as_ref().map(|Open { aggregate, id, .. }| (aggregate.clone(), id.clone()));
                chosen.get().or(open)
            }),
            chosen,
            timeline: RwSignal::new_local(Rc::new(Timeline::empty(domains::for_log(""), ""))),
            length: RwSignal::new(0),
            every: RwSignal::new(every),
            version: RwSignal::new(version),
            done: RwSignal::new(done),
        };
        Effect::new(move |_| {
            // A stream that has grown is looked at anew.
            lab.streams.track();
            let Some((aggregate, id)) = shelf.stream.get() else { return };
            let timeline = lab.timeline(&aggregate, &id);
            shelf.length.set(timeline.len());
            shelf.timeline.set(Rc::new(timeline));
        });
        shelf
    }

    /// Shows what an address asks for.
    pub(super) fn follow(self, route: &Route) {
        let Asked { chosen, every, version, done } = Asked::of(route);
        self.chosen.set(chosen);
        self.every.set(every);
        self.version.set(version);
        self.done.set(done);
    }

    /// Where one is on this screen.
    pub(super) fn address(self) -> Route {
        let mut route = Route::new("evolution", []);
        if let Some((aggregate, id)) = self.chosen.get() {
            route.path = vec![aggregate, id];
        }
        let (every, version, done) = (self.every.get(), self.version.get(), self.done.get());
        if every != 3 {
            route = route.with("every", &every.to_string());
        }
        if version < self.length.get() {
            route = route.with("at", &version.to_string());
        }
        let name = DONE.iter().find(|each| each.0 == done).filter(|_| done != Done::Nothing);
        name.map_or(route.clone(), |name| route.with("snapshot", name.1))
    }

    fn at(self) -> u64 {
        self.version.get().min(self.length.get())
    }

    /// What the load does; none where there is no snapshot yet that something could be done to.
    fn loading(self) -> Option<Loading> {
        let timeline = self.timeline.get();
        let at = self.at();
        let kept = snapshot_before(at, self.every.get()).and_then(|version| timeline.state_at(version));
        let snapshot = kept.map(|snapshot| match self.done.get() {
            Done::Nothing => snapshot,
            Done::Corrupt => corrupted(&snapshot),
            Done::Stale => stale(&snapshot),
            Done::Tampered => tampered(&snapshot),
        });
        load(&timeline, at, snapshot.as_ref()).ok()
    }
}

pub(super) fn snapshots(shelf: Shelf) -> impl IntoView {
    let choose = move |stream: &crate::page::Stream| {
        shelf.version.set(u64::MAX);
        shelf.chosen.set(Some((stream.aggregate.clone(), stream.id.clone())));
    };
    let every = value(move |text| {
        if let Ok(every) = text.parse::<u64>() {
            shelf.every.set(every.clamp(2, 100));
        }
    });
    let buttons = DONE.map(|(done, _, name)| {
        view! {
            <button
                type="button"
                class="button small"
                aria-pressed=word(move || shelf.done.get() == done)
                on:click=click(move || shelf.done.set(done))
            >
                {name}
            </button>
        }
    });
    let is_empty = move || shelf.length.get() == 0;
    view! {
        <section class="card snapshots" aria-labelledby="snapshots-title">
            <h3 id="snapshots-title">"Snapshots"</h3>
            <p class="about">
                "A load begins with the newest snapshot, and folds only the events behind it. A snapshot is worth nothing by \
                 itself: whatever is wrong with it, the events are there."
            </p>
            <div class="bar">
                {streams::choice(shelf.lab, shelf.stream.into(), choose)}
                <label>
                    "A snapshot every"
                    <input
                        type="number"
                        min="2"
                        max="100"
                        prop:value=text(move || shelf.every.get().to_string())
                        on:change=every
                    />
                    "events"
                </label>
                <span class="about">"A store keeps one every 100 where nothing else is asked for."</span>
            </div>
            <p class="empty" hidden=flag(move || !is_empty())>
                "This stream has no event yet: choose another, or send a command."
            </p>
            <div hidden=flag(is_empty)>
                {scrubber(shelf)}
                <div class="bar" role="group" aria-label="What was done to the snapshot">
                    {buttons.into_iter().collect_view()}
                </div>
                <div class="loaded" role="status">{part(move || loaded(shelf))}</div>
                <details>
                    <summary>"What a load sees, and what it cannot"</summary>
                    <p class="about">
                        "It sees that another reducer made the snapshot (by a fingerprint of its source), that it belongs to another \
                         aggregate, that it is ahead of the events, and that it does not read as a state of its domain. It does not \
                         see a value that was changed and still is one: there is no checksum. "
                        <b>"Change a value"</b>
                        " shows that. Only a replay tells, and rewriting the rows from the events mends it."
                    </p>
                </details>
            </div>
        </section>
    }
}

fn scrubber(shelf: Shelf) -> impl IntoView {
    let range = NodeRef::<leptos::html::Input>::new();
    // In this order: a browser cuts a value at the maximum that it knows.
    Effect::new(move |_| {
        if let Some(range) = range.get() {
            range.set_max(&shelf.length.get().to_string());
            range.set_value(&shelf.at().to_string());
        }
    });
    let place = move || {
        let kept = snapshot_before(shelf.at(), shelf.every.get());
        let kept = kept.map_or("no snapshot yet".to_owned(), |version| {
            format!("snapshot of version {}", grouped(version))
        });
        format!("Version {} of {}, {kept}", grouped(shelf.at()), grouped(shelf.length.get()))
    };
    let marks = move || {
        let (length, every) = (shelf.length.get().max(1), shelf.every.get());
        let kept = snapshot_before(shelf.at(), every);
        if length / every > MARKS {
            return view! { <span class="about">{count((length / every) as usize, "snapshot")}</span> }
                .into_any();
        }
        let marks = (1..=length / every).map(|number| {
            let version = number * every;
            let is_kept = kept == Some(version);
            view! {
                <span class="flag" class:kept=is_kept style=format!("--at:calc({version}/{length})")>
                    {grouped(version)}
                </span>
            }
        });
        marks.collect_view().into_any()
    };
    view! {
        <div class="shelf">
            <div class="flags" aria-hidden="true">{part(marks)}</div>
            <div class="track" style=text(move || format!("--part:calc({}/{})", shelf.at(), shelf.length.get().max(1)))>
                <input
                    node_ref=range
                    type="range"
                    min="0"
                    step="1"
                    aria-label="Version to load"
                    aria-valuetext=text(place)
                    on:input=value(move |text| shelf.version.set(text.parse().unwrap_or_default()))
                />
            </div>
            <p class="about">{text(place)}</p>
        </div>
    }
}

fn loaded(shelf: Shelf) -> AnyView {
    let at = shelf.at();
    let Some(loading) = shelf.loading() else {
        return view! { <p>"The events behind the snapshot do not fit its state: the load fails."</p> }
            .into_any();
    };
    let has_snapshot = snapshot_before(at, shelf.every.get()).is_some();
    let Loading { from, folded, refused, wrong, .. } = loading;
    let aggregate = shelf.stream.get().map(|stream| stream.0).unwrap_or_default();
    let (class, shape, mark, said) = match (&refused, has_snapshot, wrong.is_empty()) {
        (Some(error), ..) => (
            "bad",
            "✕",
            "refused",
            format!("{error}. The load falls back to replay, and comes to the same state."),
        ),
        (None, false, _) => ("", "○", "no snapshot yet", "The load replays from the start.".to_owned()),
        (None, true, true) => ("good", "✓", "taken", "The state is the one that all events make.".to_owned()),
        (None, true, false) => {
            ("warn", "!", "taken, and wrong", "Nothing tells: what was changed still is a state.".to_owned())
        }
    };
    let differences: Vec<_> = wrong
        .iter()
        .map(|change| {
            let value = |value: &Option<serde_json::Value>| {
                value.as_ref().map_or("nothing".to_owned(), |value| brief(&aggregate, &change.path, value))
            };
            let said = format!(
                "{}: {} by the snapshot, {} by the events",
                change.path,
                value(&change.to),
                value(&change.from)
            );
            view! { <li>{said}</li> }
        })
        .collect();
    let bar = |label: &'static str, events: u64| {
        view! {
            <li>
                <span class="label">{label}</span>
                <span class="length" style=format!("--part:calc({events}/{})", at.max(1)) aria-hidden="true"></span>
                <b>{count(events as usize, "event")}</b>
            </li>
        }
    };
    let begins = if from == 0 {
        "from the start".to_owned()
    } else {
        format!("from the snapshot of version {}", grouped(from))
    };
    view! {
        <p>
            <span class=format!("mark {class}") data-shape=shape>{mark}</span>
            " "
            {said}
        </p>
        <ul class="differences">{differences}</ul>
        <p class="folds">
            {format!("The next load at version {} begins {begins} and folds ", grouped(at))}
            <b>{count(folded as usize, "event")}</b>
            {format!(" instead of {}.", grouped(at))}
        </p>
        <ul class="lengths">{bar("This load", folded)} {bar("A full replay", at)}</ul>
    }
    .into_any()
}
