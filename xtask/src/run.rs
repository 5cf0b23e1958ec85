//! Running other programs: say which, time it, and fail with words that help.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};

/// How often a log (not a terminal, where programs draw their own progress) hears that one still runs.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// The repository's root: where every command runs unless it says otherwise.
pub(crate) fn root() -> PathBuf {
    // Cargo sets it anew at each `cargo run`; the compile-time value would go stale in a moved folder.
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A command in the repository's root, from words separated by spaces.
pub(crate) fn command(words: &str) -> Command {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(root());
    command
}

/// Runs a command to its end; `help` tells the reader of a failure what to do about it.
pub(crate) fn run(command: &mut Command, help: &str) -> Result<()> {
    announce(command);
    finish(command, help, |_| {})
}

/// Like [`run`], and shows each line of its standard output to `line` after it was printed.
pub(crate) fn run_reading(command: &mut Command, help: &str, line: impl FnMut(&str)) -> Result<()> {
    announce(command);
    finish(command.stdout(Stdio::piped()), help, line)
}

/// What a command prints, without a word about it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{}` could not be started", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command in this one's place: one process, so whatever stops one stops the other.
pub(crate) fn become_it(command: &mut Command) -> Result<()> {
    announce(command);
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(command);
        Err(error).with_context(|| format!("`{}` could not be started", shown(command)))
    }
    #[cfg(not(unix))]
    finish(command, "", |_| {})
}

/// Prints the command, so that a person can repeat it.
fn announce(command: &Command) {
    eprintln!("$ {}", shown(command));
}

fn finish(command: &mut Command, help: &str, mut line: impl FnMut(&str)) -> Result<()> {
    let start = Instant::now();
    let mut child =
        command.spawn().with_context(|| format!("`{}` could not be started. {help}", shown(command)))?;

    let (done, waiting) = mpsc::channel::<()>();
    let name = words(command);
    let heart = thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = waiting.recv_timeout(HEARTBEAT) {
            if !std::io::stderr().is_terminal() {
                eprintln!("  … {} so far: {name}", time(start.elapsed()));
            }
        }
    });
    if let Some(stdout) = child.stdout.take() {
        for text in BufReader::new(stdout).split(b'\n') {
            let text = text.context("its output could not be read")?;
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            line(&text);
        }
    }
    let status = child.wait();
    drop(done);
    heart.join().ok();

    let status = status?;
    if !status.success() {
        let place = command.get_current_dir().unwrap_or(Path::new(".")).display();
        let took = time(start.elapsed());
        bail!("`{}` failed in {place} after {took}: {status}. {help}", shown(command));
    }
    Ok(())
}

/// The command as a shell would take it, with the variables that were set for it.
fn shown(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter(|(key, _)| *key != "PATH")
        .filter_map(|(key, value)| Some(format!("{}={}", key.display(), quoted(value?))));
    variables.chain([words(command)]).collect::<Vec<_>>().join(" ")
}

/// The command alone.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program).chain(command.get_args()).map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A duration as people say it.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_the_place_the_code_and_the_way_out() {
        let error = run(Command::new("sh").args(["-c", "exit 7"]).current_dir(root()), "Try less.");
        let error = error.unwrap_err().to_string();
        for part in ["sh -c 'exit 7'", "exit status: 7", "Try less.", &root().display().to_string()] {
            assert!(error.contains(part), "no {part:?} in {error}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut command("no-such-program"), "Install it.").unwrap_err().to_string();
        assert!(error.contains("no-such-program") && error.contains("Install it."), "{error}");
    }

    #[test]
    fn lines_are_read_and_the_last_needs_no_newline() {
        let mut lines = Vec::new();
        let mut command = Command::new("printf");
        run_reading(command.arg(r"one\ntwo"), "", |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_shown_command_can_be_pasted() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["doc", "it's"]).env("RUSTDOCFLAGS", "-D warnings").env("PATH", "/long");
        assert_eq!(shown(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc 'it'\''s'");
    }
}
