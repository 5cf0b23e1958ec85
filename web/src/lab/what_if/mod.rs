//! What if: a history beside the same history with something dropped, edited, inserted or moved.

mod actions;
mod editor;
mod export;
mod head;
mod rows;
mod states;

use crate::{
    focus,
    format::grouped,
    host,
    page::{Lab, Open, Stream},
    route::Route,
};
use leptos::prelude::*;
use rewound_core::timeline::{
    Branch, Branching, Edit, Row, Timeline, edits_from_json, edits_to_json, placed,
};
use rewound_core::{domains, error::Issue};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen_futures::spawn_local;

/// The longest text of edits that goes into the address.
const LINK: usize = 16_000;
/// How many streams' branches are kept for whoever comes back to them.
const KEPT: usize = 32;
/// For how many milliseconds the branch may be decided before the browser may paint.
const BUSY: f64 = 10.0;

thread_local! {
    /// The branch of each stream that was looked at and the events that it is made of, for whoever comes back; the one
    /// that was left last ends them.
    static LEFT: RefCell<Vec<(Route, Rc<Timeline>)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the branch of a stream in place of the one before.
fn keep(branch: Route, original: Rc<Timeline>) {
    LEFT.with_borrow_mut(|left| {
        left.retain(|(each, _)| each.path != branch.path);
        left.drain(..(left.len() + 1).saturating_sub(KEPT));
        left.push((branch, original));
    });
}

/// Forgets every branch.
pub(crate) fn forget() {
    LEFT.take();
}

/// The branch of a stream as it was left.
fn left(aggregate: &str, id: &str) -> Option<(Route, Rc<Timeline>)> {
    LEFT.with_borrow(|left| left.iter().find(|(each, _)| each.path == [aggregate, id]).cloned())
}

/// The stream that was left last, of those that are there.
fn left_last(streams: &[Stream]) -> Option<(String, String)> {
    LEFT.with_borrow(|left| {
        left.iter().rev().find_map(|(branch, _)| {
            let [aggregate, id] = branch.path.as_slice() else { return None };
            let mut streams = streams.iter();
            let is_there = streams.any(|stream| (&stream.aggregate, &stream.id) == (aggregate, id));
            is_there.then(|| (aggregate.clone(), id.clone()))
        })
    })
}

/// Everything that the screen knows. Copying it copies handles.
#[derive(Clone, Copy)]
pub(super) struct Desk {
    lab: Lab,
    /// The stream that is looked at: its aggregate and id; none until one is there.
    stream: RwSignal<Option<(String, String)>>,
    original: RwSignal<Rc<Timeline>, LocalStorage>,
    /// The events that the page has of the stream by now, until the edits fit them.
    newer: StoredValue<Option<Rc<Timeline>>, LocalStorage>,
    edits: RwSignal<Vec<Edit>>,
    /// The edits before each change, for undo.
    past: RwSignal<Vec<Vec<Edit>>>,
    /// The branch as far as it was decided; `turn` says when it has changed.
    branching: StoredValue<Option<Branching>, LocalStorage>,
    turn: RwSignal<Turn>,
    /// How many rows lie before the chosen place.
    chosen: RwSignal<usize>,
    editing: RwSignal<Option<editor::Editing>>,
    /// Whether the edits are the example that the screen begins with.
    example: RwSignal<bool>,
    /// What is wrong with the address or with an edit, or what has become of the stream.
    trouble: RwSignal<Option<String>>,
}

/// How far the branch was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Turn {
    /// Counts the branches: what was begun for another one stops.
    branch: u32,
    decided: usize,
    more: bool,
}

impl Desk {
    fn new(lab: Lab) -> Self {
        Self {
            lab,
            stream: RwSignal::new(None),
            original: RwSignal::new_local(Rc::new(Timeline::empty(domains::for_log(""), ""))),
            newer: StoredValue::new_local(None),
            edits: RwSignal::new(Vec::new()),
            past: RwSignal::new(Vec::new()),
            branching: StoredValue::new_local(None),
            turn: RwSignal::new(Turn::default()),
            chosen: RwSignal::new(usize::MAX),
            editing: RwSignal::new(None),
            example: RwSignal::new(false),
            trouble: RwSignal::new(None),
        }
    }

