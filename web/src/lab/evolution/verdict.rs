//! Whether a log can be imported: fine, risky or impossible, and why.

use super::Past;
use crate::{
    erased::{click, flag, part, text, value},
    format::{count, grouped},
    host,
};
use js_sys::{Number, Uint8Array};
use leptos::prelude::*;
use rewound_core::{
    domains,
    evolution::{EXAMPLE_EVENTS, Judging, Kind, Reason, Verdict, What},
    import::{EventLog, Import, LineProblem},
};
use std::rc::Rc;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, HtmlInputElement, wasm_bindgen::JsCast};

/// The source of what is judged where it is the page's own history.
const PAGE: &str = "What the page has";

/// What was judged.
#[derive(Debug, Clone, PartialEq)]
struct Judged {
    source: String,
    verdict: Verdict,
}

/// The judge's desk. Copying it copies handles.
#[derive(Clone, Copy)]
struct Desk {
    judged: RwSignal<Option<Judged>>,
    /// What is being judged, and how many events were.
    busy: RwSignal<Option<(String, usize)>>,
    /// Why a file could not be read.
    trouble: RwSignal<Option<String>>,
    /// Counts what was given: what was begun for something else stops.
    turn: StoredValue<u32>,
}

/// What a person gave to be judged.
enum Given {
    Text(String),
    File(File),
}

impl Desk {
    fn begin(self, source: &str) -> u32 {
        self.turn.update_value(|turn| *turn += 1);
        self.trouble.set(None);
        self.busy.set(Some((source.to_owned(), 0)));
        self.turn.get_value()
    }

    fn is_current(self, turn: u32) -> bool {
        self.turn.try_get_value() == Some(turn)
    }

    async fn give(self, source: String, given: Given) {
        let turn = self.begin(&source);
        let bytes = match given {
            Given::Text(text) => Ok(text.into_bytes()),
            Given::File(file) => {
                JsFuture::from(file.array_buffer()).await.map(|buffer| Uint8Array::new(&buffer).to_vec())
            }
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                if self.is_current(turn) {
                    self.busy.set(None);
                    self.trouble.set(Some(format!(
                        "{source} could not be read: {}. Choose it again.",
                        host::said(&error)
                    )));
                }
                return;
            }
        };
        let mut import = Import::new();
        let mut since = host::stopwatch();
        for piece in bytes.chunks(16 << 10) {
            import.push(piece);
            since = host::breathe(since).await;
            if !self.is_current(turn) {
                return;
            }
        }
        while import.settle(250) {
            since = host::breathe(since).await;
        }
        let log = import.finish();
        self.judge(turn, source, &log, log.problems()).await;
    }

    async fn judge(self, turn: u32, source: String, log: &EventLog, problems: &[LineProblem]) {
        let back = |text: &str| {
            Number::from(Number::parse_float(text))
                .to_string_with_radix(10)
                .map_or_else(|_| text.to_owned(), String::from)
        };
        let mut judging = Judging::new(domains::for_log);
        let mut since = host::stopwatch();
        while judging.step(log, 512, &back) {
            let now = host::breathe(since).await;
            if !self.is_current(turn) {
                return;
            }
            if now != since {
                self.busy.set(Some((source.clone(), judging.events())));
            }
            since = now;
        }
        if self.is_current(turn) {
            self.busy.set(None);
            self.judged.set(Some(Judged { source, verdict: judging.verdict(problems) }));
        }
    }
}

