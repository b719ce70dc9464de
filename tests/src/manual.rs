//! The kinds' manual: the generated page of a kind with the example that its wire test converges.

use std::fs;

use anyhow::Context;

use crate::sandbox;

/// The page with the example from tests/kinds appended.
///
/// # Errors
/// When the example cannot be read.
pub fn with_example(kind: &str, page: &str) -> anyhow::Result<String> {
    let path = sandbox::root()?.join(format!("tests/kinds/{kind}.yaml"));
    let text = fs::read_to_string(&path).with_context(|| format!("{kind} has no example at tests/kinds/{kind}.yaml"))?;
    let example: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("resources:"))
        .enumerate()
        .take_while(|(i, line)| *i == 0 || line.is_empty() || line.starts_with(' ') || line.starts_with('#'))
        .map(|(_, line)| line)
        .collect();
    Ok(format!("{}\n\n## Example\n\nConverged by `tests/tests/kinds.rs`.\n\n```yaml\n{}\n```\n", page.trim_end(), example.join("\n").trim_end()))
}
