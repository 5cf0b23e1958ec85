//! Time as milliseconds since the epoch in UTC, its ISO 8601 text, and event ids that rise with it.
//!
//! Nothing here reads a clock or draws a random number: both are arguments.

use ::time::{OffsetDateTime, format_description::well_known::Rfc3339};
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
    let seconds = i64::try_from(time / 1_000).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let (month, milli) = (u8::from(month), time % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The milliseconds of an RFC 3339 time, with any offset; `None` where it is none, or before 1970.
///
/// ```
/// use rewound_core::time::parse_iso;
/// assert_eq!(parse_iso("1970-01-01T01:00:00.5+01:00"), Some(500));
/// assert_eq!(parse_iso("yesterday"), None);
/// ```
pub fn parse_iso(text: &str) -> Option<Millis> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
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
}
