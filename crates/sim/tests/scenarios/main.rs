//! Scenarios: scripts of what happens to a stack, each with what Holdfast says and does.
//!
//! A script is comments (`#`), commands (`>`, their YAML indented by four below them) and what the commands
//! printed. `UPDATE_EXPECT=1 cargo test -p holdfast-sim` writes the printed lines anew; read the difference.
//! The commands are listed in `script.rs`. Each script ends with a plan without steps.

mod script;
mod show;

use std::fs;
use std::path::PathBuf;

use expect_test::expect_file;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn run(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let played = runtime.expect("a runtime starts").block_on(script::play(&text));
    expect_file![path].assert_eq(&played.text);
    assert!(played.ended, "{name} does not end with a plan without steps");
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { run(stringify!($name)); })*
    };
}

scenarios!(
    account,
    adopt,
    autoscaler,
    caps,
    children,
    converge,
    create_first,
    data,
    delete_first,
    deleting,
    depends_on,
    destroy,
    drift,
    empty_document,
    failed,
    faults,
    fights,
    identity,
    ignored,
    last_of_its_kind,
    lookups,
    moved,
    named_replacement,
    names,
    observe_drift,
    origin,
    pending,
    protect,
    regions,
    renamed,
    prune,
    prune_order,
    replace_refused,
    retained,
    revisions,
    rollback,
    scheduled,
    sightings,
    split_horizon,
    stop,
    told,
    two_groups,
    two_regions,
    unknown,
    updating,
    vain_deletion,
);

#[test]
fn every_script_is_run() {
    let files = fs::read_dir(folder()).expect("the folder is there").flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".txt")?.to_owned()));
    for name in names {
        assert!(NAMES.contains(&name.as_str()), "{name}.txt is not among the scenarios");
    }
}
