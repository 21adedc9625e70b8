//! The components, built once for each test run by the commands of `spin.toml`.

use std::path::{Path, PathBuf};

use talktime_host::{HostBuilder, Manifest, build_components};
use tokio::sync::OnceCell;

use crate::{INTERNAL_SECRET, JWT_SECRET};

static BUILT: OnceCell<()> = OnceCell::const_new();

/// The root of the repository.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds the components if this run has not yet, and names the manifest.
///
/// # Panics
/// When they do not build.
pub async fn manifest() -> PathBuf {
    let manifest = root().join("spin.toml");
    BUILT
        .get_or_init(async || {
            if std::env::var_os("TALKTIME_NO_BUILD").is_none() {
                let built = Manifest::read(&manifest)
                    .and_then(|manifest| build_components::build(&manifest));
                built.unwrap_or_else(|error| panic!("the components do not build: {error}"));
            }
        })
        .await;
    manifest
}

/// A host of the application, with the secrets of the tests.
///
/// # Panics
/// When the components do not build.
pub async fn host() -> HostBuilder {
    HostBuilder::from_manifest(manifest().await)
        .expect("spin.toml is valid")
        .variable("internal_api_secret", INTERNAL_SECRET)
        .variable("auth_jwt_secret", JWT_SECRET)
}
