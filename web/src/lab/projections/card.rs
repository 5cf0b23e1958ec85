//! A read model: how far it is, what one can do to it, and what came of that.

use super::{
    Screen,
    board::{self, Face, Letter, Rebuild},
    rows::{Rows, RowsProps},
};
use crate::{
    erased::{click, flag, maybe, part, text, word},
    focus,
    format::{count, grouped, kind, span},
    host,
    icon::{Icon, NEXT, PAUSE, PLAY},
};
use leptos::prelude::*;
use rewound_core::{
    delivery::Fate,
    projection::{ATTEMPTS, Projection, RETRY_AFTER},
    schema::words,
    views,
};
use wasm_bindgen_futures::spawn_local;

type Act = fn(&mut board::Card);

#[component]
pub(super) fn Card(screen: Screen, number: usize) -> impl IntoView {
    let view = views::ALL.get(number).copied().unwrap_or(views::ACCOUNT_BALANCES);
    let tick = screen.tick(number).unwrap_or_else(|| RwSignal::new(0));
    let face = Memo::new(move |_| {
        tick.track();
        board::card(number, |card| card.face(host::now())).unwrap_or_default()
    });
    let title = title(&view);
    let (id, named) = (format!("view-{}", view.name), format!("view-{}", view.name));
    let is_empty = Memo::new(move |_| face.read().head == 0);
    let body = part(move || {
        if is_empty.get() {
            let what = kind(view.aggregate).to_ascii_lowercase();
            return view! {
                <p class="empty">
                    {format!("No {what} has any event yet. Send a command to a new {what} on ")}
                    <a href="#/streams">"Streams"</a>
                    ", or import a log: its rows appear here."
                </p>
            }
            .into_any();
        }
        view! {
            <Progress face=face />
            <Controls screen=screen number=number face=face />
            {part(move || waiting(&face.read().waiting))}
            {part(move || letters(screen, number, &face.read().letters))}
            {Rows(RowsProps { screen, number, view })}
            <Story face=face />
        }
        .into_any()
    });
    view! {
        <section class="card projection" aria-labelledby=named data-view=view.name>
            <div class="head">
                <h3 id=id tabindex="-1">{title}</h3>
                {part(move || mark(&face.read()))}
            </div>
            {body}
        </section>
    }
}

/// What a read model is called.
pub(super) fn title(view: &Projection) -> String {
    words(view.name).replace('-', " ")
}

fn mark(face: &Face) -> AnyView {
    let (shape, class, said) = match face {
        Face { head: 0, .. } => ("○", "", "empty".to_owned()),
        Face { is_paused: true, .. } => ("‖", "warn", "paused".to_owned()),
        Face { is_failing: true, .. } => ("✕", "bad", "an event fails".to_owned()),
        Face { lag: 0, letters, given_up, .. } if letters.len() + given_up > 0 => {
            let (shape, class) = if letters.is_empty() { ("⊘", "warn") } else { ("✕", "bad") };
            (shape, class, format!("at the end, without {}", count(letters.len() + given_up, "event")))
        }
        Face { lag: 0, .. } => ("✓", "good", "up to date".to_owned()),
        _ => ("▸", "", "catching up".to_owned()),
    };
    view! { <span class=format!("mark {class}") data-shape=shape>{said}</span> }.into_any()
}

/// How far it is.
#[component]
fn Progress(face: Memo<Face>) -> impl IntoView {
    let lag = move || {
        let face = face.read();
        match face.lag {
            0 => "no lag".to_owned(),
            events => format!("lag: {}, {}", count(events as usize, "event"), span(face.lag_in_time)),
        }
    };
    let checkpoint = move || {
        let face = face.read();
        format!("checkpoint {} of {}", grouped(face.settled), grouped(face.head as u64))
    };
    let drawn = Memo::new(move |_| {
        let face = face.read();
        (face.drawn_from, face.drawn.clone())
    });
    view! {
        <div class="progress">
            <progress
                aria-label="Checkpoint against head"
                max=text(move || face.read().head.max(1).to_string())
                prop:value=move || face.read().settled as f64
            ></progress>
            <span class="checkpoint">{text(checkpoint)}</span>
            <span class="lag">{text(lag)}</span>
        </div>
        {part(move || line(&drawn.read()))}
    }
}

