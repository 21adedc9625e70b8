//! `spin.toml`, version 2: the part of it that this host understands.
//!
//! What this host cannot honour (private routes, files, environment variables, service chaining, other triggers) is an
//! error that names the line, so that nothing is dropped in silence.

pub(crate) mod allowed_hosts;
pub(crate) mod routes;
mod template;
pub(crate) mod variables;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::IgnoredAny};

use crate::error::HostError;

/// A manifest with the folder that its relative paths start from.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The manifest file.
    pub path: PathBuf,
    /// The folder of the manifest: relative paths start here.
    pub folder: PathBuf,
    /// The application's name.
    pub name: String,
    /// The application's variables, by name.
    pub variables: BTreeMap<String, VariableConfig>,
    /// The HTTP triggers, in the manifest's order.
    pub http_triggers: Vec<HttpTrigger>,
    /// The cron triggers, in the manifest's order.
    pub cron_triggers: Vec<CronTrigger>,
    /// The components, by name.
    pub components: BTreeMap<String, ComponentConfig>,
}

/// `[variables]`: one application variable.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariableConfig {
    /// Words for people.
    pub description: Option<String>,
    /// It has no default; a provider must give its value.
    #[serde(default)]
    pub required: bool,
    /// Its value when no provider has one.
    pub default: Option<String>,
    /// Its value is not to be shown.
    #[serde(default)]
    pub secret: bool,
}

/// `[[trigger.http]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    /// The trigger's id, which nothing here needs.
    #[serde(default)]
    pub id: Option<String>,
    /// Where it listens: a path such as `/healthz`, or all paths under one, such as `/api/session/...`.
    pub route: String,
    /// The component that answers.
    pub component: String,
}

/// `[[trigger.cron]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronTrigger {
    /// The trigger's id, which nothing here needs.
    #[serde(default)]
    pub id: Option<String>,
    /// The component that exports `handle-cron-event`.
    pub component: String,
    /// Seconds, minutes, hours, day of month, month, day of week (and year, if given).
    pub cron_expression: String,
}

/// `[component.x]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentConfig {
    /// The wasm file, relative to the manifest.
    pub source: String,
    /// Words for people.
    #[serde(default)]
    pub description: String,
    /// The component's variables: templates over the application's.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Where the guest may connect to.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The key-value stores that it may open.
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    /// The databases that it may open.
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    /// How it is built.
    pub build: Option<BuildConfig>,
    /// Settings of other tools, which Spin leaves alone too.
    #[serde(default)]
    pub tool: IgnoredAny,
}

/// `[component.x.build]`.
#[derive(Clone, Debug, Deserialize)]
pub struct BuildConfig {
    /// The command, or several.
    pub command: Commands,
    /// Where it runs, relative to the manifest.
    pub workdir: Option<String>,
}

/// One build command or several, run in order.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    Single(String),
    Multiple(Vec<String>),
}

impl Commands {
    /// The commands, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Single(command) => std::slice::from_ref(command),
            Self::Multiple(commands) => commands,
        }
        .iter()
        .map(String::as_str)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, VariableConfig>,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default)]
    component: BTreeMap<String, ComponentConfig>,
}

#[derive(Deserialize)]
struct Application {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
    #[serde(default)]
    cron: Vec<CronTrigger>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When the file cannot be read, is not a Spin manifest of version 2, or refers to something it does not define.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, HostError> {
        let path = path.as_ref();
        let unreadable = |cause| HostError::ManifestUnreadable {
            path: path.to_owned(),
            cause,
        };
        // A folder may be given in place of its spin.toml, as with Spin's `--from`.
        let path = if path.is_dir() {
            path.join("spin.toml")
        } else {
            path.to_owned()
        };
        let path = std::path::absolute(&path).map_err(unreadable)?;
        let text =
            std::fs::read_to_string(&path).map_err(|cause| HostError::ManifestUnreadable {
                path: path.clone(),
                cause,
            })?;
        Self::parse(&text, &path)
    }

