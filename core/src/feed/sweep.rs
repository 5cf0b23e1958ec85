//! The sweep: everything that the stream of the events table holds behind the checkpoint, to whoever takes events.

use super::{
    BESIDE, Batch, Consumer, Shell, ask, batches,
    letters::{self, Address, Letter},
    outbox, page,
    progress::{KNOWN, Lease, Progress, Reader, Walk, load, save},
    rows, saga,
    stream::{self, Page, Read},
};
use crate::{
    dynamodb::{Call, Quoted, json, sign::Api},
    error::{Error, Result},
    event::Event,
    projection::{ATTEMPTS, Projection, RETRY_AFTER},
    time::Millis,
    views,
};
use futures_util::TryStreamExt;
use serde_json::Value;

/// How long a sweep may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After how many calls it reads no other page, of the stream or of the events table. What is left is the next one's.
    pub calls: u32,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether somebody else is at it: nothing was done then.
    pub busy: bool,
    /// How many pages it read.
    pub pages: u32,
    /// How many events it handed out.
    pub events: u64,
    /// Whether it came to the end of everything.
    pub whole: bool,
}

impl Report {
    /// As the wire and the log show it.
    pub fn to_json(&self) -> Value {
        let Report { busy, pages, events, whole } = self;
        serde_json::json!({ "busy": busy, "pages": pages, "events": events, "whole": whole })
    }
}

/// How long a sweep is taken to be alive since it last wrote its checkpoint.
const LEASE: Millis = 60_000;
/// How long a stream can be left alone: its records live 24 hours.
const LONGEST_PAUSE: Millis = 23 * 60 * 60 * 1_000;
/// How many aggregates' events are handed out between two looks at the clock.
const AT_ONCE: usize = 100;
/// How many transfers that were parked a sweep tries again.
const AGAIN: usize = 10;
/// How many empty pages in a row end a shard for this time, though there can be records behind them.
const EMPTY: u32 = 2;
/// The same where a shard is closed, and has an end that is to be reached.
const EMPTY_AT_LAST: u32 = 20;
/// How long an iterator is good. AWS says a quarter of an hour.
const GOOD: Millis = 10 * 60 * 1_000;
/// How long a generation that answered before is kept, since somebody may not know yet that it does no more.
const KEEP: Millis = 60_000;

/// Reads the stream from a reader's checkpoint on, hands out its events, and moves the checkpoint behind them; then goes on with
/// walks through the events table and with rebuilds.
///
/// Two at once do no harm: the checkpoint is one record, and every event that is handed out twice takes effect once.
///
/// # Errors
/// DynamoDB does not answer, or refuses. What was handed out until then is behind the checkpoint.
pub async fn sweep(shell: &impl Shell, reader: Reader, limits: Limits) -> Result<Report> {
    if reader == Reader::Outbox && shell.outbox().is_none() {
        return Ok(Report { whole: true, ..Report::default() });
    }
    let begun = shell.calls();
    let me = format!("{:020x}", shell.random());
    let mut progress = load(shell, reader).await?;
    let lease = &progress.lease;
    if lease.until > shell.now() {
        return Ok(Report { busy: true, ..Report::default() });
    }
    progress.lease = Lease { by: me.clone(), until: shell.now() + LEASE };
    if !save(shell, reader, &mut progress).await? {
        return Ok(Report { busy: true, ..Report::default() });
    }
    let mut sweep = Sweep { shell, reader, me, progress, report: Report::default(), limits, begun };
    let result = sweep.run().await;
    // Whoever comes next need not wait, whatever happened to this one.
    let Sweep { me, mut progress, report, .. } = sweep;
    let ended = match progress.lease.by == me {
        true => {
            progress.lease = Lease::default();
            save(shell, reader, &mut progress).await.map(drop)
        }
        false => Ok(()),
    };
    result.and(ended)?;
    Ok(report)
}

struct Sweep<'a, S> {
    shell: &'a S,
    reader: Reader,
    me: String,
    progress: Progress,
    report: Report,
    limits: Limits,
    /// How many calls the shell had made before.
    begun: u32,
}

/// What a piece of work asks of the record.
enum Kept {
    Written,
    /// Somebody else wrote it, and it was read again: do the work once more.
    Changed,
}

