//! Texts of a domain.

use std::{borrow::Borrow, cmp::Ordering, fmt, ops::Deref};

/// A text, of which a short one is kept in place: a replay reads a few of them with each event and keeps hardly
/// any, and would spend a tenth of its time on memory for them.
#[derive(Clone)]
pub struct Letters(Kept);

#[derive(Clone)]
enum Kept {
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

/// How long a text may be that is kept in place. (It takes 16 bytes then: an event with three of them is no larger than
/// 64, up to which WebAssembly moves it without a call.)
const SHORT: usize = 14;

impl Letters {
    /// These letters.
    #[inline]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                copy(text.as_bytes(), place);
                Self(Kept::Short(text.len() as u8, bytes))
            }
            None => Self(Kept::Long(text.into())),
        }
    }
}

/// Copies as many bytes as there are places, which are few. (WebAssembly's own instruction for it is a call in V8: ten
/// nanoseconds, of which a text takes three.)
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    /// The first `N` and the last, which overlap those; whether there are as many.
    #[inline(always)]
    fn ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
            return false;
        };
        to.first_chunk_mut().into_iter().for_each(|to| *to = *first);
        to.last_chunk_mut().into_iter().for_each(|to| *to = *last);
        true
    }
    if !(ends::<8>(from, to) || ends::<4>(from, to)) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    }
}

impl Deref for Letters {
    type Target = str;
    #[inline(never)]
    fn deref(&self) -> &str {
        match &self.0 {
            // It was made of a text, so it is one.
            Kept::Short(length, bytes) => {
                let bytes = bytes.get(..usize::from(*length)).unwrap_or_default();
                str::from_utf8(bytes).unwrap_or_default()
            }
            Kept::Long(text) => text,
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
        for length in [0, 1, 7, 10, 11, 21, 22, 23, 200] {
            for letter in ["a", "é", "日"] {
                let text = letter.repeat(length);
                let kept = Letters::new(&text);
                assert_eq!((&*kept, format!("{kept:?}")), (text.as_str(), format!("{text:?}")));
                assert!(kept == kept.clone() && kept < Letters::new(&format!("{text}a")));
            }
        }
    }
}