    /// Parses a manifest's text; `path` gives the folder and the words of the errors.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, HostError> {
        let invalid = |line, message| HostError::ManifestInvalid {
            path: path.to_owned(),
            line,
            message,
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            let message = error
                .message()
                .replace("unknown field", "this host knows no field");
            invalid(line, message)
        })?;
        if file.spin_manifest_version != 2 {
            let line = find_line(text, "spin_manifest_version");
            return Err(invalid(
                line,
                format!(
                    "spin_manifest_version is {}, this host reads version 2",
                    file.spin_manifest_version
                ),
            ));
        }
        for (name, variable) in &file.variables {
            if variable.required == variable.default.is_some() {
                let message = format!(
                    "variable `{name}` needs either `required = true` or a `default`, and not both"
                );
                return Err(invalid(find_line(text, name), message));
            }
        }
        let http = file.trigger.http.iter().map(|trigger| &trigger.component);
        let cron = file.trigger.cron.iter().map(|trigger| &trigger.component);
        for component in http.chain(cron) {
            if !file.component.contains_key(component) {
                let message = format!(
                    "a trigger names component `{component}`, which has no [component.{component}]"
                );
                return Err(invalid(
                    find_line(text, &format!("\"{component}\"")),
                    message,
                ));
            }
        }
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self {
            path: path.to_owned(),
            folder,
            name: file.application.name,
            variables: file.variables,
            http_triggers: file.trigger.http,
            cron_triggers: file.trigger.cron,
            components: file.component,
        })
    }

    /// Where a component's wasm file is.
    pub fn wasm_path(&self, component: &ComponentConfig) -> PathBuf {
        self.folder.join(&component.source)
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

fn find_line(text: &str, needle: &str) -> Option<usize> {
    text.find(needle).map(|offset| line_of(text, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"x\"\n";

    fn check(rest: &str) -> Result<Manifest, String> {
        Manifest::parse(&format!("{HEAD}{rest}"), Path::new("/app/spin.toml"))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn reads_what_talktime_uses() {
        let manifest = check(
            r#"
[variables]
token = { required = true, secret = true }
limit = { default = "5" }
[[trigger.http]]
route = "/a/..."
component = "a"
[[trigger.cron]]
component = "a"
cron_expression = "*/5 * * * * *"
[component.a]
source = "a.wasm"
key_value_stores = ["default"]
[component.a.variables]
t = "{{ token }}"
[component.a.build]
command = ["one", "two"]
"#,
        )
        .unwrap();
        assert!(manifest.variables["token"].secret);
        assert_eq!(manifest.http_triggers.len(), 1);
        assert_eq!(manifest.cron_triggers[0].cron_expression, "*/5 * * * * *");
        let component = &manifest.components["a"];
        assert_eq!(manifest.wasm_path(component), Path::new("/app/a.wasm"));
        assert_eq!(
            component
                .build
                .as_ref()
                .unwrap()
                .command
                .iter()
                .collect::<Vec<_>>(),
            ["one", "two"]
        );
    }

    #[test]
    fn errors_name_file_and_line() {
        let error = check("[component.a]\nsource = 5\n").unwrap_err();
        assert!(error.starts_with("/app/spin.toml:5: "), "{error}");
        let error = check("[[trigger.redis]]\nx = 1\n").unwrap_err();
        assert!(error.contains("redis"), "{error}");
        let error = check("[[trigger.http]]\nroute = \"/\"\ncomponent = \"b\"\n").unwrap_err();
        assert!(
            error.starts_with("/app/spin.toml:6: ") && error.contains("[component.b]"),
            "{error}"
        );
        let error = check("[variables]\nv = {}\n").unwrap_err();
        assert!(error.contains("`v` needs either"), "{error}");
    }

    #[test]
    fn what_spin_knows_and_this_host_does_not_is_refused() {
        for line in [
            "files = [\"x/*\"]",
            "exclude_files = [\"x/*\"]",
            "environment = { A = \"b\" }",
            "ai_models = [\"x\"]",
        ] {
            let error =
                check(&format!("[component.a]\nsource = \"a.wasm\"\n{line}\n")).unwrap_err();
            let field = line.split(' ').next().unwrap();
            let expected = format!("/app/spin.toml:6: this host knows no field `{field}`");
            assert!(error.starts_with(&expected), "{error}");
        }
        let trigger = "[[trigger.http]]\ncomponent = \"a\"\nroute = ";
        let error = check(&format!("{trigger}{{ private = true }}\n")).unwrap_err();
        assert!(
            error.starts_with("/app/spin.toml:6: ") && error.contains("expected a string"),
            "{error}"
        );
        let error = check(&format!(
            "{trigger}\"/\"\nexecutor = {{ type = \"wagi\" }}\n"
        ))
        .unwrap_err();
        assert!(error.contains("no field `executor`"), "{error}");
        check("[component.a]\nsource = \"a.wasm\"\n[component.a.tool.x]\ny = 1\n").unwrap();
    }
}
