//! `cargo xtask dynamodb`: an embedded DynamoDB on loopback, with the tables.

use anyhow::Result;
use lexopt::Arg;

use crate::run::{become_it, command};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut run = command("cargo run --locked --package rewound-dynamodb --");
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("port") => run.arg("--port").arg(args.value()?),
            Arg::Long("file") => {
                // Where the caller is, and not where it is run.
                run.arg("--file").arg(std::path::absolute(args.value()?)?)
            }
            other => return Err(other.unexpected().into()),
        };
    }
    become_it(&mut run)
}
