//! Bringing the tools that a verb needs, so that a new machine needs only Rust and Node.
//!
//! A tool of the right version on `PATH` is used as it is. Otherwise it is built once into a cache of
//! the user's that all clones share, versions side by side. Nothing here touches `~/.cargo/bin` or a
//! shell profile: only the programs started from here see the cached tools.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::run::{command, output, root, run};

const TARGET: &str = "wasm32-unknown-unknown";
const OLDEST_NODE: u32 = 20;

/// For WebAssembly that replays: vectors, which every runtime of the last years has. Cargo adds it to what
/// `.cargo/config.toml` says.
pub(crate) const SIMD: (&str, &str) =
    ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128");

/// A program from crates.io.
struct CargoTool {
    /// The program's name.
    program: &'static str,
    /// The crate that holds it.
    package: &'static str,
    version: String,
    /// What `cargo install` needs to be told for this one.
    flags: &'static [&'static str],
}

/// 0.22.1 names a newer Rust as its oldest, but builds and works with ours; without its own lock file
/// it does not compile.
fn trunk() -> CargoTool {
    CargoTool {
        program: "trunk",
        package: "trunk",
        version: "0.22.1".to_owned(),
        flags: &["--locked", "--ignore-rust-version"],
    }
}

/// The generated JavaScript and the crate speak a private protocol: the versions must be the same.
fn wasm_bindgen() -> Result<CargoTool> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock could not be read")?;
    let version = locked_version(&lock, "wasm-bindgen").context("Cargo.lock holds no wasm-bindgen")?;
    Ok(CargoTool { program: "wasm-bindgen", package: "wasm-bindgen-cli", version, flags: &[] })
}

/// Where the tools are.
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

impl Tools {
    /// A command in the repository's root that finds the tools before anything else on `PATH`.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = command(words);
        command.env("PATH", self.path());
        command
    }

    /// What to type to use the same tools by hand.
    pub(crate) fn export(&self) -> String {
        let folders: Vec<_> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        format!("export PATH=\"{}:$PATH\"", folders.join(":"))
    }

    fn path(&self) -> OsString {
        let rest = env::var_os("PATH").unwrap_or_default();
        let all = self.folders.iter().cloned().chain(env::split_paths(&rest));
        env::join_paths(all).unwrap_or(rest)
    }
}

/// What building the playground takes: the WebAssembly target, Trunk, wasm-bindgen, wasm-opt and the
/// crates themselves, since Trunk is run offline.
pub(crate) fn web() -> Result<Tools> {
    let mut tools = wasm()?;
    tools.folders.extend(cargo_tool(&trunk())?);
    // Quick where everything is there already, and then it asks nobody.
    output(command("cargo fetch --quiet --target").arg(TARGET))?;
    Ok(tools)
}

/// What turning a crate into WebAssembly that Node runs takes.
pub(crate) fn wasm() -> Result<Tools> {
    wasm_target()?;
    let mut tools = node()?;
    tools.folders.extend(cargo_tool(&wasm_bindgen()?)?);
    Ok(tools)
}

/// Node itself and the npm packages of the root.
pub(crate) fn node() -> Result<Tools> {
    Ok(Tools { folders: vec![npm(&root())?.join(".bin")] })
}

/// The other library on DynamoDB, for the tests beside it.
pub(crate) fn peer() -> Result<()> {
    npm(&root().join("xtask/dynamodb/peer")).map(drop)
}

/// The second emulator of DynamoDB, and one of EventBridge, in Python.
pub(crate) fn moto() -> Result<PathBuf> {
    const VERSION: &str = "5.2.5";
    // Named after what it has: one that was installed for less is not taken for it.
    let home = cache()?.join(format!("moto-{VERSION}-events"));
    let program = home.join("bin/moto_server");
    // pip writes programs last, so an interrupted install counts as none.
    if !program.exists() {
        const HELP: &str = "Install Python 3.9 or newer with venv, and run this again.";
        run(command("python3 -m venv").arg(&home), HELP)?;
        let package = format!("moto[server,dynamodb,events]=={VERSION}");
        run(Command::new(home.join("bin/pip")).args(["install", "--quiet", &package]), HELP)?;
    }
    Ok(program)
}

/// Where the npm packages of a folder are, installed first if need be.
pub(crate) fn npm(folder: &Path) -> Result<PathBuf> {
    const HELP: &str = "Install Node 20 or newer, with npm, and run this again.";
    let version = output(&mut command("node --version")).context(HELP)?;
    if major(&version) < Some(OLDEST_NODE) {
        bail!("Node {} is too old. {HELP}", version.trim());
    }
    let modules = folder.join("node_modules");
    // npm writes this file last, so an interrupted install counts as none.
    if modified(&modules.join(".package-lock.json")) <= modified(&folder.join("package-lock.json")) {
        run(
            command("npm ci --no-audit --no-fund --ignore-scripts").current_dir(folder),
            "Is there a network, and a registry that npm reaches?",
        )?;
    }
    Ok(modules)
}

