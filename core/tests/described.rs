//! What `#[derive(Described)]` makes of a type: each of its features, to the letter.

use rewound_core::{
    number::{Amount, Quantity},
    schema::{Described, Shape, of, shapes, validate},
    text::Label,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A drawer.
///
/// It is shut
/// at night.
#[derive(Serialize, Deserialize, Described)]
#[serde(rename_all = "camelCase")]
struct Drawer {
    /// What is in it.
    in_cash: Amount,
    undocumented: bool,
    side: Side,
    /// Where it is.
    mood: Mood,
    r#type: Option<String>,
    #[serde(default, rename = "COUNT")]
    count: u8,
    #[serde(default = "seven")]
    seven: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Label>,
    by_name: BTreeMap<Label, Inner>,
    #[described(min_items = 2)]
    lists: Vec<Vec<i32>>,
}

fn seven() -> Quantity {
    Quantity::new(7).unwrap()
}

/// Something inside.
#[derive(Serialize, Deserialize, Described)]
struct Inner {
    a_b: bool,
}

/// Left or right.
#[derive(Serialize, Deserialize, Described)]
#[serde(rename_all = "UPPERCASE")]
enum Side {
    /// Where the heart is.
    Left,
    Right,
}

#[derive(Serialize, Deserialize, Described)]
#[serde(rename_all = "lowercase")]
enum Mood {
    Good,
    #[serde(rename = "BAD")]
    Bad,
}

/// Asked of a till.
#[derive(Serialize, Deserialize, Described)]
#[serde(rename_all_fields = "camelCase", deny_unknown_fields)]
enum Ask {
    /// Put it in.
    #[described(command = "Insert")]
    PutIn {
        it_self: Inner,
        each: Vec<Inner>,
    },
    Shut {},
    Nothing,
}

/// The texts are compared, since the order of keywords counts as well.
fn same(found: &Value, expected: &Value) {
    assert_eq!(found.to_string(), expected.to_string());
}

#[test]
fn a_struct_is_an_object_of_its_fields() {
    let expected = json!({
        "description": "A drawer.\n\nIt is shut\nat night.",
        "type": "object",
        "properties": {
            "inCash": {
                "description": "What is in it.",
                "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_i64, "x-unit": "cents",
                "title": "In cash",
            },
            "undocumented": {"type": "boolean", "title": "Undocumented"},
            "side": {
                "description": "Left or right.",
                "oneOf": [
                    {"type": "string", "const": "LEFT", "description": "Where the heart is."},
                    {"type": "string", "const": "RIGHT"},
                ],
                "title": "Side",
            },
            "mood": {
                "description": "Where it is.", "type": "string", "enum": ["good", "BAD"], "title": "Mood",
            },
            "type": {"type": "string", "title": "Type"},
            "COUNT": {
                "type": "integer", "minimum": 0, "maximum": 255, "default": 0, "title": "C o u n t",
            },
            "seven": {
                "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 7, "title": "Seven",
            },
            "note": {"type": "string", "minLength": 1, "maxLength": 200, "title": "Note"},
            "byName": {
                "type": "object",
                "additionalProperties": {
                    "description": "Something inside.",
                    "type": "object",
                    "properties": {"a_b": {"type": "boolean", "title": "A_b"}},
                    "required": ["a_b"],
                },
                "title": "By name",
            },
            "lists": {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX},
                },
                "minItems": 2,
                "title": "Lists",
            },
        },
        "required": ["inCash", "undocumented", "side", "mood", "byName", "lists"],
    });
    same(&of::<Drawer>(), &expected);
    assert_eq!(shapes::<Drawer>(), []);
}

#[test]
fn serde_reads_and_writes_what_the_schema_says() {
    let least = json!({
        "inCash": 1, "undocumented": true, "side": "LEFT", "mood": "BAD", "byName": {}, "lists": [[], []],
    });
    assert_eq!(validate(&of::<Drawer>(), &least), []);
    let mut drawer: Drawer = serde_json::from_value(least).unwrap();
    drawer.r#type = Some("oak".into());
    let full = serde_json::to_value(&drawer).unwrap();
    assert_eq!(validate(&of::<Drawer>(), &full), []);
    assert_eq!((&full["seven"], &full["COUNT"], full.get("note")), (&json!(7), &json!(0), None));
}

#[test]
fn an_enum_has_a_shape_for_each_variant_with_fields() {
    let closed = json!({
        "description": "Something inside.",
        "type": "object",
        "properties": {"a_b": {"type": "boolean", "title": "A_b"}},
        "additionalProperties": false,
        "required": ["a_b"],
    });
    let mut itself = closed.clone();
    itself["title"] = json!("It self");
    let fields = json!({"itSelf": itself, "each": {"type": "array", "items": closed, "title": "Each"}});
    let [put_in, shut]: [Shape; 2] = shapes::<Ask>().try_into().unwrap();
    assert_eq!((put_in.name.as_str(), shut.name.as_str()), ("PutIn", "Shut"));
    let expected = json!({
        "type": "object",
        "properties": fields,
        "additionalProperties": false,
        "required": ["itSelf", "each"],
        "description": "Put it in.",
        "x-command": "Insert",
        "title": "Put in",
    });
    same(&put_in.schema, &expected);
    let expected =
        json!({"type": "object", "properties": {}, "additionalProperties": false, "title": "Shut"});
    same(&shut.schema, &expected);
}

#[test]
fn an_enum_as_a_whole_is_what_serde_writes() {
    let whole = of::<Ask>();
    let [put_in, shut, nothing] = whole["oneOf"].as_array().unwrap().as_slice() else { panic!("{whole}") };
    assert_eq!((&whole["description"], &put_in["x-command"]), (&json!("Asked of a till."), &json!("Insert")));
    assert_eq!(put_in["properties"]["PutIn"]["required"], json!(["itSelf", "each"]));
    let expected = json!({
        "type": "object",
        "properties": {"Shut": {"type": "object", "properties": {}, "additionalProperties": false}},
        "additionalProperties": false,
        "required": ["Shut"],
    });
    same(shut, &expected);
    assert_eq!(serde_json::to_value(Ask::Shut {}).unwrap(), json!({"Shut": {}}));
    same(nothing, &json!({"type": "string", "const": "Nothing"}));
}
