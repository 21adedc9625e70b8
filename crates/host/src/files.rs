//! `files`: what a guest can read, copied into a folder of its own when the host is built, as Spin does.

use std::path::{Component, Path, PathBuf};

use glob::Pattern;
use tempfile::TempDir;

use crate::{
    error::HostError,
    manifest::{ComponentConfig, FilesConfig, Manifest},
};

/// Copies a component's files; `None` if it has none.
pub(crate) fn copy(
    manifest: &Manifest,
    name: &str,
    config: &ComponentConfig,
) -> Result<Option<TempDir>, HostError> {
    if config.files.is_empty() {
        return Ok(None);
    }
    let copy = || -> Result<TempDir, String> {
        let folder = tempfile::Builder::new()
            .prefix("talktime-files-")
            .tempdir()
            .map_err(|e| e.to_string())?;
        let excluded = config
            .exclude_files
            .iter()
            .map(|text| Pattern::new(text).map_err(|e| format!("{text:?}: {e}")));
        let copier = Copier {
            excluded: excluded.collect::<Result<_, _>>()?,
            app: &manifest.folder,
        };
        for files in &config.files {
            copier.copy(files, folder.path())?;
        }
        Ok(folder)
    };
    copy()
        .map(Some)
        .map_err(|message| HostError::ManifestInvalid {
            path: manifest.path.clone(),
            line: None,
            message: format!("the `files` of component `{name}` cannot be mounted: {message}"),
        })
}

struct Copier<'a> {
    excluded: Vec<Pattern>,
    app: &'a Path,
}

impl Copier<'_> {
    fn copy(&self, files: &FilesConfig, to: &Path) -> Result<(), String> {
        match files {
            FilesConfig::Pattern(pattern) => {
                let path = self.app.join(inside(pattern)?);
                if path.is_dir() {
                    return self.copy_matching(&path, "**/*", self.app, to);
                }
                self.copy_matching(self.app, pattern, self.app, to)
            }
            FilesConfig::Placement {
                source,
                destination,
            } => {
                let destination = to.join(inside(destination.trim_start_matches('/'))?);
                let source = self.app.join(source);
                if source.is_dir() {
                    self.copy_matching(&source, "**/*", &source, &destination)
                } else {
                    copy_file(&source, &destination)
                }
            }
        }
    }

    /// Copies what `pattern` matches under `folder`, at its path relative to `base`.
    fn copy_matching(
        &self,
        folder: &Path,
        pattern: &str,
        base: &Path,
        to: &Path,
    ) -> Result<(), String> {
        let escaped = Pattern::escape(&folder.to_string_lossy());
        let found =
            glob::glob(&format!("{escaped}/{pattern}")).map_err(|e| format!("{pattern:?}: {e}"))?;
        for path in found {
            let path = path.map_err(|e| e.to_string())?;
            let relative = path.strip_prefix(base).map_err(|e| e.to_string())?;
            let in_app = path.strip_prefix(self.app).unwrap_or(relative);
            if path.is_dir()
                || self
                    .excluded
                    .iter()
                    .any(|pattern| pattern.matches_path(in_app))
            {
                continue;
            }
            copy_file(&path, &to.join(relative))?;
        }
        Ok(())
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<(), String> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::copy(from, to).map_err(|e| format!("{}: {e}", from.display()))?;
    Ok(())
}

/// A path that stays under the folder it is joined to.
fn inside(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    let goes_out = path
        .components()
        .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    if goes_out {
        Err(format!(
            "{} leaves the folder of the manifest",
            path.display()
        ))
    } else {
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_patterns_and_placements() {
        let app = tempfile::tempdir().unwrap();
        for file in [
            "assets/a.txt",
            "assets/deep/b.txt",
            "assets/c.map",
            "other/d.txt",
        ] {
            let path = app.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let text = r#"
spin_manifest_version = 2
[application]
name = "x"
[component.w]
source = "w.wasm"
files = ["other/*.txt", { source = "assets", destination = "/static" }]
exclude_files = ["assets/*.map"]
"#;
        let manifest = Manifest::parse(text, &app.path().join("spin.toml")).unwrap();
        let copied = copy(&manifest, "w", &manifest.components["w"])
            .unwrap()
            .unwrap();
        let has = |file: &str| copied.path().join(file).exists();
        assert!(has("other/d.txt") && has("static/a.txt") && has("static/deep/b.txt"));
        assert!(!has("static/c.map") && !has("assets"));
        assert!(inside("../x").is_err() && inside("/x").is_err());
    }
}
