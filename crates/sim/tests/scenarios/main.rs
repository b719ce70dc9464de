//! Scenarios: scripts of events in a stack, with the expected output of Holdfast.
//!
//! A script contains comments (`#`), commands (`>`, followed by their YAML indented by four spaces) and the output of
//! the commands. `UPDATE_EXPECT=1 cargo test -p holdfast-sim` updates the output; read the difference. `script.rs`
//! lists the commands. Each script ends with a plan without steps.

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
    let run = runtime.expect("a runtime starts").block_on(script::run(&text));
    expect_file![path].assert_eq(&run.text);
    assert!(run.ends_without_steps, "{name} does not end with a plan without steps");
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
    max_mutations,
    children,
    siblings,
    converge,
    create_before_destroy,
    stateful,
    destroy_before_create,
    deleting,
    depends_on,
    destroy,
    drift,
    empty_document,
    explicit_names,
    failed,
    faults,
    flapping,
    identity,
    ignored_fields,
    last_of_its_kind,
    lookups,
    moved,
    replace_name_conflict,
    names,
    exchange,
    drift_policies,
    copied_tags,
    released,
    source,
    pending,
    protect,
    regions,
    renamed,
    prune,
    prune_order,
    replace_again,
    replace_radius,
    named_in_texts,
    deletion_protection,
    max_deletions,
    replace_refused,
    retained,
    revisions,
    rollback,
    maintenance_window,
    two_sightings,
    split_horizon,
    stop,
    responses,
    two_groups,
    two_regions,
    unknown,
    updating,
    stuck_deletion,
);

#[test]
fn every_script_is_listed() {
    let files = fs::read_dir(folder()).expect("the folder exists").flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".txt")?.to_owned()));
    for name in names {
        assert!(NAMES.contains(&name.as_str()), "{name}.txt is not listed in `scenarios!`");
    }
}