pub(super) fn verdict(past: Past) -> impl IntoView {
    let desk = Desk {
        judged: RwSignal::new(None),
        busy: RwSignal::new(None),
        trouble: RwSignal::new(None),
        turn: StoredValue::new(0),
    };
    let judge_page = move |log: Rc<EventLog>| {
        let turn = desk.begin(PAGE);
        // The page has the events; what was wrong with the lines of its files it tells beside them.
        let problems = past.lab.problems().into_iter();
        let problems: Vec<LineProblem> = problems
            .map(|(file, line, message)| LineProblem {
                line: u32::try_from(line).unwrap_or(u32::MAX),
                message: format!("{file}: {message}"),
            })
            .collect();
        spawn_local(async move { desk.judge(turn, PAGE.to_owned(), &log, &problems).await });
    };
    // The first view judges what is there; what comes in later is judged where that is still the question.
    Effect::new(move |_| {
        let Some(log) = past.log.get() else { return };
        let asked =
            desk.judged.with_untracked(|judged| judged.as_ref().is_none_or(|judged| judged.source == PAGE));
        if asked {
            judge_page(log);
        }
    });
    let pasted = RwSignal::new(EXAMPLE_EVENTS.to_owned());
    let judge_text = click(move || {
        spawn_local(desk.give("The pasted text".to_owned(), Given::Text(pasted.get_untracked())));
    });
    let choose = move |event: leptos::ev::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let file = input.as_ref().and_then(|input| input.files()?.get(0));
        if let Some(file) = file {
            spawn_local(desk.give(file.name(), Given::File(file)));
        }
        // The same file can be chosen again.
        if let Some(input) = input {
            input.set_value("");
        }
    };
    let busy = move || {
        let busy = desk.busy.read();
        busy.as_ref().map_or_else(String::new, |(source, events)| {
            format!("{source}: {} judged so far…", count(*events, "event"))
        })
    };
    view! {
        <section class="card judge" aria-labelledby="judge-title">
            <h3 id="judge-title">"Can it be imported?"</h3>
            <p class="about">
                "A log is replayed by the domains of today, and every event that could not be is counted. Nothing is imported here."
            </p>
            <div class="bar">
                <button
                    type="button"
                    class="button"
                    on:click=click(move || {
                        if let Some(log) = past.log.get_untracked() {
                            judge_page(log);
                        }
                    })
                >
                    "Judge what the page has"
                </button>
                <label class="file">
                    "Judge a file"
                    <input type="file" on:change=choose />
                </label>
            </div>
            <details>
                <summary>"Or paste events: NDJSON, a JSON array, a DynamoDB export"</summary>
                <textarea
                    rows="6"
                    spellcheck="false"
                    wrap="off"
                    aria-label="Events to judge"
                    prop:value=text(move || pasted.get())
                    on:input=value(move |text| pasted.set(text))
                ></textarea>
                <div class="bar">
                    <button type="button" class="button" on:click=judge_text>"Judge what is pasted"</button>
                    <span class="about">"It begins with the worked example, which the domain of today does not know how to lift."</span>
                </div>
            </details>
            <p class="about" hidden=flag(move || desk.busy.read().is_none())>{text(busy)}</p>
            <p class="trouble" hidden=flag(move || desk.trouble.read().is_none())>
                {text(move || desk.trouble.get().unwrap_or_default())}
            </p>
            <div class="judged" role="status">{part(move || desk.judged.get().map(|judged| shown(&judged)))}</div>
        </section>
    }
}

fn shown(judged: &Judged) -> AnyView {
    let Judged { source, verdict } = judged;
    let (class, shape, word) = kind(verdict.kind);
    let found =
        format!("{source}: {} in {}.", count(verdict.events, "event"), count(verdict.streams, "stream"));
    let rows: Vec<_> = verdict.reasons.iter().map(|reason| row(reason, source)).collect();
    let table = if rows.is_empty() {
        let said = if verdict.events == 0 {
            "There is no event in it."
        } else {
            "Every event is known, and every stream replays to its end."
        };
        view! { <p>{said}</p> }.into_any()
    } else {
        view! {
            <div class="wide-table">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"What"</th>
                            <th scope="col" class="amount">"How many"</th>
                            <th scope="col">"The first"</th>
                            <th scope="col">"What to do"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <p class="verdict-line">
            <span class=format!("mark {class}") data-shape=shape>{word}</span>
            " "
            {found}
        </p>
        {table}
    }
    .into_any()
}

fn kind(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::Fine => ("good", "✓", "fine"),
        Kind::Risky => ("warn", "!", "risky"),
        Kind::Impossible => ("bad", "✕", "impossible"),
    }
}

fn row(reason: &Reason, source: &str) -> AnyView {
    let (what, to_do) = match reason.what {
        What::TooNew => ("newer than every upcaster", "Update the program that reads them."),
        What::NotLifted => ("cannot be lifted", "Mend the upcaster: the event stays as it is."),
        What::NotReduced => {
            ("refused by the reducer", "Write an upcaster, or import the stream up to there.")
        }
        What::BehindGap => ("behind a gap", "Find the missing events: replay ends before the gap."),
        What::NotReached => ("behind a refused event", "Mend that one first."),
        What::Lines => ("lines with a problem", "Look at the lines: what could not be read was left out."),
        What::NoDomain => {
            ("of an unknown aggregate", "Write a domain: until then each field shows its last value.")
        }
        What::UnknownFields => ("with fields unknown today", "Nothing: they are kept, and decide nothing."),
        What::LargeNumbers => {
            ("with numbers beyond JavaScript's", "Read them where they are: JavaScript cannot hold them.")
        }
        What::Lifted => ("of an older schema version", "Nothing: they are lifted whenever they are read."),
    };
    let (class, shape, _) = kind(reason.what.kind());
    let place = match &reason.first.event {
        // The page's history is of many files and of commands: a line of it is in none of them.
        Some((id, version)) if source == PAGE => format!("version {} of {id}", grouped(*version)),
        Some((id, version)) => {
            format!("version {} of {id}, line {}", grouped(*version), grouped(reason.first.line.into()))
        }
        None => format!("line {}", grouped(reason.first.line.into())),
    };
    view! {
        <tr>
            <th scope="row"><span class=format!("mark {class}") data-shape=shape>{what}</span></th>
            <td class="amount">{grouped(reason.count as u64)}</td>
            <td>
                {place}
                <span class="about">{reason.first.message.clone()}</span>
            </td>
            <td>{to_do}</td>
        </tr>
    }
    .into_any()
}