    /// Puts away what belongs to the branch that was looked at.
    fn clear(self) {
        self.trouble.set(None);
        self.editing.set(None);
        self.past.set(Vec::new());
        self.branching.set_value(None);
        self.newer.set_value(None);
    }

    /// Looks at a stream, with the edits of a link; without one, with an example.
    fn look(self, aggregate: &str, id: &str, route: &Route, timeline: Rc<Timeline>) {
        self.clear();
        let given = route.setting("edits").map(|text| {
            let value = serde_json::from_str(text)
                .map_err(|error| Issue { pointer: String::new(), message: error.to_string() });
            let edits = value.and_then(|value| edits_from_json(&value));
            // What does not fit this stream is no branch of it.
            edits.and_then(|edits| timeline.branching(&edits, None).map(|_| edits))
        });
        let edits = match given {
            Some(Ok(edits)) => {
                self.example.set(false);
                edits
            }
            Some(Err(issue)) => {
                self.trouble.set(Some(format!(
                    "The edits cannot be made here ({issue}): the branch begins without any."
                )));
                self.example.set(false);
                Vec::new()
            }
            None => {
                let drop = timeline.telling_drop();
                self.example.set(drop.is_some());
                drop.into_iter().collect()
            }
        };
        self.original.set(timeline);
        self.stream.set(Some((aggregate.to_owned(), id.to_owned())));
        self.chosen.set(route.setting("row").and_then(|row| row.parse().ok()).unwrap_or(usize::MAX));
        self.begin(edits);
    }

    /// Where the page has other events of the stream than before, the branch goes on with those, if its edits fit them.
    fn look_again(self, now: Timeline) {
        let pending = self.newer.try_update_value(Option::take).flatten();
        if now.events() != self.original.read_untracked().events() {
            self.newer.set_value(Some(Rc::new(now)));
            self.begin(self.edits.get_untracked());
        } else if pending.is_some() {
            self.trouble.set(None);
        }
    }

    /// Goes over to the events that the page has by now, if these edits fit them; says so either way.
    fn renew(self, edits: &[Edit]) {
        let Some(now) = self.newer.get_value() else { return };
        let before = self.original.get_untracked();
        let changed = format!(
            "The events of this stream have changed: there were {}, now there are {}.",
            grouped(before.len()),
            grouped(now.len())
        );
        let Err(issue) = now.branching(edits, None) else {
            // Where events were only added, every row and edit is still what it was.
            if !now.events().starts_with(before.events()) {
                self.editing.set(None);
                self.past.set(Vec::new());
            }
            self.newer.set_value(None);
            self.branching.set_value(None);
            self.original.set(now);
            return self.trouble.set(Some(format!("{changed} Both sides show those of now.")));
        };
        self.trouble.set(Some(format!(
            "{changed} The edits do not fit those of now ({issue}): both sides still show the former. Undo these edits, or \
             Reset, to see those of now."
        )));
    }

    /// Looks at no stream.
    fn look_away(self) {
        self.clear();
        self.example.set(false);
        self.edits.set(Vec::new());
        self.stream.set(None);
        // What is still being decided stops.
        self.turn.update(|turn| *turn = Turn { branch: turn.branch.wrapping_add(1), ..Turn::default() });
    }

    /// Makes the branch of these edits; a little of it now, the rest while the browser paints.
    fn begin(self, edits: Vec<Edit>) {
        self.renew(&edits);
        let original = self.original.get_untracked();
        let known = self.branching.try_update_value(Option::take).flatten().map(Branching::finish);
        let branching = match original.branching(&edits, known.as_ref()) {
            Ok(branching) => branching,
            Err(issue) => {
                self.trouble.set(Some(format!("That edit cannot be made: {issue}.")));
                let Ok(branching) = original.branching(&[], None) else { return };
                branching
            }
        };
        self.branching.set_value(Some(branching));
        self.edits.set(edits);
        let branch = self.turn.get_untracked().branch.wrapping_add(1);
        if self.go_on(branch) {
            spawn_local(async move {
                loop {
                    host::pause(0).await;
                    if self.turn.try_get_untracked().is_none_or(|turn| turn.branch != branch)
                        || !self.go_on(branch)
                    {
                        break;
                    }
                }
            });
        }
    }

