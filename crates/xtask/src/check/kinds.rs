//! Rules of the AWS kinds: the length of a kind, and no field names as text.

use super::report::{Finding, Measure};
use crate::files::TextFile;

/// The maximum of the median kind. Doc comments do not count: they are the manual, and are as long as AWS's facts need.
const MOST_LINES: usize = 220;

/// A call that names a field by a text, which the compiler cannot check.
const BY_TEXT: &str = "changed(\"";

/// The measures of the kinds.
pub(crate) fn measures(files: &[TextFile]) -> Vec<Measure> {
    let files = || files.iter().filter(|file| file.path.starts_with("crates/aws/") && file.extension() == "rs");
    let mut lines: Vec<usize> = files().filter_map(|file| lines_of_kind(&file.text)).collect();
    lines.sort_unstable();
    let median = lines.get(lines.len() / 2).copied().unwrap_or_default();
    let by_text = files().flat_map(|file| {
        let lines = (1..).zip(file.text.lines()).filter(|(_, line)| line.contains(BY_TEXT));
        lines.map(|(number, line)| Finding::new(&file.path, number, line.trim()))
    });
    vec![
        Measure::at_most("lines of code of the median kind", median, MOST_LINES),
        // To make a finding fail the check, write `Measure::none`.
        Measure::reported("changed fields by text", by_text.collect()),
    ]
}

/// The lines of a kind's file without comment lines. Returns none for a file that implements no kind.
fn lines_of_kind(text: &str) -> Option<usize> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.contains("\nimpl Kind for ").then(|| text.lines().filter(is_code).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_kinds_and_code_only() {
        let kind = |n: usize, lines: usize| TextFile {
            path: format!("crates/aws/network/src/ec2/k{n}.rs"),
            text: "//! A kind.\nimpl Kind for K {\n".to_owned()
                + &"    // A comment.\n    code();\n".repeat(lines)
                + "}\n",
        };
        let other = TextFile { path: "crates/aws/base/src/a.rs".into(), text: "code();\n".repeat(999) };
        let files = [kind(1, 10), kind(2, 30), kind(3, 900), other];
        assert_eq!(measures(&files)[0].describe(), "lines of code of the median kind: 32, goal: at most 220\n");
    }

    #[test]
    fn a_field_that_is_named_by_a_text_is_reported() {
        let text = "fn f() {\n    if desired.changed(\"cidrBlock\") {}\n    if desired.changed(Self::NAME) {}\n}\n";
        let files = [TextFile { path: "crates/aws/network/src/ec2/vpc.rs".into(), text: text.into() }];
        let measure = &measures(&files)[1];
        assert!(measure.is_reached());
        assert_eq!(
            measure.describe(),
            "changed fields by text: 1, goal: 0, only reported\n  \
             crates/aws/network/src/ec2/vpc.rs:2: if desired.changed(\"cidrBlock\") {}\n"
        );
    }
}
