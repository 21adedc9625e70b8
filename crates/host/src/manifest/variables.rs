//! Variables: the application's, the templates that components see, and the provider (environment, `.env`, tests).

use std::{
    collections::{BTreeMap, HashMap},
    env::VarError,
    path::Path,
};

use crate::{
    error::HostError,
    manifest::{
        Manifest,
        template::{Part, Template},
    },
};

/// Spin's prefix of the environment variables that give values.
const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// What a guest is told when a variable cannot be had; the variants are those of `spin:variables`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariableError {
    #[error("invalid variable name: {0}")]
    InvalidName(String),
    #[error("invalid variable template: {0}")]
    InvalidTemplate(String),
    #[error("provider error: {0}")]
    Provider(String),
    #[error("undefined variable: {0}")]
    Undefined(String),
}

/// Resolves a component's variables.
#[derive(Debug)]
pub(crate) struct Variables {
    /// Name → default.
    declared: BTreeMap<String, Option<String>>,
    /// Component → name → template.
    components: HashMap<String, BTreeMap<String, Template>>,
    /// What the provider says, by the application's variable name. It wins over the defaults.
    provided: HashMap<String, String>,
}

impl Variables {
    pub(crate) fn new(
        manifest: &Manifest,
        provided: HashMap<String, String>,
    ) -> Result<Self, HostError> {
        Self::checked(manifest, provided).map_err(|error| HostError::Variable {
            message: format!(
                "{}: {error}\nCorrect [variables] or [component.NAME.variables]",
                manifest.path.display()
            ),
        })
    }

    fn checked(
        manifest: &Manifest,
        provided: HashMap<String, String>,
    ) -> Result<Self, VariableError> {
        let mut declared = BTreeMap::new();
        for (name, config) in &manifest.variables {
            check_name(name)?;
            declared.insert(name.clone(), config.default.clone());
        }
        let mut components = HashMap::new();
        for (component, config) in &manifest.components {
            let mut templates = BTreeMap::new();
            for (name, text) in &config.variables {
                check_name(name)?;
                let template = Template::parse(text)?;
                for part in &template.parts {
                    if let Part::Variable(variable) = part
                        && !declared.contains_key(variable)
                    {
                        return Err(VariableError::InvalidTemplate(format!(
                            "unknown variable {variable:?}"
                        )));
                    }
                }
                templates.insert(name.clone(), template);
            }
            components.insert(component.clone(), templates);
        }
        Ok(Self {
            declared,
            components,
            provided,
        })
    }

    /// The required variables that nothing gives a value.
    ///
    /// Spin refuses to start then; so does this host.
    pub(crate) fn missing(&self) -> Vec<&str> {
        let without = self
            .declared
            .iter()
            .filter(|(_, default)| default.is_none());
        without
            .map(|(name, _)| name.as_str())
            .filter(|name| !self.provided.contains_key(*name))
            .collect()
    }

    pub(crate) fn resolve(&self, component: &str, name: &str) -> Result<String, VariableError> {
        check_name(name)?;
        let template = self
            .components
            .get(component)
            .ok_or_else(|| {
                VariableError::Undefined(format!("no variable for component {component:?}"))
            })?
            .get(name)
            .ok_or_else(|| {
                VariableError::Undefined(format!("no variable for {component:?}.{name:?}"))
            })?;
        self.resolve_template(template)
    }

    pub(crate) fn resolve_template(&self, template: &Template) -> Result<String, VariableError> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(self.value(name)?),
            }
        }
        Ok(text)
    }

    fn value(&self, name: &str) -> Result<&str, VariableError> {
        if let Some(value) = self.provided.get(name) {
            return Ok(value);
        }
        match self.declared.get(name) {
            None => Err(VariableError::InvalidName(name.to_owned())),
            Some(Some(default)) => Ok(default),
            Some(None) => Err(VariableError::Provider(format!(
                "no provider resolved required variable {name:?}"
            ))),
        }
    }
}

/// Spin's rule for names: lower-case ASCII letters, digits and single underscores, a letter first, no underscore last.
fn check_name(name: &str) -> Result<(), VariableError> {
    let reason = if name.is_empty() {
        "must not be empty".to_owned()
    } else if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_'))
    {
        format!(
            "invalid character {bad:?}. Variable names may contain only lower-case letters, numbers, and underscores."
        )
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must start with a lowercase ASCII letter".to_owned()
    } else if name.ends_with('_') {
        "must end with a lowercase ASCII letter or digit".to_owned()
    } else if name.contains("__") {
        "must not contain multiple consecutive underscores".to_owned()
    } else {
        return Ok(());
    };
    Err(VariableError::InvalidName(format!("{name:?}: {reason}")))
}

