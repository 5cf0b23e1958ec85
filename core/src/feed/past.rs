//! What the events table has of an aggregate behind a version, in order and page by page.

use super::{Shell, ask, page, stream};
use crate::{
    dynamodb::{Call, Quoted, json, sign::Api},
    error::Result,
    event::Event,
};
use std::collections::BTreeMap;

/// What is wrong where an event is looked for and there is none.
pub(super) const MISSING: &str = "the events table has no such event, or none that can be read";

/// How many events are looked at from the end of a stream, where what is missing mostly lies.
const RECENT: usize = 100;

/// An aggregate's events, as far as they were read.
#[derive(Debug)]
pub(super) struct Past {
    aggregate: String,
    id: String,
    /// Those that were read, and may wait for one before them: ids follow versions as a rule, and a foreign clock can break
    /// it.
    waiting: BTreeMap<u64, Event>,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    /// Nothing yet.
    Nothing,
    /// From the start, up to this key.
    Forward(Option<String>),
    /// To the end.
    Whole,
}

/// What comes behind a version.
pub(super) enum Behind {
    /// These, none of them missing.
    Events(Vec<Event>),
    /// Nothing that could be read as an event, though events come behind it.
    Hole,
    /// Nothing.
    Nothing,
}

impl Past {
    pub(super) fn of(aggregate: &str, id: &str) -> Self {
        Self {
            aggregate: aggregate.to_owned(),
            id: id.to_owned(),
            waiting: BTreeMap::new(),
            reading: Reading::Nothing,
        }
    }

    /// What comes behind a version: a page of it at the most.
    pub(super) async fn behind(&mut self, shell: &impl Shell, version: u64) -> Result<Behind> {
        loop {
            self.waiting = self.waiting.split_off(&(version + 1));
            // They stay: whoever cannot use them now may ask for some of them again.
            let next = self.waiting.iter().zip(version + 1..).take_while(|((found, _), next)| *found == next);
            let next: Vec<Event> = next.map(|((_, event), _)| event.clone()).collect();
            if !next.is_empty() {
                return Ok(Behind::Events(next));
            }
            match &self.reading {
                Reading::Whole if self.waiting.is_empty() => return Ok(Behind::Nothing),
                Reading::Whole => return Ok(Behind::Hole),
                Reading::Nothing => {
                    let (events, rest) = self.page(shell, None, Some(RECENT)).await?;
                    let has_next = events.iter().any(|event| event.version() == version + 1);
                    if rest.is_none() || has_next {
                        self.take(events);
                    }
                    // Where the next one is among them, what comes behind it is too, as a rule.
                    self.reading = if rest.is_none() { Reading::Whole } else { Reading::Forward(None) };
                }
                Reading::Forward(start) => {
                    let start = start.clone();
                    let (events, end) = self.page(shell, start.as_deref(), None).await?;
                    self.take(events);
                    self.reading = end.map_or(Reading::Whole, |end| Reading::Forward(Some(end)));
                }
            }
        }
    }

    /// The version of the last event, as far as the newest can be read; 0 where there is none.
    pub(super) async fn last(&self, shell: &impl Shell) -> Result<u64> {
        let (events, _) = self.page(shell, None, Some(RECENT)).await?;
        Ok(events.iter().map(Event::version).max().unwrap_or(0))
    }

    fn take(&mut self, events: Vec<Event>) {
        self.waiting.extend(events.into_iter().map(|event| (event.version(), event)));
    }

    /// A page from a key on, or some from the end: the aggregate's events in it, and where it ends. What is no event, the
    /// sweep has parked.
    async fn page(
        &self,
        shell: &impl Shell,
        start: Option<&str>,
        recent: Option<usize>,
    ) -> Result<(Vec<Event>, Option<String>)> {
        let start = start.map_or_else(String::new, |key| format!(r#","ExclusiveStartKey":{key}"#));
        let limit = recent
            .map_or_else(String::new, |limit| json(r#","ScanIndexForward":false,"Limit":$"#, &[&limit]));
        let template = r##"{
            "TableName":$,
            "KeyConditionExpression":"#n0 = :v0",
            "ExpressionAttributeNames":{"#n0":"aggregateId"},
            "ExpressionAttributeValues":{":v0":{"S":$}},
            "ConsistentRead":true,
            "ReturnConsumedCapacity":"TOTAL"
            $$
        }"##;
        let body = json(template, &[&Quoted(&shell.layout().events), &Quoted(&self.id), &limit, &start]);
        let call = Call::to(Api::Tables, "Query", body);
        let body = ask(shell, &call).await?.done(&call)?;
        let (items, end) = page(&body, "the events table")?;
        let events = items.into_iter().filter_map(|item| stream::event(item).ok());
        // An aggregate of another kind may have the same id.
        let events = events.filter(|event| *event.aggregate() == self.aggregate);
        Ok((events.collect(), end.map(str::to_owned)))
    }
}
