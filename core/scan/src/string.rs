//! Strings and numbers of JSON (RFC 8259, sections 6 and 7).

use crate::plain;
use std::borrow::Cow;

/// The string of JSON whose quote is right before `from`, and the byte behind its closing one; borrowed where no
/// escape stands in it. None where it is none.
pub fn string(json: &str, from: usize) -> Option<(Cow<'_, str>, usize)> {
    let (mut at, mut written, mut kept) = (from, String::new(), from);
    loop {
        at += plain(json.as_bytes(), at).len();
        match json.as_bytes().get(at)? {
            b'"' if kept == from => return Some((Cow::Borrowed(json.get(kept..at)?), at + 1)),
            b'"' => return Some((Cow::Owned(written + json.get(kept..at)?), at + 1)),
            b'\\' => {
                written.push_str(json.get(kept..at)?);
                let (read, end) = escape(json.as_bytes(), at + 1)?;
                written.push(read);
                (at, kept) = (end, end);
            }
            ..32 => return None,
            _ => at += 1,
        }
    }
}

/// The character that the escape stands for whose backslash is right before `at`, and the byte behind it.
fn escape(json: &[u8], at: usize) -> Option<(char, usize)> {
    let read = match json.get(at)? {
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return hex_escape(json, at + 1),
        _ => return None,
    };
    Some((read, at + 1))
}

fn hex_escape(json: &[u8], at: usize) -> Option<(char, usize)> {
    let first = hex(json, at)?;
    if let Some(read) = char::from_u32(first) {
        return Some((read, at + 4));
    }
    // Half a character outside the first 65,536: the other half has to follow.
    let second = hex(json, at + 6).filter(|_| json.get(at + 4..at + 6) == Some(b"\\u"))?;
    let halves = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
    let read = halves.then(|| 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
    Some((char::from_u32(read?)?, at + 10))
}

/// Four hexadecimal digits.
fn hex(json: &[u8], at: usize) -> Option<u32> {
    let mut digits = json.get(at..at + 4)?.iter().map(|digit| char::from(*digit).to_digit(16));
    digits.try_fold(0, |value, digit| Some(value << 4 | digit?))
}

/// Whether the text is a number as JSON writes it, which is how DynamoDB writes its own.
pub fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && digits(fraction) && digits(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_read_as_the_general_parser_reads_them(
            pieces in prop::collection::vec(prop_oneof![
                4 => "[a-z ]{0,20}".prop_map(String::from),
                1 => prop::sample::select(vec![
                    "\"", "\\", "\\n", "\\/", "\\b", "\\x", "\\u00e9", "\\uD83D", "\\uDE00", "\\uD83D\\uDE00", "\\u12",
                    "\\uDC00", "\\u00G0", "é", "日", "\u{1}", "\t", "\u{7f}",
                ]).prop_map(String::from),
            ], 0..6),
        ) {
            let json = format!("\"{}\"", pieces.concat());
            match (string(&json, 1), serde_json::from_str::<String>(&json)) {
                (Some((text, end)), Ok(expected)) => prop_assert_eq!((&*text, end), (&*expected, json.len())),
                // Another string ended here.
                (Some((_, end)), Err(_)) => prop_assert!(end < json.len()),
                (None, expected) => prop_assert!(expected.is_err(), "{json}"),
            }
        }
    }
}
