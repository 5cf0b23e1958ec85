//! The types of commands, events and states in `face/domains.ts` are those of the schemas. With `REWOUND_WRITE=1` the
//! file is written anew.

use rewound_core::{domains, schema::Shape};
use serde_json::Value;
use std::{env, fmt::Write, fs, path::Path};

const HEAD: &str = "\
// The commands, events and states of the compiled domains, from their schemas. Do not edit: what writes this file
// is pkg/tests/types.rs, with REWOUND_WRITE=1.

import type { Envelope } from \"./aggregate.js\";
";

#[test]
fn the_types_are_those_of_the_schemas() {
    let mut text = HEAD.to_owned();
    let mut map = String::new();
    for domain in domains::all() {
        let (name, state) = (domain.name(), domain.state());
        write!(text, "\n{}export interface {name} {}\n", comment("", state), object("", state)).unwrap();
        text += &union(&format!("{name}Command"), "type", "", domain.commands());
        text += &union(&format!("{name}Event"), "eventName", "Envelope & ", domain.events());
        writeln!(map, "  {name}: {{ state: {name}; command: {name}Command; event: {name}Event }};").unwrap();
    }
    write!(text, "\n/** The compiled domains, by name. */\nexport interface Domains {{\n{map}}}\n").unwrap();

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("face/domains.ts");
    if env::var_os("REWOUND_WRITE").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    let line = text.lines().zip(found.lines()).position(|(text, found)| text != found);
    let help = "run REWOUND_WRITE=1 cargo test -p rewound --test types";
    assert!(found == text, "face/domains.ts has drifted from the schemas after line {line:?}: {help}");
}

/// A type that is one of several objects, told apart by a field.
fn union(name: &str, tag: &str, base: &str, shapes: &[Shape]) -> String {
    let mut text = format!("\nexport type {name} =");
    for shape in shapes {
        let fields = object("    ", &shape.schema);
        let tag = format!("{tag}: \"{}\"", shape.name);
        let body = match fields.strip_prefix('{') {
            Some("}") | None => format!("{{ {tag} }}"),
            Some(rest) => format!("{{\n      {tag};{rest}"),
        };
        let body = if base.is_empty() { body } else { format!("({base}{body})") };
        write!(text, "\n{}  | {body}", comment("  ", &shape.schema)).unwrap();
    }
    text + ";\n"
}

/// An object's fields, each on its line.
fn object(indent: &str, schema: &Value) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut text = "{".to_owned();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let optional = if required.contains(&Value::from(name.as_str())) { "" } else { "?" };
        let inner = format!("{indent}  ");
        write!(text, "\n{}{inner}{name}{optional}: {};", comment(&inner, field), of(&inner, field)).unwrap();
    }
    if text.len() > 1 { format!("{text}\n{indent}}}") } else { "{}".to_owned() }
}

fn of(indent: &str, schema: &Value) -> String {
    if let Some(options) = schema["oneOf"].as_array() {
        let options: Vec<String> = options.iter().map(|option| option["const"].to_string()).collect();
        return options.join(" | ");
    }
    match schema["type"].as_str() {
        Some("string") => "string".to_owned(),
        Some("boolean") => "boolean".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("array") => format!("{}[]", of(indent, &schema["items"])),
        Some("object") if schema.get("properties").is_some() => object(indent, schema),
        Some("object") => format!("Record<string, {}>", of(indent, &schema["additionalProperties"])),
        other => panic!("a schema of the type {other:?} has no type in TypeScript yet"),
    }
}

fn comment(indent: &str, schema: &Value) -> String {
    let unit = schema["x-unit"].as_str().map(|unit| format!(" In {unit}.")).unwrap_or_default();
    let default =
        schema.get("default").map(|value| format!(" {value} where it is absent.")).unwrap_or_default();
    match schema["description"].as_str() {
        Some(text) => format!("{indent}/** {text}{unit}{default} */\n"),
        None => String::new(),
    }
}
