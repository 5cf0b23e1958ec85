//! Projections: the read models at work on the page's own events, and what happens to them in the wild.

mod board;
mod card;
mod rows;

use crate::{erased::part, format::count, host, page::Lab};
use card::{Card, CardProps};
use leptos::prelude::*;
use rewound_core::views;
use wasm_bindgen_futures::spawn_local;

/// The screen's state. Copying it copies handles.
#[derive(Clone, Copy)]
struct Screen {
    lab: Lab,
    /// Rises for a card whenever it changed.
    ticks: StoredValue<Vec<RwSignal<u32>>>,
    /// How many events were read so far, while everything is read anew.
    reading: RwSignal<Option<usize>>,
    /// Whether somebody works on the cards.
    works: StoredValue<bool>,
}

/// How long the work goes on before the browser has its turn, in milliseconds.
const SLICE: f64 = 12.0;
/// How often a card is shown anew while there is work, in milliseconds.
const SHOWN_EVERY: f64 = 120.0;

impl Screen {
    fn tick(self, number: usize) -> Option<RwSignal<u32>> {
        self.ticks.try_with_value(|ticks| ticks.get(number).copied()).flatten()
    }

    /// Shows the cards as they are now.
    fn show(self) {
        for tick in self.ticks.try_get_value().unwrap_or_default() {
            tick.try_update(|tick| *tick = tick.wrapping_add(1));
        }
    }

    /// Does something with a card, and goes on working.
    fn act(self, number: usize, act: impl FnOnce(&mut board::Card)) {
        board::card(number, act);
        if let Some(tick) = self.tick(number) {
            tick.update(|tick| *tick = tick.wrapping_add(1));
        }
        self.work();
    }

    /// Works on all cards until there is nothing to do, a slice at a time.
    fn work(self) {
        if self.works.get_value() {
            return;
        }
        self.works.set_value(true);
        spawn_local(async move {
            let mut shown = 0.0;
            // Where the screen was left, nobody works.
            while self.works.try_get_value() == Some(true) {
                let (more, wakes) = board::with(|board| {
                    let mut more = false;
                    let share = SLICE / board.cards.len().max(1) as f64;
                    for card in &mut board.cards {
                        let until = host::stopwatch() + share;
                        more |= card.work(host::now(), || host::stopwatch() > until);
                    }
                    (more, board.cards.iter().filter_map(board::Card::wakes_at).min())
                });
                if !more || host::stopwatch() - shown > SHOWN_EVERY {
                    self.show();
                    shown = host::stopwatch();
                }
                match (more, wakes) {
                    (true, _) => host::pause(0).await,
                    (false, Some(_)) => host::pause(100).await,
                    (false, None) => break,
                }
            }
            self.works.try_update_value(|works| *works = false);
        });
    }

    /// Brings what the page recorded, whenever it did.
    fn follow(self) {
        let busy = StoredValue::new(false);
        let again = StoredValue::new(false);
        Effect::new(move |_| {
            self.lab.streams.track();
            again.set_value(true);
            if busy.get_value() {
                return;
            }
            busy.set_value(true);
            spawn_local(async move {
                while again.try_update_value(std::mem::take) == Some(true) {
                    board::catch_up(self.lab, |events| {
                        self.reading.try_update(|reading| *reading = Some(events));
                    })
                    .await;
                    self.reading.try_update(|reading| *reading = None);
                    self.show();
                    if self.works.try_get_value().is_some() {
                        self.work();
                    }
                }
                busy.try_update_value(|busy| *busy = false);
            });
        });
    }
}

#[component]
pub(crate) fn Projections(lab: Lab) -> impl IntoView {
    let ticks = views::ALL.iter().map(|_| RwSignal::new(0)).collect();
    let screen = Screen {
        lab,
        ticks: StoredValue::new(ticks),
        reading: RwSignal::new(None),
        works: StoredValue::new(false),
    };
    screen.follow();
    let reading = part(move || {
        let events = screen.reading.get()?;
        Some(
            view! { <p class="mark warn" role="status" data-shape="…">{format!("Reading the history: {}", count(events, "event"))}</p> },
        )
    });
    let cards = (0..views::ALL.len()).map(|number| Card(CardProps { screen, number }).into_any());
    view! {
        <div class="screen projections">
            <h2>"Projections"</h2>
            <p class="lead">
                "A projection folds events into rows that are quick to ask for. It runs behind the events, so it can
                lag, hear an event twice, hear two in the wrong order, or meet one that it cannot apply. Each of these
                works on the events of this page: pause it, step through it, break its deliveries, and see the rows come
                out right."
            </p>
            <p class="legend about">
                <span>"● applied"</span>
                <span>"○ still to come"</span>
                <span>"◐ waits"</span>
                <span>"✕ a dead letter"</span>
                <span>"⊘ given up"</span>
                <span>"☠ broken on its way"</span>
            </p>
            {reading}
            <div class="cards">{cards.collect_view()}</div>
        </div>
    }
}
