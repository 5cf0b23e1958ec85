//! `cargo xtask size`: each WebAssembly artefact against its budget.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{output, root, run as run_command, target_dir};
use crate::setup::{self, Tools};
use crate::{pkg, worker};

/// What is downloaded, and how large it may be.
pub(crate) struct Artefact {
    pub(crate) name: &'static str,
    folder: &'static str,
    /// The file name before the hash; the module ends in `_bg.wasm`, the JavaScript beside it in `.js`.
    stem: &'static str,
    /// Of the module alone, in gzip KB of 1,000 bytes, the stricter kind. Over it fails.
    budget: u64,
    /// What it is to come down to, where the budget only keeps it from growing.
    goal: u64,
}

pub(crate) const ARTEFACTS: &[Artefact] = &[
    Artefact { name: "playground", folder: "dist", stem: "rewound-web", budget: 350, goal: 350 },
    Artefact { name: "playground's lab", folder: "dist", stem: "rewound-lab", budget: 600, goal: 600 },
    Artefact { name: "npm package", folder: "pkg/dist", stem: "core", budget: 240, goal: 120 },
    Artefact { name: "edge", folder: "worker/dist", stem: "edge", budget: 400, goal: 400 },
];

/// Bytes of one file as it is, and as a server would send it.
#[derive(Clone, Copy)]
struct Size {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    let tools = setup::web()?;
    build(&tools)?;
    pkg::build(&tools)?;
    worker::build(&tools)?;
    check(&tools, ARTEFACTS.iter())?;
    beside(&tools)
}

/// The npm package, all of it, beside what does the same with the AWS SDK.
fn beside(tools: &Tools) -> Result<()> {
    setup::peer()?;
    let bundle = |entry: &str| -> Result<Size> {
        let out = target_dir().join(format!("bundle-{entry}.js"));
        run_command(tools.command("node xtask/dynamodb/peer/bundle.mjs").arg(entry).arg(&out), "")?;
        measure(tools, &out)
    };
    let (peer, script) = (bundle("peer")?, bundle("rewound")?);
    let module = measure(tools, &the_file(&pkg::folder().join("dist"), "core", "_bg.wasm")?)?;
    let (ours, theirs) = ((module.gzip + script.gzip) as f64 / 1000.0, peer.gzip as f64 / 1000.0);
    println!(
        "bundled, minified, gzip: the npm package {ours:.1}, the AWS SDK's client and the other library {theirs:.1}"
    );
    Ok(())
}

/// The playground as it is published, in `dist/`. Always asked of Trunk, since `trunk serve` writes
/// its larger builds to the same place.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    run_command(
        &mut tools.command("trunk build --release --offline"),
        "The first error above says what is wrong.",
    )
}

/// Measures what is built and prints the table.
pub(crate) fn check(tools: &Tools, artefacts: impl Iterator<Item = &'static Artefact>) -> Result<()> {
    let mut rows = Vec::new();
    for artefact in artefacts {
        let folder = root().join(artefact.folder);
        let module = measure(tools, &the_file(&folder, artefact.stem, "_bg.wasm")?)?;
        let script = measure(tools, &the_file(&folder, artefact.stem, ".js")?)?;
        rows.push((artefact, module, script));
    }
    let (table, over) = table(&rows);
    print!("{table}");
    if !over.is_empty() {
        bail!("over budget: {}", over.join(", "));
    }
    Ok(())
}

/// The one file of that name: a second would be a left-over, and the sizes those of who knows what.
fn the_file(folder: &Path, stem: &str, end: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} is not built", folder.display()))?;
    let mut found = entries.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(stem) && name.ends_with(end)
    });
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        (None, _) => bail!("{} holds no {stem}*{end}", folder.display()),
        (Some(_), Some(_)) => bail!("{} holds more than one {stem}*{end}", folder.display()),
    }
}

/// Node's zlib and brotli are the real ones, and save this tool two crates.
fn measure(tools: &Tools, file: &Path) -> Result<Size> {
    const SCRIPT: &str =
        "const z = require('node:zlib'), b = require('node:fs').readFileSync(process.argv[1]);
        console.log(b.length, z.gzipSync(b, { level: 9 }).length, z.brotliCompressSync(b).length)";
    let printed = output(tools.command("node --eval").arg(SCRIPT).arg(file))?;
    let numbers: Vec<u64> = printed.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [raw, gzip, brotli] = numbers[..] else { bail!("three sizes expected, not {printed:?}") };
    Ok(Size { raw, gzip, brotli })
}

/// The table, and who is over budget.
fn table(rows: &[(&Artefact, Size, Size)]) -> (String, Vec<&'static str>) {
    let kb = |bytes: u64| format!("{:.1}", bytes as f64 / 1000.0);
    let mut over = Vec::new();
    let mut table = format!(
        "{:<24} {:>8} {:>8} {:>8} {:>8}   (KB of 1,000 bytes; gzip 9, brotli 11)\n",
        "artefact", "raw", "gzip", "brotli", "budget"
    );
    for (artefact, module, script) in rows {
        let Artefact { name, budget, goal, .. } = artefact;
        let fits = module.gzip <= budget * 1000;
        if !fits {
            over.push(*name);
        }
        let verdict = match fits {
            true if module.gzip > goal * 1000 => format!("fits; its goal of {goal} is not reached"),
            true => "fits".to_owned(),
            false => "OVER BUDGET".to_owned(),
        };
        let cells = |size: &Size| {
            [size.raw, size.gzip, size.brotli].map(|bytes| format!("{:>8}", kb(bytes))).join(" ")
        };
        table += &format!("{:<24} {} {budget:>8}   gzip {verdict}\n", format!("{name} .wasm"), cells(module));
        table += &format!("{:<24} {}\n", format!("{name} .js"), cells(script));
    }
    (table, over)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Artefact = Artefact { name: "ten", folder: "dist", stem: "ten", budget: 10, goal: 5 };
    const SCRIPT: Size = Size { raw: 99_000, gzip: 99_000, brotli: 99_000 };

    fn over(gzip: u64) -> Vec<&'static str> {
        table(&[(&TEN, Size { raw: 50_000, gzip, brotli: 9_000 }, SCRIPT)]).1
    }

    #[test]
    fn the_budget_counts_the_compressed_module_to_the_byte() {
        assert!(over(10_000).is_empty());
        assert_eq!(over(10_001), ["ten"]);
    }

    #[test]
    fn the_table_says_who_is_over() {
        let (table, _) = table(&[(&TEN, Size { raw: 50_000, gzip: 12_340, brotli: 9_000 }, SCRIPT)]);
        assert!(table.contains("12.3") && table.contains("OVER BUDGET"), "{table}");
        let (table, _) = super::table(&[(&TEN, Size { raw: 50_000, gzip: 7_000, brotli: 6_000 }, SCRIPT)]);
        assert!(table.contains("fits; its goal of 5 is not reached"), "{table}");
    }

    #[test]
    fn a_left_over_is_not_measured_by_chance() {
        let folder = std::env::temp_dir().join(format!("rewound-size-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let find = || the_file(&folder, "ten", "_bg.wasm").map_err(|error| error.to_string());
        assert!(find().unwrap_err().contains("holds no"));
        fs::write(folder.join("ten-1a_bg.wasm"), "").unwrap();
        assert_eq!(find().unwrap(), folder.join("ten-1a_bg.wasm"));
        fs::write(folder.join("ten-2b_bg.wasm"), "").unwrap();
        assert!(find().unwrap_err().contains("more than one"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
