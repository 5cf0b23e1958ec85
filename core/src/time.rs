//! Time as milliseconds since the epoch in UTC, its ISO 8601 text, and event ids that rise with it.
//!
//! Nothing here reads a clock or draws a random number: both are arguments.

pub use ulid::Ulid;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Millis = u64;

/// The largest time that an event id can carry: 48 bits of milliseconds, in the year 10889.
pub const MAX_TIME: Millis = (1 << 48) - 1;

/// The time as ISO 8601 text with milliseconds, in UTC. A time past the year 9999 is shown as that
/// year's last millisecond, since the format ends there.
///
/// ```
/// assert_eq!(rewound_core::time::to_iso(1_285_996_839_266), "2010-10-02T05:20:39.266Z");
/// ```
pub fn to_iso(time: Millis) -> String {
    const LAST: Millis = 253_402_300_799_999; // 9999-12-31T23:59:59.999Z
    let time = time.min(LAST);
    let (year, month, day) = date(time / DAY);
    let milli = time % DAY;
    let (hour, minute, second) = (milli / 3_600_000, milli / 60_000 % 60, milli / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", milli % 1_000)
}

/// A day's milliseconds.
const DAY: Millis = 86_400_000;

/// Year, month and day of so many days since the epoch.
fn date(days: u64) -> (u64, u64, u64) {
    // Hinnant's `civil_from_days`: years begin in March, so that a leap day is the last of one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    (400 * era + year + month / 10, (month + 2) % 12 + 1, day)
}

/// The milliseconds of an RFC 3339 time, with any offset and any character between date and time; `None` where it is
/// none, or before 1970. A leap second is the last millisecond before it, and only the last of a month.
///
/// ```
/// use rewound_core::time::parse_iso;
/// assert_eq!(parse_iso("1970-01-01T01:00:00.5+01:00"), Some(500));
/// assert_eq!(parse_iso("yesterday"), None);
/// ```
pub fn parse_iso(text: &str) -> Option<Millis> {
    let (start, zone) = text.as_bytes().split_at_checked(19)?;
    let [year, month, day, hour, minute, second] = numbers(start, b"dddd-dd-dd?dd:dd:dd")?;
    let leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last_day = match month {
        2 => 28 + i64::from(leap_year),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=last_day).contains(&day) || hour > 23 || minute > 59 || second > 60
    {
        return None;
    }
    let (fraction, zone) = match zone.strip_prefix(b".") {
        None => (&[][..], zone),
        Some(rest) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            rest.split_at_checked(digits)?
        }
    };
    let offset = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let [hours, minutes, ..] = numbers(offset, b"dd:dd")?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        _ => return None,
    };
    // Hinnant's `days_from_civil`, as above.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    let millis = |second| (days * 86_400 + hour * 3_600 + minute * 60 + second - offset) * 1_000;
    if second < 60 {
        let milli = fraction
            .iter()
            .chain(b"000")
            .take(3)
            .fold(0, |milli, digit| milli * 10 + i64::from(digit - b'0'));
        return u64::try_from(millis(second) + milli).ok();
    }
    let next = u64::try_from(millis(60)).ok()?;
    next.checked_sub(1).filter(|_| next % DAY == 0 && date(next / DAY).2 == 1)
}

/// The numbers in a text of that form: `d` stands for a digit, `?` for anything.
fn numbers(text: &[u8], form: &[u8]) -> Option<[i64; 6]> {
    let mut numbers = [0; 6];
    let mut rest = numbers.iter_mut();
    let mut number = rest.next()?;
    if text.len() != form.len() {
        return None;
    }
    for (byte, expected) in text.iter().zip(form) {
        match (expected, byte) {
            (b'd', b'0'..=b'9') => *number = *number * 10 + i64::from(byte - b'0'),
            (b'?', _) | (b'-', b'-') | (b':', b':') => number = rest.next()?,
            _ => return None,
        }
    }
    Some(numbers)
}

/// The ids of the events of one commit, rising, all of them later than `after`.
///
/// The first takes the time `now`, or one millisecond more than `after` where the clock is not past
/// it: order never depends on clocks. The rest follow it as the ULID specification's monotonic
/// generation says, by adding one to the random part. `random` gives the first one's 80 random bits.
///
/// ```
/// use rewound_core::time::rising_ids;
/// let ids: Vec<_> = rising_ids(1_000, Some(5_000), 7).take(3).collect();
/// assert_eq!(ids[0].timestamp_ms(), 5_001);
/// assert!(ids[0] < ids[1] && ids[1] < ids[2]);
/// ```
pub fn rising_ids(now: Millis, after: Option<Millis>, random: u128) -> impl Iterator<Item = Ulid> {
    let time = now.max(after.map_or(0, |after| after.saturating_add(1))).min(MAX_TIME);
    std::iter::successors(Some(Ulid::from_parts(time, random)), |last| match last.increment() {
        // A full random part carries over into the next millisecond: still the next higher id.
        Ok(next) | Err(next) => Some(next),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_where_the_random_part_is_full() {
        let ids: Vec<_> = rising_ids(1_000, None, u128::MAX).take(2).collect();
        assert_eq!(ids[0].timestamp_ms(), 1_000);
        assert_eq!(ids[1].timestamp_ms(), 1_001);
        assert!(ids[0] < ids[1]);
    }

    #[test]
    fn iso_text_and_milliseconds_agree() {
        for time in [0, 1, 999, 1_285_996_839_266, 4_102_444_800_000] {
            assert_eq!(parse_iso(&to_iso(time)), Some(time));
        }
        assert_eq!(to_iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(to_iso(MAX_TIME), "9999-12-31T23:59:59.999Z");
        assert_eq!(to_iso(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(parse_iso("1969-12-31T23:59:59.9999Z"), None);
    }

    /// The reference, which is too large for a browser.
    fn reference(text: &str) -> Option<Millis> {
        use ::time::{OffsetDateTime, format_description::well_known::Rfc3339};
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
    }

    #[test]
    fn times_are_read_as_by_the_reference() {
        for text in [
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.25Z",
            "2017-01-01T00:59:60+01:00",
            "2016-12-30T23:59:60Z",
            "2016-12-31T22:59:60Z",
            "9999-12-31T23:59:60Z",
            "9999-12-31T23:59:59.999-23:59",
            "1970-01-01T00:00:00+00:01",
            "1969-12-31T23:59:60Z",
            "0000-02-29T00:00:00Z",
            "2000-02-29t00:00:00z",
            "1900-02-29 00:00:00Z",
            "2024-02-30T00:00:00Z",
            "2024-04-31T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567890123Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+23:60",
            "2024-01-01T00:00:00-2359",
            "2024-01-01T00:00:00Z ",
            "2024-01-01é00:00:00Z",
            "2024-01-01\u{1F600}00:00:00Z",
            "+024-01-01T00:00:00Z",
            "2024-1-01T00:00:00Z",
            "",
        ] {
            assert_eq!(parse_iso(text), reference(text), "{text}");
        }
        for day in 0..4_000 * 366 {
            let text = to_iso(day * DAY + day);
            assert_eq!((parse_iso(&text), reference(&text)), (Some(day * DAY + day), Some(day * DAY + day)));
        }
        // A form that is nearly one, with every other byte in every place.
        let whole = b"2023-12-31T23:59:59.999+00:59";
        for place in 0..whole.len() {
            for byte in 0..128 {
                let mut text = whole.to_vec();
                text[place] = byte;
                let text = String::from_utf8(text).unwrap();
                assert_eq!(parse_iso(&text), reference(&text), "{text}");
            }
        }
    }
}
