//! What one isolate did, as Prometheus reads it. Every isolate counts for itself, so each number says whose it is.

use super::Spent;
use crate::order::Map;

/// The numbers of an isolate.
///
/// ```
/// use rewound_core::http::{Spent, metrics::Metrics};
/// let mut metrics = Metrics::default();
/// metrics.request("state", 200, &Spent::default());
/// assert!(metrics.text("i1").contains(
///     "rewound_http_requests_total{isolate=\"i1\",route=\"state\",status=\"200\"} 1\n"
/// ));
/// ```
#[derive(Debug, Default)]
pub struct Metrics {
    /// By name and labels.
    counts: Map<f64>,
}

/// What each number is.
const ABOUT: &[(&str, &str)] = &[
    ("rewound_http_requests_total", "Requests, by route and status."),
    ("rewound_commands_total", "Commands, by aggregate and outcome."),
    ("rewound_events_total", "Events recorded, by aggregate."),
    ("rewound_conflicts_total", "Commits that met another writer's, by aggregate."),
    ("rewound_dynamodb_requests_total", "Requests to DynamoDB."),
    ("rewound_dynamodb_read_units_total", "Read capacity units that DynamoDB took."),
    ("rewound_dynamodb_write_units_total", "Write capacity units that DynamoDB took."),
];

impl Metrics {
    /// Counts a request that was answered.
    pub fn request(&mut self, route: &str, status: u16, spent: &Spent) {
        self.add("rewound_http_requests_total", &format!(r#",route="{route}",status="{status}""#), 1.0);
        self.add("rewound_dynamodb_requests_total", "", spent.cost.requests.into());
        self.add("rewound_dynamodb_read_units_total", "", spent.cost.rcu);
        self.add("rewound_dynamodb_write_units_total", "", spent.cost.wcu);
    }

    /// Counts a command: `outcome` is `recorded`, `unchanged`, `repeated` or the code of its problem.
    pub fn command(&mut self, aggregate: &str, outcome: &str, events: usize, conflicts: u32) {
        let label = format!(r#",aggregate="{aggregate}""#);
        self.add("rewound_commands_total", &format!(r#"{label},outcome="{outcome}""#), 1.0);
        self.add("rewound_events_total", &label, events as f64);
        self.add("rewound_conflicts_total", &label, conflicts.into());
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
    use crate::store::Cost;

    #[test]
    fn counts_add_up_by_their_labels() {
        let mut metrics = Metrics::default();
        let spent = Spent { cost: Cost { requests: 2, rcu: 0.5, wcu: 8.0 }, time: 3 };
        metrics.request("command", 200, &spent);
        metrics.request("command", 200, &spent);
        metrics.request("command", 409, &spent);
        metrics.command("Order", "recorded", 1, 0);
        metrics.command("Order", "contention", 0, 4);
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
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
