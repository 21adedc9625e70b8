//! A file that is added to or removed from `static/` must be noticed; Cargo sees only changes of files that it knows.

fn main() {
    println!("cargo:rerun-if-changed=static");
}
