//! `cargo xtask test`: everything the README promises, as CI runs it.
//!
//! The last line is `N passed, N failed`, added up from what the test runners themselves report.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, ValueExt};

use crate::run::{command, root, run as run_command, run_reading, target_dir, time};
use crate::{bench, pkg, setup, size, worker};

/// The packages that are built for this machine.
const NATIVE: &str = "-p rewound-core -p rewound-derive -p rewound-scan -p rewound-quick -p rewound-dynamodb -p rewound -p xtask";

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Core,
    Pkg,
    Worker,
    Web,
}
use Part::{Core, Pkg, Web, Worker};

/// One headline of the run.
struct Stage {
    name: &'static str,
    /// The parts whose `--only` includes it; all stages run without `--only`.
    parts: &'static [Part],
    run: fn(&mut Run) -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage { name: "Rust formatting", parts: &[Core, Pkg, Worker, Web], run: rust_formatting },
    Stage {
        name: "TypeScript, JavaScript, CSS and HTML formatting",
        parts: &[Pkg, Worker, Web],
        run: other_formatting,
    },
    Stage { name: "Lints, this machine", parts: &[Core, Pkg], run: lints },
    Stage { name: "Lints, WebAssembly", parts: &[Core, Pkg, Worker, Web], run: wasm_lints },
    Stage { name: "Documentation", parts: &[Core, Pkg, Worker, Web], run: documentation },
    Stage { name: "Tests of core, on DynamoDB, and of this tool", parts: &[Core], run: rust_tests },
    Stage { name: "A second DynamoDB (--full)", parts: &[Core, Worker], run: second_emulator },
    Stage { name: "The replay with WebAssembly's vectors", parts: &[Core], run: vector_tests },
    Stage { name: "npm package", parts: &[Pkg, Web], run: |_| pkg::build(&setup::wasm()?) },
    Stage { name: "Tests of the npm package", parts: &[Pkg], run: package_tests },
    Stage { name: "Edge", parts: &[Worker], run: edge_tests },
    Stage { name: "Playground", parts: &[Web], run: playground },
    Stage { name: "Rust tests in the browser", parts: &[Web], run: rust_browser_tests },
    Stage { name: "Tests of the page in the browser", parts: &[Web], run: browser_tests },
    Stage { name: "Sizes", parts: &[Pkg, Worker, Web], run: sizes },
];

/// What was asked for, and the count so far.
struct Run {
    only: Option<Part>,
    full: bool,
    tally: Tally,
}

