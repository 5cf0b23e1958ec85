//! What views are asked.

use super::{
    Consumer, Shell, ask, fitted,
    past::Past,
    plain,
    rows::{self, Delivered, Row, deliver},
};
use crate::{
    dynamodb::{Call, Quoted, json, sign::Api},
    error::Result,
    http::LONGEST_ID,
    projection::{Index, Projection},
    store::Page,
    time::Millis,
    value::Object,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json as value};

/// A question to a view.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The place of the index that it is asked by, among the view's; none for the order of ids.
    pub index: Option<usize>,
    /// What the rows' places in that index begin with.
    pub prefix: String,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
    /// How many rows at the most.
    pub limit: usize,
}

/// Where a page of a view ends: behind a row's place in the index, and its id. Rows that come, go and move do not move it,
/// and neither does a rebuild.
///
/// ```
/// use rewound_core::feed::query::Cursor;
/// let cursor = Cursor { place: "ACTIVE#ada@example.com".into(), id: "c1".into() };
/// assert_eq!(Cursor::read(&cursor.to_string()), Some(cursor));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The row's place in the index; empty in the order of ids.
    pub place: String,
    /// Its id.
    pub id: String,
}

impl Cursor {
    /// Reads a cursor.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (place, id): (String, String) = serde_json::from_slice(&bytes).ok()?;
        // Keys of DynamoDB: neither empty nor longer than this.
        let fits = |text: &str| text.len() <= 1_024;
        Some(Self { place, id })
            .filter(|cursor| fits(&cursor.place) && fits(&cursor.id) && !cursor.id.is_empty())
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(value!([self.place, self.id]).to_string().as_bytes()))
    }
}

/// What the answer to a command has seen: somebody who shows it to a view sees at least that.
///
/// ```
/// use rewound_core::feed::query::Token;
/// let token = Token::read("/aggregates/BankAccount/a%201@3").unwrap();
/// assert_eq!((token.aggregate.as_str(), token.id.as_str(), token.version), ("BankAccount", "a 1", 3));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The kind of the aggregate.
    pub aggregate: String,
    /// Its id.
    pub id: String,
    /// Its version after the command.
    pub version: u64,
}

impl Token {
    /// Reads a token.
    pub fn read(text: &str) -> Option<Self> {
        let (place, version) = text.rsplit_once('@')?;
        let (aggregate, id) = place.strip_prefix("/aggregates/")?.split_once('/')?;
        let decoded = |part: &str| {
            let part = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
            Some(part.into_owned()).filter(|part| (1..=LONGEST_ID).contains(&part.len()))
        };
        let version = version.parse().ok().filter(|version| *version > 0)?;
        Some(Self { aggregate: decoded(aggregate)?, id: decoded(id)?, version })
    }
}

/// A view as it is asked: its generation that answers.
pub type Place = (&'static Projection, u64);

/// The waits between looks at an index that has not the newest row yet, in milliseconds: DynamoDB brings indexes up to
/// their table within a second, as a rule.
const LOOKS: [Millis; 5] = [20, 50, 100, 200, 400];

/// How many events somebody who shows a token brings to a row at the most.
const FAR: u64 = 1_000;

/// What a view has seen of what a token says.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// All of it; this is the row.
    All(Row),
    /// Up to this version: the event behind it cannot be applied.
    Until(u64),
    /// There is no such event. This is the last.
    Never(u64),
}

/// Sees to it that a view has seen what a token says. Nobody is waited for: what the row lacks is delivered to it here.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn seen(shell: &impl Shell, view: Place, token: &Token) -> Result<Seen> {
    let row = one(shell, view, &token.id).await?;
    // A view that is so far behind is being filled: that is nothing to wait for.
    if token.version.saturating_sub(row.version) > FAR {
        let last = Past::of(view.0.aggregate, &token.id).last(shell).await?;
        return Ok(if last < token.version { Seen::Never(last) } else { Seen::Until(row.version) });
    }
    Ok(match deliver(shell, view, &token.id, &[], token.version, Some(row)).await? {
        Delivered::Seen(row) => Seen::All(row),
        Delivered::Stuck(stuck) => Seen::Until(stuck.version.saturating_sub(1)),
        Delivered::Missing(version) => Seen::Never(version),
    })
}