/// Reads the values of the declared variables as Spin's default provider does: the environment first, then `.env`.
///
/// # Errors
/// When an environment value is not UTF-8 or the `.env` file does not parse.
pub(crate) fn from_environment(
    manifest: &Manifest,
    environment: impl Fn(&str) -> Result<String, VarError>,
    dotenv: &Path,
) -> Result<HashMap<String, String>, HostError> {
    let file = read_dotenv(dotenv)?;
    let mut values = HashMap::new();
    for name in manifest.variables.keys() {
        let key = format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase());
        let value = match environment(&key) {
            Ok(value) => Some(value),
            Err(VarError::NotPresent) => file.get(&key).cloned(),
            Err(VarError::NotUnicode(_)) => {
                return Err(HostError::Variable {
                    message: format!("{key} is not UTF-8\nSet it to UTF-8 text, or unset it"),
                });
            }
        };
        if let Some(value) = value {
            values.insert(name.clone(), value);
        }
    }
    Ok(values)
}

fn read_dotenv(path: &Path) -> Result<HashMap<String, String>, HostError> {
    // A file that is not there, or cannot be opened, is no file: as Spin has it.
    let Ok(lines) = dotenvy::from_path_iter(path) else {
        return Ok(HashMap::new());
    };
    // The parser's message quotes the line, which may hold a secret: it is not shown.
    lines.collect::<Result<_, _>>().map_err(|_| HostError::Variable {
        message: format!("{} is not in the .env format\nWrite one NAME=value on each line, with quotes round values that hold spaces", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let text = r#"
spin_manifest_version = 2
[application]
name = "x"
[variables]
secret = { required = true }
host = { default = "a.example" }
[component.a]
source = "a.wasm"
[component.a.variables]
url = "https://{{ host }}/{{secret}}"
plain = "p"
[component.b]
source = "b.wasm"
"#;
        Manifest::parse(text, Path::new("/app/spin.toml")).unwrap()
    }

    fn variables(values: &[(&str, &str)]) -> Variables {
        let values = values
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Variables::new(&manifest(), values).unwrap()
    }

    #[test]
    fn provider_wins_over_default() {
        let variables = variables(&[("secret", "s"), ("host", "b.example")]);
        assert_eq!(
            variables.resolve("a", "url").unwrap(),
            "https://b.example/s"
        );
        assert!(variables.missing().is_empty());
    }

    #[test]
    fn errors_are_spins() {
        let variables = variables(&[]);
        assert_eq!(variables.missing(), ["secret"]);
        let check = |component, name, expected: &str| {
            assert_eq!(
                variables.resolve(component, name).unwrap_err().to_string(),
                expected
            );
        };
        check(
            "a",
            "url",
            "provider error: no provider resolved required variable \"secret\"",
        );
        check(
            "a",
            "host",
            "undefined variable: no variable for \"a\".\"host\"",
        );
        check(
            "b",
            "plain",
            "undefined variable: no variable for \"b\".\"plain\"",
        );
        check(
            "a",
            "1x",
            "invalid variable name: \"1x\": must start with a lowercase ASCII letter",
        );
        check(
            "a",
            "a__b",
            "invalid variable name: \"a__b\": must not contain multiple consecutive underscores",
        );
        check(
            "a",
            "a_",
            "invalid variable name: \"a_\": must end with a lowercase ASCII letter or digit",
        );
        assert!(variables.resolve("a", "A").is_err() && variables.resolve("a", "").is_err());
    }

    #[test]
    fn environment_then_dotenv() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "# c\nSPIN_VARIABLE_SECRET=\"from file\"\nexport SPIN_VARIABLE_HOST=f.example\nOTHER=1\n").unwrap();
        let env = |key: &str| {
            if key == "SPIN_VARIABLE_HOST" {
                Ok("e.example".to_owned())
            } else {
                Err(VarError::NotPresent)
            }
        };
        let values = from_environment(&manifest(), env, &file).unwrap();
        assert_eq!(values["secret"], "from file");
        assert_eq!(values["host"], "e.example");
        std::fs::write(&file, "not a line\n").unwrap();
        assert!(from_environment(&manifest(), env, &file).is_err());
        let none = from_environment(
            &manifest(),
            |_| Err(VarError::NotPresent),
            &folder.path().join("no"),
        )
        .unwrap();
        assert!(none.is_empty());
    }
}
