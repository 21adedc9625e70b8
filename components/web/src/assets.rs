//! The files of `static/`, which are part of the component: looked up by exact name, so that no path can lead elsewhere.
//!
//! A file's address is its name, whichever folder it lies in. The addresses of the client modules are public, and other
//! pages copy those modules into one folder of their own; so the modules import each other as neighbours
//! (`./usage.js`), and the folders are free to follow what belongs together.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// Pages that have an address of their own.
const PAGES: [(&str, &str); 3] = [
    ("/practice", "practice.html"),
    ("/admin", "admin.html"),
    // Where `upgrade_url` leads until it names a shop.
    ("/pricing", "pricing.html"),
];

pub struct Asset {
    pub body: Cow<'static, [u8]>,
    /// Strong: made of the content.
    pub etag: String,
    pub content_type: &'static str,
    pub cache_control: &'static str,
    /// Modules may be imported by pages of any origin.
    pub shared: bool,
}

/// Nothing is decoded or normalised: a path with `..`, `%2e` or `//` in it is simply no file's name.
pub fn find(path: &str) -> Option<Asset> {
    let page = PAGES.iter().find(|(address, _)| *address == path);
    let name = page.map_or_else(|| path.strip_prefix('/'), |(_, file)| Some(*file))?;
    let (content_type, cache_control, shared) = kind(name)?;
    let path = Static::iter().find(|path| name_of(path) == name)?;
    let file = Static::get(&path)?;
    Some(Asset {
        etag: etag(&file.metadata.sha256_hash()),
        body: file.data,
        content_type,
        cache_control,
        shared,
    })
}

/// A path without its folders.
fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether the copy that the client holds (`If-None-Match`) is this one. Weak comparison, as RFC 9110 has it for GET.
pub fn is_current(if_none_match: &str, etag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == etag)
}

const PAGE: &str = "no-cache";
/// Short, because the file names carry no version; after it, the `ETag` makes asking again cheap.
const MODULE: &str = "public, max-age=300";

/// A file whose kind is not listed is not served.
fn kind(name: &str) -> Option<(&'static str, &'static str, bool)> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "html" => ("text/html; charset=utf-8", PAGE, false),
        "css" => ("text/css; charset=utf-8", MODULE, false),
        "js" => ("text/javascript; charset=utf-8", MODULE, true),
        // Only `.d.ts`, for people to read and tools to copy; the registered type of `.ts` is a video's.
        "ts" => ("text/plain; charset=utf-8", MODULE, true),
        "svg" => ("image/svg+xml", MODULE, false),
        _ => return None,
    })
}

fn etag(hash: &[u8; 32]) -> String {
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &hash[..16] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_file_is_served_by_its_name_alone_with_its_kind() {
        let mut names = HashSet::new();
        for path in Static::iter() {
            let name = name_of(&path).to_owned();
            assert!(
                find(&format!("/{name}")).is_some(),
                "{path} has no content type"
            );
            assert!(names.insert(name), "{path} shares its name");
            assert!(find(&format!("/{path}")).is_none(), "{path}");
        }
    }

    #[test]
    fn kinds() {
        let check = |path: &str, content_type: &str, cache_control: &str, shared: bool| {
            let asset = find(path).unwrap();
            assert_eq!(
                (asset.content_type, asset.cache_control, asset.shared),
                (content_type, cache_control, shared)
            );
        };
        check("/practice", "text/html; charset=utf-8", "no-cache", false);
        check(
            "/practice.html",
            "text/html; charset=utf-8",
            "no-cache",
            false,
        );
        check("/admin", "text/html; charset=utf-8", "no-cache", false);
        check(
            "/usage.js",
            "text/javascript; charset=utf-8",
            "public, max-age=300",
            true,
        );
        check(
            "/usage.d.ts",
            "text/plain; charset=utf-8",
            "public, max-age=300",
            true,
        );
        check(
            "/site.css",
            "text/css; charset=utf-8",
            "public, max-age=300",
            false,
        );
        check("/icon.svg", "image/svg+xml", "public, max-age=300", false);
    }

    #[test]
    fn no_other_path_finds_anything() {
        for path in [
            "",
            "/",
            "//",
            "usage.js",
            "/usage",
            "/usage.js/",
            "/practice/",
            "//usage.js",
            "/./usage.js",
            "/%75sage.js",
            "/../Cargo.toml",
            "/..%2fCargo.toml",
            "/%2e%2e/Cargo.toml",
            "/..\\Cargo.toml",
            "/static/usage.js",
            "/client/usage.js",
            "/client/",
            "/client",
            "/USAGE.JS",
            "/usage.js\0",
            "/Cargo.toml",
            "/src/lib.rs",
            "/tsconfig.json",
        ] {
            assert!(find(path).is_none(), "{path:?} found a file");
        }
    }

    #[test]
    fn etags_are_quoted_and_differ() {
        let (one, other) = (
            find("/usage.js").unwrap().etag,
            find("/usage-bar.js").unwrap().etag,
        );
        assert_ne!(one, other);
        assert_eq!(one, find("/usage.js").unwrap().etag);
        assert!(one.len() == 34 && one.starts_with('"') && one.ends_with('"'));
        assert_eq!(
            find("/practice").unwrap().etag,
            find("/practice.html").unwrap().etag
        );
    }

    #[test]
    fn if_none_match() {
        let check =
            |held: &str, current: bool| assert_eq!(is_current(held, "\"ab\""), current, "{held}");
        check("\"ab\"", true);
        check("W/\"ab\"", true);
        check("\"x\", \"ab\"", true);
        check("*", true);
        check("ab", false);
        check("\"abc\"", false);
        check("", false);
    }
}