/// Waits until an index has a row as it is in its table, for about a second; false where it had not.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn indexed(shell: &impl Shell, view: Place, index: usize, id: &str, row: &Row) -> Result<bool> {
    let Some(key) = view.0.indexes.get(index).zip(row.fields.as_ref()).and_then(|(at, row)| at.key(row))
    else {
        return Ok(true);
    };
    for wait in LOOKS {
        let mut query = Query { index: Some(index), prefix: key.clone(), cursor: None, limit: 1_000 };
        loop {
            let found = select(shell, view, &query, &key, Some(id)).await?;
            if found.items.iter().any(|(_, found)| found.version >= row.version) {
                return Ok(true);
            }
            query.cursor = found.next.as_deref().and_then(Cursor::read);
            if query.cursor.is_none() {
                break;
            }
        }
        shell.wait(wait).await;
    }
    Ok(false)
}

/// A row of a view; none where there is none.
///
/// # Errors
/// DynamoDB does not answer.
pub async fn one(shell: &impl Shell, view: Place, id: &str) -> Result<Row> {
    rows::get(shell, &Consumer::View(view.0, view.1).to_string(), id).await
}

/// A page of a view: one request. Each row as [`shown`].
///
/// # Errors
/// DynamoDB does not answer.
pub async fn page(shell: &impl Shell, view: Place, query: &Query) -> Result<Page<Value>> {
    let Page { items, next } = select(shell, view, query, &query.prefix, None).await?;
    let items = items.into_iter().filter_map(|(id, row)| shown(&id, row)).collect();
    Ok(Page { items, next })
}

/// A row as the wire shows it: `$meta: {id, version}` beside its fields; nothing where there is none.
pub fn shown(id: &str, row: Row) -> Option<Value> {
    let mut shown = Object::from_iter([("$meta".to_owned(), value!({ "id": id, "version": row.version }))]);
    shown.extend(row.fields?);
    Some(shown.into())
}

async fn select(
    shell: &impl Shell,
    view: Place,
    query: &Query,
    prefix: &str,
    id: Option<&str>,
) -> Result<Page<(String, Row)>> {
    let pk = Consumer::View(view.0, view.1).to_string();
    let index: Option<(&Index, &str)> =
        query.index.and_then(|at| Some((view.0.indexes.get(at)?, *["sk1", "sk2"].get(at)?)));
    let sort = index.map_or("sk", |(_, name)| name);
    let mut condition = "#n0 = :v0".to_owned();
    let mut values = json(r#"":v0":{"S":$}"#, &[&Quoted(&pk)]);
    let mut names = r##""#n0":"pk""##.to_owned();
    if index.is_some() {
        condition += " AND begins_with(#n1, :v1)";
        values += &json(r#",":v1":{"S":$}"#, &[&Quoted(prefix)]);
        names += &json(r##","#n1":$"##, &[&Quoted(sort)]);
    }
    let mut more = String::new();
    if let Some((_, name)) = index {
        more += &json(r#","IndexName":$"#, &[&Quoted(&name.replace("sk", "index"))]);
    }
    match id {
        Some(id) => {
            names += r##","#n2":"sk""##;
            values += &json(r#",":v2":{"S":$}"#, &[&Quoted(&fitted(id))]);
            more += r##","FilterExpression":"#n2 = :v2""##;
        }
        // What is only a version has no row.
        None if index.is_none() => {
            names += r##","#n2":"row""##;
            more += r##","FilterExpression":"attribute_exists(#n2)","ConsistentRead":true"##;
        }
        None => {}
    }
    if let Some(Cursor { place, id }) = &query.cursor {
        let place = match index {
            Some((_, name)) => json(r#",$:{"S":$}"#, &[&Quoted(name), &Quoted(place)]),
            None => String::new(),
        };
        let template = r#","ExclusiveStartKey":{"pk":{"S":$},"sk":{"S":$}$}"#;
        more += &json(template, &[&Quoted(&pk), &Quoted(id), &place]);
    }
    let forward = !index.is_some_and(|(index, _)| index.descending);
    let template = r#"{
        "TableName":$,
        "KeyConditionExpression":"$",
        "ExpressionAttributeNames":{$},
        "ExpressionAttributeValues":{$},
        "ScanIndexForward":$,
        "ReturnConsumedCapacity":"TOTAL",
        "Limit":$
        $
    }"#;
    let body = json(
        template,
        &[&Quoted(&shell.layout().views), &condition, &names, &values, &forward, &query.limit, &more],
    );
    let call = Call::to(Api::Tables, "Query", body);
    let body = ask(shell, &call).await?.done(&call)?;
    let (items, end) = super::page(&body, "a view")?;
    let items = items.into_iter().map(Row::read).collect::<Result<_>>()?;
    let last = end.and_then(plain);
    let next = last.and_then(|last| {
        let text = |name: &str| last.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Cursor { place: text(sort).filter(|_| index.is_some()).unwrap_or_default(), id: text("sk")? })
    });
    Ok(Page { items, next: next.map(|next| next.to_string()) })
}
