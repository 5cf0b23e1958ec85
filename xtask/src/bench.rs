//! `cargo xtask bench`: the core as WebAssembly, measured in Node, the page in Chromium, and the edge in its runtime.

use std::path::Path;

use anyhow::{Result, bail};
use lexopt::{Arg, ValueExt};

use crate::run::{command, root, run as run_command, target_dir};
use crate::setup::Tools;
use crate::{pkg, setup, size, worker};

/// What is measured, by what `--only` calls it.
type Stage = (&'static str, fn() -> Result<()>);

/// Each adds its figures to `target/bench.json`; the first begins it anew.
const STAGES: &[Stage] = &[("core", core), ("web", web), ("edge", edge)];

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut only = None;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("only") => only = Some(args.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(only) = &only
        && !STAGES.iter().any(|(name, _)| name == only)
    {
        bail!("there is no part `{only}`: core, web, edge");
    }
    STAGES
        .iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|only| name == only))
        .try_for_each(|(_, run)| run())
}

fn core() -> Result<()> {
    let tools = setup::wasm()?;
    setup::npm(&root().join("xtask/bench"))?;
    let target = target_dir();
    let out = target.join("bench");

    pkg::build(&tools)?;
    module(&tools, "wasm-fast", &out)?;
    let module = out.join("rewound_bench_bg.wasm");
    run_command(tools.command("wasm-opt -O3").arg(&module).arg("-o").arg(&module), "")?;
    run_command(
        tools
            // A million events as JavaScript objects need more than Node's usual share of memory.
            .command("node --max-old-space-size=8192 --expose-gc xtask/bench/bench.mjs")
            .arg(out.join("rewound_bench.js"))
            .arg(target.join("bench.json")),
        "",
    )
}

fn web() -> Result<()> {
    let tools = setup::web()?;
    size::build(&tools)?;
    run_command(
        tools
            .command("node web/tests/bench.mjs")
            .arg(target_dir().join("bench.json"))
            .env("CHROMIUM", setup::chromium()?),
        "",
    )
}

fn edge() -> Result<()> {
    let tools = setup::wasm()?;
    let (edge, peer) = (worker::build(&tools)?, worker::peer(&tools)?);
    // Optimised: it shall not be the emulator that is measured.
    run_command(
        &mut command("cargo build --locked --release -p rewound-dynamodb"),
        "The first error above says what is wrong.",
    )?;
    let target = target_dir();
    run_command(
        tools.command("node worker/bench/bench.mjs").args([
            edge,
            peer,
            target.join("release/rewound-dynamodb"),
            target.join("bench.json"),
        ]),
        "Of what the edge is counted to do, something is not as DESIGN has it.",
    )
}

/// The WebAssembly side, with vectors, as a module for Node: `rewound_bench.js` in the folder `out`.
pub(crate) fn module(tools: &Tools, profile: &str, out: &Path) -> Result<()> {
    run_command(
        tools
            .command("cargo build --locked -p rewound-bench --target wasm32-unknown-unknown --profile")
            .arg(profile)
            .env(setup::SIMD.0, setup::SIMD.1),
        "The first error above says what is wrong.",
    )?;
    let folder = if profile == "test" { "debug" } else { profile };
    run_command(
        tools
            .command("wasm-bindgen --target nodejs --out-dir")
            .arg(out)
            .arg(target_dir().join("wasm32-unknown-unknown").join(folder).join("rewound_bench.wasm")),
        "wasm-bindgen and the crate of that name must have the same version.",
    )
}
