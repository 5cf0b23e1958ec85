//! The description of the API for programs: OpenAPI 3.1, whose schemas are JSON Schemas like the core's own.

use super::views::parameters;
use crate::{domain::Domain, domains, projection::Projection, schema::words, value::Object, views};
use serde_json::{Value, json};

/// The document, made from the schemas of the domains.
///
/// ```
/// let document = rewound_core::http::openapi();
/// let deposit = &document["paths"]["/aggregates/BankAccount/{id}/commands/Deposit"]["post"];
/// let schema = &deposit["requestBody"]["content"]["application/json"]["schema"];
/// assert_eq!(schema["required"][0], "amount");
/// ```
pub fn openapi() -> Value {
    let mut paths = Object::new();
    let mut schemas = shared();
    for domain in domains::all() {
        describe(domain, &mut paths, &mut schemas);
    }
    for view in &views::ALL {
        describe_view(view, &mut paths, &mut schemas);
    }
    describe_feed(&mut paths);
    paths.insert(
        "/openapi.json".into(),
        json!({ "get": operation("openapi", "This document", "Edge", &[], "Any") }),
    );
    paths.insert(
        "/healthz".into(),
        json!({ "get": operation("health", "Whether it lives", "Edge", &[], "Any") }),
    );
    let mut metrics = operation(
        "metrics",
        "What this isolate did and what is true of the tables, as Prometheus reads it",
        "Edge",
        &[],
        "Any",
    );
    let text = json!({ "description": "The numbers", "content": { "text/plain": { "schema": { "type": "string" } } } });
    put(&mut metrics, "/responses/200", text);
    paths.insert("/metrics".into(), json!({ "get": metrics }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rewound",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Commands to event-sourced aggregates, and what became of them. Money is in minor units \
                (cents), versions are 1-based, times are UTC.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "HS256, RS256 or ES256. `sub` is the actor; `scope` names what is allowed, such \
                        as `BankAccount:read BankAccount:command`.",
                },
            },
            "headers": {
                "ETag": { "description": "The version, in quotes", "schema": { "type": "string" } },
                "Location": { "description": "Where the new aggregate is", "schema": { "type": "string" } },
                "Server-Timing": { "description": "What the answer cost", "schema": { "type": "string" } },
            },
            "responses": {
                "Problem": {
                    "description": "What is wrong, and what to do (RFC 9457)",
                    "content": { "application/problem+json": { "schema": reference("Problem") } },
                },
            },
            "schemas": schemas,
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schemas that every aggregate shares.
fn shared() -> Object {
    let text = || json!({ "type": "string" });
    let version = || json!({ "type": "integer", "minimum": 1 });
    let next = || json!({ "type": ["string", "null"], "description": "Where to go on; null at the end" });
    let schemas = json!({
        "Any": {},
        "Event": {
            "type": "object",
            "description": "The envelope; the payload's fields stand beside it.",
            "required": ["eventId", "eventName", "aggregateName", "aggregateId", "aggregateVersion", "actorId"],
            "properties": {
                "eventId": { "type": "string", "description": "A ULID, whose time is the event's" },
                "eventName": text(), "aggregateName": text(), "aggregateId": text(),
                "aggregateVersion": version(), "actorId": text(), "commandId": text(), "correlationId": text(),
                "causationId": text(), "schemaVersion": version(),
            },
        },
        "Meta": {
            "type": "object",
            "required": ["id", "version", "actorId"],
            "properties": {
                "id": text(), "version": version(), "actorId": text(),
                "updatedAt": { "type": "string", "format": "date-time" },
            },
        },
        "Cost": {
            "type": "object",
            "required": ["requests", "rcu", "wcu"],
            "properties": {
                "requests": { "type": "integer" }, "rcu": { "type": "number" }, "wcu": { "type": "number" },
            },
        },
        "Events": {
            "type": "object",
            "required": ["items", "next"],
            "properties": { "items": { "type": "array", "items": reference("Event") }, "next": next() },
        },
        "List": {
            "type": "object",
            "required": ["items", "next"],
            "properties": { "items": { "type": "array", "items": reference("Meta") }, "next": next() },
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": text(), "title": text(), "status": { "type": "integer" }, "detail": text(),
                "code": { "type": "string", "description": "What kind of problem it is; a rule's own where it refused" },
                "issues": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["pointer", "message"],
                        "properties": { "pointer": text(), "message": text() },
                    },
                },
                "expected": { "type": "integer" }, "actual": { "type": ["integer", "null"] },
                "uncertain": { "type": "boolean", "description": "Whether the command may have taken effect" },
            },
        },
    });
    schemas.as_object().cloned().unwrap_or_default()
}

