//! Gzip (RFC 1952) in pieces of any size: members, headers and checksums around flate2's inflate.
//!
//! flate2 reads gzip too, but with checksum tables of 16 KB that no compression makes smaller; this
//! page's worth of framing keeps them out of the browser.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};
use flate2::{Decompress, FlushDecompress, Status};
use std::mem;

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The checksum of gzip, which DynamoDB's answers have as well.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The longest header that is read: more would be no name or comment of a file.
const MAX_HEADER: usize = 128 * 1024;

/// What is being read.
pub(crate) struct Gunzip {
    part: Part,
    crc: Digest<'static, u32, Table<1>>,
    /// The bytes that the member in hand has given, modulo 2^32, as its trailer counts them.
    size: u32,
    /// Where inflate puts what it makes.
    made: Vec<u8>,
}

enum Part {
    Header(Vec<u8>),
    Body(Box<Decompress>),
    Trailer(Vec<u8>),
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self { part: Part::Header(Vec::new()), crc: CRC.digest(), size: 0, made: vec![0; 32 * 1024] }
    }

    /// Reads the next piece, and appends what comes out of it.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match &mut self.part {
                Part::Header(header) => {
                    let known = header.len();
                    header.extend_from_slice(rest);
                    let Some(length) = header_length(header)? else { return Ok(()) };
                    self.part = Part::Body(Box::new(Decompress::new(false)));
                    length - known
                }
                Part::Body(_) => self.inflate(rest, out)?,
                Part::Trailer(trailer) => {
                    let taken = rest.len().min(8 - trailer.len());
                    trailer.extend(rest.iter().take(taken));
                    self.check()?;
                    taken
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Inflates as much as there is; gives how many bytes it took.
    fn inflate(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
        let Part::Body(inflate) = &mut self.part else { return Ok(0) };
        let start = inflate.total_in();
        loop {
            let (taken, before) = ((inflate.total_in() - start) as usize, inflate.total_out());
            let rest = bytes.get(taken..).unwrap_or_default();
            let status = inflate.decompress(rest, &mut self.made, FlushDecompress::None);
            let status = status.map_err(|error| error.to_string())?;
            let new = self.made.get(..(inflate.total_out() - before) as usize).unwrap_or_default();
            self.crc.update(new);
            self.size = self.size.wrapping_add(new.len() as u32);
            out.extend_from_slice(new);
            let taken_now = (inflate.total_in() - start) as usize;
            if status == Status::StreamEnd {
                self.part = Part::Trailer(Vec::new());
                return Ok(taken_now);
            }
            if taken_now == taken && new.is_empty() {
                return if taken == bytes.len() {
                    Ok(taken)
                } else {
                    Err("it goes on without end".to_owned())
                };
            }
        }
    }

    /// Holds a whole trailer against what came out of its member, and makes ready for the next.
    fn check(&mut self) -> Result<(), String> {
        let Part::Trailer(trailer) = &self.part else { return Ok(()) };
        let Ok(trailer) = <[u8; 8]>::try_from(trailer.as_slice()) else { return Ok(()) };
        let crc = mem::replace(&mut self.crc, CRC.digest()).finalize();
        let expected = u64::from(crc) | u64::from(mem::take(&mut self.size)) << 32;
        if u64::from_le_bytes(trailer) != expected {
            return Err("its checksum says that it was changed on the way".to_owned());
        }
        self.part = Part::Header(Vec::new());
        Ok(())
    }

    /// Whether the last member is whole.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match &self.part {
            Part::Header(header) if header.is_empty() => Ok(()),
            _ => Err("some of it is missing".to_owned()),
        }
    }
}

/// The bytes, unpacked where they are gzip; none where that is broken, or longer than `most`.
#[cfg(feature = "replay")]
pub(crate) fn unpacked(bytes: &[u8], most: usize) -> Option<std::borrow::Cow<'_, [u8]>> {
    if !bytes.starts_with(b"\x1f\x8b") {
        return (bytes.len() <= most).then_some(bytes.into());
    }
    let (mut gunzip, mut out) = (Gunzip::new(), Vec::new());
    for piece in bytes.chunks(64 * 1024) {
        gunzip.push(piece, &mut out).ok()?;
        if out.len() > most {
            return None;
        }
    }
    gunzip.finish().ok()?;
    Some(out.into())
}

/// How long a member's header is; none where more of it is needed.
fn header_length(header: &[u8]) -> Result<Option<usize>, String> {
    if !header.iter().zip(b"\x1f\x8b\x08").all(|(found, expected)| found == expected) {
        return Err("what stands here is no gzip header".to_owned());
    }
    let length = || {
        let flags = *header.get(3)?;
        let mut at = 10;
        if flags & 4 != 0 {
            let extra = header.get(at..at + 2)?;
            at += 2 + extra.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        }
        // A name, and a comment, each up to a zero byte.
        for flag in [8, 16] {
            if flags & flag != 0 {
                at += 1 + header.get(at..)?.iter().position(|byte| *byte == 0)?;
            }
        }
        at += if flags & 2 != 0 { 2 } else { 0 };
        (header.len() >= at).then_some(at)
    };
    match length() {
        None if header.len() > MAX_HEADER => Err("its header has no end".to_owned()),
        length => Ok(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder};
    use std::io::Write;

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<u8>, String> {
        let (mut gunzip, mut out) = (Gunzip::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            gunzip.push(piece, &mut out)?;
        }
        gunzip.finish().map(|()| out)
    }

    #[test]
    fn members_with_every_kind_of_header_are_read_in_any_pieces() {
        let text: Vec<u8> = (0..200_000_u64).flat_map(|n| (n * n % 977).to_le_bytes()).collect();
        let member = |builder: GzBuilder| {
            let mut encoder = builder.write(Vec::new(), Compression::fast());
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        };
        let plain = member(GzBuilder::new());
        let full = member(GzBuilder::new().filename("a.json").comment("b").extra(vec![1, 2, 3]).mtime(7));
        let both = [plain, full].concat();
        let expected = [&text[..], &text].concat();
        for piece in [1, 7, 1_000, both.len()] {
            assert!(read(&both, piece).unwrap() == expected, "in pieces of {piece}");
        }
        let empty = GzBuilder::new().write(Vec::new(), Compression::fast()).finish().unwrap();
        assert_eq!(read(&empty.repeat(10_000), usize::MAX), Ok(vec![]));
        let error = |bytes: &[u8]| read(bytes, 333).unwrap_err();
        assert!(error(&both[..both.len() - 1]).contains("missing"));
        let mut flipped = both.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(error(&flipped).contains("checksum"));
        assert!(error(&[&both[..], b"more"].concat()).contains("no gzip header"));
    }
}
