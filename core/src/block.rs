//! Sixteen bytes at a time: where plain text in a string of JSON ends.
//!
//! WebAssembly built with `simd128` has vectors; every other build does the same with two integers. The
//! tests hold both, where there are both, against looking at each byte.

#![allow(unsafe_code, reason = "one line of it: text that was seen to be ASCII is not looked at again")]

/// Sixteen bytes of a text.
pub(crate) trait Block: Copy {
    /// The block of these bytes.
    fn load(bytes: &[u8; 16]) -> Self;

    /// Where plain text ends: a bit, the lowest for the first byte, for every quote, backslash and control
    /// character, and for every byte that is not ASCII.
    fn ends(self) -> u32;

    /// Zero where `mask` is zero or `other` is the same.
    fn unlike(self, other: Self, mask: Self) -> Self;

    /// The bits of both, to look at many blocks at once.
    fn or(self, other: Self) -> Self;

    /// Whether no bit is set.
    fn is_zero(self) -> bool;
}

/// The block of this build.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) type Native = simd::Vector;
/// The block of this build.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) type Native = Words;

/// Two integers of eight bytes each.
#[derive(Clone, Copy)]
#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), allow(dead_code))]
pub(crate) struct Words(u64, u64);

const LOW: u64 = u64::MAX / 255;
const HIGH: u64 = LOW << 7;

/// The high bit of every byte that is `byte`. (Adding 127 to the low seven bits carries into the eighth
/// where they are not all zero, and never into the next byte.)
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ (LOW * byte as u64);
    !(((other & !HIGH) + !HIGH) | other) & HIGH
}

/// The high bit of every byte that is below 32 or not ASCII.
#[inline(always)]
fn odd(word: u64) -> u64 {
    (!((word & !HIGH) + LOW * (128 - 32)) | word) & HIGH
}

