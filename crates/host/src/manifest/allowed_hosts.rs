//! `allowed_outbound_hosts`: where a component may connect to, by Spin's rules.

use std::{net::IpAddr, ops::Range};

use ipnet::IpNet;
use url::{Host, Url};

use crate::manifest::{
    template::Template,
    variables::{VariableError, Variables},
};

/// The domain of Spin's service chaining: `http://<component>.spin.internal`.
const CHAINING_SUFFIX: &str = ".spin.internal";

/// A component's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    /// `None` is any.
    scheme: Option<String>,
    host: HostPattern,
    port: PortPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Any,
    /// Its text starts with a dot.
    Subdomain(String),
    /// Requests without a host, to the application itself.
    ToSelf,
    Literal(Host),
    Network(IpNet),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PortPattern {
    Any,
    Range(Range<u32>),
}

impl AllowedHosts {
    /// Parses a list, with its variables put in.
    ///
    /// A variable without a value is no error here, as in Spin: all of the component's requests are refused then.
    pub(crate) fn parse(items: &[String], variables: &Variables) -> Result<Self, String> {
        let mut hosts = Vec::new();
        for item in items {
            let template = Template::parse(item).map_err(|error| error.to_string())?;
            if template.is_literal() {
                hosts.push(AllowedHost::parse(item)?);
                continue;
            }
            match variables.resolve_template(&template) {
                // An optional endpoint whose variable is empty.
                Ok(text) if matches!(text.as_str(), "" | "http://" | "https://") => {}
                Ok(text) => hosts.push(AllowedHost::parse(&text)?),
                Err(VariableError::Provider(_)) => return Ok(Self::default()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(Self(hosts))
    }

    /// The URL may be asked.
    pub(crate) fn allows(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else {
            return false;
        };
        let Some(host) = url.host() else { return false };
        let host = host.to_owned();
        let port = url.port().or_else(|| well_known_port(url.scheme()));
        self.0.iter().any(|allowed| {
            allowed
                .scheme
                .as_deref()
                .is_none_or(|scheme| scheme == url.scheme())
                && allowed.host.allows(&host)
                && allowed.port.allows(port)
        })
    }

    /// The application itself may be asked, by a URL without a host.
    pub(crate) fn allows_self(&self) -> bool {
        self.0.iter().any(|allowed| {
            matches!(allowed.scheme.as_deref(), None | Some("http" | "https"))
                && matches!(allowed.host, HostPattern::Any | HostPattern::ToSelf)
        })
    }
}

/// The component that a service-chaining URL's host names.
pub(crate) fn chained_component(host: &str) -> Option<&str> {
    host.strip_suffix(CHAINING_SUFFIX)
        .filter(|component| !component.contains('.'))
}

impl AllowedHost {
    fn parse(text: &str) -> Result<Self, String> {
        let bad = |what: &str| format!("{text:?} is not an allowed outbound host: {what}");
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(|| {
            bad("write it as <scheme>://<host>[:<port>], with * as a wildcard for each")
        })?;
        let (host, port) = match rest.rsplit_once(':') {
            None => (rest, ""),
            Some((host, "")) => (host, ""),
            // An IPv6 address has colons of its own.
            Some(_) if HostPattern::parse(rest).is_ok() => (rest, ""),
            Some((host, port)) => (host, port),
        };
        let port = match port.split_once('/') {
            Some((port, "")) => port,
            Some(_) => return Err(bad("it may not have a path")),
            None => port,
        };
        Ok(Self {
            port: PortPattern::parse(port, scheme).map_err(|what| bad(&what))?,
            host: HostPattern::parse(host).map_err(|what| bad(&what))?,
            scheme: match scheme {
                "*" => None,
                _ if scheme.chars().all(char::is_alphabetic) && !scheme.is_empty() => {
                    Some(scheme.to_owned())
                }
                _ => return Err(bad("its scheme may only have letters")),
            },
        })
    }
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::ToSelf),
            _ => {}
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.contains('/') {
            return Err("it may not have a path".to_owned());
        }
        if let Some(domain) = text.strip_prefix("*.") {
            return match Host::parse(domain) {
                Ok(Host::Domain(domain)) if !domain.contains('*') => {
                    Ok(Self::Subdomain(format!(".{domain}")))
                }
                _ => Err("what follows *. must be a domain".to_owned()),
            };
        }
        if text.contains('*') {
            return Err("a wildcard must be the whole host or its first label".to_owned());
        }
        if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
            return Ok(Self::Literal(Host::Ipv6(address)));
        }
        Host::parse(text)
            .map(Self::Literal)
            .map_err(|error| error.to_string())
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Subdomain(suffix), Host::Domain(domain)) => domain.ends_with(suffix),
            (Self::Literal(literal), host) => literal == host,
            (Self::Network(network), Host::Ipv4(ip)) => network.contains(&IpAddr::V4(*ip)),
            (Self::Network(network), Host::Ipv6(ip)) => network.contains(&IpAddr::V6(*ip)),
            (Self::Subdomain(_) | Self::ToSelf, _) | (Self::Network(_), Host::Domain(_)) => false,
        }
    }
}

impl PortPattern {
    fn parse(text: &str, scheme: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse::<u16>()
                .map(u32::from)
                .map_err(|_| format!("port {text:?} is not a number"))
        };
        let one = |port: u32| Self::Range(port..port + 1);
        if text == "*" {
            Ok(Self::Any)
        } else if text.is_empty() {
            let port = well_known_port(scheme)
                .ok_or_else(|| format!("scheme {scheme:?} has no default port: name one"))?;
            Ok(one(u32::from(port)))
        } else if let Some((start, end)) = text.split_once("..") {
            Ok(Self::Range(number(start)?..number(end)?))
        } else {
            Ok(one(number(text)?))
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::Range(range) => port.is_some_and(|port| range.contains(&u32::from(port))),
        }
    }
}

fn well_known_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "postgres" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "mqtt" => 1883,
        "http" => 80,
        "https" => 443,
        _ => return None,
    })
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
        check("https://*.example.com", "https://a.b.example.com/", true);
        check("https://*.example.com", "https://example.com/", false);
        check("https://*.example.com", "https://badexample.com/", false);
        check("*://*:*", "ftp://x.example:99/", true);
        check("http://127.0.0.1:3001", "http://127.0.0.1:3001/", true);
        check("http://127.0.0.1:3001", "http://localhost:3001/", false);
        check("http://127.0.0.0/8:*", "http://127.9.9.9:8/", true);
        check("http://[::1]:80", "http://[::1]/", true);
        check(
            "http://h.example:3000..3002",
            "http://h.example:3001/",
            true,
        );
        check(
            "http://h.example:3000..3002",
            "http://h.example:3002/",
            false,
        );
        check("http://self", "http://self/", false);
        check("https://a.example", "not a url", false);
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

    #[test]
    fn knows_self_and_chained() {
        assert!(parse("http://self", &[]).unwrap().allows_self());
        assert!(parse("*://*:*", &[]).unwrap().allows_self());
        assert!(!parse("https://a.example", &[]).unwrap().allows_self());
        assert_eq!(chained_component("web.spin.internal"), Some("web"));
        assert_eq!(chained_component("a.web.spin.internal"), None);
    }
}
