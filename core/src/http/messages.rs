//! Server-sent events as a client reads them (HTML Living Standard, 9.2.6): bytes in, cut anywhere, whole messages out.
//!
//! ```
//! use rewound_core::http::messages::Messages;
//! let mut messages = Messages::default();
//! assert_eq!(messages.push(b": hello\nretry: 50\nid: 7\ndata: {\"a\""), []);
//! let [message] = &messages.push(b":1}\n\n")[..] else { panic!() };
//! assert_eq!((message.id.as_str(), message.data.as_str()), ("7", r#"{"a":1}"#));
//! assert_eq!(messages.retry, Some(50));
//! ```

use crate::time::Millis;
use std::mem;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// What kind it is; empty where nothing was said.
    pub event: String,
    /// Its data; the lines of more than one with line breaks between.
    pub data: String,
    /// The last id that was sent with or before it, for `Last-Event-ID`.
    pub id: String,
}

/// The messages of a stream that is being read.
#[derive(Debug, Clone, Default)]
pub struct Messages {
    /// How long to wait before coming back, where the stream said so.
    pub retry: Option<Millis>,
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    is_after_return: bool,
    /// The stream has begun: its first line may have a byte order mark before it.
    has_begun: bool,
    id: String,
    event: String,
    data: Option<String>,
}

impl Messages {
    /// Takes the next bytes in, and gives the messages that end with them. One that the stream breaks off in is no
    /// message.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for byte in bytes {
            match (byte, mem::replace(&mut self.is_after_return, *byte == b'\r')) {
                (b'\n', true) => {}
                (b'\n' | b'\r', _) => {
                    let line = mem::take(&mut self.line);
                    messages.extend(self.end(&String::from_utf8_lossy(&line)));
                }
                _ => self.line.push(*byte),
            }
        }
        messages
    }

    fn end(&mut self, line: &str) -> Option<Message> {
        let line = match mem::replace(&mut self.has_begun, true) {
            true => line,
            false => line.strip_prefix('\u{feff}').unwrap_or(line),
        };
        if line.is_empty() {
            let event = mem::take(&mut self.event);
            let data = self.data.take()?;
            return Some(Message { event, data, id: self.id.clone() });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().or(self.retry);
            }
            // A comment, or a field that nobody knows.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, data: &str, id: &str) -> Message {
        Message { event: event.into(), data: data.into(), id: id.into() }
    }

    #[test]
    fn wherever_a_stream_is_cut_its_messages_are_the_same() {
        let stream = "\u{feff}id: 1\r\ndata: über\r\n\r\n: comment\nevent: problem\ndata: a\ndata:\ndata:  b\n\nid: 2\rdata: ✓\r\rdata\n\nid\ndata: end\n\nretry: 70\nretry: x\n\ndata: broken off"
            .as_bytes();
        let expected = [
            message("", "über", "1"),
            message("problem", "a\n\n b", "1"),
            message("", "✓", "2"),
            message("", "", "2"),
            message("", "end", ""),
        ];
        for first in 0..stream.len() {
            for second in [first, first + 1, (first + 17).min(stream.len())] {
                let mut messages = Messages::default();
                let parts = [&stream[..first], &stream[first..second], &stream[second..]];
                let found: Vec<_> = parts.iter().flat_map(|part| messages.push(part)).collect();
                assert_eq!(found, expected, "cut at {first} and {second}");
                assert_eq!(messages.retry, Some(70));
            }
        }
    }

    #[test]
    fn what_the_edge_sends_is_read() {
        let mut messages = Messages::default();
        assert_eq!(messages.push(b":\n\n"), [], "nothing new");
        let sent = b"id: 1.01K1RZXKEYCYQ5MSEQJ4Z5JNDE\ndata: {}\n\n: until later\nretry: 1000\n\n";
        assert_eq!(messages.push(sent), [message("", "{}", "1.01K1RZXKEYCYQ5MSEQJ4Z5JNDE")]);
        assert_eq!(messages.retry, Some(1_000));
    }

    #[test]
    fn an_id_with_a_nul_and_an_empty_retry_are_no_such_things() {
        let mut messages = Messages::default();
        let found = messages.push(b"retry: 5\nretry:\nid: 1\nid: 2\0\ndata: x\n\n");
        assert_eq!((found, messages.retry), (vec![message("", "x", "1")], Some(5)));
    }
}
