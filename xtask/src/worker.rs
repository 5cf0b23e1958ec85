//! `cargo xtask worker` and `cargo xtask edge`: the edge, ready to be deployed, and running on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use lexopt::{Arg, ValueExt};

use crate::run::{become_it, root, run as run_command, target_dir};
use crate::setup::{self, Tools};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    build(&setup::wasm()?)?;
    eprintln!("The edge is in worker/: docs/deploy.md says how `npx wrangler deploy` sends it.");
    Ok(())
}

/// `cargo xtask edge`.
pub(crate) fn edge(mut args: lexopt::Parser) -> Result<()> {
    let mut flags = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("port") => {
                let port: u16 = args.value()?.parse()?;
                flags.extend(["--port".to_owned(), port.to_string()]);
            }
            Arg::Long("json") => flags.push("--json".to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    become_it(serve()?.args(flags))
}

/// The command that serves the edge on a DynamoDB on loopback: both are built first.
pub(crate) fn serve() -> Result<Command> {
    let tools = setup::wasm()?;
    let bundle = build(&tools)?;
    let mut serve = tools.command("node worker/edge.mjs");
    serve.env("REWOUND_EDGE", bundle).env("REWOUND_DYNAMODB", dynamodb()?);
    Ok(serve)
}

/// The program with the embedded DynamoDB.
pub(crate) fn dynamodb() -> Result<PathBuf> {
    run_command(
        &mut crate::run::command("cargo build --locked -p rewound-dynamodb"),
        "The first error above says what is wrong.",
    )?;
    Ok(target_dir().join("debug/rewound-dynamodb"))
}

fn folder() -> PathBuf {
    root().join("worker")
}

/// Builds the edge into `worker/dist`, and what would be deployed of it into `target/edge`.
pub(crate) fn build(tools: &Tools) -> Result<PathBuf> {
    bundle(tools, "", EDGE)
}

/// Where [`build`] has put what would be deployed.
pub(crate) fn built() -> PathBuf {
    target_dir().join(EDGE)
}

/// The folder in `target` with what would be deployed.
const EDGE: &str = "edge";

/// The edge with the store's contract suite behind a door: for tests, in `target/edge-contract`. What is in
/// `worker/dist` is that one then.
pub(crate) fn contract(tools: &Tools) -> Result<PathBuf> {
    bundle(tools, "contract", "edge-contract")
}

fn bundle(tools: &Tools, features: &str, name: &str) -> Result<PathBuf> {
    let modules = setup::npm(&folder())?;
    let (dist, out) = (folder().join("dist"), target_dir().join(name));
    // What is left of another build would be measured, or sent.
    for old in [&dist, &out] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("{} cannot be removed", old.display()))?;
        }
    }
    run_command(
        tools
            .command("cargo build --locked -p rewound-worker --profile wasm-z --target wasm32-unknown-unknown --features")
            .arg(features),
        "The first error above says what is wrong.",
    )?;
    run_command(
        tools
            // A trapped instance is dead: with these two, the next request gets a new one.
            .command(
                "wasm-bindgen --target web --experimental-reset-state-function --force-enable-abort-handler",
            )
            .args(["--no-typescript", "--out-name", "edge", "--out-dir"])
            .arg(&dist)
            .arg(target_dir().join("wasm32-unknown-unknown/wasm-z/rewound_worker.wasm")),
        "wasm-bindgen and the crate of that name must have the same version.",
    )?;
    let module = dist.join("edge_bg.wasm");
    run_command(
        tools
            // A runtime compiles a function when it is first called. What has one caller alone would be compiled with it,
            // though it is seldom needed there: that was a fifth of an isolate's first answer.
            .command("wasm-opt -Oz --enable-exception-handling --one-caller-inline-max-function-size=50")
            // Functions that are alike stand together then, and compress better.
            .arg("--reorder-functions-by-name")
            .arg(&module)
            .arg("-o")
            .arg(&module),
        "",
    )?;
    wrangler(tools, &modules, &folder(), &out)?;
    Ok(out)
}

/// What the benchmark measures the edge against, bundled as the edge is, in `target/edge-peer`.
pub(crate) fn peer(tools: &Tools) -> Result<PathBuf> {
    let modules = setup::npm(&folder())?;
    let (peer, out) = (folder().join("bench/peer"), target_dir().join("edge-peer"));
    setup::npm(&peer)?;
    wrangler(tools, &modules, &peer, &out)?;
    Ok(out)
}

/// Writes what `wrangler deploy` would send of a folder.
fn wrangler(tools: &Tools, modules: &Path, folder: &Path, out: &Path) -> Result<()> {
    run_command(
        tools
            .command("node")
            .arg(modules.join("wrangler/bin/wrangler.js"))
            .args(["deploy", "--dry-run", "--outdir"])
            .arg(out)
            .current_dir(folder)
            .env("CI", "1")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_SEND_ERROR_REPORTS", "false")
            .env("WRANGLER_HIDE_BANNER", "true")
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("WRANGLER_LOG_PATH", target_dir().join("wrangler-logs")),
        "The first error above says what wrangler does not like.",
    )
}
