//! Evolution: old events, odd logs and damaged snapshots, and what becomes of them today.

mod editor;
mod snapshots;
mod verdict;
mod versions;

use crate::{
    erased::{flag, part, text, value},
    format::{count, grouped, kind},
    host,
    page::Lab,
    route::Route,
};
use leptos::prelude::*;
use rewound_core::{
    domain::Domain,
    domains,
    evolution::{Census, EXAMPLE, EXAMPLE_EVENTS},
    import::EventLog,
    upcast::Upcaster,
};
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// What the select names the worked example.
const EXAMPLE_NAME: &str = "example";

/// Everything that the parts of the screen share. Copying it copies handles.
#[derive(Clone, Copy)]
pub(super) struct Past {
    lab: Lab,
    /// The aggregate that is looked at; the worked example where it is that.
    of: RwSignal<String>,
    /// All events of the page, once they were read.
    log: RwSignal<Option<Rc<EventLog>>, LocalStorage>,
    /// What they hold of which schema version.
    census: RwSignal<Rc<Census>, LocalStorage>,
    /// How many events were read so far; none once all were.
    reading: RwSignal<Option<usize>>,
}

impl Past {
    fn new(lab: Lab) -> Self {
        Self {
            lab,
            of: RwSignal::new(asked(&lab.route.read_untracked())),
            log: RwSignal::new_local(None),
            census: RwSignal::new_local(Rc::default()),
            reading: RwSignal::new(Some(0)),
        }
    }

    /// Reads all events of the page, and counts them.
    async fn read(self, turn: StoredValue<u32>) {
        let mine = turn.get_value();
        let is_current = move || turn.try_get_value() == Some(mine);
        self.reading.set(Some(0));
        let tell = move |events| {
            if is_current() {
                self.reading.set(Some(events));
            }
        };
        let log = self.lab.history(tell).await;
        let mut census = Census::default();
        let mut since = host::stopwatch();
        for stream in log.streams() {
            stream.events().for_each(|event| census.add(event));
            since = host::breathe(since).await;
        }
        // Another reading may have begun, or the screen may be gone.
        if is_current() {
            self.census.set(Rc::new(census));
            self.log.set(Some(Rc::new(log)));
            self.reading.set(None);
        }
    }

    fn is_example(self) -> bool {
        *self.of.read() == EXAMPLE_NAME
    }

    /// The aggregate that is looked at, as events name it.
    fn aggregate(self) -> String {
        if self.is_example() { "Customer".to_owned() } else { self.of.get() }
    }

    fn upcasters(self) -> &'static [Upcaster] {
        if self.is_example() { &EXAMPLE } else { self.domain().upcasters() }
    }

    fn domain(self) -> &'static dyn Domain {
        domains::for_log(&self.of.read())
    }

    /// What is stored of the aggregate: in the page's history, or in the example.
    fn stored(self) -> Rc<Census> {
        if !self.is_example() {
            return self.census.get();
        }
        let mut census = Census::default();
        let log = EventLog::from_bytes(EXAMPLE_EVENTS.as_bytes());
        log.streams().iter().flat_map(|stream| stream.events()).for_each(|event| census.add(event));
        Rc::new(census)
    }
}

/// The aggregate that an address asks for.
fn asked(route: &Route) -> String {
    route.setting("of").unwrap_or(EXAMPLE_NAME).to_owned()
}

#[component]
pub(crate) fn Evolution(lab: Lab) -> impl IntoView {
    let past = Past::new(lab);
    let turn = StoredValue::new(0_u32);
    // What is read again whenever a stream has come, gone or grown.
    Effect::new(move |_| {
        lab.streams.track();
        turn.update_value(|turn| *turn += 1);
        spawn_local(past.read(turn));
    });
    let snapshots = snapshots::Shelf::new(lab);
    // A link that is opened here is followed too.
    Effect::watch(
        move || lab.route.get(),
        move |route, _, _| {
            if route.screen == "evolution" {
                let of = asked(route);
                if *past.of.read_untracked() != of {
                    past.of.set(of);
                }
                snapshots.follow(route);
            }
        },
        false,
    );
    Effect::new(move |_| {
        let of = past.of.get();
        let route = snapshots.address();
        let route = if of == EXAMPLE_NAME { route } else { route.with("of", &of) };
        let current = Route::current();
        if current.screen == "evolution" && current != route {
            route.replace();
        }
    });
    let options = move || {
        let mut names: Vec<String> = domains::all().iter().map(|domain| domain.name().to_owned()).collect();
        let census = past.census.get();
        names.extend(census.aggregates().filter(|name| domains::find(name).is_none()).map(str::to_owned));
        let of = past.of.get();
        if of != EXAMPLE_NAME && !names.contains(&of) {
            names.push(of.clone());
        }
        let options = names.into_iter().map(|name| {
            let (shown, selected) = (kind(&name), name == of);
            view! { <option value=name selected=selected>{shown}</option> }
        });
        view! {
            <option value=EXAMPLE_NAME selected={of == EXAMPLE_NAME}>
                "A worked example: an event that changed twice"
            </option>
            {options.collect_view()}
        }
    };
    let read = move || {
        let log = past.log.get();
        match (past.reading.get(), log) {
            (Some(events), _) => format!("Reading the history: {} so far…", count(events, "event")),
            (None, Some(log)) => format!(
                "The page's whole history: {} in {} streams.",
                count(log.len(), "event"),
                grouped(log.streams().len() as u64)
            ),
            _ => String::new(),
        }
    };
    view! {
        <section class="screen evolution" aria-labelledby="evolution-title">
            <h2 id="evolution-title">"Evolution"</h2>
            <p class="lead">
                "Stored events never change, and programs do. Upcasters lift an old event to today's schema whenever it is \
                 read; a snapshot that another program made is thrown away. Nothing is ever migrated."
            </p>
            <div class="card choice">
                <div class="bar">
                    <label>"Events of" <select on:change=value(move |of| past.of.set(of))>{part(options)}</select></label>
                    <span class="about" role="status">
                        {text(read)}
                        <progress hidden=flag(move || past.reading.read().is_none()) aria-label="Reading"></progress>
                    </span>
                </div>
            </div>
            {versions::versions(past)}
            {editor::editor(past)}
            {verdict::verdict(past)}
            {snapshots::snapshots(snapshots)}
        </section>
    }
}
