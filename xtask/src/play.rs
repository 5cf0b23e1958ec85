//! `cargo xtask play`: the playground in the browser.

use anyhow::Result;
use lexopt::{Arg, ValueExt};

use crate::{run, setup};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut serve: Vec<String> = vec!["--offline".into()];
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("port") => {
                let port: u16 = args.value()?.parse()?;
                serve.extend(["--port".into(), port.to_string()]);
            }
            Arg::Long("open") => serve.push("--open".into()),
            Arg::Long("release") => serve.push("--release".into()),
            other => return Err(other.unexpected().into()),
        }
    }

    let tools = setup::web()?;
    eprintln!("For a plain `trunk serve` in this shell:\n  {}", tools.export());
    let mut trunk = tools.command("trunk serve");
    trunk.args(serve);
    run::become_it(&mut trunk)
}
