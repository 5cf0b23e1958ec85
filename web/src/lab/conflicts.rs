//! Conflicts: a few writers race to change one stream. Each step is taken by hand, and every order can be tried.

mod explore;
mod export;
mod order;
mod outcome;
mod setup;
mod stage;
mod words;
mod writers;

use crate::{
    erased::{click, flag, part, text, value},
    host,
    page::Lab,
};
use leptos::{prelude::*, task::spawn_local};
use rewound_core::{
    domain::Snapshot,
    event::Event,
    sim::{End, Kind, Repair, Scenario, Scene, Step},
};
use setup::{EXAMPLES, Setup, Start};
use std::sync::Arc;

/// The most writers.
const MOST: usize = 4;
/// The fewest.
const FEWEST: usize = 2;
/// How long a step is shown while it plays, in milliseconds.
const PACE: i32 = 700;

/// Everything that the screen knows. Copying it copies handles.
#[derive(Clone, Copy)]
pub(crate) struct Race {
    lab: Lab,
    setup: RwSignal<Setup>,
    scenario: Memo<Arc<Scenario>>,
    /// Whose steps were taken.
    order: RwSignal<Vec<usize>>,
    /// What came of them.
    played: Memo<Arc<Played>>,
    /// The step that is looked at.
    open: RwSignal<Option<usize>>,
    /// What was done to an order so that it could be played.
    note: RwSignal<String>,
    playing: RwSignal<bool>,
}

/// A race as far as it was played.
#[derive(Debug, Clone, PartialEq, Default)]
struct Played {
    steps: Vec<Step>,
    /// The events that came between, of a step that met a conflict.
    winners: Vec<Vec<Event>>,
    /// The kind of each writer's next step.
    next: Vec<Option<Kind>>,
    end: Option<End>,
    row: Option<Snapshot>,
    is_over: bool,
    /// Why it cannot be played.
    trouble: Option<String>,
}

impl Played {
    fn of(scenario: &Scenario, order: &[usize]) -> Self {
        let scene = match Scene::play(scenario.clone(), order, false) {
            Ok((scene, _)) => scene,
            Err(error) => return Self::nothing(format!("This stream cannot be raced for: {error}")),
        };
        Self {
            steps: scene.steps().to_vec(),
            winners: scene.steps().iter().map(|step| scene.winners(step).to_vec()).collect(),
            next: (0..scenario.roles.len()).map(|role| scene.next(role)).collect(),
            end: Some(scene.end()),
            row: scene.row().cloned(),
            is_over: scene.is_over(),
            trouble: None,
        }
    }

    /// What cannot be played.
    fn nothing(trouble: String) -> Self {
        Self { trouble: Some(trouble), ..Self::default() }
    }

    /// The first step that met a conflict, if any.
    fn conflict(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.conflict().is_some())
    }
}

impl Race {
    fn new(lab: Lab) -> Self {
        let setup = RwSignal::new(Setup::example(0));
        let scenario = Memo::new(move |_| {
            // A stream that is still being read on the page is there when its list is.
            lab.streams.track();
            Arc::new(setup.read().scenario(lab))
        });
        let order = RwSignal::new(Vec::new());
        let played = Memo::new(move |_| {
            let scenario = scenario.read();
            Arc::new(match &setup.read().start {
                Some(Start { aggregate, id }) if scenario.start.is_empty() => Played::nothing(format!(
                    "There is no {} {id} on this page. Choose another start above, or import a log that has it on \
                     Streams.",
                    crate::format::kind(aggregate).to_lowercase()
                )),
                _ => Played::of(&scenario, &order.read()),
            })
        });
        let (open, note) = (RwSignal::new(None), RwSignal::new(String::new()));
        let race = Self { lab, setup, scenario, order, played, open, note, playing: RwSignal::new(false) };
        Effect::new(move |_| {
            let route = lab.route.read();
            if route.screen == "conflicts" {
                let (setup, order) = Setup::of_route(&route);
                // A stream that is still being read on the page comes later, and its race begins anew then.
                if let Some(start) = &setup.start
                    && lab.streams.read_untracked().iter().all(|stream| stream.id != start.id)
                {
                    lab.streams.track();
                }
                race.setup.set(setup);
                match order {
                    Some(order) => race.put(&order, false, "The address"),
                    None => race.show(),
                }
            }
        });
        race
    }

