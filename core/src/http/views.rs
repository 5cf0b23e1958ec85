//! The read side over HTTP: what is asked of views, and what an operator does with whoever follows the events.
//!
//! | request | answer |
//! |---|---|
//! | `GET /views` | the views there are, and what each can be asked |
//! | `GET /views/{view}` `?cursor=&limit=&token=` and its own | `{items, next}` |
//! | `GET /views/{view}/{id}` `?token=` | a row |
//! | `GET /feed` | checkpoint, rebuilds, how many dead letters each consumer has |
//! | `GET /feed/{consumer}/dead-letters` `?cursor=&limit=` | `{items, next}` |
//! | `POST /feed/{consumer}/dead-letters/{id}/{version}/retry`, `…/skip` | what became of it |
//! | `POST /feed/{view}/rebuild` | 202: it has begun |
//! | `POST /feed/sweep` | what the sweep did |
//!
//! A consumer is a view by its name, `transfers`, `outbox`, or `unreadable` for what is no event at all. The outbox takes
//! events of every kind of aggregate, so an `{id}` there has the kind before it: `Order/o1`, escaped as one part of a path.

use super::{Answer, Head, Problem, auth, page, wrong};
use crate::{
    error::Error,
    feed::{
        self, Consumer, Shell,
        letters::{self, Address, Letter},
        measure,
        progress::{self, OTHERS, Progress, Reader},
        query::{self, Cursor, Query, Seen, Token},
    },
    projection::Projection,
    store::Page,
    value::Object,
    views,
};
use auth::Scope;
use serde_json::{Value, json};

