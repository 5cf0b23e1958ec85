//! `cargo xtask dynamodb`: an embedded DynamoDB on loopback, with the tables.

use anyhow::Result;
use lexopt::{Arg, ValueExt};

use crate::run::{become_it, command};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut port: u16 = 0;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("port") => port = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    become_it(command("cargo run --locked --package rewound-dynamodb --").arg(port.to_string()))
}
