//! What follows a commit at once.

use super::{BESIDE, Consumer, Shell, batches, outbox, rows::deliver, saga};
use crate::{error::Result, event::Event, value::Object};
use futures_util::{StreamExt, stream};

/// Hands events that were just recorded to these and to the outbox, given the state of their aggregate after them, and then
/// what the saga recorded because of them.
///
/// What fails here is left to the next [`sweep`](super::sweep()): nothing is tried again or parked, and an outbox that
/// is behind is not sent what comes before.
///
/// # Errors
/// The first thing that failed, for a log. The others were done.
pub async fn nudge(
    shell: &impl Shell,
    events: Vec<Event>,
    state: Option<&Object>,
    consumers: &[Consumer],
) -> Result<()> {
    let (mut result, mut state) = (Ok(()), state);
    let mut waiting = events;
    while !waiting.is_empty() {
        let mut follow_up = Vec::new();
        // People wait for views, so these come first.
        let batches = batches(waiting);
        let views = consumers.iter().filter_map(|consumer| match consumer {
            Consumer::View(view, generation) => Some((*view, *generation)),
            _ => None,
        });
        let work: Vec<_> = views
            .flat_map(|view| batches.iter().map(move |batch| (view, batch)))
            .filter(|((view, _), batch)| view.aggregate == batch.aggregate)
            .collect();
        let views = stream::iter(work).map(|(view, batch)| async move {
            let target = batch.events.last().map_or(0, Event::version);
            deliver(shell, view, &batch.id, &batch.events, target, None).await.map(drop)
        });
        let done: Vec<Result<()>> = views.buffer_unordered(BESIDE).collect().await;
        done.into_iter().for_each(|done| result = std::mem::replace(&mut result, Ok(())).and(done));
        if consumers.iter().any(|consumer| matches!(consumer, Consumer::Transfers)) {
            let mut done = Ok(());
            for event in batches.iter().flat_map(|batch| &batch.events) {
                match saga::pursue(shell, event, state.take()).await {
                    Ok(events) => follow_up.extend(events),
                    Err(error) => done = Err(error),
                }
            }
            result = result.and(done);
        }
        result = result.and(outbox::follow(shell, &batches, false).await);
        waiting = follow_up;
    }
    result
}
