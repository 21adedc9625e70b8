//! Migrations and interfaces that nobody names are forgotten, or left over.

use super::{files, read};

/// The migrations that the list of them leaves out.
fn left_out(migrations: &[String], list: &str) -> Vec<String> {
    let is_missing = |path: &&String| !list.contains(&format!("/{path}\""));
    migrations.iter().filter(is_missing).cloned().collect()
}

/// The packages of interfaces of which no world speaks.
fn unused(packages: &[String], worlds: &str) -> Vec<String> {
    let declared = packages.iter().filter_map(|text| {
        let line = text.lines().find(|line| line.starts_with("package "))?;
        line["package ".len()..].split(['@', ';']).next()
    });
    declared
        .filter(|name| !worlds.contains(&format!("{name}/")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_migration_is_applied() {
    let migrations = files("migrations", &[""]);
    assert!(migrations.len() > 2, "{migrations:?}");
    let list = read("crates/store/src/migrations.rs");
    assert_eq!(left_out(&migrations, &list), [""; 0]);
}

#[test]
fn every_interface_is_used() {
    let packages: Vec<_> = files("wit/deps", &[".wit"])
        .iter()
        .map(|path| read(path))
        .collect();
    assert_eq!(unused(&packages, &read("wit/worlds.wit")), [""; 0]);
}

#[test]
fn what_is_left_out_is_found() {
    let migrations = ["migrations/1.sql".to_owned(), "migrations/2.sql".to_owned()];
    let list = "include_str!(\"../migrations/1.sql\")";
    assert_eq!(left_out(&migrations, list), ["migrations/2.sql"]);

    let packages = [
        "package a:b@1.0.0;".to_owned(),
        "// c\npackage a:bc;\n".to_owned(),
    ];
    assert_eq!(unused(&packages, "import a:b/c@1.0.0;"), ["a:bc"]);
}