    /// Sets the stage for the example: played as everybody at once would, each in its turn, to the end.
    fn show(self) {
        self.playing.set(false);
        self.order.set(Vec::new());
        self.put(&[], true, "");
        self.note.set(String::new());
        self.open.set(self.played.read_untracked().conflict());
    }

    /// Plays an order; what had to be changed about it is told, as done by `what`.
    fn put(self, order: &[usize], is_whole: bool, what: &str) {
        let scenario = self.scenario.get_untracked();
        let can_play = self.played.read_untracked().trouble.is_none();
        let played = can_play.then(|| Scene::play((*scenario).clone(), order, is_whole).ok()).flatten();
        let Some((scene, repairs)) = played else {
            return self.order.set(Vec::new());
        };
        let told = repairs.iter().map(|repair| told(&scenario, repair));
        let told: Vec<String> = told.collect();
        self.order.set(scene.order());
        self.note.set(if told.is_empty() || what.is_empty() {
            String::new()
        } else {
            format!("{what} was adjusted: {}.", told.join("; "))
        });
        self.look();
    }

    /// Says in the address how it stands.
    fn look(self) {
        let steps = self.order.read_untracked().len();
        self.open.update(|open| *open = open.filter(|open| *open < steps));
        self.setup.read_untracked().route(&self.order.read_untracked()).replace();
    }

    /// Another setup, in the same order as far as it goes.
    fn set(self, change: impl FnOnce(&mut Setup)) {
        self.playing.set(false);
        let (was_over, order) = (self.played.read_untracked().is_over, self.order.get_untracked());
        let before = self.setup.read_untracked().roles.len();
        self.setup.update(change);
        let is_same = before == self.setup.read_untracked().roles.len();
        self.put(&order, was_over || !is_same, "The order of steps");
    }

    fn step(self, role: usize) {
        self.playing.set(false);
        self.take(role);
    }

    fn take(self, role: usize) {
        let before = self.order.read_untracked().len();
        let has_next = self.played.read_untracked().next.get(role).is_some_and(Option::is_some);
        if has_next {
            self.note.set(String::new());
            self.order.update(|order| order.push(role));
            let is_conflict =
                self.played.read_untracked().steps.last().is_some_and(|step| step.conflict().is_some());
            self.open.set(is_conflict.then_some(before).or(self.open.get_untracked()));
            self.look();
        }
    }

    fn back(self) {
        self.playing.set(false);
        self.note.set(String::new());
        self.order.update(|order| order.truncate(order.len().saturating_sub(1)));
        self.look();
    }

    fn reset(self) {
        self.playing.set(false);
        self.note.set(String::new());
        self.order.set(Vec::new());
        self.look();
    }

    /// The writer whose turn it is: the next behind the last that can go on.
    fn turn(self) -> Option<usize> {
        let played = self.played.read_untracked();
        let last = played.steps.last().map_or(played.next.len(), |step| step.role + 1);
        let count = played.next.len();
        (last..last + count)
            .filter_map(|role| role.checked_rem(count))
            .find(|role| played.next.get(*role).is_some_and(Option::is_some))
    }

    fn play(self) {
        if self.playing.get_untracked() {
            return self.playing.set(false);
        }
        if self.turn().is_none() {
            self.reset();
        }
        self.playing.set(true);
        spawn_local(async move {
            while self.playing.try_get_untracked() == Some(true) {
                let Some(role) = self.turn() else { return self.playing.set(false) };
                self.take(role);
                host::pause(PACE).await;
            }
        });
    }

    fn finish(self) {
        self.playing.set(false);
        let order = self.order.get_untracked();
        self.put(&order, true, "");
    }

    /// Moves a step to another place.
    fn shift(self, from: usize, to: usize) {
        self.playing.set(false);
        let before = self.order.get_untracked();
        let mut order = before.clone();
        if from >= order.len() || to >= order.len() || from == to {
            return;
        }
        let role = order.remove(from);
        order.insert(to, role);
        if order == before {
            let name = self.name(role);
            return self.note.set(format!("{name}'s own steps keep their order: nothing changed."));
        }
        let was_over = self.played.read_untracked().is_over;
        self.put(&order, was_over, "The new order");
        self.open.set(Some(to.min(self.order.read_untracked().len().saturating_sub(1))));
    }

