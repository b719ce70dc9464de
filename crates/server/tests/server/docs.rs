//! docs/operating.md has the table of metrics, and names no other metric.

use std::collections::BTreeSet;

use holdfast_server::{MetricType, TABLE};

const DOCS: &str = include_str!("../../../../docs/operating.md");

/// Returns the table as the documentation has to have it.
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
fn the_documentation_has_the_table_of_the_page() {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `holdfast_"));
    let stated: String = rows.map(|line| format!("{line}\n")).collect();
    let expected = table();
    let expected = expected.split_inclusive('\n').skip(2).collect::<String>();
    assert_eq!(stated, expected, "put this into docs/operating.md:\n{}", table());
}

#[test]
fn the_documentation_names_every_metric_and_no_other() {
    let known: BTreeSet<String> = TABLE
        .iter()
        .flat_map(|metric| match metric.ty {
            MetricType::Histogram => {
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