/// Which walk is meant.
#[derive(Clone, Copy)]
enum Of {
    CatchUp,
    View(&'static Projection),
}

impl<S: Shell> Sweep<'_, S> {
    async fn run(&mut self) -> Result<()> {
        if self.reader == Reader::Views {
            parked(self.shell).await?;
        }
        loop {
            // Whatever was walked through before the stream is read to its end has all of what came before that end.
            let walked = self.walked();
            if !self.read_stream().await? {
                return Ok(());
            }
            self.swap(&walked).await?;
            self.remove_old().await?;
            let Some(next) = self.walks().into_iter().next() else { break };
            if !self.walk(next).await? {
                return Ok(());
            }
            // Whoever hands over what they recorded has heard of the new generation by then: no row goes back at the swap.
            if let Of::View(view) = next
                && let Some(next) = self.progress.of(view).next
            {
                let heard = next.walk.began + KNOWN * 3 / 2;
                self.shell.wait(heard.saturating_sub(self.shell.now())).await;
            }
        }
        self.report.whole = true;
        Ok(())
    }

    /// Who takes what is read.
    fn consumers(&self) -> Vec<Consumer> {
        match self.reader {
            Reader::Views => self.progress.consumers(),
            Reader::Outbox => vec![Consumer::Outbox],
        }
    }

    /// How many calls are left. However few there were to be, a page is read.
    fn left(&self) -> u32 {
        let made = self.shell.calls().saturating_sub(self.begun);
        self.limits.calls.saturating_sub(made).max(u32::from(self.report.pages == 0))
    }

    fn is_over(&self) -> bool {
        self.left() == 0
    }

    /// Writes the record.
    async fn keep(&mut self) -> Result<Kept> {
        self.progress.lease = Lease { by: self.me.clone(), until: self.shell.now() + LEASE };
        if save(self.shell, self.reader, &mut self.progress).await? {
            return Ok(Kept::Written);
        }
        self.progress = load(self.shell, self.reader).await?;
        if self.progress.lease.by == self.me {
            return Ok(Kept::Changed);
        }
        let message = "another sweep has taken over".to_owned();
        Err(Error::Store { message, retryable: true, uncertain: false })
    }

    /// Reads every shard to its end; false where the limit came first.
    async fn read_stream(&mut self) -> Result<bool> {
        let arn = stream::arn(self.shell).await?;
        loop {
            let now = self.shell.now();
            let shards = stream::shards(self.shell, &arn).await?;
            let before = self.progress.clone();
            let progress = &mut self.progress;
            let is_gone = |id: &String| !shards.iter().any(|shard| shard.id == *id);
            let lost = progress.shards.iter().any(|(id, shard)| !shard.done && is_gone(id));
            let paused = progress.swept_at > 0 && now.saturating_sub(progress.swept_at) > LONGEST_PAUSE;
            // A stream that nobody has read yet, or not for long: what it does not have the table has.
            if progress.stream != arn || lost || paused {
                progress.catch_up = Some(Walk::from(now));
            }
            if progress.stream != arn {
                progress.shards.clear();
                progress.stream.clone_from(&arn);
            }
            progress.shards.retain(|id, _| !is_gone(id));
            if paused {
                progress.swept_at = now;
            }
            for shard in &shards {
                progress.shards.entry(shard.id.clone()).or_default();
            }
            if self.progress != before
                && let Kept::Changed = self.keep().await?
            {
                continue;
            }
            let done = |id: &str| self.progress.shards.get(id).is_none_or(|shard| shard.done);
            // Behind an item's record in a shard come those in the shard's children.
            let ready = |shard: &&stream::Shard| !done(&shard.id) && shard.parent.as_deref().is_none_or(done);
            let mut ready: Vec<(String, bool)> =
                shards.iter().filter(ready).map(|shard| (shard.id.clone(), shard.closed)).collect();
            // Where not all can be read this time, each has its turn.
            let last = |id: &str| self.progress.shards.get(id).map_or(0, |shard| shard.read_at);
            ready.sort_by_key(|(id, _)| last(id));
            let mut ended = false;
            for (id, closed) in ready {
                if !self.read_shard(&arn, &id, closed).await? {
                    return Ok(false);
                }
                ended |= self.progress.shards.get(&id).is_none_or(|shard| shard.done);
            }
            // One that ended may have children.
            if !ended {
                self.progress.swept_at = self.shell.now();
                return Ok(true);
            }
        }
    }