fn describe(domain: &dyn Domain, paths: &mut Object, schemas: &mut Object) {
    let name = domain.name();
    let (state, answer) = (format!("{name}State"), format!("{name}Answer"));
    let mut own = domain.state().as_object().cloned().unwrap_or_default();
    own.insert(
        "description".into(),
        format!("The state of a {name}: its own fields, and where it is.").into(),
    );
    let meta =
        json!({ "type": "object", "required": ["$meta"], "properties": { "$meta": reference("Meta") } });
    schemas.insert(state.clone(), json!({ "allOf": [own, meta] }));
    schemas.insert(
        answer.clone(),
        json!({
            "type": "object",
            "required": ["events", "state", "cost", "token", "repeated"],
            "properties": {
                "events": { "type": "array", "items": reference("Event") },
                "state": { "oneOf": [reference(&state), { "type": "null" }] },
                "cost": reference("Cost"),
                "token": { "type": "string", "description": "What a view has to have seen to show this" },
                "repeated": { "type": "boolean", "description": "Whether an earlier request had the same key" },
            },
        }),
    );

    let id = parameter("path", "id", "The aggregate's id: 1 to 512 bytes");
    let limit = parameter("query", "limit", "How many at the most: 1 to 1000, else 100");
    let list = [parameter("query", "cursor", "The `next` of a page"), limit.clone()];
    let list =
        operation(&format!("list{name}"), &format!("The aggregates of the kind {name}"), name, &list, "List");
    paths.insert(format!("/aggregates/{name}"), json!({ "get": list }));

    let mut version = parameter("query", "version", "The state after that event");
    put(&mut version, "/schema", json!({ "type": "integer", "minimum": 1 }));
    let mut at = parameter("query", "at", "The state at that time");
    put(&mut at, "/schema", json!({ "type": "string", "format": "date-time" }));
    let known = parameter(
        "header",
        "If-None-Match",
        "The version that is known, in quotes: 304 where it is the same",
    );
    let load = [id.clone(), version, at, known];
    let mut load = operation(&format!("get{name}"), &format!("The state of a {name}"), name, &load, &state);
    put(&mut load, "/responses/304", json!({ "description": "It is what is known" }));
    paths.insert(format!("/aggregates/{name}/{{id}}"), json!({ "get": load }));

    let after =
        parameter("query", "after", "A version, the `next` of a page, or the id of a server-sent event");
    let last = parameter("header", "Last-Event-ID", "The id of the last server-sent event");
    let events = [id.clone(), after, limit, last];
    let about = format!("The events of a {name}; live with `Accept: text/event-stream`");
    let mut events = operation(&format!("get{name}Events"), &about, name, &events, "Events");
    put(&mut events, "/responses/200/content/text~1event-stream", json!({ "schema": { "type": "string" } }));
    paths.insert(format!("/aggregates/{name}/{{id}}/events"), json!({ "get": events }));

    for command in domain.commands() {
        let headers = [
            id.clone(),
            parameter(
                "header",
                "If-Match",
                "The version that it was decided on, in quotes: 412 at any other",
            ),
            parameter("header", "If-None-Match", "`*`: create only"),
            parameter("header", "Idempotency-Key", "The command takes effect once within 72 hours"),
            parameter("header", "X-Correlation-Id", "The conversation that it belongs to"),
            parameter("header", "X-Causation-Id", "The event or command that caused it"),
            parameter("header", "X-Command-Id", "Its own id"),
        ];
        let title = words(&command.name);
        let mut post = operation(&format!("{}{name}", command.name), &title, name, &headers, &answer);
        let created = json!({
            "description": "A new aggregate",
            "headers": {
                "ETag": { "$ref": "#/components/headers/ETag" },
                "Location": { "$ref": "#/components/headers/Location" },
            },
            "content": { "application/json": { "schema": reference(&answer) } },
        });
        put(&mut post, "/responses/201", created);
        let content = json!({ "application/json": { "schema": command.schema } });
        put(
            &mut post,
            "/requestBody",
            json!({ "content": content, "required": needs_body(&command.schema) }),
        );
        paths.insert(format!("/aggregates/{name}/{{id}}/commands/{}", command.name), json!({ "post": post }));
    }
}