/// The high bits of the eight bytes, side by side.
#[inline(always)]
fn gather(high: u64) -> u32 {
    ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

impl Block for Words {
    #[inline(always)]
    fn load(bytes: &[u8; 16]) -> Self {
        let both = u128::from_le_bytes(*bytes);
        Self(both as u64, (both >> 64) as u64)
    }

    #[inline(always)]
    fn ends(self) -> u32 {
        let ends = |word| gather(equal(word, b'"') | equal(word, b'\\') | odd(word));
        ends(self.0) | ends(self.1) << 8
    }

    #[inline(always)]
    fn unlike(self, other: Self, mask: Self) -> Self {
        Self((self.0 ^ other.0) & mask.0, (self.1 ^ other.1) & mask.1)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0, self.1 | other.1)
    }

    #[inline(always)]
    fn is_zero(self) -> bool {
        self.0 | self.1 == 0
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use core::arch::wasm32::*;

    /// A vector of sixteen bytes.
    #[derive(Clone, Copy)]
    pub(crate) struct Vector(v128);

    impl super::Block for Vector {
        #[inline(always)]
        fn load(bytes: &[u8; 16]) -> Self {
            let both = u128::from_le_bytes(*bytes);
            // One load, once it is compiled.
            Self(u64x2(both as u64, (both >> 64) as u64))
        }

        #[inline(always)]
        fn ends(self) -> u32 {
            let quote = u8x16_eq(self.0, u8x16_splat(b'"'));
            let backslash = u8x16_eq(self.0, u8x16_splat(b'\\'));
            // As signed numbers, those that are not ASCII are below zero.
            let odd = i8x16_lt(self.0, i8x16_splat(32));
            u32::from(u8x16_bitmask(v128_or(v128_or(quote, backslash), odd)))
        }

        #[inline(always)]
        fn unlike(self, other: Self, mask: Self) -> Self {
            Self(v128_and(v128_xor(self.0, other.0), mask.0))
        }

        #[inline(always)]
        fn or(self, other: Self) -> Self {
            Self(v128_or(self.0, other.0))
        }

        #[inline(always)]
        fn is_zero(self) -> bool {
            !v128_any_true(self.0)
        }
    }
}

/// The plain text that starts at `from`, as long as it goes: up to a quote, a backslash, a control
/// character, a byte that is not ASCII, or the end of the bytes.
///
/// It may be `guess` bytes long. Where it is, a processor goes on before it has looked.
#[inline(always)]
pub(crate) fn plain<B: Block>(bytes: &[u8], from: usize, guess: usize) -> &str {
    let plain = bytes.get(from..guessed::<B>(bytes, from, guess)).unwrap_or_default();
    // SAFETY: each byte up to the end was seen to be ASCII, which is UTF-8.
    unsafe { str::from_utf8_unchecked(plain) }
}

/// Whether two texts are the same: at these lengths much quicker than a call of `memcmp`.
#[inline(always)]
pub(crate) fn same(a: &str, b: &str) -> bool {
    let ((a, rest), (b, more)) = (a.as_bytes().as_chunks::<8>(), b.as_bytes().as_chunks::<8>());
    let bytes = || rest.iter().zip(more).all(|(a, b)| a == b);
    a.len() == b.len() && rest.len() == more.len() && a.iter().zip(b).all(|(a, b)| a == b) && bytes()
}

#[inline(always)]
fn guessed<B: Block>(bytes: &[u8], from: usize, guess: usize) -> usize {
    let ends = |from: usize| Some(B::load(bytes.get(from..)?.first_chunk()?).ends());
    let first = |ends: u32, guess: usize| ends & ((2 << guess) - 1) == 1 << guess;
    match ends(from) {
        Some(ends) if guess < 16 && first(ends, guess) => return from + guess,
        Some(0)
            if (16..32).contains(&guess) && ends(from + 16).is_some_and(|ends| first(ends, guess - 16)) =>
        {
            return from + guess;
        }
        _ => {}
    }
    end::<B>(bytes, from)
}

/// Where plain text ends.
#[inline(always)]
fn end<B: Block>(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let ends = B::load(block).ends();
        if ends != 0 {
            return at + ends.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..32 | 128..)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ends(byte: u8) -> bool {
        byte == b'"' || byte == b'\\' || !(32..128).contains(&byte)
    }

    fn one_by_one(bytes: &[u8; 16]) -> u32 {
        bytes.iter().enumerate().map(|(index, byte)| u32::from(ends(*byte)) << index).sum()
    }

    #[test]
    fn every_byte_is_seen_for_what_it_is_in_every_place() {
        for byte in 0..=255 {
            for place in 0..16 {
                for other in [b'a', 0x7f, 0x80, 0xff, b'!', b'#', 31, 32, 33] {
                    let mut bytes = [other; 16];
                    bytes[place] = byte;
                    assert_eq!(Words::load(&bytes).ends(), one_by_one(&bytes), "{bytes:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn blocks_find_what_looking_at_each_byte_finds(
            bytes in prop::collection::vec(prop_oneof![3 => any::<u8>(), 40 => Just(b'a'), 1 => Just(b'"'), 1 => Just(b'\\')], 0..200),
            from in 0_usize..220, guess in 0_usize..300,
        ) {
            let rest = bytes.get(from..).unwrap_or_default();
            let length = rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
            for guess in [guess, guess % 40, length, length + 1] {
                prop_assert_eq!(plain::<Words>(&bytes, from, guess).as_bytes(), &rest[..length]);
            }
        }

        #[test]
        fn texts_are_the_same_where_their_bytes_are(a in "[ab]{0,20}", b in "[ab]{0,20}", place in 0_usize..20) {
            let mut near = a.clone().into_bytes();
            if let Some(byte) = near.get_mut(place) {
                *byte = b'c';
            }
            for b in [&a, &b, str::from_utf8(&near).unwrap()] {
                prop_assert_eq!(same(&a, b), a == *b);
            }
        }

        #[test]
        fn blocks_compare_as_bytes_do(a in any::<[u8; 16]>(), b in any::<[u8; 16]>(), place in 0_usize..16, mask in any::<[u8; 16]>()) {
            let mut near = a;
            near[place] = b[place];
            for b in [a, b, near] {
                let same = (0..16).all(|index| (a[index] ^ b[index]) & mask[index] == 0);
                let unlike = Words::load(&a).unlike(Words::load(&b), Words::load(&mask));
                prop_assert_eq!(unlike.is_zero(), same);
                prop_assert_eq!(unlike.or(unlike).is_zero(), same);
            }
        }
    }
}
