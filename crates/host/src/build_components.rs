//! Builds the components, by the commands of the manifest.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use talktime_build::{cargo::without_outer_cargo, wasm_target};

use crate::{error::HostError, manifest::Manifest};

/// Runs each component's build commands; equal commands run once. What they print is shown only when they fail.
///
/// # Errors
/// When Rust cannot compile to wasm, or a command fails: with all that it printed.
pub fn build(manifest: &Manifest) -> Result<(), HostError> {
    wasm_target::ensure(&manifest.folder)?;
    let mut jobs: Vec<(PathBuf, String)> = Vec::new();
    let mut names: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (name, component) in &manifest.components {
        let Some(build) = &component.build else {
            continue;
        };
        let folder = build.workdir.as_ref().map_or_else(
            || manifest.folder.clone(),
            |workdir| manifest.folder.join(workdir),
        );
        for command in build.command.iter() {
            let job = (folder.clone(), command.to_owned());
            let index = jobs
                .iter()
                .position(|known| *known == job)
                .unwrap_or_else(|| {
                    jobs.push(job);
                    jobs.len() - 1
                });
            names.entry(index).or_default().push(name);
        }
    }
    let progress = Progress::start();
    for (index, (folder, command)) in jobs.iter().enumerate() {
        let components = names
            .get(&index)
            .map(|names| names.join(", "))
            .unwrap_or_default();
        progress.now(&components);
        let failed = |output| HostError::BuildFailed {
            components: components.clone(),
            command: command.clone(),
            output,
        };
        let output = run(folder, command).map_err(|error| {
            failed(format!(
                "it could not be started in {}: {error}",
                folder.display()
            ))
        })?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stdout).into_owned()));
        }
    }
    progress.done();
    Ok(())
}

fn run(folder: &Path, command: &str) -> std::io::Result<Output> {
    // One stream, so that the lines keep their order.
    let script = format!("exec 2>&1\n{command}");
    without_outer_cargo(Command::new("sh").args(["-c", &script]).current_dir(folder))
        .stdin(Stdio::null())
        .output()
}

/// A line on stderr that says what is built and for how long; on a terminal it is one line that changes.
struct Progress {
    sender: mpsc::Sender<String>,
    thread: std::thread::JoinHandle<()>,
}

impl Progress {
    fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            sender,
            thread: std::thread::spawn(move || show(&receiver)),
        }
    }

    fn now(&self, components: &str) {
        // Nobody listens only if the thread panicked: then there is no progress line, and the build goes on.
        let _ = self.sender.send(components.to_owned());
    }

    fn done(self) {
        drop(self.sender);
        // As above.
        let _ = self.thread.join();
    }
}

fn show(receiver: &mpsc::Receiver<String>) {
    let start = Instant::now();
    let is_terminal = std::io::stderr().is_terminal();
    let every = Duration::from_secs(if is_terminal { 1 } else { 15 });
    let mut components = String::new();
    let mut is_shown = false;
    loop {
        match receiver.recv_timeout(every) {
            Ok(now) => components = now,
            Err(RecvTimeoutError::Timeout) => {
                let line = format!(
                    "building components… {} s ({components})",
                    start.elapsed().as_secs()
                );
                if is_terminal {
                    eprint!("\r\x1b[2K{line}");
                    // A progress line that cannot be shown is no reason to stop.
                    let _ = std::io::stderr().flush();
                } else {
                    eprintln!("{line}");
                }
                is_shown = true;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if is_shown && is_terminal {
        eprint!("\r\x1b[2K");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(folder: &Path, command: &str) -> Manifest {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"x\"\n\
             [component.a]\nsource = \"a\"\n[component.a.build]\ncommand = {command:?}\n\
             [component.b]\nsource = \"b\"\n[component.b.build]\ncommand = {command:?}\n"
        );
        Manifest::parse(&text, &folder.join("spin.toml")).unwrap()
    }

    #[test]
    fn equal_commands_run_once() {
        let folder = tempfile::tempdir().unwrap();
        build(&manifest(folder.path(), "echo x >> out")).unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("out")).unwrap(),
            "x\n"
        );
    }

    #[test]
    fn failure_shows_everything() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(&manifest(folder.path(), "echo one; echo two >&2; exit 3")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the build of a, b failed: echo one; echo two >&2; exit 3\none\ntwo\n"
        );
    }

    #[test]
    fn the_outer_cargo_does_not_show() {
        let folder = tempfile::tempdir().unwrap();
        build(&manifest(
            folder.path(),
            "echo \"[$CARGO_PKG_NAME$CARGO_MANIFEST_DIR]\" > out",
        ))
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("out")).unwrap(),
            "[]\n"
        );
    }
}
