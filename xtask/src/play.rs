//! `cargo xtask play`: the playground in the browser.

use anyhow::{Context, Result};
use lexopt::{Arg, ValueExt};

use crate::{run, setup, worker};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut serve: Vec<String> = vec!["--offline".into()];
    let mut with_edge = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("port") => {
                let port: u16 = args.value()?.parse()?;
                serve.extend(["--port".into(), port.to_string()]);
            }
            Arg::Long("edge") => with_edge = true,
            Arg::Long("open") => serve.push("--open".into()),
            Arg::Long("release") => serve.push("--release".into()),
            other => return Err(other.unexpected().into()),
        }
    }

    let tools = setup::web()?;
    eprintln!("For a plain `trunk serve` in this shell:\n  {}", tools.export());
    let mut trunk = tools.command("trunk serve");
    trunk.args(serve);
    if !with_edge {
        return run::become_it(&mut trunk);
    }
    // It ends with this one at Ctrl-C, which both hear.
    let mut edge = worker::serve()?.spawn().context("the edge could not be started")?;
    let served = run::run(&mut trunk, "");
    edge.kill().ok();
    edge.wait().ok();
    served
}
