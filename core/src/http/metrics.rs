//! What one isolate did, as Prometheus reads it. Every isolate counts for itself, so each number says whose it is.

use crate::{order::Map, store::Cost};

/// The numbers of an isolate.
///
/// ```
/// use rewound_core::http::metrics::Metrics;
/// let mut metrics = Metrics::default();
/// metrics.request("state", 200);
/// assert!(metrics.text("i1").contains(
///     "rewound_http_requests_total{isolate=\"i1\",route=\"state\",status=\"200\"} 1\n"
/// ));
/// ```
#[derive(Debug, Default)]
pub struct Metrics {
    /// By name and labels.
    counts: Map<f64>,
}

/// A number that is true of the tables, whichever isolate reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// Its name.
    pub name: &'static str,
    /// What it is of: a label's name and value.
    pub label: Option<(&'static str, String)>,
    /// How much it is.
    pub value: f64,
}

/// What each number of the tables is.
const GAUGES: &[(&str, &str)] = &[
    (
        "rewound_projection_lag_events",
        "Events that a view has not seen, among the next 3,000 of each shard of the stream.",
    ),
    ("rewound_projection_lag_seconds", "The age of the oldest event that a view has not seen."),
    (
        "rewound_outbox_lag_events",
        "Events that were not sent, among the next 3,000 of each shard of the stream.",
    ),
    ("rewound_outbox_lag_seconds", "The age of the oldest event that was not sent."),
    ("rewound_dead_letters", "Events that could not be applied or sent, and wait for somebody."),
    (
        "rewound_stream_unread_records",
        "Records of the stream that no sweep has read, among the next 3,000 of each shard.",
    ),
    ("rewound_sweep_age_seconds", "The time since a sweep last read the stream to its end."),
    ("rewound_rebuilding", "Whether a view is being built anew."),
    ("rewound_rebuild_events", "Events that the last rebuild replayed."),
    ("rewound_rebuild_seconds", "The time that the last rebuild took."),
    ("rewound_table_items", "Items in a table, as DynamoDB tells every six hours."),
    ("rewound_table_bytes", "Bytes in a table, as DynamoDB tells every six hours."),
];

/// Numbers of the tables in Prometheus' text format 0.0.4.
///
/// ```
/// use rewound_core::http::metrics::{Gauge, gauges};
/// let dead = Gauge { name: "rewound_dead_letters", label: Some(("consumer", "outbox".into())), value: 2.0 };
/// assert!(gauges(&[dead]).contains("# TYPE rewound_dead_letters gauge\nrewound_dead_letters{consumer=\"outbox\"} 2\n"));
/// ```
pub fn gauges(gauges: &[Gauge]) -> String {
    let mut text = String::new();
    for (name, about) in GAUGES {
        let mut lines = gauges.iter().filter(|gauge| gauge.name == *name).peekable();
        if lines.peek().is_some() {
            text += &format!("# HELP {name} {about}\n# TYPE {name} gauge\n");
        }
        for Gauge { label, value, .. } in lines {
            let label =
                label.as_ref().map(|(name, value)| format!("{{{name}=\"{value}\"}}")).unwrap_or_default();
            text += &format!("{name}{label} {value}\n");
        }
    }
    text
}

/// What each number is.
const ABOUT: &[(&str, &str)] = &[
    ("rewound_http_requests_total", "Requests, by route and status."),
    ("rewound_commands_total", "Commands, by aggregate and outcome."),
    ("rewound_events_total", "Events recorded, by aggregate."),
    ("rewound_conflicts_total", "Commits that met another writer's, by aggregate."),
    ("rewound_retries_total", "Requests of commands that were sent again, by aggregate."),
    ("rewound_dynamodb_requests_total", "Requests to DynamoDB."),
    ("rewound_dynamodb_read_units_total", "Read capacity units that DynamoDB took."),
    ("rewound_dynamodb_write_units_total", "Write capacity units that DynamoDB took."),
];

impl Metrics {
    /// Counts a request that was answered.
    pub fn request(&mut self, route: &str, status: u16) {
        self.add("rewound_http_requests_total", &format!(r#",route="{route}",status="{status}""#), 1.0);
    }

    /// Adds up what calls of DynamoDB cost.
    pub fn spent(&mut self, cost: &Cost) {
        self.add("rewound_dynamodb_requests_total", "", cost.requests.into());
        self.add("rewound_dynamodb_read_units_total", "", cost.rcu);
        self.add("rewound_dynamodb_write_units_total", "", cost.wcu);
    }

    /// Counts a command: `outcome` is `recorded`, `unchanged`, `repeated` or the code of its problem.
    pub fn command(&mut self, aggregate: &str, outcome: &str, events: usize, conflicts: u32, resends: u32) {
        let label = format!(r#",aggregate="{aggregate}""#);
        self.add("rewound_commands_total", &format!(r#"{label},outcome="{outcome}""#), 1.0);
        self.add("rewound_events_total", &label, events as f64);
        self.add("rewound_conflicts_total", &label, conflicts.into());
        self.add("rewound_retries_total", &label, resends.into());
    }

    fn add(&mut self, name: &str, labels: &str, by: f64) {
        if let Some(count) = self.counts.entry(&format!("{name} {labels}"), || 0.0) {
            *count += by;
        }
    }

    /// The numbers in Prometheus' text format 0.0.4.
    pub fn text(&self, isolate: &str) -> String {
        let mut text = String::new();
        for (name, about) in ABOUT {
            text += &format!("# HELP {name} {about}\n# TYPE {name} counter\n");
            for (key, count) in self.counts.iter() {
                if let Some((_, labels)) = key.split_once(' ').filter(|(known, _)| known == name) {
                    text += &format!("{name}{{isolate=\"{isolate}\"{labels}}} {count}\n");
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_their_labels() {
        let mut metrics = Metrics::default();
        for status in [200, 200, 409] {
            metrics.request("command", status);
            metrics.spent(&Cost { requests: 2, rcu: 0.5, wcu: 8.0 });
        }
        metrics.command("Order", "recorded", 1, 0, 2);
        metrics.command("Order", "contention", 0, 4, 1);
        let text = metrics.text("i1");
        for line in [
            r#"rewound_http_requests_total{isolate="i1",route="command",status="200"} 2"#,
            r#"rewound_http_requests_total{isolate="i1",route="command",status="409"} 1"#,
            r#"rewound_dynamodb_requests_total{isolate="i1"} 6"#,
            r#"rewound_dynamodb_read_units_total{isolate="i1"} 1.5"#,
            r#"rewound_dynamodb_write_units_total{isolate="i1"} 24"#,
            r#"rewound_commands_total{isolate="i1",aggregate="Order",outcome="contention"} 1"#,
            r#"rewound_events_total{isolate="i1",aggregate="Order"} 1"#,
            r#"rewound_conflicts_total{isolate="i1",aggregate="Order"} 4"#,
            r#"rewound_retries_total{isolate="i1",aggregate="Order"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
