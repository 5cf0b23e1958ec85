//! Upcasters lift the payload of an event that an older program wrote to today's schema, before the
//! reducer sees it. The stored event itself never changes.

use crate::{error::Problem, value::Object};

/// One step: from schema version `from` of the event `event` to the next.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// The name of the event, as it was in that version.
    pub event: &'static str,
    /// The schema version that the step starts from, 1 or more. It ends at `from + 1`.
    pub from: u32,
    /// The event's name from the next version on, where it changed.
    pub renamed: Option<&'static str>,
    /// Changes the payload in place.
    ///
    /// # Errors
    /// What is missing or wrong in the old payload.
    pub lift: fn(&mut Object) -> Result<(), String>,
}

/// The newest schema version of an event: one more than its last upcaster starts from.
pub fn newest(upcasters: &[Upcaster], event: &str) -> u32 {
    let steps = upcasters.iter().filter(|step| step.renamed.unwrap_or(step.event) == event);
    steps.map(|step| step.from + 1).max().unwrap_or(1)
}

/// Whether an event of that name and schema version needs lifting at all: most do not.
#[inline(always)]
pub fn is_current(upcasters: &[Upcaster], event: &str, schema_version: u32) -> bool {
    schema_version == 1 && upcasters.is_empty()
        || !upcasters.iter().any(|step| step.event == event && step.from >= schema_version)
            && schema_version <= newest(upcasters, event)
}

/// Lifts a payload from `schema_version` to today's; gives the name that the event has today.
///
/// # Errors
/// A step that fails, or an event that is newer than every step ([`Problem::TooNew`]).
pub fn upcast<'a>(
    upcasters: &[Upcaster],
    event: &'a str,
    schema_version: u32,
    payload: &mut Object,
) -> Result<&'a str, Problem> {
    let (mut name, mut version) = (event, schema_version);
    while let Some(step) = upcasters.iter().find(|step| step.event == name && step.from == version) {
        (step.lift)(payload).map_err(|message| {
            Problem::Other(format!("lifting {name} from schema version {version} failed: {message}"))
        })?;
        name = step.renamed.unwrap_or(name);
        version += 1;
    }
    let newest = newest(upcasters, name);
    if version > newest {
        return Err(Problem::TooNew { found: schema_version, newest });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STEPS: [Upcaster; 2] = [
        Upcaster {
            event: "Registered",
            from: 1,
            renamed: None,
            lift: |payload| {
                let name = payload.remove("fullName").ok_or("`fullName` is missing")?;
                payload.insert("name".into(), name);
                Ok(())
            },
        },
        Upcaster {
            event: "Registered",
            from: 2,
            renamed: Some("CustomerRegistered"),
            lift: |payload| {
                payload.entry("country").or_insert_with(|| "NL".into());
                Ok(())
            },
        },
    ];

    fn lifted(version: u32, payload: serde_json::Value) -> Result<(String, String), Problem> {
        let mut payload = payload.as_object().cloned().unwrap();
        let name = upcast(&STEPS, "Registered", version, &mut payload)?;
        Ok((name.to_owned(), serde_json::Value::Object(payload).to_string()))
    }

    #[test]
    fn each_version_is_lifted_through_every_later_step() {
        let today = |payload: &str| Ok(("CustomerRegistered".to_owned(), payload.to_owned()));
        assert_eq!(lifted(1, json!({"fullName": "Ada"})), today(r#"{"name":"Ada","country":"NL"}"#));
        assert_eq!(lifted(2, json!({"name": "Ada"})), today(r#"{"name":"Ada","country":"NL"}"#));
        assert_eq!(newest(&STEPS, "CustomerRegistered"), 3);
        assert!(is_current(&STEPS, "CustomerRegistered", 3));
        assert!(!is_current(&STEPS, "CustomerRegistered", 4));
        assert!(!is_current(&STEPS, "Registered", 2));
    }

    #[test]
    fn a_step_that_fails_and_an_event_from_the_future_are_errors() {
        let failed = lifted(1, json!({})).unwrap_err().to_string();
        assert_eq!(failed, "lifting Registered from schema version 1 failed: `fullName` is missing");
        let mut payload = Object::new();
        let future = upcast(&STEPS, "CustomerRegistered", 4, &mut payload);
        assert_eq!(future, Err(Problem::TooNew { found: 4, newest: 3 }));
        assert_eq!(upcast(&[], "Any", 2, &mut payload), Err(Problem::TooNew { found: 2, newest: 1 }));
    }
}
