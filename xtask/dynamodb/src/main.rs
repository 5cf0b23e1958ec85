//! `cargo xtask dynamodb`: a DynamoDB on loopback with every table, until it is stopped.

use anyhow::Result;
use rewound_dynamodb::{Client, Server, layout};

fn main() -> Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let server = Server::start(port)?;
    let layout = layout("rewound");
    let tables: Vec<&str> = layout.aggregates.values().map(|rows| rows.table.as_str()).collect();
    println!("DynamoDB:  {}  (any region, any key)", server.url);
    println!("tables:    {}, {}, {}", layout.events, layout.helpers, tables.join(", "));
    Client::new(&server.url, layout).create_tables()?;
    println!("It keeps everything in memory. Stop it with Ctrl-C.");
    loop {
        std::thread::park();
    }
}