    /// Reads a shard to its end; false where the limit came first.
    async fn read_shard(&mut self, arn: &str, id: &str, closed: bool) -> Result<bool> {
        let now = self.shell.now();
        let shard = self.progress.shards.get_mut(id);
        let resume = shard.and_then(|shard| {
            shard.read_at = now;
            shard.resume.take()
        });
        let good = resume.filter(|(_, at)| self.shell.now().saturating_sub(*at) < GOOD);
        let mut iterator = good.map(|(iterator, _)| iterator);
        let mut empty = 0;
        loop {
            if self.is_over() {
                return Ok(false);
            }
            let at = self.progress.shards.get(id).and_then(|shard| shard.at.clone());
            let from = match iterator.take() {
                Some(iterator) => Some(iterator),
                None => stream::iterator(self.shell, arn, id, at.as_deref()).await?,
            };
            let read = match &from {
                Some(iterator) => {
                    self.shell.wait(stream::PACE).await;
                    // An event takes up to a few calls: what a page leads to has to fit in what is left.
                    let limit = (self.left() / 5).clamp(1, stream::PAGE);
                    self.report.pages += 1;
                    stream::read(self.shell, iterator, limit).await?
                }
                None => Read::Trimmed,
            };
            let page = match read {
                Read::Page(page) => page,
                Read::Expired => continue,
                Read::Trimmed => {
                    // The position is given up: the table has what was there. Where it was given up before, the walk that is
                    // going on has it.
                    let now = self.shell.now();
                    let at = self.progress.shards.get_mut(id).and_then(|shard| shard.at.take());
                    if at.is_some() || self.progress.catch_up.is_none() {
                        self.progress.catch_up = Some(Walk::from(now));
                    }
                    self.keep().await?;
                    // Where not even the beginning is to be had, it has moved meanwhile, or the shard is about to go.
                    if at.is_none() {
                        return Ok(true);
                    }
                    continue;
                }
            };
            let Page { events, records, last, next, unreadable } = page;
            iterator = next;
            if records > 0 || iterator.is_none() {
                stream::set_aside(self.shell, &unreadable).await?;
                self.report.events += events.len() as u64;
                let batches = batches(events);
                loop {
                    if let Kept::Changed = self.hand_out(&batches, &self.consumers()).await? {
                        continue;
                    }
                    if let Some(shard) = self.progress.shards.get_mut(id) {
                        shard.at = last.clone().or(shard.at.take());
                        shard.done = iterator.is_none();
                    }
                    if let Kept::Written = self.keep().await? {
                        break;
                    }
                }
            }
            empty = if records > 0 { 0 } else { empty + 1 };
            if iterator.is_none() || empty >= (if closed { EMPTY_AT_LAST } else { EMPTY }) {
                let now = self.shell.now();
                if let Some(shard) = self.progress.shards.get_mut(id) {
                    shard.resume = iterator.map(|iterator| (iterator, now));
                }
                return Ok(true);
            }
        }
    }

    /// Hands events to those who take them. Where that takes long, it is said in between that somebody is at it.
    async fn hand_out(&mut self, batches: &[Batch], consumers: &[Consumer]) -> Result<Kept> {
        for consumer in consumers {
            for batches in batches.chunks(AT_ONCE) {
                match *consumer {
                    Consumer::View(view, generation) => {
                        to_view(self.shell, (view, generation), batches).await?
                    }
                    Consumer::Outbox => outbox::follow(self.shell, batches, true).await?,
                    Consumer::Transfers => to_saga(self.shell, batches).await?,
                    Consumer::Unreadable => {}
                }
                if self.shell.now() + LEASE / 2 > self.progress.lease.until
                    && let Kept::Changed = self.keep().await?
                {
                    return Ok(Kept::Changed);
                }
            }
        }
        Ok(Kept::Written)
    }

    /// The walks that are to be done.
    fn walks(&self) -> Vec<Of> {
        let views =
            views::ALL.iter().filter(|view| self.progress.of(view).next.is_some_and(|next| !next.walk.done));
        self.progress.catch_up.iter().map(|_| Of::CatchUp).chain(views.map(Of::View)).collect()
    }

