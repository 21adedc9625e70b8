//! `allowed_outbound_hosts`: where a component may connect to, each host with its scheme and port.
//!
//! Spin has wildcards, networks and ranges of ports too. Nothing here is to reach more than it names, so an entry of that
//! kind is refused. Of the application itself a component may be asked by its name, `http://<component>.spin.internal`.

use url::{Origin, Url};

use crate::manifest::{
    template::Template,
    variables::{VariableError, Variables},
};

/// A component's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedHosts(Vec<Origin>);

impl AllowedHosts {
    /// Parses a list, with its variables put in.
    ///
    /// A variable without a value is no error here, as in Spin: all of the component's requests are refused then.
    pub(crate) fn parse(items: &[String], variables: &Variables) -> Result<Self, String> {
        let mut hosts = Vec::new();
        for item in items {
            let template = Template::parse(item).map_err(|error| error.to_string())?;
            match variables.resolve_template(&template) {
                // An optional endpoint whose variable is empty.
                Ok(text)
                    if !template.is_literal()
                        && matches!(text.as_str(), "" | "http://" | "https://") => {}
                Ok(text) => hosts.push(origin(&text)?),
                Err(VariableError::Provider(_)) => return Ok(Self::default()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(Self(hosts))
    }

    /// The URL may be asked.
    pub(crate) fn allows(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.0.contains(&url.origin()))
    }
}

/// The component that a URL asks, where it asks one of the application's own.
pub(crate) fn component_of(url: &http::Uri) -> Option<&str> {
    url.host()?.strip_suffix(".spin.internal")
}

fn origin(text: &str) -> Result<Origin, String> {
    let bad = |what: &str| format!("{text:?} is not an allowed outbound host: {what}");
    let form =
        "write it as http[s]://<host>[:<port>], without wildcards, networks or ranges of ports";
    let url = Url::parse(text).map_err(|error| bad(&format!("{error}; {form}")))?;
    let host = url.host_str().unwrap_or_default();
    let is_bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https")
        || !text.contains("://")
        || !is_bare
        || host.contains('*')
    {
        return Err(bad(form));
    }
    if matches!(host, "self" | "self.alt") {
        return Err(bad(
            "this host sends requests to a component of the application only: http://<component>.spin.internal",
        ));
    }
    Ok(url.origin())
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, path::Path};

    use super::*;
    use crate::manifest::Manifest;

    fn parse(item: &str, values: &[(&str, &str)]) -> Result<AllowedHosts, String> {
        let text = "spin_manifest_version = 2\n[application]\nname = \"x\"\n[variables]\nu = { required = true }\n";
        let manifest = Manifest::parse(text, Path::new("/app/spin.toml")).unwrap();
        let values: HashMap<_, _> = values
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        AllowedHosts::parse(
            &[item.to_owned()],
            &Variables::new(&manifest, values).unwrap(),
        )
    }

    fn check(item: &str, url: &str, expected: bool) {
        assert_eq!(
            parse(item, &[]).unwrap().allows(url),
            expected,
            "{item} {url}"
        );
    }

    #[test]
    fn allows_as_spin() {
        check(
            "https://api.openai.com",
            "https://api.openai.com/v1/x",
            true,
        );
        check(
            "https://api.openai.com",
            "https://api.openai.com:443/",
            true,
        );
        check(
            "https://api.openai.com",
            "https://api.openai.com:444/",
            false,
        );
        check("https://api.openai.com", "http://api.openai.com/", false);
        check(
            "https://api.openai.com",
            "https://evil-api.openai.com/",
            false,
        );
        check("https://api.openai.com/", "https://API.openai.com/", true);
        check("http://127.0.0.1:3001", "http://127.0.0.1:3001/", true);
        check("http://127.0.0.1:3001", "http://localhost:3001/", false);
        check("http://[::1]:80", "http://[::1]/", true);
        check("https://a.example", "not a url", false);
        check("https://a.example", "/relative", false);
        check(
            "http://web.spin.internal",
            "http://web.spin.internal/x",
            true,
        );
        check(
            "http://web.spin.internal",
            "http://api.spin.internal/x",
            false,
        );
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for item in [
            "*",
            "",
            "api.example",
            "https://a.example/path",
            "https://a.*",
            "https://a:b",
            "foo://x",
            "ht3://x:1",
            "https://user@a.example",
            "https://a.example?x",
            "redis://a.example:6379",
            // What Spin would take.
            "https://*.example.com",
            "*://*:*",
            "https://a.example:*",
            "http://127.0.0.0/8:*",
            "http://a.example:3000..3002",
            "http://self",
        ] {
            assert!(parse(item, &[]).is_err(), "{item}");
        }
    }

    #[test]
    fn puts_variables_in() {
        assert!(
            parse("{{ u }}", &[("u", "https://a.example")])
                .unwrap()
                .allows("https://a.example/")
        );
        assert_eq!(
            parse("https://{{ u }}", &[("u", "")]).unwrap(),
            AllowedHosts::default()
        );
        assert_eq!(
            parse("https://{{ u }}", &[]).unwrap(),
            AllowedHosts::default()
        );
        assert!(parse("https://{{ nope }}", &[]).is_err());
    }
}