    /// Decides the branch for a while; says whether there is more.
    fn go_on(self, branch: u32) -> bool {
        let original = self.original.get_untracked();
        let since = host::stopwatch();
        let turn = self.branching.try_update_value(|branching| {
            let branching = branching.as_mut()?;
            let mut more = true;
            while more && host::stopwatch() - since < BUSY {
                more = branching.step(&original, 64);
            }
            Some(Turn { branch, decided: branching.branch().verdicts.len(), more })
        });
        let Some(turn) = turn.flatten() else { return false };
        self.turn.set(turn);
        turn.more
    }

    /// Reads the branch as far as it was decided, now and whenever it has changed.
    fn with<T>(self, read: impl FnOnce(&Timeline, &Branch) -> T) -> Option<T> {
        self.turn.track();
        let original = self.original.get();
        self.branching
            .with_value(|branching| branching.as_ref().map(|branching| read(&original, branching.branch())))
    }

    /// A row of the branch.
    fn row(self, index: usize) -> Option<Row> {
        untrack(|| self.with(|_, branch| branch.rows.get(index).copied()).flatten())
    }

    /// Takes other edits, which can be undone.
    fn change(self, edits: Vec<Edit>) {
        let before = self.edits.get_untracked();
        if edits != before {
            self.past.update(|past| past.push(before));
            self.example.set(false);
            self.trouble.set(None);
            self.begin(edits);
        }
    }

    fn undo(self) {
        let before = self.past.try_update(Vec::pop).flatten();
        if let Some(before) = before {
            self.editing.set(None);
            self.trouble.set(None);
            self.begin(before);
        }
    }

    /// Lets the event of a row stand where another row stands, and gives it the focus there.
    fn place(self, from: usize, to: usize, control: &'static str) {
        let edits = self.edits.get_untracked();
        let placed = untrack(|| self.with(|_, branch| placed(&edits, &branch.rows, from, to)));
        let Some(placed) = placed.filter(|placed| *placed != edits) else { return };
        let tag = self.tag(from);
        self.editing.set(None);
        self.change(placed);
        let now =
            untrack(|| self.with(|_, branch| (0..branch.rows.len()).find(|row| tag_of(branch, *row) == tag)));
        if let Some(index) = now.flatten() {
            self.chosen.set(index + 1);
            focus_on(index, control);
        }
    }

    /// The next row up or down that has an event in the branch.
    fn neighbour(self, index: usize, up: bool) -> Option<usize> {
        let find = |branch: &Branch| {
            let has = |row: &usize| branch.rows.get(*row).is_some_and(|row| row.branch().is_some());
            if up { (0..index).rev().find(has) } else { (index + 1..branch.rows.len()).find(has) }
        };
        untrack(|| self.with(|_, branch| find(branch)).flatten())
    }

    fn tag(self, index: usize) -> Option<Tag> {
        untrack(|| self.with(|_, branch| tag_of(branch, index)).flatten())
    }

    /// How long the text of the edits is, where it is too long for the address.
    fn too_long(self) -> Option<usize> {
        let length = edits_to_json(&self.edits.read()).to_string().len();
        (length > LINK).then_some(length)
    }

    /// The address of this branch, however long.
    fn address(self) -> Option<Route> {
        let (aggregate, id) = self.stream.get()?;
        let edits = edits_to_json(&self.edits.read()).to_string();
        let route = Route::new("what-if", [&aggregate, &id]).with("edits", &edits);
        let chosen = self.chosen.get();
        let rows = self.with(|_, branch| branch.rows.len()).unwrap_or(0);
        Some(if chosen < rows { route.with("row", &chosen.to_string()) } else { route })
    }
}

/// Which event a row of the branch holds, wherever it stands: an original one by its version, one that was inserted
/// by what it says.
#[derive(Debug, Clone, PartialEq)]
enum Tag {
    Original(u64),
    Inserted(Edit),
}

fn tag_of(branch: &Branch, index: usize) -> Option<Tag> {
    use rewound_core::timeline::Fate;
    let row = branch.rows.get(index)?;
    Some(match row.fate {
        Fate::Inserted { edit } => match branch.edits.get(edit)? {
            Edit::Insert { event, .. } => Tag::Inserted(Edit::Insert { after: 0, event: event.clone() }),
            _ => return None,
        },
        Fate::Moved { from, .. } => Tag::Original(from),
        Fate::Dropped | Fate::Left { .. } => return None,
        _ => Tag::Original(row.at.0),
    })
}

