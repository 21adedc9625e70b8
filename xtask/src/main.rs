//! `cargo xtask`: what developers, `spin build` and CI run, under one name each.

mod manifest;
#[cfg(test)]
mod tidy;

use std::path::Path;
use std::process::{Command, ExitCode};

use talktime_build::{cargo::without_outer_cargo, key_value_file, wasm_target};

/// A subcommand that is another program's command, to which further arguments are added.
struct Task {
    name: &'static str,
    what: &'static str,
    command: &'static str,
}

const fn task(name: &'static str, what: &'static str, command: &'static str) -> Task {
    Task {
        name,
        what,
        command,
    }
}

/// No `-p` where Wasmtime is linked: to choose a package is to choose features, with which it would be compiled again.
const TASKS: [Task; 8] = [
    task("build", "compiles the components", "cargo build-components"),
    task(
        "tidy",
        "checks what the documents say about the code",
        "cargo test --quiet --bin xtask",
    ),
    task(
        "openapi",
        "writes docs/openapi.json from the types of the wire",
        "env UPDATE_OPENAPI=1 cargo test -p talktime-wire",
    ),
    task(
        "types",
        "writes the pages' types from docs/openapi.json",
        "npm run wire --prefix tests/web",
    ),
    task("bench", "measures requests a second", "bench/run"),
    task("sim", "runs the simulation", "cargo test --test simulation"),
    task(
        "kill",
        "kills the server under load, again and again",
        "cargo test --test kill",
    ),
    task("ci", "everything that must hold on main", ".ci/run"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let done = match (name.as_str(), arguments.as_slice()) {
        ("prepare", []) => prepare(root()),
        ("manifest", []) => manifest::write(root()),
        (name, arguments) => match TASKS.iter().find(|task| task.name == name) {
            Some(task) => run(task, arguments),
            None => Err(usage()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The wasm target, and the folder of the data.
fn prepare(root: &Path) -> Result<(), String> {
    wasm_target::ensure(root)
        .and_then(|()| key_value_file::prepare(&root.join(".spin")))
        .map_err(|error| format!("error: {error}"))
}

fn run(task: &Task, arguments: &[String]) -> Result<(), String> {
    let mut words = task.command.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).args(arguments).current_dir(root());
    let failed = |why: String| format!("error: {} {why}", task.command);
    match without_outer_cargo(&mut command).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("failed: {status}"))),
        Err(error) => Err(failed(format!("does not start: {error}"))),
    }
}

fn usage() -> String {
    let mut lines = vec![
        "usage: cargo xtask COMMAND [ARGUMENTS OF THE COMMAND]".to_owned(),
        "  prepare    adds the wasm target, and makes .spin with its key-value file".to_owned(),
        "  manifest   writes spin.no-cron.toml from spin.toml".to_owned(),
    ];
    lines.extend(TASKS.iter().map(|task| {
        let (name, what, command) = (task.name, task.what, task.command);
        format!("  {name:<10} {what}: {command}")
    }));
    lines.join("\n")
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