    fn name(self, role: usize) -> String {
        self.scenario.read_untracked().roles.get(role).map_or_else(String::new, |role| role.name.clone())
    }
}

/// What was changed about an order, in words.
fn told(scenario: &Scenario, repair: &Repair) -> String {
    let name = |role: usize| scenario.roles.get(role).map_or("", |role| role.name.as_str());
    let steps = |steps: usize| if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") };
    match repair {
        Repair::Dropped { role, steps: count } => {
            format!("{} is done earlier now, and {} fell away", name(*role), steps(*count))
        }
        Repair::Added { role, steps: count } => {
            format!("{} has more to do now, and {} came at the end", name(*role), steps(*count))
        }
    }
}

#[component]
pub(crate) fn Conflicts(lab: Lab) -> impl IntoView {
    let race = Race::new(lab);
    on_cleanup(move || race.playing.set(false));
    view! {
        <div class="screen conflicts">
            <h2>"Conflicts"</h2>
            <p class="lead">
                "Several writers load a stream, decide, and want to write the next version. Only one can. Step them \
                 by hand, put their steps in another order, or try every order there is."
            </p>
            <Choice race=race />
            {part(move || race.played.read().trouble.clone().map(|trouble| {
                view! { <p class="card cannot" role="alert">{trouble}</p> }
            }))}
            <div class="race" hidden=flag(move || race.played.read().trouble.is_some())>
                <stage::Stage race=race />
                <outcome::Outcome race=race />
                <explore::Explore race=race />
                <writers::Writers race=race />
                <export::Export race=race />
            </div>
        </div>
    }
}

/// Which race, and from where.
#[component]
fn Choice(race: Race) -> impl IntoView {
    let choose = value(move |name| {
        if let Some(index) = EXAMPLES.iter().position(|example| example.name == name) {
            race.playing.set(false);
            race.setup.set(Setup::example(index));
            race.show();
        }
    });
    let chosen = Memo::new(move |_| race.setup.read().example);
    let start = Memo::new(move |_| race.setup.read().start.clone());
    let begin = value(move |stream| {
        let start = stream.split_once('/').and_then(|(aggregate, id)| {
            Some(Start { aggregate: rewound_core::domains::find(aggregate)?.name(), id: id.to_owned() })
        });
        race.playing.set(false);
        race.setup.update(|setup| *setup = setup.starting(start));
        race.show();
    });
    let streams = move || {
        let streams = race.lab.streams.read();
        let own = streams.iter().filter(|stream| stream.file.is_none());
        let options = own.map(|stream| {
            let place = format!("{}/{}", stream.aggregate, stream.id);
            let kind = crate::format::kind(&stream.aggregate);
            let label = format!("{} ({kind}, version {})", stream.label, stream.version);
            let is_chosen = start.read().as_ref().is_some_and(|start| start.id == stream.id);
            view! { <option value=place selected=is_chosen>{label}</option> }
        });
        options.collect_view()
    };
    view! {
        <section class="card choose" aria-label="The race">
            <div class="bar">
                <label for="example">"Race"</label>
                <select id="example" on:change=choose prop:value=text(move || {
                    EXAMPLES.get(chosen.get()).map_or("", |example| example.name).to_owned()
                })>
                    {EXAMPLES
                        .iter()
                        .enumerate()
                        .map(|(index, example)| {
                            let is_chosen = flag(move || chosen.get() == index);
                            view! { <option value=example.name selected=is_chosen>{example.title}</option> }
                        })
                        .collect_view()}
                </select>
                <label for="start">"Start"</label>
                <select id="start" on:change=begin>
                    <option value="" selected=flag(move || start.read().is_none())>"The example's own"</option>
                    {part(streams)}
                </select>
                <label class="switch">
                    <input
                        type="checkbox"
                        prop:checked=flag(move || race.setup.read().is_locking)
                        on:change=move |event| {
                            let is_locking = event_target_checked(&event);
                            race.set(|setup| setup.is_locking = is_locking);
                        }
                    />
                    "The store has optimistic locking"
                </label>
                <button type="button" class="button small" on:click=click(move || {
                    race.setup.set(Setup::example(race.setup.read_untracked().example));
                    race.show();
                })>"As it was"</button>
            </div>
            <p class="about">{text(move || EXAMPLES.get(chosen.get()).map_or("", |example| example.about).to_owned())}</p>
        </section>
    }
}