    /// The rebuilds whose walk is done.
    fn walked(&self) -> Vec<(&'static Projection, u64)> {
        let next = views::ALL.iter().filter_map(|view| Some((view, self.progress.of(view).next?)));
        next.filter(|(_, next)| next.walk.done).map(|(view, next)| (view, next.generation)).collect()
    }

    fn walk_mut(&mut self, of: Of) -> Option<&mut Walk> {
        match of {
            Of::CatchUp => self.progress.catch_up.as_mut(),
            Of::View(view) => self.progress.of_mut(view).next.as_mut().map(|next| &mut next.walk),
        }
    }

    /// Walks through the events table; false where the limit came first.
    async fn walk(&mut self, of: Of) -> Result<bool> {
        loop {
            if self.is_over() {
                return Ok(false);
            }
            let Some(walk) = self.walk_mut(of).cloned() else { return Ok(true) };
            let (items, next) = scan(self.shell, walk.cursor.as_deref()).await?;
            self.report.pages += 1;
            let mut events = Vec::with_capacity(items.len());
            let mut unreadable = Vec::new();
            for item in items {
                match stream::event(&item) {
                    Ok(event) => events.push(event),
                    Err(why) => unreadable.push((item, why)),
                }
            }
            stream::set_aside(self.shell, &unreadable).await?;
            let count = events.len() as u64;
            self.report.events += count;
            let consumers = match of {
                Of::CatchUp => self.consumers(),
                Of::View(view) => {
                    let next = self.progress.of(view).next;
                    next.map(|next| Consumer::View(view, next.generation)).into_iter().collect()
                }
            };
            if let Kept::Changed = self.hand_out(&batches(events), &consumers).await? {
                continue;
            }
            let now = self.shell.now();
            let Some(walk) = self.walk_mut(of) else { return Ok(true) };
            walk.events += count;
            walk.done = next.is_none();
            walk.took = now.saturating_sub(walk.began);
            walk.cursor = next;
            let is_done = walk.done;
            if is_done && matches!(of, Of::CatchUp) {
                self.progress.catch_up = None;
            }
            // Where somebody else wrote, the same page is walked through once more.
            if let Kept::Written = self.keep().await?
                && is_done
            {
                return Ok(true);
            }
        }
    }

