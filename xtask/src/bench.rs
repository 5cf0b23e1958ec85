//! `cargo xtask bench`: the core as WebAssembly, measured in Node, and the page in Chromium.

use std::path::Path;

use anyhow::Result;

use crate::run::{root, run as run_command, target_dir};
use crate::setup::Tools;
use crate::{pkg, setup, size};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
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
    )?;

    let tools = setup::web()?;
    size::build(&tools)?;
    run_command(
        tools
            .command("node web/tests/bench.mjs")
            .arg(target.join("bench.json"))
            .env("CHROMIUM", setup::chromium()?),
        "",
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
