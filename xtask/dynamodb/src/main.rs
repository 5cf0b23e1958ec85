//! `cargo xtask dynamodb`: a DynamoDB on loopback with every table, until it is stopped.
//!
//! For tests there is `--gate`: signatures are checked then, and what is printed is one line of JSON,
//! `{"url", "region", "accessKeyId", "secretAccessKey"}`. From then on each line of its standard input is an
//! [order](Gate::order), answered by a line. It ends with its standard input.
//!
//! `--tables PREFIX` makes every table with that prefix before. With `--bus URL` the gate puts the events that it takes to
//! the EventBridge there as well, and answers what that said.
//!
//! With `--port N` it listens there, and with `--file PATH` it keeps everything in that file: killed and started again
//! with both, it is where it was and has what it had. A disk makes every commit wait; a file in `/dev/shm` is as quick
//! as none, and outlives the process just as well.

use anyhow::Result;
use lexopt::{Arg, ValueExt};
use rewound_dynamodb::{Client, Gate, REGION, Server, credentials, layout};
use std::{
    io::{BufRead, Write, stdin, stdout},
    path::{Path, PathBuf},
};

fn main() -> Result<()> {
    let (mut with_gate, mut prefix, mut bus, mut port, mut file) = (false, None, None, 0, None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("gate") => with_gate = true,
            Arg::Long("tables") => prefix = Some(args.value()?.string()?),
            Arg::Long("bus") => bus = Some(args.value()?.string()?),
            Arg::Long("port") => port = args.value()?.parse()?,
            Arg::Long("file") => file = Some(PathBuf::from(args.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    if with_gate {
        gate(prefix.as_deref(), bus.as_deref(), port, file.as_deref())
    } else {
        tables(port, file.as_deref())
    }
}

fn tables(port: u16, file: Option<&Path>) -> Result<()> {
    let server = Server::start(port, file)?;
    let layout = layout("rewound");
    let tables: Vec<&str> = layout.aggregates.iter().map(|(_, rows)| rows.table.as_str()).collect();
    println!("DynamoDB:  {}  (any region, any key)", server.url);
    println!("tables:    {}, {}, {}", layout.events, layout.helpers, tables.join(", "));
    Client::new(&server.url, layout).create_tables()?;
    let place = file.map_or_else(|| "memory".to_owned(), |file| file.display().to_string());
    println!("It keeps everything in {place}. Stop it with Ctrl-C.");
    loop {
        std::thread::park();
    }
}

fn gate(prefix: Option<&str>, bus: Option<&str>, port: u16, file: Option<&Path>) -> Result<()> {
    let server = Server::start(0, file)?;
    let credentials = credentials();
    let gate = Gate::start(port, &server.url, REGION, credentials.clone())?;
    let gate = if let Some(bus) = bus { gate.with_bus(bus)? } else { gate };
    if let Some(prefix) = prefix {
        Client::new(&gate.url, layout(prefix)).create_tables()?;
    }
    let mut answers = stdout().lock();
    let line = serde_json::json!({
        "url": gate.url, "region": REGION,
        "accessKeyId": credentials.access_key_id, "secretAccessKey": credentials.secret_access_key,
    });
    writeln!(answers, "{line}")?;
    for line in stdin().lock().split(b'\n') {
        writeln!(answers, "{}", gate.order(&String::from_utf8_lossy(&line?)))?;
    }
    Ok(())
}
