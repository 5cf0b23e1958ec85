//! JSON as people read it: one field a line, in the order in which it is stored.

use leptos::prelude::*;
use serde_json::Value;

/// The most lines; a longer value says that it goes on.
const MOST: usize = 400;

/// A value, a field a line.
pub fn pretty(value: &Value) -> impl IntoView + use<> {
    let mut lines = Lines { spans: Vec::new(), lines: 0 };
    lines.value(value, 0);
    if lines.lines >= MOST {
        lines.put("", "\n…");
    }
    let spans = lines.spans.into_iter().map(|(class, text)| view! { <span class=class>{text}</span> });
    view! { <pre class="json"><code>{spans.collect_view()}</code></pre> }
}

struct Lines {
    spans: Vec<(&'static str, String)>,
    lines: usize,
}

impl Lines {
    fn put(&mut self, class: &'static str, text: impl Into<String>) {
        let text = text.into();
        match self.spans.last_mut() {
            Some((last, before)) if *last == class => before.push_str(&text),
            _ => self.spans.push((class, text)),
        }
    }

    fn line(&mut self, depth: usize) {
        self.lines += 1;
        self.put("", format!("\n{}", "  ".repeat(depth)));
    }

    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            _ if self.lines >= MOST => {}
            Value::Object(fields) if !fields.is_empty() => {
                self.put("", "{");
                for (index, (name, field)) in fields.iter().enumerate() {
                    self.line(depth + 1);
                    self.put("key", Value::from(name.as_str()).to_string());
                    self.put("", ": ");
                    self.value(field, depth + 1);
                    if index + 1 < fields.len() {
                        self.put("", ",");
                    }
                }
                self.line(depth);
                self.put("", "}");
            }
            Value::Array(items) if !items.is_empty() => {
                self.put("", "[");
                for (index, item) in items.iter().enumerate() {
                    self.line(depth + 1);
                    self.value(item, depth + 1);
                    if index + 1 < items.len() {
                        self.put("", ",");
                    }
                }
                self.line(depth);
                self.put("", "]");
            }
            Value::String(_) => self.put("text", value.to_string()),
            Value::Number(_) => self.put("number", value.to_string()),
            _ => self.put("word", value.to_string()),
        }
    }
}