/// The events around the checkpoint, a shape each.
fn line((from, drawn): &(usize, Vec<(String, Fate)>)) -> impl IntoView + use<> {
    let shape = |fate: &Fate| match fate {
        Fate::Applied => ("●", "applied"),
        Fate::Coming => ("○", "still to come"),
        Fate::Poisoned => ("☠", "still to come, broken"),
        Fate::Waits => ("◐", "waits"),
        Fate::Parked => ("✕", "a dead letter"),
        Fate::GivenUp => ("⊘", "given up"),
    };
    let said = {
        let number = |wanted: &str| drawn.iter().filter(|(_, fate)| shape(fate).1 == wanted).count();
        let kinds =
            ["applied", "a dead letter", "given up", "waits", "still to come", "still to come, broken"];
        let parts = kinds.map(|what| (number(what), what)).into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<_> = parts.map(|(number, what)| format!("{number} {what}")).collect();
        format!("Events {} to {}: {}", from + 1, from + drawn.len(), parts.join(", "))
    };
    let cells = drawn.iter().map(|(event, fate)| {
        let (shape, what) = shape(fate);
        view! { <span class=format!("{fate:?}") title=format!("{event}: {what}")>{shape}</span> }
    });
    view! { <p class="line" role="img" aria-label=said>{cells.collect_view()}</p> }
}

#[component]
fn Controls(screen: Screen, number: usize, face: Memo<Face>) -> impl IntoView {
    let paused = Memo::new(move |_| face.read().is_paused);
    let rebuild = Memo::new(move |_| face.read().rebuild.clone());
    let act = move |act: Act| click(move || screen.act(number, act));
    let step = click(move || screen.act(number, |card| card.step(host::now())));
    // Where the label alone changes, the focus stays.
    let pause = part(move || {
        let (path, label) = if paused.get() { (PLAY, "Resume") } else { (PAUSE, "Pause") };
        view! { <Icon path=path /> {label} }
    });
    let ready = move || rebuild.read().as_ref().is_some_and(|rebuild| rebuild.behind == Some(0));
    view! {
        <div class="bar" role="group" aria-label="The projection">
            <button type="button" class="button small" on:click=act(board::Card::pause_or_resume)>{pause}</button>
            <button type="button" class="button small" on:click=step><Icon path=NEXT /> "Step"</button>
            <button type="button" class="button small" on:click=act(board::Card::start_over)>"Start over"</button>
        </div>
        <div class="bar" role="group" aria-label="Its deliveries">
            <button type="button" class="button small" on:click=act(board::Card::deliver_again)>"Deliver a duplicate"</button>
            <button type="button" class="button small" on:click=act(board::Card::deliver_early)>"Deliver out of order"</button>
            <button type="button" class="button small" on:click=act(board::Card::poison)>"Poison an event"</button>
        </div>
        <div class="bar" role="group" aria-label="A new generation">
            <button type="button" class="button small" on:click=act(board::Card::rebuild)>"Rebuild"</button>
            <button
                type="button"
                class="button small"
                aria-disabled=word(move || !ready())
                on:click=act(board::Card::swap)
            >
                "Swap"
            </button>
            {part(move || rebuilt(rebuild.get().as_ref(), face.read().head))}
        </div>
    }
}

/// How far the new generation is, and why it cannot be swapped in yet.
fn rebuilt(rebuild: Option<&Rebuild>, head: usize) -> AnyView {
    let Some(rebuild) = rebuild else {
        return view! { <span class="about">"builds it anew beside the live one, from the first event"</span> }.into_any();
    };
    let parked = match rebuild.parked {
        0 => String::new(),
        parked => format!(", {}", count(parked, "dead letter")),
    };
    let said = match (rebuild.to_replay, rebuild.behind) {
        (0, Some(0)) => format!("caught up{parked}: swap it in"),
        (0, Some(behind)) => format!("{} behind{parked}: not yet", count(behind as usize, "event")),
        (left, _) => format!("{} to replay{parked}: not yet", count(left, "event")),
    };
    let settled = rebuild.settled.to_string();
    view! {
        <progress aria-label="The new generation" max=head.max(1) value=settled></progress>
        <span class="about">{said}</span>
    }
    .into_any()
}