/// A view: its pages, and its rows.
fn describe_view(view: &Projection, paths: &mut Object, schemas: &mut Object) {
    // `account-balances` as `AccountBalances`.
    let mut name = String::new();
    for word in view.name.split('-') {
        let (first, rest) = word.split_at(1);
        name += &[&first.to_ascii_uppercase(), rest].concat();
    }
    let (row, rows) = (format!("{name}Row"), format!("{name}Rows"));
    let own = view.fields.iter().map(|(field, kind)| ((*field).to_owned(), json!({ "type": kind })));
    let mut properties: Object = own.collect();
    let version = json!({ "type": "integer", "minimum": 1, "description": "Up to which event it has seen" });
    properties.insert(
        "$meta".into(),
        json!({
            "type": "object", "required": ["id", "version"],
            "properties": { "id": { "type": "string" }, "version": version },
        }),
    );
    schemas.insert(row.clone(), json!({ "type": "object", "required": ["$meta"], "properties": properties }));
    schemas.insert(
        rows.clone(),
        json!({
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": { "type": "array", "items": reference(&row) },
                "next": { "type": ["string", "null"], "description": "Where to go on; null at the end" },
            },
        }),
    );
    let token = parameter(
        "query",
        "token",
        "The token of a command's answer: the view has seen that command, or the answer is 503",
    );
    let about = |name: &&str| {
        let exact = view.indexes.iter().any(|index| index.by == Some(name));
        let about = if exact { "The value that rows have" } else { "What the value of rows begins with" };
        parameter("query", name, about)
    };
    let own = parameters(view);
    let mut page: Vec<Value> = own.iter().map(about).collect();
    page.push(parameter("query", "cursor", "The `next` of a page"));
    page.push(parameter("query", "limit", "How many at the most: 1 to 1000, else 100"));
    page.push(token.clone());
    let about = format!("The view {}", view.name);
    let list = operation(&format!("list{name}"), &about, "Views", &page, &rows);
    paths.insert(format!("/views/{}", view.name), json!({ "get": list }));
    let id = parameter("path", "id", "The aggregate's id");
    let about = format!("A row of the view {}", view.name);
    let one = operation(&format!("get{name}"), &about, "Views", &[id, token], &row);
    paths.insert(format!("/views/{}/{{id}}", view.name), json!({ "get": one }));
}

