//! Edits of a history: a short list that says how a branch differs from what happened. The functions here make one
//! list from another; none of them touches the history.

use super::branch::{Fate, Row};
use crate::{domain::Draft, error::Issue, value::Object};
use serde_json::{Value, json};

/// A change to a history, for [`Timeline::branch`](super::Timeline::branch). Versions are those of the original.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Leave this event out.
    Drop {
        /// Its version.
        version: u64,
    },
    /// Let something else have happened.
    Replace {
        /// The version of the event that gives way.
        version: u64,
        /// What happened instead.
        event: Draft,
    },
    /// Let something more have happened.
    Insert {
        /// The version of the event that it follows; 0 for the start.
        after: u64,
        /// What happened.
        event: Draft,
    },
    /// Let it have happened earlier or later. A replaced event can be moved as well.
    Move {
        /// Its version.
        version: u64,
        /// The version of the event that it follows, or would follow if that one were still there; 0 for the start.
        after: u64,
    },
}

impl Edit {
    /// The original event that it is about; none where it adds one.
    pub fn version(&self) -> Option<u64> {
        match self {
            Edit::Drop { version } | Edit::Replace { version, .. } | Edit::Move { version, .. } => {
                Some(*version)
            }
            Edit::Insert { .. } => None,
        }
    }

    /// Behind which event it puts another.
    pub(super) fn after(&self) -> Option<u64> {
        match self {
            Edit::Insert { after, .. } | Edit::Move { after, .. } => Some(*after),
            _ => None,
        }
    }

    /// What it lets happen.
    pub(super) fn draft(&self) -> Option<&Draft> {
        match self {
            Edit::Replace { event, .. } | Edit::Insert { event, .. } => Some(event),
            _ => None,
        }
    }

    fn put(mut self, place: u64) -> Self {
        if let Edit::Insert { after, .. } | Edit::Move { after, .. } = &mut self {
            *after = place;
        }
        self
    }
}

/// The edits with one more: the event is dropped, whatever was done to it before.
pub fn dropped(edits: &[Edit], version: u64) -> Vec<Edit> {
    let mut edits = restored(edits, version);
    edits.push(Edit::Drop { version });
    edits
}

/// The edits without those of one event: it is again as it happened.
pub fn restored(edits: &[Edit], version: u64) -> Vec<Edit> {
    edits.iter().filter(|edit| edit.version() != Some(version)).cloned().collect()
}

/// The edits with another payload for the event of a row, be it an original or an inserted one. A row without
/// an event in the branch changes nothing.
pub fn replaced(edits: &[Edit], row: &Row, draft: Draft) -> Vec<Edit> {
    let mut edits = edits.to_vec();
    let version = match row.fate {
        Fate::Inserted { edit } => {
            if let Some(Edit::Insert { event, .. }) = edits.get_mut(edit) {
                *event = draft;
            }
            return edits;
        }
        Fate::Kept | Fate::Renumbered | Fate::Edited => row.at.0,
        Fate::Moved { from, .. } => from,
        Fate::Dropped | Fate::Left { .. } => return edits,
    };
    edits.retain(|edit| !matches!(edit, Edit::Replace { version: other, .. } if *other == version));
    edits.push(Edit::Replace { version, event: draft });
    edits
}

/// The edits with one more event, right behind a row; at the start where there is none.
pub fn inserted(edits: &[Edit], behind: Option<&Row>, event: Draft) -> Vec<Edit> {
    let mut edits = edits.to_vec();
    let (place, after) = beside(&edits, behind, true);
    edits.insert(place, Edit::Insert { after, event });
    edits
}

