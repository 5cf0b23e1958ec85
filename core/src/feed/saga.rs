//! Transfers on their way: what the [saga](crate::domains::transfer) says, done.

use super::Shell;
use crate::{
    domain::Sender,
    domains::transfer::{self, Transfer},
    error::{Error, Result},
    event::{Event, Trace},
    value::Object,
};

/// Who sends the saga's commands.
const ACTOR: &str = "rewound:transfers";

/// Carries the transfer of an event to its end, whatever was done of it before, and gives what was recorded on the way.
/// `known` is the state of its source where that is at hand.
///
/// # Errors
/// The store does not answer, or others win every time: what was done stays done, and the rest is done by whoever is
/// handed the event again.
pub(super) async fn pursue(shell: &impl Shell, event: &Event, known: Option<&Object>) -> Result<Vec<Event>> {
    let mut recorded = Vec::new();
    if !transfer::concerns(event) {
        return Ok(recorded);
    }
    // What cannot be read is no reason to leave money under way.
    let unreadable = || Error::Domain(format!("the event {} of a transfer cannot be read", event.name()));
    let Transfer { source, id } = transfer::of(event).ok_or_else(unreadable)?;
    let loaded;
    let state = match known.filter(|_| *source == *event.aggregate_id()) {
        Some(state) => state,
        None => match shell.account(&source).await? {
            Some(snapshot) => {
                loaded = snapshot.state;
                &loaded
            }
            None => return Ok(recorded),
        },
    };
    // What its source does not wait for any more has arrived, or is back.
    if !transfer::is_pending(state, &id) {
        return Ok(recorded);
    }
    let mut step = Some(transfer::after(event, state).ok_or_else(unreadable)?);
    let mut cause = event.clone();
    while let Some(now) = step {
        let trace = Trace {
            command_id: None,
            correlation_id: cause.trace().correlation_id,
            causation_id: Some(cause.id().to_string()),
        };
        let by = Sender { actor: ACTOR.to_owned(), trace, ..Sender::default() };
        step = match shell.execute(&now, by).await {
            Ok(done) => {
                let next = done.events.iter().find_map(|event| {
                    let step = transfer::after(event, state)?;
                    Some((event.clone(), step))
                });
                recorded.extend(done.events);
                next.map(|(event, step)| {
                    cause = event;
                    step
                })
            }
            Err(error) => match transfer::instead(&now, &error) {
                Some(step) => Some(step),
                // The last step was done already, by another who met the same event.
                None if transfer::is_over(&error) => None,
                None => return Err(error),
            },
        };
    }
    Ok(recorded)
}
