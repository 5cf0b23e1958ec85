//! Sixteen bytes at a time: where plain text in a string of JSON ends.
//!
//! WebAssembly built with `simd128` has vectors; every other build does the same with two integers. The
//! tests hold both, where there are both, against looking at each byte.

#![allow(unsafe_code, reason = "two lines of it: text that was seen to be ASCII is not looked at again")]

/// Sixteen bytes of a text.
pub(crate) trait Block: Copy {
    /// The block of these bytes.
    fn load(bytes: &[u8; 16]) -> Self;

    /// Where plain text ends: a bit, the lowest for the first byte, for every quote, backslash and control
    /// character, and for every byte that is not ASCII.
    fn ends(self) -> u32;

    /// A bit, the lowest for the first byte, for every byte that is not as in `text`, where the byte of `mask` is
    /// 255; and for every one that is not plain, where it is 0. What is not ASCII always has one.
    fn unfit(self, text: Self, mask: Self) -> u32;

    /// Zero where `mask` is zero or `other` is the same.
    fn unlike(self, other: Self, mask: Self) -> Self;

    /// Whether every byte is a digit of Crockford's base 32, in capitals or small letters.
    fn is_base32(self) -> bool;

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

/// A one in every byte.
pub(crate) const LOW: u64 = u64::MAX / 255;
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
    fn unfit(self, text: Self, mask: Self) -> u32 {
        let unfit = |word: u64, text: u64, mask: u64| {
            let end = equal(word, b'"') | equal(word, b'\\') | odd(word);
            gather(((!equal(word ^ text, 0) & mask) | (end & !mask) | word) & HIGH)
        };
        unfit(self.0, text.0, mask.0) | unfit(self.1, text.1, mask.1) << 8
    }

    #[inline(always)]
    fn unlike(self, other: Self, mask: Self) -> Self {
        Self((self.0 ^ other.0) & mask.0, (self.1 ^ other.1) & mask.1)
    }