fn waiting(waiting: &[(String, String)]) -> impl IntoView + use<> {
    if waiting.is_empty() {
        return None;
    }
    let lines =
        waiting.iter().map(|(event, what)| view! { <li>{event.clone()} " " <b>{what.clone()}</b></li> });
    Some(view! {
        <div class="waiting">
            <h4>"Waiting"</h4>
            <ul>{lines.collect_view()}</ul>
        </div>
    })
}

fn letters(screen: Screen, number: usize, letters: &[Letter]) -> impl IntoView + use<> {
    if letters.is_empty() {
        return None;
    }
    let rows = letters.iter().enumerate().map(|(index, letter)| {
        let act = |act: fn(&mut board::Card, usize)| {
            click(move || {
                screen.act(number, |card| act(card, index));
                keep_focus(number);
            })
        };
        let label = |what: &str| format!("{what} {}", letter.event);
        view! {
            <tr>
                <td>{letter.event.clone()}</td>
                <td>{letter.error.clone()}</td>
                <td>{letter.attempts}</td>
                <td>
                    <div class="bar">
                        <button type="button" class="button small" aria-label=label("Repair") on:click=act(board::Card::repair)>"Repair"</button>
                        <button type="button" class="button small" aria-label=label("Retry") on:click=act(board::Card::retry)>"Retry"</button>
                        <button type="button" class="button small" aria-label=label("Skip") on:click=act(board::Card::skip)>"Skip"</button>
                    </div>
                </td>
            </tr>
        }
    });
    let about = format!(
        "Tried {ATTEMPTS} times, {} apart on this computer's clock. Repair takes the poison out, Retry applies what stands
        here to the row as it is now, Skip gives it up. Where the order matters, repair it and rebuild.",
        span(RETRY_AFTER)
    );
    Some(view! {
        <div class="letters">
            <h4>{count(letters.len(), "dead letter")}</h4>
            <div class="wide-table" tabindex="0" role="region" aria-label="Dead letters">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Event"</th>
                            <th scope="col">"Error"</th>
                            <th scope="col">"Attempts"</th>
                            <th scope="col"><span class="unseen">"What to do"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
            <p class="about">{about}</p>
        </div>
    })
}

/// Where the button that was pressed goes with its letter, the last letter that is left has the focus, or the card's
/// heading.
fn keep_focus(number: usize) {
    let Some(view) = views::ALL.get(number) else { return };
    spawn_local(async move {
        // The letters are shown anew first.
        host::pause(0).await;
        if document().active_element().is_none_or(|element| element.tag_name() == "BODY") {
            let letter = format!("[data-view='{}'] .letters tbody tr:last-child button", view.name);
            let letter = document().query_selector(&letter).ok().flatten();
            let heading = || document().get_element_by_id(&format!("view-{}", view.name));
            focus(Ok::<_, ()>(letter.or_else(heading)));
        }
    });
}

/// What happened, the last on top.
#[component]
fn Story(face: Memo<Face>) -> impl IntoView {
    let last = Memo::new(move |_| face.read().messages);
    let before = part(move || {
        last.track();
        let face = face.read_untracked();
        let lines = face.said.iter().skip(1).map(|line| view! { <li>{line.clone()}</li> });
        view! { <ul class="about">{lines.collect_view()}</ul> }
    });
    let newest = maybe(move || {
        last.track();
        face.read_untracked().said.first().cloned()
    });
    let is_silent = flag(move || last.get() == 0);
    view! {
        <div class="story" hidden=is_silent>
            <p aria-live="polite">{newest}</p>
            {before}
        </div>
    }
}