/// Gives a control of a row the focus once the row stands.
fn focus_on(index: usize, control: &'static str) {
    request_animation_frame(move || {
        focus(document().query_selector(&format!("#pair-{index} .{control}")));
    });
}

#[component]
pub(crate) fn WhatIf(lab: Lab) -> impl IntoView {
    let desk = Desk::new(lab);
    // The stream of the address; where it names none, the one that was left; before any was, the one that is open on
    // the page. What opens there later, as an import does, does not take the branch at hand away.
    let wanted = Memo::new(move |_| {
        let route = lab.route.read();
        match route.path.as_slice() {
            [aggregate, id, ..] if route.screen == "what-if" => Some((aggregate.clone(), id.clone())),
            _ => {
                let open = lab.open.read();
                left_last(&lab.streams.read()).or_else(|| {
                    let Open { aggregate, id, .. } = open.as_ref()?;
                    Some((aggregate.clone(), id.clone()))
                })
            }
        }
    });
    let is_there = Memo::new(move |_| {
        let wanted = wanted.get()?;
        let streams = lab.streams.read();
        let found = streams.iter().find(|stream| (&stream.aggregate, &stream.id) == (&wanted.0, &wanted.1));
        // One that has grown since, or is another file's, is looked at again.
        found.map(|stream| (wanted, stream.version, stream.file))
    });
    // How often an address was opened: the same link opened again is one more, whatever was done in between.
    let opened = Memo::new(move |before: Option<&u32>| {
        lab.route.track();
        before.map_or(0, |before| before.wrapping_add(1))
    });
    Effect::new(move |before: Option<Option<u32>>| {
        let (route, opened) = (lab.route.get(), opened.get());
        let seen = before.flatten();
        if route.screen != "what-if" {
            return seen;
        }
        let Some((stream, ..)) = is_there.get() else {
            desk.look_away();
            return seen;
        };
        let (aggregate, id) = &stream;
        let now = lab.timeline(aggregate, id);
        let is_same = desk.stream.with_untracked(|before| before.as_ref() == Some(&stream));
        // A link says which branch. Who comes back without one, or with the one that was left, or whose stream has
        // changed, goes on where it was.
        let edits = route.setting("edits").filter(|_| seen != Some(opened));
        let is_left = |place: &Route| edits.is_none() || edits == place.setting("edits");
        if is_same && seen == Some(opened) {
            desk.look_again(now);
        } else if let Some((place, before)) = left(aggregate, id).filter(|(place, _)| is_left(place)) {
            desk.look(aggregate, id, if edits.is_some() { &route } else { &place }, before);
            desk.look_again(now);
        } else {
            desk.look(aggregate, id, &route, Rc::new(now));
        }
        Some(opened)
    });
    Effect::new(move |_| {
        let Some(address) = desk.address() else { return };
        keep(address.clone(), desk.original.get_untracked());
        let mut short = address;
        short.query.retain(|(name, value)| name != "edits" || value.len() <= LINK);
        let current = Route::current();
        if current.screen == "what-if" && current != short {
            short.replace();
        }
    });
    let missing = move || {
        let Some((aggregate, id)) = wanted.get().filter(|_| is_there.read().is_none()) else {
            return String::new();
        };
        format!(
            "{} {id} is not here. Import the file that holds it on the screen Streams, or choose another stream.",
            crate::format::kind(&aggregate)
        )
    };
    use crate::erased::{flag, part, text};
    view! {
        <section class="screen what-if" aria-labelledby="what-if-title">
            <h2 id="what-if-title">"What if"</h2>
            <p class="lead">
                "Drop, edit, insert or move events of a stream. The branch on the right replays what would have been, and "
                <code>"decide"</code>
                " is asked again for each of its events: what could not have come about is shown as impossible. "
                "The original never changes."
            </p>
            {head::head(desk)}
            <p class="card" role="status" hidden=flag(move || missing().is_empty())>{text(missing)}</p>
            {part(move || desk.stream.read().is_some().then(|| view! {
                {rows::rows(desk)}
                {states::states(desk)}
                {export::export(desk)}
            }))}
        </section>
    }
}