pub(crate) fn run(mut args: lexopt::Parser) -> Result<()> {
    let mut run = Run { only: None, full: false, tally: Tally::default() };
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("full") => run.full = true,
            Arg::Long("only") => run.only = Some(part(&args.value()?.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }

    let result = stages(&mut run);
    if let Err(error) = &result {
        eprintln!("\nerror: {error:#}\n");
    }
    // The last line on success and failure alike, so main must not add to it.
    println!("{} passed, {} failed", run.tally.passed, run.tally.failed);
    std::process::exit(i32::from(result.is_err()));
}

fn part(name: &str) -> Result<Part> {
    match name {
        "core" => Ok(Core),
        "pkg" => Ok(Pkg),
        "web" => Ok(Web),
        "worker" => Ok(Worker),
        _ => bail!("there is no part `{name}`; the parts are core, pkg, worker and web"),
    }
}

fn stages(run: &mut Run) -> Result<()> {
    let start = Instant::now();
    let only = run.only;
    for stage in STAGES.iter().filter(|stage| only.is_none_or(|part| stage.parts.contains(&part))) {
        let start = Instant::now();
        eprintln!("\n== {}", stage.name);
        (stage.run)(run).with_context(|| stage.name)?;
        eprintln!("== {}: {}", stage.name, time(start.elapsed()));
    }
    eprintln!("\nAll stages took {}.", time(start.elapsed()));
    run.tally.verdict()
}

impl Run {
    fn includes(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// Runs a test runner and counts what it reports.
    fn tests(&mut self, command: &mut Command, help: &str) -> Result<()> {
        if self.full {
            command.env("REWOUND_FULL", "1");
        }
        run_reading(command, help, |line| self.tally.read(line))
    }
}

fn rust_formatting(run: &mut Run) -> Result<()> {
    let packages = match run.only {
        None => "--all",
        Some(Core) => NATIVE,
        Some(Pkg) => "-p rewound",
        Some(Worker) => "-p rewound-worker",
        Some(Web) => "-p rewound-web",
    };
    run_command(&mut command(&format!("cargo fmt --check {packages}")), "Run `cargo fmt --all`.")
}

fn other_formatting(_: &mut Run) -> Result<()> {
    let globs = [
        "index.html",
        "core/**/*.mjs",
        "web/**/*.{css,html,js,mjs,ts}",
        "pkg/**/*.{mjs,ts}",
        "worker/**/*.mjs",
        "xtask/**/*.mjs",
    ];
    run_command(
        setup::node()?.command("prettier --check --no-error-on-unmatched-pattern").args(globs),
        "Run `npx prettier --write` on the files named above.",
    )
}

fn lints(run: &mut Run) -> Result<()> {
    let packages = if run.includes(Core) { NATIVE } else { "-p rewound" };
    lint(&format!("--all-targets {packages}"))
}

fn wasm_lints(run: &mut Run) -> Result<()> {
    setup::wasm_target()?;
    let mut packages = String::new();
    if run.includes(Core) {
        packages += " -p rewound-core -p rewound-scan -p rewound-quick -p rewound-bench";
    }
    if run.includes(Pkg) {
        packages += " -p rewound --features rewound/contract";
    }
    if run.includes(Worker) {
        packages += " -p rewound-worker --features rewound-worker/contract";
    }
    if run.includes(Web) {
        packages += " -p rewound-web";
    }
    lint(&format!("--target wasm32-unknown-unknown{packages}"))
}

fn lint(what: &str) -> Result<()> {
    run_command(
        &mut command(&format!("cargo clippy --locked {what} -- -D warnings")),
        "Each warning above is an error here; it says what to do.",
    )
}

fn documentation(run: &mut Run) -> Result<()> {
    let document = |what: &str| {
        run_command(
            command(&format!("cargo doc --locked --no-deps {what}")).env("RUSTDOCFLAGS", "-D warnings"),
            "Each warning above is an error here.",
        )
    };
    if run.includes(Core) {
        document(NATIVE)?;
    } else if run.includes(Pkg) {
        document("-p rewound")?;
    }
    for (part, package) in [(Worker, "rewound-worker"), (Web, "rewound-web")] {
        if run.includes(part) {
            setup::wasm_target()?;
            document(&format!("-p {package} --target wasm32-unknown-unknown"))?;
        }
    }
    Ok(())
}

/// This tool's tests also guard the core's boundary, so they belong to it.
fn rust_tests(run: &mut Run) -> Result<()> {
    setup::peer()?;
    run.tests(
        &mut command(&format!("cargo test --locked --no-fail-fast {NATIVE}")),
        "The failed tests are named above.",
    )
}

/// In the long form alone: it takes Python, and half a minute.
fn second_emulator(run: &mut Run) -> Result<()> {
    if !run.full {
        eprintln!("Left out: `--full` runs it.");
        return Ok(());
    }
    run.tests(
        command("cargo test --locked -p rewound-dynamodb --test second -- --ignored")
            .env("REWOUND_MOTO", setup::moto()?),
        "The failed tests are named above.",
    )
}

/// The package on real hosts and on DynamoDB; its types against the schemas.
fn package_tests(run: &mut Run) -> Result<()> {
    if run.only.is_some() {
        run.tests(&mut command("cargo test --locked -p rewound"), "The failed tests are named above.")?;
    }
    let dynamodb = worker::dynamodb()?;
    let contract = pkg::contract(&setup::wasm()?)?;
    run.tests(
        setup::node()?
            .command("node --test --test-reporter=spec")
            .args(tests_in("pkg/tests"))
            .env("REWOUND_DYNAMODB", dynamodb)
            .env("REWOUND_CONTRACT", contract)
            .env("CHROMIUM", setup::chromium()?),
        "The failed tests are named above.",
    )
}

/// The edge as it would be deployed, in the Workers runtime, on DynamoDB behind the gate. It is built last, since it is
/// what is measured then.
fn edge_tests(run: &mut Run) -> Result<()> {
    let tools = setup::wasm()?;
    let contract = worker::contract(&tools)?;
    let edge = worker::build(&tools)?;
    run.tests(
        tools
            .command("node --test --test-reporter=spec")
            .args(tests_in("worker/tests"))
            .env("REWOUND_DYNAMODB", worker::dynamodb()?)
            .env("REWOUND_EDGE", edge)
            .env("REWOUND_EDGE_CONTRACT", contract),
        "The failed tests are named above.",
    )
}

/// No build for this machine has the vectors that a replay reads with in WebAssembly.
fn vector_tests(run: &mut Run) -> Result<()> {
    let (tools, out) = (setup::wasm()?, target_dir().join("vectors"));
    bench::module(&tools, "test", &out)?;
    run.tests(
        tools
            .command("node --test --test-reporter=spec xtask/bench/vectors.test.mjs")
            .env("MODULE", out.join("rewound_bench.js")),
        "The failed tests are named above.",
    )
}

fn sizes(run: &mut Run) -> Result<()> {
    let artefacts = size::ARTEFACTS.iter().filter(|artefact| match artefact.name {
        "playground" | "playground's lab" => run.includes(Web),
        "edge" => run.includes(Worker),
        _ => run.includes(Pkg),
    });
    size::check(&setup::node()?, artefacts)
}

fn playground(_: &mut Run) -> Result<()> {
    size::build(&setup::web()?)
}

/// The page's tests in Rust, for which the browser is needed too. Cargo calls the runner in the package's folder.
fn rust_browser_tests(run: &mut Run) -> Result<()> {
    run.tests(
        setup::web()?
            .command("cargo test --locked -p rewound-web --target wasm32-unknown-unknown")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "node tests/runner.mjs")
            .env("CHROMIUM", setup::chromium()?),
        "The failed tests are named above.",
    )
}

/// Each `web/tests/*.test.mjs`, on the `dist/` that was just built and on the edge; `$CHROMIUM` tells them their browser.
/// What the page writes for others is run here too: tests in JavaScript on the package that was just built, and such in
/// Rust.
fn browser_tests(run: &mut Run) -> Result<()> {
    // Where the edge has its own stage, that one has built it.
    let edge = if run.includes(Worker) { worker::built() } else { worker::build(&setup::wasm()?)? };
    // Node's default reporter depends on where it prints; this one's summary is what is read below.
    run.tests(
        setup::node()?
            .command("node --test --test-reporter=spec")
            .args(tests_in("web/tests"))
            .env("REWOUND_EDGE", edge)
            .env("REWOUND_DYNAMODB", worker::dynamodb()?)
            .env("CHROMIUM", setup::chromium()?),
        "The failed tests are named above.",
    )
}

/// Each `*.test.mjs` of a folder.
fn tests_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<_> =
        names.filter(|name| name.ends_with(".test.mjs")).map(|name| format!("{folder}/{name}")).collect();
    files.sort();
    files
}