    /// Puts the generations that have everything in the place of those that answer.
    async fn swap(&mut self, walked: &[(&'static Projection, u64)]) -> Result<()> {
        // What the stream lacked, the new ones may lack too.
        if self.progress.catch_up.is_some() {
            return Ok(());
        }
        while !walked.is_empty() {
            let now = self.shell.now();
            for (view, generation) in walked {
                let generations = self.progress.of_mut(view);
                if let Some(next) = generations.next.take_if(|next| next.generation == *generation) {
                    generations.old.push((generations.live, now));
                    generations.live = next.generation;
                    generations.built = Some((next.walk.events, next.walk.took));
                }
            }
            if let Kept::Written = self.keep().await? {
                break;
            }
        }
        Ok(())
    }

    /// Removes the rows and letters of generations that answer no more.
    async fn remove_old(&mut self) -> Result<()> {
        for view in &views::ALL {
            for (generation, at) in self.progress.of(view).old {
                if self.shell.now() < at + KEEP {
                    continue;
                }
                let consumer = Consumer::View(view, generation).to_string();
                let layout = self.shell.layout();
                let places =
                    [(&layout.views, consumer.clone()), (&layout.helpers, format!("dead#{consumer}"))];
                for (table, pk) in places {
                    while !self.is_over() && remove(self.shell, table, &pk).await? {}
                }
                if self.is_over() {
                    return Ok(());
                }
                self.progress.of_mut(view).old.retain(|(old, _)| *old != generation);
                self.keep().await?;
            }
        }
        Ok(())
    }
}

/// A page of the events table, and where it ends.
async fn scan(shell: &impl Shell, cursor: Option<&str>) -> Result<(Vec<String>, Option<String>)> {
    let start = cursor.map_or_else(String::new, |key| format!(r#","ExclusiveStartKey":{key}"#));
    let template = r#"{"TableName":$,"ConsistentRead":true,"ReturnConsumedCapacity":"TOTAL"$}"#;
    let call = Call::to(Api::Tables, "Scan", json(template, &[&Quoted(&shell.layout().events), &start]));
    let body = ask(shell, &call).await?.done(&call)?;
    let (items, end) = page(&body, "the events table")?;
    Ok((items.into_iter().map(str::to_owned).collect(), end.map(str::to_owned)))
}

/// Removes up to 25 items of a partition, and says whether there were any.
async fn remove(shell: &impl Shell, table: &str, pk: &str) -> Result<bool> {
    let template = r##"{
        "TableName":$,
        "KeyConditionExpression":"#n0 = :v0",
        "ProjectionExpression":"#n0, #n1",
        "ExpressionAttributeNames":{"#n0":"pk","#n1":"sk"},
        "ExpressionAttributeValues":{":v0":{"S":$}},
        "Limit":25,
        "ReturnConsumedCapacity":"TOTAL"
    }"##;
    let call = Call::to(Api::Tables, "Query", json(template, &[&Quoted(table), &Quoted(pk)]));
    let body: Value = serde_json::from_str(&ask(shell, &call).await?.done(&call)?).unwrap_or_default();
    let keys = body.get("Items").and_then(Value::as_array).cloned().unwrap_or_default();
    if keys.is_empty() {
        return Ok(false);
    }
    let deletes: Vec<String> =
        keys.iter().map(|key| format!(r#"{{"DeleteRequest":{{"Key":{key}}}}}"#)).collect();
    // What DynamoDB leaves over is found again.
    let body = json(
        r#"{"RequestItems":{$:[$]},"ReturnConsumedCapacity":"TOTAL"}"#,
        &[&Quoted(table), &deletes.join(",")],
    );
    let call = Call::to(Api::Tables, "BatchWriteItem", body);
    ask(shell, &call).await?.done(&call)?;
    Ok(true)
}

async fn to_view(shell: &impl Shell, view: (&'static Projection, u64), batches: &[Batch]) -> Result<()> {
    let mine: Vec<&Batch> = batches.iter().filter(|batch| batch.aggregate == view.0.aggregate).collect();
    let ids: Vec<&str> = mine.iter().map(|batch| batch.id.as_str()).collect();
    let place = Consumer::View(view.0, view.1).to_string();
    let mut rows = rows::get_all(shell, &place, &ids).await?;
    let work: Vec<_> = mine
        .into_iter()
        .map(|batch| (batch, rows.remove(&batch.id).unwrap_or_default()))
        .filter(|(batch, row)| batch.events.last().is_some_and(|last| last.version() > row.version))
        .collect();
    let work = futures_util::stream::iter(work.into_iter().map(Ok));
    work.try_for_each_concurrent(BESIDE, |(batch, row)| rows::settle(shell, view, batch, row)).await
}

/// Carries on what these events are of. A store that does not answer ends it; what fails for another reason is parked, and
/// tried again by later sweeps.
async fn to_saga(shell: &impl Shell, batches: &[Batch]) -> Result<()> {
    let events = batches.iter().flat_map(|batch| &batch.events).map(Ok);
    let work = futures_util::stream::iter(events);
    work.try_for_each_concurrent(BESIDE, |event| pursue(shell, event)).await
}

async fn pursue(shell: &impl Shell, event: &Event) -> Result<()> {
    for attempt in 1.. {
        match saga::pursue(shell, event, None).await {
            Ok(_) => break,
            Err(_) if attempt < ATTEMPTS => shell.wait(RETRY_AFTER).await,
            Err(error @ Error::Store { retryable: true, .. }) => return Err(error),
            Err(error) => {
                let place = (event.aggregate(), event.aggregate_id(), event.version());
                let letter = Letter::of(place, Some(event), &error.to_string(), attempt);
                letters::park(shell, Consumer::Transfers, &letter).await?;
                break;
            }
        }
    }
    Ok(())
}

/// Tries some transfers again that were parked: most of them met a crowd.
async fn parked(shell: &impl Shell) -> Result<()> {
    let consumer = Consumer::Transfers;
    for letter in letters::list(shell, consumer, None, AGAIN).await?.items {
        let Letter { aggregate, id, version, .. } = &letter;
        letters::retry(shell, Address { consumer, aggregate, id, version: *version }).await?;
    }
    Ok(())
}