/// Where a request to the read side goes.
#[derive(Debug, Clone)]
pub enum Place {
    /// To the list of views.
    Views,
    /// To a view.
    View(&'static Projection),
    /// To a row of a view.
    Row(&'static Projection, String),
    /// To how far everybody has come.
    Feed,
    /// To what a consumer could not take.
    Letters(String),
    /// To one such letter: of a consumer, of that aggregate and version. It is tried again, or given up.
    Letter {
        /// The consumer's name.
        consumer: String,
        /// The aggregate's id.
        id: String,
        /// The event's version.
        version: u64,
        /// Whether it is tried again.
        retry: bool,
    },
    /// To the rebuild of a view.
    Rebuild(&'static Projection),
    /// To the sweep.
    Sweep,
}

/// What is asked of the read side.
#[derive(Debug, Clone)]
pub enum Ask {
    /// The views there are.
    Views,
    /// A page of a view, by one who shows what they have seen.
    Page(&'static Projection, Query, Option<Token>),
    /// A row, by one who shows what they have seen.
    Row(&'static Projection, String, Option<Token>, Option<String>),
    /// How far everybody has come.
    Feed,
    /// A page of a consumer's dead letters.
    Letters(String, Option<String>, usize),
    /// See [`Place::Letter`].
    Letter(String, String, u64, bool),
    /// A rebuild.
    Rebuild(&'static Projection),
    /// A sweep.
    Sweep,
}

fn view(name: &str) -> Result<&'static Projection, Problem> {
    views::find(name).ok_or_else(|| {
        let known = views::ALL.iter().map(|view| view.name).collect::<Vec<_>>().join(", ");
        Problem::new(404, "unknown-view", format!("There is no view {name}. There are: {known}."))
    })
}

/// Where a path below `/views` leads; nowhere where there is nothing.
pub(super) fn read(rest: &[&str]) -> Result<Option<Place>, Problem> {
    Ok(match *rest {
        [] => Some(Place::Views),
        [name] => Some(Place::View(view(name)?)),
        [name, id] => Some(Place::Row(view(name)?, super::identity(id)?)),
        _ => None,
    })
}

/// Where a path below `/feed` leads; nowhere where there is nothing.
pub(super) fn operate(rest: &[&str]) -> Result<Option<Place>, Problem> {
    let consumer = |name: &str| match OTHERS.contains(&name) {
        true => Ok(name.to_owned()),
        false => view(name).map(|view| view.name.to_owned()),
    };
    Ok(match *rest {
        [] => Some(Place::Feed),
        ["sweep"] => Some(Place::Sweep),
        [name, "rebuild"] => Some(Place::Rebuild(view(name)?)),
        [name, "dead-letters"] => Some(Place::Letters(consumer(name)?)),
        [name, "dead-letters", id, version, what @ ("retry" | "skip")] => {
            let version =
                version.parse().map_err(|_| wrong("/path/version", "expected the version of an event"))?;
            let (consumer, id) = (consumer(name)?, id.to_owned());
            Some(Place::Letter { consumer, id, version, retry: what == "retry" })
        }
        _ => None,
    })
}

impl Place {
    /// Whether something is done there, and not only read.
    pub(super) fn acts(&self) -> bool {
        matches!(self, Place::Letter { .. } | Place::Rebuild(_) | Place::Sweep)
    }

    pub(super) fn scope(&self) -> Option<Scope<'_>> {
        match self {
            // Which views there are, /openapi.json says as well.
            Place::Views => None,
            Place::View(view) | Place::Row(view, _) => Some(Scope { of: view.aggregate, to: "read" }),
            // A dead letter has an event in it, of any aggregate.
            Place::Feed | Place::Letters(_) => Some(Scope { of: auth::FEED, to: "read" }),
            _ => Some(Scope { of: auth::FEED, to: "operate" }),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Place::Views => "views",
            Place::View(_) => "view",
            Place::Row(..) => "row",
            Place::Feed => "feed",
            Place::Letters(_) => "dead-letters",
            Place::Letter { .. } => "dead-letter",
            Place::Rebuild(_) => "rebuild",
            Place::Sweep => "sweep",
        }
    }
}

/// What a view can be asked by, besides `cursor`, `limit` and `token`.
pub(super) fn parameters(view: &Projection) -> Vec<&'static str> {
    let mut names = Vec::new();
    for index in view.indexes {
        for name in index.by.into_iter().chain([index.order]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// What a request to the read side asks for.
pub(super) fn ask(place: Place, head: &Head) -> Result<Ask, Problem> {
    let token = |text: Option<String>, view: &Projection| {
        let Some(text) = text else { return Ok(None) };
        let read = Token::read(&text).ok_or_else(|| {
            wrong("/query/token", "expected the token of a command's answer, percent-encoded")
        })?;
        match read.aggregate == view.aggregate {
            true => Ok(Some(read)),
            false => {
                let message = format!("expected one of {}, which this view follows", view.aggregate);
                Err(wrong("/query/token", &message))
            }
        }
    };
    Ok(match place {
        Place::Views => {
            let [] = head.query([])?;
            Ask::Views
        }
        Place::View(view) => {
            let own = parameters(view);
            let names: Vec<&str> = own.iter().copied().chain(["cursor", "limit", "token"]).collect();
            let mut values = vec![None; names.len()];
            head.parameters(&names, &mut values)?;
            let mut take = |name: &str| {
                let place = names.iter().position(|known| *known == name)?;
                values.get_mut(place)?.take()
            };
            let (cursor, limit, shown) = (take("cursor"), take("limit"), take("token"));
            let expected = || wrong("/query/cursor", "expected the `next` of a page");
            let cursor = cursor.map(|text| Cursor::read(&text).ok_or_else(expected)).transpose()?;
            let own: Vec<(&str, String)> =
                own.into_iter().filter_map(|name| Some((name, take(name)?))).collect();
            let (index, prefix) = index(view, &own)?;
            // Another question's cursor lies elsewhere.
            let lies_here = |cursor: &Cursor| match index {
                Some(_) => cursor.place.starts_with(&prefix),
                None => cursor.place.is_empty(),
            };
            if !cursor.as_ref().is_none_or(lies_here) {
                return Err(expected());
            }
            let query = Query { index, prefix, cursor, limit: page(limit)? };
            Ask::Page(view, query, token(shown, view)?)
        }
        Place::Row(view, id) => {
            let [shown] = head.query(["token"])?;
            Ask::Row(view, id, token(shown, view)?, head.header("if-none-match").map(str::to_owned))
        }
        Place::Feed => {
            let [] = head.query([])?;
            Ask::Feed
        }
        Place::Letters(consumer) => {
            let [cursor, limit] = head.query(["cursor", "limit"])?;
            if cursor.as_ref().is_some_and(|cursor| !(1..=1_024).contains(&cursor.len())) {
                return Err(wrong("/query/cursor", "expected the `next` of a page"));
            }
            Ask::Letters(consumer, cursor, page(limit)?)
        }
        Place::Letter { consumer, id, version, retry } => {
            let [] = head.query([])?;
            Ask::Letter(consumer, id, version, retry)
        }
        Place::Rebuild(view) => {
            let [] = head.query([])?;
            Ask::Rebuild(view)
        }
        Place::Sweep => {
            let [] = head.query([])?;
            Ask::Sweep
        }
    })
}

/// The index by which a view is asked with these values, and what its rows' places there begin with.
fn index(view: &Projection, values: &[(&str, String)]) -> Result<(Option<usize>, String), Problem> {
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    let fits = |index: &&crate::projection::Index| {
        let by = index.by.is_none_or(|by| value(by).is_some());
        by && values.iter().all(|(name, _)| index.by == Some(name) || index.order == *name)
    };
    // The least that fits: what is not asked by is left out.
    let place = view.indexes.iter().position(|index| fits(&index));
    match place.and_then(|place| Some((place, view.indexes.get(place)?))) {
        Some((place, index)) => {
            let prefix = index.prefix(index.by.and_then(value), value(index.order).unwrap_or_default());
            Ok((Some(place), prefix))
        }
        None if values.is_empty() => Ok((None, String::new())),
        None => {
            let ways = view.indexes.iter().map(|index| match index.by {
                Some(by) => format!("{by}, with {} or without", index.order),
                None => index.order.to_owned(),
            });
            let ways = ways.collect::<Vec<_>>().join("; ");
            Err(wrong("/query", &format!("this view is not asked by these together, but by: {ways}")))
        }
    }
}

/// The answer to what is asked. `progress` is the checkpoint, as far as whoever asks knows it: which generation of a view
/// answers is believed of one that is a few seconds old.
///
/// # Errors
/// What the request cannot have.
pub async fn answer(
    shell: &impl Shell,
    progress: &Progress,
    limits: feed::Limits,
    ask: Ask,
) -> Result<Answer, Problem> {
    match ask {
        Ask::Views => {
            let items = views::ALL.iter().map(|view| {
                let fields = view.fields.iter().map(|(name, _)| *name);
                json!({
                    "name": view.name, "aggregate": view.aggregate, "fields": fields.collect::<Vec<_>>(),
                    "parameters": parameters(view),
                })
            });
            Ok(Answer::json(200, json!({ "items": items.collect::<Vec<_>>() }).to_string()))
        }
        Ask::Page(view, query, token) => {
            let place = (view, progress.of(view).live);
            if let Some(token) = &token {
                let row = seen(shell, place, token).await?;
                let indexed = match query.index {
                    Some(index) => query::indexed(shell, place, index, &token.id, &row).await?,
                    None => true,
                };
                if !indexed {
                    return Err(behind(token, None));
                }
            }
            let Page { items, next } = query::page(shell, place, &query).await?;
            Ok(Answer::json(200, json!({ "items": items, "next": next }).to_string()))
        }
        Ask::Row(view, id, token, known) => {
            let place = (view, progress.of(view).live);
            let row = match &token {
                Some(token) if token.id == id => seen(shell, place, token).await?,
                Some(token) => {
                    seen(shell, place, token).await?;
                    query::one(shell, place, &id).await?
                }
                None => query::one(shell, place, &id).await?,
            };
            let tag = format!("\"{}\"", row.tag(place.1));
            let missing = || {
                let detail = format!("{} has no row {id}, or none yet.", view.name);
                Problem::new(404, "not-found", detail)
            };
            let row = query::shown(&id, row).ok_or_else(missing)?;
            Ok(super::unless_known(known.as_deref(), tag, || row.to_string()))
        }
        Ask::Feed => {
            let progress = progress::load(shell, Reader::Views).await?;
            let outbox = progress::load(shell, Reader::Outbox).await?;
            let dead = measure::dead(shell, &progress).await?;
            Ok(Answer::json(200, progress.to_json(&outbox, &dead).to_string()))
        }
        Ask::Letters(name, cursor, limit) => {
            let consumer = consumer(shell, &name).await?;
            let Page { items, next } = letters::list(shell, consumer, cursor.as_deref(), limit).await?;
            let items: Vec<Value> = items.iter().map(Letter::to_json).collect();
            Ok(Answer::json(200, json!({ "items": items, "next": next }).to_string()))
        }
        Ask::Letter(name, id, version, retry) => {
            let consumer = consumer(shell, &name).await?;
            let (aggregate, id) = match (consumer, id.split_once('/')) {
                (Consumer::View(view, _), _) => (view.aggregate, id.as_str()),
                (Consumer::Transfers, _) => ("BankAccount", id.as_str()),
                (Consumer::Outbox, Some((aggregate, id))) => (aggregate, id),
                _ => ("item", id.as_str()),
            };
            let address = Address { consumer, aggregate, id, version };
            let missing = || {
                let detail = format!("{name} has no dead letter of {id} at version {version}.");
                Problem::new(404, "not-found", detail)
            };
            let done = |what: &str| Answer::json(200, json!({ "outcome": what }).to_string());
            if !retry {
                let was_there = letters::skip(shell, address).await?;
                return if was_there { Ok(done("skipped")) } else { Err(missing()) };
            }
            match letters::retry(shell, address).await?.ok_or_else(missing)? {
                Ok(()) => Ok(done("taken")),
                Err(why) => Err(Problem::new(409, "still-failing", format!("It failed again: {why}"))),
            }
        }
        Ask::Rebuild(view) => match progress::rebuild(shell, view).await? {
            Ok(generation) => {
                let body = json!({ "view": view.name, "generation": generation });
                Ok(Answer::json(202, body.to_string()).with("location", "/feed".to_owned()))
            }
            Err(generation) => {
                let detail =
                    format!("{} is being built anew already. GET /feed says how far it is.", view.name);
                Err(Problem::new(409, "already-rebuilding", detail).with("generation", generation.into()))
            }
        },
        Ask::Sweep => {
            let (mut body, mut failed) = (Object::new(), None);
            // One that fails keeps the other from nothing.
            for reader in [Reader::Views, Reader::Outbox] {
                match feed::sweep(shell, reader, limits).await {
                    Ok(report) => drop(body.insert(reader.name().to_owned(), report.to_json())),
                    Err(error) => failed = Some(error),
                }
            }
            match failed {
                Some(error) => Err(error.into()),
                None => Ok(Answer::json(200, Value::Object(body).to_string())),
            }
        }
    }
}

async fn consumer(shell: &impl Shell, name: &str) -> Result<feed::Consumer, Problem> {
    let progress = progress::load(shell, Reader::Views).await?;
    progress.consumer(name).ok_or_else(|| Problem::from(Error::UnknownAggregate { name: name.to_owned() }))
}

async fn seen(shell: &impl Shell, place: query::Place, token: &Token) -> Result<feed::rows::Row, Problem> {
    match query::seen(shell, place, token).await? {
        Seen::All(row) => Ok(row),
        Seen::Until(version) => Err(behind(token, Some(version))),
        Seen::Never(last) => {
            let message = format!("it is of an event that there is not: the last has version {last}");
            Err(wrong("/query/token", &message))
        }
    }
}

/// The refusal to show less than somebody has seen.
fn behind(token: &Token, version: Option<u64>) -> Problem {
    let detail = "The view has not seen what the token says. Ask again in a moment, or without the token for what it has.";
    let problem = Problem::new(503, "view-behind", detail).header("retry-after", "1");
    let problem = problem.with("expected", token.version.into());
    match version {
        Some(version) => problem.with("actual", version.into()),
        None => problem,
    }
}
