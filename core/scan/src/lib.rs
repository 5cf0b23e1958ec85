//! Bytes of JSON looked at sixteen at a time: the items of a replay, and strings.
//!
//! It is a crate of its own because a crate is what Cargo compiles for speed or for size: this one is for
//! speed, in a package that is for size otherwise. So what is public here is not generic, and never inlined where
//! it is short: it would be compiled where it is called.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod block;
mod item;
mod letters;
mod page;
mod string;

pub use item::{Head, Item, Part, Reader, Value, skip, time_of};
pub use letters::Letters;
pub use page::Found;
pub use string::{is_number, string};

use block::Native;

/// The plain text that starts at `from`, as long as it goes: up to a quote, a backslash, a control
/// character, a byte that is not ASCII, or the end of the bytes.
#[inline(never)]
pub fn plain(bytes: &[u8], from: usize) -> &str {
    block::plain::<Native>(bytes, from, 0)
}

/// Whether two texts are the same: at the lengths of names much quicker than a call of `memcmp`.
#[inline(never)]
pub fn same(a: &str, b: &str) -> bool {
    same_bytes(a.as_bytes(), b.as_bytes())
}

#[inline(always)]
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        // The last eight bytes overlap those before.
        (Some(x), Some(y)) => {
            x == y && a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0).all(|(a, b)| a == b)
        }
        _ => match (a.first_chunk::<4>(), a.last_chunk::<4>(), b.first_chunk(), b.last_chunk()) {
            (Some(start), Some(end), Some(x), Some(y)) => start == x && end == y,
            _ => a.iter().zip(b).all(|(a, b)| a == b),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_to_the_last_byte() {
        for length in 0..40 {
            let name = "x".repeat(length);
            assert!(same(&name, &name.clone()));
            assert!(!same(&name, &format!("{name}x")));
            for at in 0..length {
                let mut other = name.clone();
                other.replace_range(at..=at, "y");
                assert!(!same(&name, &other) && !same(&other, &name));
            }
        }
    }
}
