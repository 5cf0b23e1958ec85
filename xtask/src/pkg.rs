//! `cargo xtask pkg`: the npm package in `pkg/`, ready to be installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::{command, root, run as run_command, target_dir};
use crate::setup::{self, Tools};

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    build(&setup::wasm()?)?;
    eprintln!("The package is in pkg/: npm install {}", folder().display());
    Ok(())
}

/// Where the package is.
pub(crate) fn folder() -> PathBuf {
    root().join("pkg")
}

/// Builds it into `pkg/dist`: the core as WebAssembly, and its face.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    let modules = setup::npm(&folder())?;
    let dist = folder().join("dist");
    // What is left of another build would be published.
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("{} cannot be removed", dist.display()))?;
    }
    core(tools, &dist, "")?;
    fs::remove_file(dist.join("core_bg.wasm.d.ts")).context("wasm-bindgen writes types of the module")?;
    run_command(
        tools
            .command("node --eval")
            .arg(
                "const fs = require('node:fs'), at = process.argv[1];
            const text = fs.readFileSync(`${at}/core_bg.wasm`).toString('base64');
            fs.writeFileSync(`${at}/inlined.js`, `export default ${JSON.stringify(text)};\\n`);",
            )
            .arg(&dist),
        "",
    )?;
    run_command(
        command("node")
            .arg(modules.join("typescript/bin/tsc"))
            .args(["--project", "tsconfig.json"])
            .current_dir(folder()),
        "The types that are wrong are named above.",
    )?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(licence), folder().join(licence))
            .with_context(|| format!("{licence} is not there"))?;
    }
    Ok(())
}

/// The package's own way to DynamoDB around a core that holds the contract suite: for tests, in `target/pkg-contract`.
pub(crate) fn contract(tools: &Tools) -> Result<PathBuf> {
    let out = target_dir().join("pkg-contract");
    core(tools, &out, "contract")?;
    for entry in fs::read_dir(folder().join("dist")).context("the package is built first")?.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().ends_with(".js") && !name.to_string_lossy().starts_with("core") {
            fs::copy(entry.path(), out.join(name))?;
        }
    }
    fs::write(out.join("package.json"), r#"{"type":"module"}"#)?;
    Ok(out)
}

/// The core as WebAssembly, with these features, and the JavaScript around it: `core.js`, `core_bg.wasm`, `core.d.ts`.
pub(crate) fn core(tools: &Tools, out: &Path, features: &str) -> Result<()> {
    run_command(
        tools
            .command("cargo build --locked -p rewound --profile wasm-pkg --target wasm32-unknown-unknown --features")
            .arg(features)
            .env(setup::SIMD.0, setup::SIMD.1),
        "The first error above says what is wrong.",
    )?;
    run_command(
        tools
            .command("wasm-bindgen --target web --out-name core --out-dir")
            .arg(out)
            .arg(target_dir().join("wasm32-unknown-unknown/wasm-pkg/rewound.wasm")),
        "wasm-bindgen and the crate of that name must have the same version.",
    )?;
    let module = out.join("core_bg.wasm");
    // In the order of their names, functions that are alike stand together, and compress better.
    let optimise = "wasm-opt -O3 --reorder-functions-by-name";
    run_command(tools.command(optimise).arg(&module).arg("-o").arg(&module), "")
}
