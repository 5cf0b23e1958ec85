//! What must be true of the read side, whoever counts: read from the tables themselves.

use super::{
    Batch, Consumer, Shell, batches, describe, letters, outbox,
    progress::{self, OTHERS, Progress, Reader},
    rows, stream,
};
use crate::{error::Result, event::Event, http::metrics::Gauge, time::Millis, views};
use serde_json::Value;

/// How many letters each consumer has, by the name that an operator calls it by.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn dead(shell: &impl Shell, progress: &Progress) -> Result<Vec<(String, u64)>> {
    let mut dead = Vec::new();
    let names = views::ALL.iter().map(|view| view.name).chain(OTHERS);
    for name in names {
        if let Some(consumer) = progress.consumer(name) {
            dead.push((name.to_owned(), letters::count(shell, consumer).await?));
        }
    }
    Ok(dead)
}

/// Lag, dead letters, growth. What is behind is looked for among what the stream holds behind the checkpoint, up to three
/// pages of each shard (3,000 events): everything before that was applied or parked.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn gauges(shell: &impl Shell) -> Result<Vec<Gauge>> {
    let now = shell.now();
    let progress = &progress::load(shell, Reader::Views).await?;
    let mut gauges = Vec::new();
    let mut add = |name, label: Option<(&'static str, &str)>, value: f64| {
        gauges.push(Gauge { name, label: label.map(|(name, value)| (name, value.to_owned())), value });
    };
    let waiting = unread(shell, Reader::Views, progress, now, &mut add).await?;
    if shell.outbox().is_some() {
        let progress = progress::load(shell, Reader::Outbox).await?;
        let waiting = unread(shell, Reader::Outbox, &progress, now, &mut add).await?;
        let sent = outbox::sent(shell, &waiting).await?;
        let seen =
            |batch: &Batch| sent.get(&outbox::record(&batch.aggregate, &batch.id)).copied().unwrap_or(0);
        let (events, since) = behind(&waiting, seen, now);
        add("rewound_outbox_lag_events", None, events);
        add("rewound_outbox_lag_seconds", None, since);
    }
    for view in &views::ALL {
        let generations = progress.of(view);
        let ids = waiting.iter().filter(|batch| batch.aggregate == view.aggregate);
        let ids: Vec<&str> = ids.map(|batch| batch.id.as_str()).collect();
        let place = Consumer::View(view, generations.live).to_string();
        let rows = rows::get_all(shell, &place, &ids).await?;
        let seen = |batch: &Batch| match batch.aggregate == view.aggregate {
            true => rows.get(&batch.id).map_or(0, |row| row.version),
            false => u64::MAX,
        };
        let (events, since) = behind(&waiting, seen, now);
        let label = Some(("view", view.name));
        add("rewound_projection_lag_events", label, events);
        add("rewound_projection_lag_seconds", label, since);
        if let Some((events, time)) = generations.built {
            add("rewound_rebuild_events", label, events as f64);
            add("rewound_rebuild_seconds", label, seconds(time));
        }
        add("rewound_rebuilding", label, f64::from(u8::from(generations.next.is_some())));
    }
    for (name, count) in dead(shell, progress).await? {
        add("rewound_dead_letters", Some(("consumer", &name)), count as f64);
    }
    let layout = shell.layout();
    let aggregates = layout.aggregates.iter().map(|(_, rows)| &rows.table);
    for table in [&layout.events, &layout.helpers, &layout.views].into_iter().chain(aggregates) {
        let body = describe(shell, table).await?;
        let number = |pointer: &str| body.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0);
        add("rewound_table_items", Some(("table", table)), number("/Table/ItemCount"));
        add("rewound_table_bytes", Some(("table", table)), number("/Table/TableSizeBytes"));
    }
    Ok(gauges)
}

/// What a reader has not read yet, and numbers of it.
async fn unread(
    shell: &impl Shell,
    reader: Reader,
    progress: &Progress,
    now: Millis,
    add: &mut impl FnMut(&'static str, Option<(&'static str, &str)>, f64),
) -> Result<Vec<Batch>> {
    let label = Some(("reader", reader.name()));
    let pages = stream::unread(shell, progress).await?;
    let records: usize = pages.iter().map(|page| page.records).sum();
    add("rewound_stream_unread_records", label, records as f64);
    if progress.swept_at > 0 {
        add("rewound_sweep_age_seconds", label, seconds(now.saturating_sub(progress.swept_at)));
    }
    Ok(batches(pages.into_iter().flat_map(|page| page.events).collect()))
}

/// How many of these events a consumer has not seen, and the age of the oldest in seconds.
fn behind(waiting: &[Batch], seen: impl Fn(&Batch) -> u64, now: Millis) -> (f64, f64) {
    let behind = waiting.iter().flat_map(|batch| {
        let seen = seen(batch);
        batch.events.iter().filter(move |event| event.version() > seen).map(Event::time)
    });
    let (count, oldest) = behind.fold((0, now), |(count, oldest), time| (count + 1, oldest.min(time)));
    (f64::from(count), seconds(now - oldest))
}

fn seconds(time: Millis) -> f64 {
    time as f64 / 1_000.0
}
