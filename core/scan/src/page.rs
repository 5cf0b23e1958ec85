//! Pages of items: the answer to a query, or lines of an export.

use crate::{
    item::{Item, Reader, Scanned, skip},
    plain,
};
use std::mem;

/// What stands in a page.
#[derive(Debug)]
pub enum Found<'r, 'a> {
    /// An item whose fields were found, with a head that is whole and in order.
    Read(&'r Item<'r, 'a>),
    /// The bytes of any other item. They are not checked.
    Unread(&'a [u8]),
}

impl Reader {
    /// Reads a page, and hands `each` what it holds; gives the values beside the items, which are not checked.
    /// None where it is not sure, or `each` has enough.
    pub fn page<'a>(
        &mut self,
        bytes: &'a [u8],
        each: &mut dyn FnMut(Found<'_, 'a>) -> Option<()>,
    ) -> Option<Vec<&'a [u8]>> {
        let (scanned, others) = (Scanned::new(), Vec::new());
        let mut page = Page { reader: self, each, bytes, at: 0, line_feeds: 0, scanned, others };
        page.space();
        if page.peek().is_some() {
            page.lines()?;
        }
        Some(page.others)
    }
}

/// A page, and how far it was read.
struct Page<'r, 'p> {
    reader: &'r mut Reader,
    each: &'r mut dyn FnMut(Found<'_, 'p>) -> Option<()>,
    bytes: &'p [u8],
    at: usize,
    /// How many line feeds were passed that stand between values, or in what has its own reader.
    line_feeds: u64,
    /// The item in hand.
    scanned: Scanned<'p>,
    others: Vec<&'p [u8]>,
}

impl<'p> Page<'_, 'p> {
    /// A record to a line; a single one may have line feeds in it.
    fn lines(&mut self) -> Option<()> {
        let mut inside = 0;
        for records in 1_u64.. {
            let before = self.line_feeds;
            self.record()?;
            inside += self.line_feeds - before;
            let end = self.line_feeds;
            self.space();
            if self.peek().is_none() {
                return (records == 1 || inside == 0).then_some(());
            }
            if self.line_feeds == end {
                return None;
            }
        }
        None
    }

    /// `{"Item":{…}}`, or the answer to a query.
    fn record(&mut self) -> Option<()> {
        if !self.rest().starts_with(br#"{"Item":"#) {
            return self.answer();
        }
        self.at += 8;
        self.item()?;
        self.expect(b'}')
    }

    /// `{"Items":[…],"Count":1,…}`
    fn answer(&mut self) -> Option<()> {
        let mut found = false;
        self.expect(b'{')?;
        loop {
            match self.name()? {
                "Items" if !mem::replace(&mut found, true) => self.items()?,
                "Count" | "ScannedCount" | "LastEvaluatedKey" | "ConsumedCapacity" => {
                    let value = self.value()?;
                    self.others.push(value);
                }
                _ => return None,
            }
            self.space();
            if !self.take(b',') {
                self.expect(b'}')?;
                return found.then_some(());
            }
        }
    }

    /// The items between brackets, with commas between.
    fn items(&mut self) -> Option<()> {
        self.expect(b'[')?;
        self.space();
        if self.take(b']') {
            return Some(());
        }
        loop {
            self.item()?;
            if self.take(b',') {
                self.space();
                continue;
            }
            self.space();
            if self.take(b',') {
                self.space();
            } else {
                return self.expect(b']');
            }
        }
    }

    /// An item: quickly where it has the usual shape.
    fn item(&mut self) -> Option<()> {
        let start = self.at;
        let Some(end) = self.reader.item(self.bytes, start, &mut self.scanned) else {
            let item = self.value()?;
            return (self.each)(Found::Unread(item));
        };
        self.at = end;
        let bytes = self.bytes.get(start..end)?;
        match self.scanned.head() {
            Some(head) => {
                let item = Item { bytes, head, reader: self.reader, scanned: &self.scanned };
                (self.each)(Found::Read(&item))
            }
            None => (self.each)(Found::Unread(bytes)),
        }
    }

    fn rest(&self) -> &'p [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\n' | b'\r' | b'\t')) = self.peek() {
            self.line_feeds += u64::from(byte == b'\n');
            self.at += 1;
        }
    }

    /// A name, up to its value.
    fn name(&mut self) -> Option<&'p str> {
        self.space();
        self.expect(b'"')?;
        let name = plain(self.bytes, self.at);
        self.at += name.len();
        self.expect(b'"')?;
        self.space();
        self.expect(b':')?;
        self.space();
        Some(name)
    }

    /// A value that has its own reader: where it ends is all that is known of it.
    fn value(&mut self) -> Option<&'p [u8]> {
        let end = skip(self.bytes, self.at)?;
        let value = self.bytes.get(self.at..end)?;
        self.line_feeds += value.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = end;
        Some(value)
    }
}