/// How many tests ran, by the word of the runners themselves.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds a line of output, if it is a runner's summary.
    fn read(&mut self, line: &str) {
        let line = plain(line);
        // cargo test: `test result: FAILED. 12 passed; 1 failed; 0 ignored; …`
        if let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) {
            for count in counts.split("; ") {
                match count.split_once(' ') {
                    Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                    Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                    _ => {}
                }
            }
        }
        // node --test: `ℹ pass 5`, a line for each count.
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["ℹ" | "#", "pass", number] => self.passed += number.parse().unwrap_or(0),
            ["ℹ" | "#", "fail" | "cancelled", number] => self.failed += number.parse().unwrap_or(0),
            _ => {}
        }
    }

    fn verdict(&self) -> Result<()> {
        match self {
            Tally { failed: 1.., .. } => bail!("{} tests failed", self.failed),
            Tally { passed: 0, .. } => bail!("no test ran, which proves nothing"),
            _ => Ok(()),
        }
    }
}

/// A line without the escape sequences that colour it.
fn plain(line: &str) -> String {
    let mut parts = line.trim_end().split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once('m').map_or(part, |(_, rest)| rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str) -> (u64, u64) {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        (tally.passed, tally.failed)
    }

    #[test]
    fn cargo_summaries_add_up() {
        let output = "running 2 tests
test a ... ok
test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.52s
test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(tally(output), (16, 2));
    }

    #[test]
    fn node_summaries_count_cancelled_tests_as_failed() {
        let spec = "✔ opens (5.1ms)\nℹ tests 9\nℹ suites 0\nℹ pass 5\nℹ fail 2\nℹ cancelled 1\nℹ skipped 1";
        assert_eq!(tally(spec), (5, 3));
        assert_eq!(tally("# tests 5\n# pass 5\n# fail 0\n# cancelled 0"), (5, 0));
        assert_eq!(tally("\u{1b}[34mℹ pass 7\u{1b}[39m"), (7, 0));
    }

    #[test]
    fn other_lines_count_nothing() {
        let output = "test result of mine: 5 passed; nothing\n5 passed, 1 failed\n# pass the salt\npass 3";
        assert_eq!(tally(output), (0, 0));
    }

    #[test]
    fn no_test_and_a_failed_test_are_both_failures() {
        assert!(Tally { passed: 0, failed: 0 }.verdict().is_err());
        assert!(Tally { passed: 9, failed: 1 }.verdict().is_err());
        assert!(Tally { passed: 1, failed: 0 }.verdict().is_ok());
    }
}
