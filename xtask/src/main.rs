//! `cargo xtask <verb>`: the one tool of this repository.
//!
//! Each verb brings the tools it needs ([`setup`]), says what it runs while it runs it ([`run`]) and
//! does one thing, in a module of its own.

mod bench;
mod dynamodb;
mod pkg;
mod play;
mod run;
mod setup;
mod size;
mod test;
mod worker;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// What a person can ask for.
struct Verb {
    name: &'static str,
    flags: &'static str,
    about: &'static str,
    run: fn(lexopt::Parser) -> Result<()>,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "play",
        flags: "[--port N] [--open] [--release] [--edge]",
        about: "the playground in the browser, rebuilt as you edit",
        run: play::run,
    },
    Verb { name: "pkg", flags: "", about: "the npm package, ready to `npm install ./pkg`", run: pkg::run },
    Verb {
        name: "edge",
        flags: "[--port N] [--json]",
        about: "the edge in the Workers runtime on this machine, on an embedded DynamoDB",
        run: worker::edge,
    },
    Verb { name: "worker", flags: "", about: "the edge, ready to be deployed by wrangler", run: worker::run },
    Verb {
        name: "test",
        flags: "[--only core|pkg|worker|web] [--full]",
        about: "everything the README promises, as CI runs it",
        run: test::run,
    },
    Verb {
        name: "bench",
        flags: "[--only core|web|edge]",
        about: "the benchmarks: a table, and target/bench.json",
        run: bench::run,
    },
    Verb {
        name: "size",
        flags: "",
        about: "each WebAssembly artefact against its budget; over budget fails",
        run: size::run,
    },
    Verb {
        name: "dynamodb",
        flags: "[--port N] [--file PATH]",
        about: "an embedded DynamoDB on loopback, with the tables",
        run: dynamodb::run,
    },
];

fn main() -> ExitCode {
    match dispatch(lexopt::Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut args: lexopt::Parser) -> Result<()> {
    use lexopt::Arg::{Long, Short, Value};
    match args.next()? {
        None | Some(Long("help") | Short('h')) => {
            print!("{}", help());
            Ok(())
        }
        Some(Value(name)) => match VERBS.iter().find(|verb| name == verb.name) {
            Some(verb) => (verb.run)(args),
            None if name == "help" => {
                print!("{}", help());
                Ok(())
            }
            None => bail!("there is no verb `{}`\n\n{}", name.display(), help()),
        },
        Some(other) => bail!("{}\n\n{}", other.unexpected(), help()),
    }
}

fn help() -> String {
    let mut help = String::from("cargo xtask <verb>\n\n");
    for Verb { name, flags, about, .. } in VERBS {
        help += &format!("  {:<46}  {about}\n", format!("{name} {flags}").trim_end());
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(args: &[&str]) -> Result<()> {
        dispatch(lexopt::Parser::from_args(args))
    }

    #[test]
    fn an_unknown_verb_is_an_error_that_lists_the_verbs() {
        let error = call(&["plya"]).unwrap_err().to_string();
        assert!(error.starts_with("there is no verb `plya`"), "{error}");
        for verb in VERBS {
            assert!(error.contains(verb.about), "{} is missing in {error}", verb.name);
        }
    }

    #[test]
    fn every_verb_refuses_flags_that_it_does_not_know() {
        for verb in VERBS {
            let error = call(&[verb.name, "--frobnicate"]).unwrap_err().to_string();
            assert!(error.contains("--frobnicate"), "{}: {error}", verb.name);
        }
    }

    #[test]
    fn parts_that_do_not_exist_are_refused() {
        for verb in ["test", "bench"] {
            let error = call(&[verb, "--only", "nonsense"]).unwrap_err().to_string();
            assert!(error.contains("nonsense"), "{error}");
        }
    }
}
