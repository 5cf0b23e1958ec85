//! `cargo xtask dynamodb`: a DynamoDB on loopback with every table, until it is stopped.
//!
//! For tests there is `--gate`: signatures are checked then, no table is made, and what is printed is one line of JSON,
//! `{"url", "region", "accessKeyId", "secretAccessKey"}`. It ends with its standard input.

use anyhow::Result;
use rewound_dynamodb::{Client, Gate, REGION, Server, credentials, layout};
use std::io::Read;

fn main() -> Result<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("--gate") {
        return gate();
    }
    let port = argument.map_or(Ok(0), |port| port.parse())?;
    let server = Server::start(port)?;
    let layout = layout("rewound");
    let tables: Vec<&str> = layout.aggregates.iter().map(|(_, rows)| rows.table.as_str()).collect();
    println!("DynamoDB:  {}  (any region, any key)", server.url);
    println!("tables:    {}, {}, {}", layout.events, layout.helpers, tables.join(", "));
    Client::new(&server.url, layout).create_tables()?;
    println!("It keeps everything in memory. Stop it with Ctrl-C.");
    loop {
        std::thread::park();
    }
}

fn gate() -> Result<()> {
    let server = Server::start(0)?;
    let credentials = credentials();
    let gate = Gate::start(&server.url, REGION, credentials.clone())?;
    let line = serde_json::json!({
        "url": gate.url, "region": REGION,
        "accessKeyId": credentials.access_key_id, "secretAccessKey": credentials.secret_access_key,
    });
    println!("{line}");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