/// The edits that let the event of the row `from` stand where the row `to` stands: before it where it comes from
/// behind, and behind it where it comes from before. An event that is back in its own place was not moved.
///
/// ```
/// # use rewound_core::{domains, timeline::*};
/// # use rewound_core::{domain::{Command, Sender, decide}, value::json};
/// # let bank = domains::find("BankAccount").unwrap();
/// # let by = Sender { actor: "ada".into(), now: 1_000, ..Sender::default() };
/// # let mut timeline = Timeline::empty(bank, "a1");
/// # for (name, fields) in [
/// #     ("Open", json!({"accountHolderId": "ada", "currency": "EUR"})),
/// #     ("Deposit", json!({"amount": 2500, "transactionReference": "inv-42"})),
/// #     ("Withdraw", json!({"amount": 2000, "transactionReference": "rent"})),
/// # ] {
/// #     let account = timeline.seek(timeline.len())?;
/// #     for event in decide(bank, account.as_ref(), &Command::new(name, fields)?, &by)? {
/// #         timeline.push(event)?;
/// #     }
/// # }
/// // The rent before the salary: refused.
/// let rows = timeline.branch(&[]).unwrap().rows;
/// let edits = placed(&[], &rows, 2, 1);
/// assert_eq!(edits, [Edit::Move { version: 3, after: 1 }]);
/// let branch = timeline.branch(&edits).unwrap();
/// assert!(matches!(&branch.verdicts[1], Verdict::Rejected(rule) if rule.code == "insufficient-funds"));
/// // And back.
/// let here = branch.rows.iter().position(|row| matches!(row.fate, Fate::Moved { .. })).unwrap();
/// assert_eq!(placed(&edits, &branch.rows, here, here + 1), []);
/// # Ok::<_, rewound_core::error::Error>(())
/// ```
pub fn placed(edits: &[Edit], rows: &[Row], from: usize, to: usize) -> Vec<Edit> {
    let mut edits = edits.to_vec();
    let (Some(row), Some(target)) = (rows.get(from), rows.get(to)) else { return edits };
    if from == to {
        return edits;
    }
    let (taken, edit) = match row.fate {
        Fate::Kept | Fate::Renumbered | Fate::Edited => {
            (None, Edit::Move { version: row.at.0, after: row.at.0 })
        }
        Fate::Inserted { edit } | Fate::Moved { edit, .. } if edit < edits.len() => {
            (Some(edit), edits.remove(edit))
        }
        _ => return edits,
    };
    // The places of the edits behind the one that was taken out are one less now.
    let mut target = *target;
    if let (Fate::Inserted { edit } | Fate::Moved { edit, .. }, Some(taken)) = (&mut target.fate, taken)
        && *edit > taken
    {
        *edit -= 1;
    }
    let (place, after) = beside(&edits, Some(&target), to > from);
    let edit = edit.put(after);
    let at_home = match &edit {
        Edit::Move { version, after } => {
            let (before, behind) = edits.split_at(place);
            let none = |edits: &[Edit]| !edits.iter().any(|edit| edit.after() == Some(*after));
            (*after == *version && none(before)) || (*after + 1 == *version && none(behind))
        }
        _ => false,
    };
    if !at_home {
        edits.insert(place, edit);
    }
    edits
}

/// Where in the list an edit has to stand, and behind which version it has to put its event, so that the event
/// comes directly behind or directly before a row.
fn beside(edits: &[Edit], row: Option<&Row>, behind: bool) -> (usize, u64) {
    match row.map(|row| (row.fate, row.at.0)) {
        Some((Fate::Inserted { edit } | Fate::Moved { edit, .. }, original)) => {
            (edit + usize::from(behind), edits.get(edit).and_then(Edit::after).unwrap_or(original))
        }
        Some((_, original)) if !behind => (edits.len(), original.saturating_sub(1)),
        Some((_, original)) => (0, original),
        None => (0, 0),
    }
}

/// The edits as JSON, short enough for a link.
///
/// ```
/// use rewound_core::timeline::{Edit, edits_from_json, edits_to_json};
/// let edits = [Edit::Drop { version: 2 }, Edit::Move { version: 5, after: 1 }];
/// let json = edits_to_json(&edits);
/// assert_eq!(json.to_string(), r#"[{"drop":2},{"move":5,"after":1}]"#);
/// assert_eq!(edits_from_json(&json).unwrap(), edits);
/// ```
pub fn edits_to_json(edits: &[Edit]) -> Value {
    let edits = edits.iter().map(|edit| match edit {
        Edit::Drop { version } => json!({ "drop": version }),
        Edit::Move { version, after } => json!({ "move": version, "after": after }),
        Edit::Replace { version, event } => {
            json!({ "replace": version, "event": event.name, "fields": event.fields })
        }
        Edit::Insert { after, event } => {
            json!({ "insert": event.name, "after": after, "fields": event.fields })
        }
    });
    edits.collect()
}

/// The edits that [`edits_to_json`] wrote.
///
/// # Errors
/// The first that is none, by its place.
pub fn edits_from_json(json: &Value) -> Result<Vec<Edit>, Issue> {
    let issue = |pointer: String, message: &str| Issue { pointer, message: message.to_owned() };
    let list = json.as_array().ok_or_else(|| issue(String::new(), "expected an array of edits"))?;
    let edits = list.iter().enumerate().map(|(index, edit)| {
        let number = |name: &str| {
            let found = edit.get(name).and_then(Value::as_u64);
            found.ok_or_else(|| issue(format!("/{index}/{name}"), "expected a version"))
        };
        let draft = |name: &str| {
            let event = edit.get(name).and_then(Value::as_str).filter(|name| !name.is_empty());
            let event =
                event.ok_or_else(|| issue(format!("/{index}/{name}"), "expected the name of an event"))?;
            let fields: Option<&Object> = edit.get("fields").and_then(Value::as_object);
            let fields = fields.ok_or_else(|| issue(format!("/{index}/fields"), "expected an object"))?;
            Ok(Draft { name: event.to_owned(), fields: fields.clone() })
        };
        let has = |name: &str| edit.get(name).is_some();
        if has("drop") {
            Ok(Edit::Drop { version: number("drop")? })
        } else if has("move") {
            Ok(Edit::Move { version: number("move")?, after: number("after")? })
        } else if has("replace") {
            Ok(Edit::Replace { version: number("replace")?, event: draft("event")? })
        } else if has("insert") {
            Ok(Edit::Insert { after: number("after")?, event: draft("insert")? })
        } else {
            Err(issue(format!("/{index}"), "expected `drop`, `move`, `replace` or `insert`"))
        }
    });
    edits.collect()
}