/// What an operator of the read side can ask and do.
fn describe_feed(paths: &mut Object) {
    let mut add = |path: &str, method: &str, id: &str, about: &str, parameters: &[Value]| {
        let mut operation = operation(id, about, "Feed", parameters, "Any");
        if id == "rebuild"
            && let Some(Value::Object(responses)) = operation.get_mut("responses")
        {
            responses.shift_remove("200");
            responses
                .insert("202".into(), json!({ "description": "It has begun: /feed says how far it is" }));
        }
        paths.insert(path.to_owned(), json!({ method: operation }));
    };
    let consumer = parameter("path", "consumer", "A view, `transfers`, `outbox` or `unreadable`");
    let cursor = parameter("query", "cursor", "The `next` of a page");
    let limit = parameter("query", "limit", "How many at the most: 1 to 1000, else 100");
    let id = parameter("path", "id", "The aggregate's id; for the outbox its kind, a slash and the id");
    let version = parameter("path", "version", "The event's version");
    add("/views", "get", "views", "The views, and what each can be asked by", &[]);
    add("/feed", "get", "feed", "How far everybody who follows the events has come", &[]);
    add("/feed/sweep", "post", "sweep", "Reads the stream of events from the checkpoint on", &[]);
    let view = parameter("path", "view", "The view's name");
    add("/feed/{view}/rebuild", "post", "rebuild", "Builds a view anew beside the one that answers", &[view]);
    let letters = [consumer.clone(), cursor, limit];
    let about = "The events that could not be taken";
    add("/feed/{consumer}/dead-letters", "get", "deadLetters", about, &letters);
    let letter = [consumer, id, version];
    let path = "/feed/{consumer}/dead-letters/{id}/{version}";
    add(&format!("{path}/retry"), "post", "retryDeadLetter", "Tries one once more", &letter);
    add(&format!("{path}/skip"), "post", "skipDeadLetter", "Gives one up", &letter);
}

fn needs_body(schema: &Value) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty())
}

fn parameter(place: &str, name: &str, about: &str) -> Value {
    json!({
        "name": name, "in": place, "description": about, "required": place == "path", "schema": { "type": "string" },
    })
}

/// An operation that answers with what that schema describes, or with a problem.
fn operation(id: &str, about: &str, tag: &str, parameters: &[Value], schema: &str) -> Value {
    json!({
        "operationId": id,
        "summary": about,
        "tags": [tag],
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "As asked",
                "headers": {
                    "ETag": { "$ref": "#/components/headers/ETag" },
                    "Server-Timing": { "$ref": "#/components/headers/Server-Timing" },
                },
                "content": { "application/json": { "schema": reference(schema) } },
            },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    })
}

/// Puts a value under a pointer whose parent is there.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(Value::Object(parent)) = document.pointer_mut(parent) {
        parent.insert(name.replace("~1", "/"), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Head, Route, route};

    #[test]
    fn every_path_is_routed_and_every_command_is_there() {
        let document = openapi();
        let paths = document["paths"].as_object().unwrap();
        let mut commands = 0;
        for (path, operations) in paths {
            for method in operations.as_object().unwrap().keys() {
                let values =
                    [("{id}", "a1"), ("{version}", "2"), ("{consumer}", "outbox"), ("{view}", "orders")];
                let target =
                    values.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
                let method = method.to_uppercase();
                let head = Head { method, target, headers: Vec::new() };
                commands += usize::from(matches!(route(&head), Ok(Route::Command { .. })));
                assert!(route(&head).is_ok(), "{path}");
            }
        }
        assert_eq!(commands, domains::all().iter().map(|domain| domain.commands().len()).sum::<usize>());
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        fn walk(value: &Value, see: &mut impl FnMut(&str, &Value)) {
            match value {
                Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                    see(name, value);
                    walk(value, see);
                }),
                Value::Array(items) => items.iter().for_each(|value| walk(value, see)),
                _ => {}
            }
        }
        let document = openapi();
        let (mut names, mut references) = (Vec::new(), 0);
        walk(&document, &mut |name, value| match (name, value.as_str()) {
            ("$ref", Some(target)) => {
                references += 1;
                assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
            }
            ("operationId", Some(name)) => names.push(name.to_owned()),
            _ => {}
        });
        assert!(references > 50);
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