    #[inline(always)]
    fn is_base32(self) -> bool {
        [self.0, self.1].into_iter().flat_map(u64::to_le_bytes).all(|byte| digit(byte) < 32)
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

    impl Vector {
        /// Ones in every byte that ends plain text.
        #[inline(always)]
        fn end(self) -> v128 {
            let quote = u8x16_eq(self.0, u8x16_splat(b'"'));
            let backslash = u8x16_eq(self.0, u8x16_splat(b'\\'));
            // As signed numbers, those that are not ASCII are below zero.
            v128_or(v128_or(quote, backslash), i8x16_lt(self.0, i8x16_splat(32)))
        }
    }

    impl super::Block for Vector {
        #[inline(always)]
        fn load(bytes: &[u8; 16]) -> Self {
            let both = u128::from_le_bytes(*bytes);
            // One load, once it is compiled.
            Self(u64x2(both as u64, (both >> 64) as u64))
        }

        #[inline(always)]
        fn ends(self) -> u32 {
            u32::from(u8x16_bitmask(self.end()))
        }

        #[inline(always)]
        fn unfit(self, text: Self, mask: Self) -> u32 {
            let unfit = v128_bitselect(u8x16_ne(self.0, text.0), self.end(), mask.0);
            u32::from(u8x16_bitmask(v128_or(unfit, self.0)))
        }

        #[inline(always)]
        fn unlike(self, other: Self, mask: Self) -> Self {
            Self(v128_and(v128_xor(self.0, other.0), mask.0))
        }

        #[inline(always)]
        fn is_base32(self) -> bool {
            // A bit for each row of ASCII, by its high half: digits, letters to O, letters from P. And the rows in which
            // a low half is a digit: no I, L, O or U.
            let rows = u8x16(0, 0, 0, 1, 2, 4, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0);
            let columns = u8x16(5, 7, 7, 7, 7, 3, 7, 7, 7, 5, 6, 2, 0, 2, 2, 0);
            let row = u8x16_swizzle(rows, u8x16_shr(self.0, 4));
            let column = u8x16_swizzle(columns, v128_and(self.0, u8x16_splat(15)));
            u8x16_all_true(v128_and(row, column))
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

/// What each byte is as a digit of Crockford's base 32, in capitals or small letters; 255 where it is none.
#[allow(clippy::indexing_slicing, reason = "the compiler goes through it")]
const DIGITS: [u8; 256] = {
    let (mut digits, mut rest, mut value) = ([255; 256], b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".as_slice(), 0);
    while let Some((digit, more)) = rest.split_first() {
        (digits[*digit as usize], digits[digit.to_ascii_lowercase() as usize]) = (value, value);
        (rest, value) = (more, value + 1);
    }
    digits
};

/// What a byte is as a digit of base 32; 255 where it is none.
#[inline(always)]
pub(crate) fn digit(byte: u8) -> u8 {
    DIGITS.get(usize::from(byte)).map_or(255, |digit| *digit)
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

/// Bytes that were seen to be ASCII: any piece of them is a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ascii<'a>(&'a [u8]);

impl<'a> Ascii<'a> {
    /// How many there are.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    /// A piece of them.
    #[inline(always)]
    pub(crate) fn get(self, from: usize, end: usize) -> Option<&'a str> {
        let piece = self.0.get(from..end)?;
        // SAFETY: ASCII is UTF-8, wherever it is cut. (To look for a character's start at both ends, as a `str`
        // does, costs a tenth of reading an item.)
        Some(unsafe { str::from_utf8_unchecked(piece) })
    }
}

/// The bytes as far as they are like `text`: as it says where `mask` is 255, and plain where it is 0.
#[inline(always)]
pub(crate) fn alike<'a, B: Block>(bytes: &'a [u8], text: &[u8], mask: &[u8]) -> Ascii<'a> {
    // What is not ASCII is unfit.
    Ascii(bytes.get(..unfit::<B>(bytes, text, mask)).unwrap_or_default())
}

/// Where the first byte is that does not fit; the shortest one's length where there is none.
#[inline(always)]
fn unfit<B: Block>(bytes: &[u8], text: &[u8], mask: &[u8]) -> usize {
    let length = bytes.len().min(text.len()).min(mask.len());
    let [bytes, text, mask] = [bytes, text, mask].map(|bytes| bytes.get(..length).unwrap_or_default());
    let block = |byte, text, mask| B::load(byte).unfit(B::load(text), B::load(mask));
    let blocks = bytes.as_chunks().0.iter().zip(text.as_chunks().0).zip(mask.as_chunks().0);
    for (index, ((byte, text), mask)) in blocks.enumerate() {
        let unfit = block(byte, text, mask);
        if unfit != 0 {
            return index * 16 + unfit.trailing_zeros() as usize;
        }
    }
    match (bytes.last_chunk(), text.last_chunk(), mask.last_chunk()) {
        // The last sixteen, of which some were looked at already.
        (Some(byte), Some(text), Some(mask)) => match block(byte, text, mask) {
            0 => length,
            unfit => length - 16 + unfit.trailing_zeros() as usize,
        },
        _ => {
            let fits = |((byte, text), mask): ((&u8, _), &u8)| {
                if *mask == 0 {
                    !matches!(byte, b'"' | b'\\' | ..32 | 128..)
                } else {
                    byte == text && byte.is_ascii()
                }
            };
            bytes.iter().zip(text).zip(mask).take_while(|byte| fits(*byte)).count()
        }
    }
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
        fn texts_are_alike_as_far_as_each_byte_is(
            text in prop::collection::vec(prop_oneof![1 => any::<u8>(), 90 => Just(b'a'), 9 => Just(b'"')], 0..90),
            changed in prop::collection::vec((0_usize..90, any::<u8>()), 0..3),
            masked in prop::collection::vec(any::<bool>(), 90), more in 0_usize..20,
        ) {
            let mask: Vec<u8> = masked.iter().map(|masked| if *masked { 255 } else { 0 }).collect();
            let mut bytes = [text.clone(), vec![b'a'; more]].concat();
            for (place, byte) in changed {
                bytes.get_mut(place).into_iter().for_each(|old| *old = byte);
            }
            for from in [0, 7, 20] {
                let (bytes, text) = (bytes.get(from..).unwrap_or_default(), text.get(from..).unwrap_or_default());
                let mask = &mask[from..];
                let fits = |place: &usize| {
                    let byte = bytes[*place];
                    if mask[*place] == 0 { !ends(byte) } else { byte == text[*place] && byte.is_ascii() }
                };
                let length = (0..text.len()).take_while(fits).count();
                prop_assert_eq!(alike::<Words>(bytes, text, mask).len(), length);
                prop_assert_eq!(alike::<Words>(bytes, text, mask).get(0, length).map(str::as_bytes), Some(&bytes[..length]));
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