/// The WebAssembly target of the toolchain that `rust-toolchain.toml` names.
pub(crate) fn wasm_target() -> Result<()> {
    let folder = output(command("rustc --print target-libdir --target").arg(TARGET))?;
    if Path::new(folder.trim()).exists() {
        return Ok(());
    }
    run(
        command("rustup target add").arg(TARGET),
        "Without rustup, install your Rust's standard library for wasm32-unknown-unknown by hand.",
    )
}

/// The browser for the tests: `$CHROMIUM`, else one on `PATH`, else Debian's is installed where we may.
pub(crate) fn chromium() -> Result<PathBuf> {
    const HELP: &str = "Install Chromium or Chrome, or set CHROMIUM to one.";
    if let Some(path) = env::var_os("CHROMIUM").map(PathBuf::from) {
        if !path.is_file() {
            bail!("CHROMIUM is set to {}, which is no file. {HELP}", path.display());
        }
        return Ok(path);
    }
    let found = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path);
    if let Some(path) = found() {
        return Ok(path);
    }
    let sudo = match output(&mut command("id -u")).as_deref().map(str::trim) {
        Ok("0") => "",
        _ if command("sudo -n true").status().is_ok_and(|status| status.success()) => "sudo ",
        _ => bail!("There is no browser to test in. {HELP}"),
    };
    if on_path("apt-get").is_none() {
        bail!("There is no browser to test in. {HELP}");
    }
    run(&mut command(&format!("{sudo}apt-get update -q")), HELP)?;
    run(
        &mut command(&format!("{sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium")),
        HELP,
    )?;
    found().with_context(|| format!("apt-get brought no `chromium`. {HELP}"))
}

/// The folder that has the tool, installed there first if need be; none if `PATH` has it already.
fn cargo_tool(tool: &CargoTool) -> Result<Option<PathBuf>> {
    if has_version(Path::new(tool.program), tool) {
        return Ok(None);
    }
    let CargoTool { program, package, version, flags } = tool;
    let home = cache()?.join(format!("{program}-{version}"));
    let folder = home.join("bin");
    if has_version(&folder.join(program), tool) {
        return Ok(Some(folder));
    }

    eprintln!("Building {program} {version}, once for this user; it takes some minutes.");
    // Cargo puts a program in its place only when it is whole, and goes on where a build was interrupted.
    let build = home.join("build");
    let installed = run(
        command("cargo install --root")
            .arg(&home)
            .args(["--version", version, package])
            .args(*flags)
            .env("CARGO_TARGET_DIR", &build)
            // Built once, run for seconds: a quick build beats quick code.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0"),
        "Is there a network, and a C compiler? What was built is kept: run this again.",
    );
    // Asked before the error is: another clone's run may have brought the tool in the meantime.
    if !has_version(&folder.join(program), tool) {
        installed?;
        bail!("{program} was built, but {} is not version {version}", folder.join(program).display());
    }
    fs::remove_dir_all(&build).ok();
    Ok(Some(folder))
}

fn has_version(program: &Path, tool: &CargoTool) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| says_version(&String::from_utf8_lossy(&output.stdout), &tool.version))
}

/// Whether a `--version` line like `trunk 0.22.1` is of exactly this version.
fn says_version(line: &str, version: &str) -> bool {
    line.split_whitespace().nth(1) == Some(version)
}

/// The version that `Cargo.lock` has for a package.
fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

/// 20 of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

fn modified(file: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(file).and_then(|meta| meta.modified()).ok()
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => {
            env::home_dir().context("no home folder to keep tools in; set XDG_CACHE_HOME")?.join(".cache")
        }
    };
    Ok(base.join("rewound"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_very_package() {
        let lock = r#"
[[package]]
name = "wasm-bindgen-macro"
version = "0.2.1"

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
source = "registry"
"#;
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }

    #[test]
    fn only_the_exact_version_will_do() {
        assert!(says_version("wasm-bindgen 0.2.130\n", "0.2.130"));
        assert!(says_version("trunk 0.22.1 (abc 2026-01-01)", "0.22.1"));
        assert!(!says_version("wasm-bindgen 0.2.13", "0.2.130"));
        assert!(!says_version("wasm-bindgen 0.2.130", "0.2.13"));
        assert!(!says_version("", "0.2.130"));
    }

    #[test]
    fn node_versions_are_compared_as_numbers() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert!(major("v9.1.0") < Some(OLDEST_NODE));
        assert!(major("not found") < Some(OLDEST_NODE));
    }

    #[test]
    fn the_tools_come_first_on_the_path() {
        let tools = Tools { folders: vec!["/a/bin".into(), "/b/bin".into()] };
        let path = tools.path();
        let first: Vec<_> = env::split_paths(&path).take(2).collect();
        assert_eq!(first, [PathBuf::from("/a/bin"), PathBuf::from("/b/bin")]);
        assert_eq!(tools.export(), r#"export PATH="/a/bin:/b/bin:$PATH""#);
    }
}
