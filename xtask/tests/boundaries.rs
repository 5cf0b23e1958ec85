//! Who may depend on what: the core on nothing that does I/O, the shells on the core and not on each
//! other. Cargo itself is asked, so a dependency of a dependency counts as well.

use std::path::Path;
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// Crates that reach for the outside world: JavaScript, sockets, files, clocks, randomness, threads or logs.
const OUTSIDE: &[&str] = &[
    "ahash",
    "async-std",
    "aws-sdk-dynamodb",
    "chrono",
    "crossbeam",
    "fs-err",
    "getrandom",
    "gloo",
    "hyper",
    "instant",
    "js-sys",
    "libc",
    "log",
    "mio",
    "rand",
    "rayon",
    "reqwest",
    "rustix",
    "serde-wasm-bindgen",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "tracing",
    "ureq",
    "wasm-bindgen",
    "wasm-bindgen-futures",
    "web-sys",
    "web-time",
    "worker",
];

const SHELLS: &[(&str, &str)] = &[("web", "rewound-web"), ("pkg", "rewound"), ("worker", "rewound-worker")];

/// The names of all packages that this one needs in WebAssembly, its own among them, and more as asked.
fn tree(package: &str, more: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--target", TARGET, "--prefix", "none"])
        .args(["--format", "{p}", "--package", package])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    output.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Those that reach outside: named above, or of a family that is (`tokio-util`, `gloo-storage`, …).
fn outside(names: &[String]) -> Vec<&str> {
    let reaches = |name: &&str| {
        OUTSIDE.iter().any(|bad| {
            *name == *bad || name.strip_prefix(bad).is_some_and(|rest| rest.starts_with('-')) && *bad != "log"
        })
    };
    names.iter().map(String::as_str).filter(reaches).collect()
}

#[test]
fn the_core_reaches_for_nothing_outside() {
    // `ulid` names a clock and random numbers for its features alone, which the next test keeps off.
    let names = tree("rewound-core", &["--prune", "ulid"]);
    assert!(names.iter().any(|name| name == "serde_json"), "this is not the core's tree: {names:?}");
    let found = outside(&names);
    assert!(found.is_empty(), "{found:?}; `cargo tree -p rewound-core --target {TARGET} -i NAME` says whose");
}

#[test]
fn ids_are_made_without_a_clock_of_their_own() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "features", "--target", TARGET, "--package", "rewound-core"])
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("ulid v"), "{output}");
    assert!(!output.contains("ulid feature"), "{output}");
}

#[test]
fn a_crate_that_reaches_outside_would_be_found() {
    let names = ["serde", "tokio-util", "gloo-storage", "js-sys", "randomize", "logos"].map(str::to_owned);
    assert_eq!(outside(&names), ["tokio-util", "gloo-storage", "js-sys"]);
}

#[test]
fn the_shells_do_not_know_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let present = SHELLS.iter().filter(|(folder, _)| root.join(folder).join("Cargo.toml").exists());
    for (_, shell) in present {
        let names = tree(shell, &[]);
        assert!(names.iter().any(|name| name == "rewound-core"), "{shell} is a shell of the core: {names:?}");
        for (_, other) in SHELLS.iter().filter(|(_, other)| other != shell) {
            assert!(!names.iter().any(|name| name == other), "{shell} depends on {other}");
        }
    }
}
