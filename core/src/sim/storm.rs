//! Long random orders in which everything goes wrong that goes wrong in the field.

use super::World;
use crate::{
    store::{Failure, Reply, Request, Store},
    time::Millis,
};
use fastrand::Rng;

/// What goes wrong in a [`storm`], each in percent of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// The store throttles, and does nothing.
    pub busy: u32,
    /// The request never arrives, and its sender hears nothing.
    pub dropped: u32,
    /// The request is carried out, and its sender hears nothing.
    pub lost: u32,
    /// The request is delivered twice, the second time at once.
    pub twice: u32,
    /// The request is delivered again, any time later.
    pub late: u32,
    /// The writer dies while it waits for the answer, which may or may not have been carried out.
    pub crash: u32,
    /// A saga's step that is over, however it ended, is done again by any writer.
    pub again: u32,
    /// How far a writer's clock can be behind, in milliseconds.
    pub behind: Millis,
}

impl Faults {
    /// Everything goes wrong now and then, and clocks are up to an hour behind.
    pub const ALL: Self =
        Self { busy: 6, dropped: 4, lost: 8, twice: 5, late: 5, crash: 4, again: 5, behind: 3_600_000 };
}

/// Plays one random order with faults, the same one for the same seed, until every writer is done and
/// every late request has arrived.
///
/// # Errors
/// More than `max_steps` exchanges.
pub fn storm<S: Store>(
    world: &mut World<S>,
    seed: u64,
    faults: &Faults,
    max_steps: usize,
) -> Result<(), String> {
    let mut rng = Rng::with_seed(seed);
    for writer in &mut world.writers {
        let behind = rng.u64(0..=faults.behind);
        writer.skew = -i64::try_from(behind).unwrap_or(i64::MAX);
    }
    let mut late: Vec<Request> = Vec::new();
    for _ in 0..max_steps {
        world.now += rng.u64(0..40);
        if rng.u32(0..100) < faults.again {
            world.repeat(&mut rng);
        }
        let waiting: Vec<usize> = world.waiting().collect();
        if !late.is_empty() && (waiting.is_empty() || rng.u32(0..100) < 10) {
            let again = late.swap_remove(rng.usize(0..late.len()));
            // Nobody waits for this answer any more.
            world.store.answer(&again);
            continue;
        }
        let Some(writer) = rng.choice(waiting) else { return Ok(()) };
        let Some(request) = world.asks(writer) else { continue };
        let random = u128::from(rng.u64(..)) << 16;
        let mut dice = rng.u32(0..100);
        let mut falls = |percent: u32| {
            let falls = dice < percent;
            dice = dice.wrapping_sub(percent);
            falls
        };
        let reply = if falls(faults.busy) {
            Reply::one(Err(Failure::Busy))
        } else if falls(faults.dropped) {
            Reply::one(Err(Failure::Lost))
        } else if falls(faults.lost) {
            world.store.answer(&request);
            Reply::one(Err(Failure::Lost))
        } else if falls(faults.twice) {
            let first = world.store.answer(&request);
            world.store.answer(&request);
            first
        } else if falls(faults.late) {
            late.push(request.clone());
            world.store.answer(&request)
        } else if falls(faults.crash) {
            if rng.bool() {
                world.store.answer(&request);
            }
            if let Some(writer) = world.writers.get_mut(writer) {
                writer.crash();
            }
            world.go_on(writer, None, random);
            continue;
        } else {
            world.store.answer(&request)
        };
        world.go_on(writer, Some(reply), random);
    }
    Err(format!("seed {seed}: not done after {max_steps} exchanges"))
}
