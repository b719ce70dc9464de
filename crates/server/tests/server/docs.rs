//! docs/operating.md says what the server does: its table is the table, and its rules use real names.

use std::collections::BTreeSet;

use holdfast_server::{TABLE, Type};

const DOCS: &str = include_str!("../../../../docs/operating.md");

/// The table as the docs have to have it.
fn table() -> String {
    let mut table = String::from("| Name | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for metric in TABLE {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, ty, labels) = (metric.name, metric.ty.word(), labels.join(", "));
        table.push_str(&format!("| `{name}` | {ty} | {labels} | {} |\n", metric.help));
    }
    table
}

#[test]
fn the_table_of_the_docs_is_the_table_of_the_page() {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `holdfast_"));
    let stated: String = rows.map(|line| format!("{line}\n")).collect();
    let wanted = table();
    let wanted = wanted.split_inclusive('\n').skip(2).collect::<String>();
    assert_eq!(stated, wanted, "put this into docs/operating.md:\n{}", table());
}

#[test]
fn the_docs_name_no_metric_that_is_not_there() {
    let known: BTreeSet<String> = TABLE
        .iter()
        .flat_map(|metric| match metric.ty {
            Type::Histogram => {
                ["", "_bucket", "_sum", "_count"].map(|suffix| format!("{}{suffix}", metric.name)).to_vec()
            }
            _ => vec![metric.name.to_owned()],
        })
        .collect();
    let words = DOCS.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("holdfast_"));
    let stated: BTreeSet<String> = words.map(str::to_owned).collect();
    assert_eq!(stated.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
    let missing: Vec<_> = TABLE.iter().filter(|metric| !stated.contains(metric.name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
