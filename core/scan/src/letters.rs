//! Texts of a domain.

use std::{borrow::Borrow, cmp::Ordering, fmt, ops::Deref};

/// A text, of which a short one is kept in place: a replay reads a few of them with each event and keeps hardly
/// any, and would spend a tenth of its time on memory for them.
///
/// (It is moved as two integers of eight bytes. What was written to memory in other parts, such as the tag of an enum
/// and what is behind it, a processor cannot read as a whole at once: it waits, as long as it takes to read such a text.)
#[derive(Clone)]
#[repr(align(8))]
pub struct Letters {
    /// The letters, zeros, and how many letters there are.
    short: [u8; SHORT + 1],
    /// A longer text. (A box in a box, since that is four bytes and not eight in WebAssembly: an event with three of
    /// these is no larger than 64, up to which it is moved without a call.)
    long: Option<Box<Box<str>>>,
}

/// How long a text may be that is kept in place.
const SHORT: usize = 11;

impl Letters {
    /// These letters.
    #[inline(always)]
    pub fn new(text: &str) -> Self {
        match short(text.as_bytes()) {
            Some(short) => Self { short, long: None },
            None => Self::long(boxed(text)),
        }
    }

    /// The letters of a text that has its own place.
    #[inline(always)]
    pub fn long(text: Box<Box<str>>) -> Self {
        Self { short: [0; SHORT + 1], long: Some(text) }
    }
}

#[cold]
#[inline(never)]
fn boxed(text: &str) -> Box<Box<str>> {
    Box::new(text.into())
}

/// How a short text is kept, put together in two integers. (WebAssembly's own instruction to copy bytes is a call in
/// V8.)
#[inline(always)]
fn short(text: &[u8]) -> Option<[u8; SHORT + 1]> {
    let length = text.len();
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let (start, end) = match (text.first_chunk(), text.first_chunk(), text.last_chunk()) {
        // The last four overlap those before.
        (Some(eight), _, Some(last)) if length <= SHORT => {
            (u64::from_le_bytes(*eight), four(last) >> (8 * (SHORT + 1 - length)))
        }
        (Some(_), ..) => return None,
        (_, Some(first), Some(last)) => (four(first) | four(last) << (8 * (length - 4)), 0),
        _ => (text.iter().rev().fold(0, |letters, letter| letters << 8 | u64::from(*letter)), 0),
    };
    let mut bytes = [0; SHORT + 1];
    *bytes.first_chunk_mut()? = start.to_le_bytes();
    *bytes.last_chunk_mut()? = (end as u32 | (length as u32) << 24).to_le_bytes();
    Some(bytes)
}

impl Deref for Letters {
    type Target = str;
    #[inline(never)]
    fn deref(&self) -> &str {
        let [letters @ .., length] = &self.short;
        match &self.long {
            Some(long) => long,
            // It was made of a text, so it is one.
            None => {
                let letters = letters.get(..usize::from(*length)).unwrap_or_default();
                str::from_utf8(letters).unwrap_or_default()
            }
        }
    }
}

impl Borrow<str> for Letters {
    fn borrow(&self) -> &str {
        self
    }
}

impl Default for Letters {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Letters {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Letters {}

impl PartialOrd for Letters {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Letters {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl std::hash::Hash for Letters {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        (**self).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_however_long_it_is() {
        for length in (0..24).chain([200]) {
            for letter in ["a", "é", "日"] {
                let text = letter.repeat(length);
                let kept = Letters::new(&text);
                assert_eq!((&*kept, format!("{kept:?}")), (text.as_str(), format!("{text:?}")));
                assert!(kept == kept.clone() && kept < Letters::new(&format!("{text}a")));
            }
        }
    }
}
