//! What `#[derive(Described)]` makes of a type: each of its features, to the letter.

use rewound_core::{
    named::Named,
    number::{Amount, Quantity},
    schema::{Described, Shape, of, shapes, validate},
    text::Label,
};
use serde_json::{Value, json};

/// A drawer.
///
/// It is shut
/// at night.
#[derive(Debug, PartialEq, Described)]
#[described(rename_all = "camelCase")]
struct Drawer {
    /// What is in it.
    in_cash: Amount,
    undocumented: bool,
    side: Side,
    /// Where it is.
    mood: Mood,
    r#type: Option<String>,
    #[described(default, rename = "COUNT")]
    count: u8,
    #[described(default = seven)]
    seven: Quantity,
    note: Option<Label>,
    by_name: Named<Inner>,
    #[described(min_items = 2)]
    lists: Vec<Vec<i32>>,
}

fn seven() -> Quantity {
    Quantity::new(7).unwrap()
}

/// Something inside.
#[derive(Debug, PartialEq, Described)]
struct Inner {
    a_b: bool,
}

/// Left or right.
#[derive(Debug, PartialEq, Described)]
#[described(rename_all = "UPPERCASE")]
enum Side {
    /// Where the heart is.
    Left,
    Right,
}

#[derive(Debug, PartialEq, Described)]
#[described(rename_all = "lowercase")]
enum Mood {
    Good,
    #[described(rename = "BAD")]
    Bad,
}

/// Asked of a till.
#[derive(Debug, PartialEq, Described)]
#[described(rename_all_fields = "camelCase", closed)]
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
fn what_the_schema_says_is_read_and_written() {
    let least = json!({
        "inCash": 1, "undocumented": true, "side": "LEFT", "mood": "BAD", "byName": {}, "lists": [[], []],
    });
    assert_eq!(validate(&of::<Drawer>(), &least), []);
    let mut drawer = Drawer::from_json(&least).unwrap();
    drawer.r#type = Some("oak".into());
    drawer.by_name.insert("a \"label\"".into(), Inner { a_b: true });
    drawer.lists[0].push(-5);
    let full = drawer.to_json();
    assert_eq!(validate(&of::<Drawer>(), &full), []);
    assert_eq!((&full["seven"], &full["COUNT"], full.get("note")), (&json!(7), &json!(0), None));
    assert_eq!(Drawer::from_json(&full), Ok(drawer));
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    let fits = |name: &str, value: Value| {
        let mut drawer = json!({
            "inCash": 1, "undocumented": true, "side": "LEFT", "mood": "BAD", "byName": {}, "lists": [[], []],
        });
        drawer[name] = value;
        Drawer::from_json(&drawer).map(drop).map_err(|issue| issue.to_string())
    };
    let wrong = |name: &str, value: Value, expected: &str| {
        let issue = fits(name, value).unwrap_err();
        assert!(issue.contains(expected), "{issue}");
    };
    assert_eq!(fits("unknown", json!([])), Ok(()));
    assert_eq!(fits("note", Value::Null), Ok(()));
    wrong("inCash", json!(0), "/inCash: 0 is outside: expected an integer from 1 to 9007199254740991");
    wrong("inCash", json!(1.0), "/inCash: ");
    wrong("undocumented", json!(1), "/undocumented: expected true or false");
    wrong("side", json!("UP"), "/side: there is no `UP`");
    wrong("type", json!(5), "/type: ");
    wrong("COUNT", json!(256), "/COUNT: 256 is outside: expected an integer from 0 to 255");
    wrong("COUNT", Value::Null, "/COUNT: ");
    wrong("byName", json!({"a": {"a_b": true}, "b/c": {}}), "/byName/b~1c/a_b: it is missing");
    wrong("byName", json!([]), "/byName: ");
    wrong("lists", json!([[], [1, "x"]]), "/lists/1/1: ");
    wrong("lists", json!({}), "/lists: ");
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
fn an_enum_as_a_whole_is_a_name_or_has_its_fields_below_it() {
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
    assert_eq!(Ask::Shut {}.to_json(), json!({"Shut": {}}));
    same(nothing, &json!({"type": "string", "const": "Nothing"}));
}
