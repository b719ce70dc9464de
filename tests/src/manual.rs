//! The kinds' manual: the binary's page of a kind, the example of its wire test, and the fields that the test does not
//! cover.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::coverage::{Coverage, MAX_UNCOVERED_PERCENT};
use crate::table;

/// Returns the page with the main example from tests/kinds and the fields that are not covered.
///
/// # Errors
/// Returns an error when the example cannot be read.
pub fn with_example(kind: &str, page: &str) -> anyhow::Result<String> {
    let text = table::text(kind)?;
    let example: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("resources:"))
        .enumerate()
        .take_while(|(i, line)| *i == 0 || line.is_empty() || line.starts_with(' ') || line.starts_with('#'))
        .map(|(_, line)| line)
        .collect();
    let mut out = format!(
        "{}\n\n## Example\n\nA test applies this example in the sandbox (`tests/tests/kinds.rs`).\n\n```yaml\n{}\n```\n",
        page.trim_end(),
        example.join("\n").trim_end()
    );
    let missing = not_in_sandbox(kind)?;
    if !missing.is_empty() {
        out.push_str("\n## Not covered\n\nNo test changes these fields out of band in the sandbox:\n\n");
        missing.iter().for_each(|(field, reason)| out.push_str(&format!("- `{field}`: {reason}\n")));
    }
    Ok(out)
}

/// Returns the list of all kinds, and the fields that no test covers. `kinds` is the output of `explain -o json`,
/// `schema` the output of `schema`.
///
/// # Errors
/// Returns an error when a table cannot be read.
pub fn index(kinds: &Value, schema: &Value) -> anyhow::Result<String> {
    let mut out = String::from(
        "# Kinds\n\n`cargo xtask generate` writes this page from the kinds' own tables. Unverified on AWS: every kind \
         is tested against the sandbox only, until its live test has run in an AWS account.\n\n| kind | tier | |\n|---|---|---|\n",
    );
    for kind in kinds.as_array().into_iter().flatten() {
        let text = |key: &str| kind[key].as_str().unwrap_or_default();
        let name = text("kind");
        out.push_str(&format!("| [{name}]({name}.md) | {} | {} |\n", text("tier"), text("summary")));
    }
    Ok(out + &not_covered(&Coverage::of(kinds, schema)?))
}

/// Returns the section about the coverage of the wire tests, with all fields that are not covered.
fn not_covered(coverage: &Coverage) -> String {
    let percent = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
    let Coverage { fields, excused, values, unstated, .. } = coverage;
    let mut out = format!(
        "\n## Not covered\n\nThe kinds have {fields} mutable fields: their top-level fields, and tags. A test against the \
         sandbox changes all but {} of them ({:.1} %; `tests/tests/kinds.rs` fails at {MAX_UNCOVERED_PERCENT} %) out of band. \
         Holdfast reports drift of exactly the changed field, and corrects it. Of a record or a list, the test changes \
         one part. These fields are not covered:\n\n| kind | field | reason |\n|---|---|---|\n",
        excused.len(),
        percent(excused.len(), *fields),
    );
    for (kind, field, why) in excused {
        out.push_str(&format!("| {kind} | `{field}` | {why} |\n"));
    }
    let missing: usize = unstated.values().map(BTreeSet::len).sum();
    out.push_str(&format!(
        "\n## Never stated\n\nWith the fields of their nested records, these fields hold {values} values. A list or a map \
         of plain values counts once. The tables state {} of the values ({:.1} %): the test sends them, reads them back \
         and compares them. No table states the other values:\n\n| kind | values |\n|---|---|\n",
        values - missing,
        percent(values - missing, *values),
    ));
    for (kind, paths) in unstated {
        let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        out.push_str(&format!("| {kind} | {} |\n", paths.join(", ")));
    }
    out
}

/// Returns the fields of a kind that no table changes out of band, each with the reason.
fn not_in_sandbox(kind: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let tables = table::of(kind)?;
    let mut missing: BTreeMap<_, _> = tables.iter().flat_map(|table| table.not_in_sandbox.clone()).collect();
    missing.retain(|field, _| !tables.iter().any(|table| table.out_of_band.contains_key(field)));
    Ok(missing)
}
