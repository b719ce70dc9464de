//! `cargo xtask bench`: the cost of plans and passes by the number of resources.

mod wire;

use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Args;
use holdfast_tests::sandbox;

use crate::process::{cargo, say};

/// The options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Measures the binary against the sandbox instead of the cloud in memory. Builds the AWS SDKs.
    #[arg(long)]
    wire: bool,
    /// The release profile for the binary, as users run it. The cloud in memory is always measured in release.
    #[arg(long, requires = "wire")]
    release: bool,
}

/// The measurements on the cloud in memory, with their numbers of resources. `crates/sim/examples/bench.rs` makes them.
const MEASUREMENTS: &[(&str, &[usize])] = &[
    ("prepare", &[1_000, 10_000]),
    ("plan-create", &[1_000, 10_000]),
    ("plan-unchanged", &[1_000, 10_000]),
    ("plan-destroy", &[1_000, 10_000]),
    ("converge", &[1_000, 4_000]),
    ("destroy", &[1_000, 4_000]),
];

/// One measurement at one size.
struct Row {
    name: String,
    resources: usize,
    /// CPU time in seconds.
    cpu: f64,
    /// Steps, plans, calls or other times.
    work: String,
    /// Peak resident memory in KiB; 0 where it is not known.
    peak: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let rows = if options.wire { wire::measure(options.release)? } else { in_memory()? };
    print!("{}", table(&rows));
    Ok(())
}

/// Measures on the cloud in memory. Each measurement is a process of its own, so that its peak memory is its own.
fn in_memory() -> anyhow::Result<Vec<Row>> {
    let example = ["--quiet", "--release", "--package", "holdfast-sim", "--example", "bench"];
    say("building core, engine and sim in release (two minutes at first)");
    cargo(&[&["build"][..], &example].concat())?;
    let mut rows = vec![];
    for (name, sizes) in MEASUREMENTS {
        for resources in *sizes {
            let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut command = Command::new(program);
            command.arg("run").args(example).args(["--", name, &resources.to_string()]);
            let output = command.current_dir(sandbox::root()?).stderr(Stdio::inherit()).output()?;
            ensure!(output.status.success(), "the measurement `{name}` of {resources} resources failed");
            rows.push(row(name, *resources, &String::from_utf8_lossy(&output.stdout))?);
        }
    }
    Ok(rows)
}

/// Reads the line of a measurement: CPU time, work and peak memory, with tabs between them.
fn row(name: &str, resources: usize, line: &str) -> anyhow::Result<Row> {
    let cells: Vec<&str> = line.trim().split('\t').collect();
    let [cpu, work, peak] = cells[..] else { bail!("the measurement printed {line:?}") };
    let cpu = cpu.parse().with_context(|| format!("{cpu:?} is not a number of seconds"))?;
    Ok(Row { name: name.to_owned(), resources, cpu, work: work.to_owned(), peak: peak.parse().unwrap_or_default() })
}

/// Returns a Markdown table. The ratio compares the CPU time of a row with that of the row above, for the same
/// measurement; in parentheses is the ratio of the numbers of resources.
fn table(rows: &[Row]) -> String {
    let mut text =
        "| measurement | resources | CPU | ratio | work | peak memory |\n|---|---|---|---|---|---|\n".to_owned();
    let mut above: Option<&Row> = None;
    for row in rows {
        let ratio = above.filter(|above| above.name == row.name).map(|above| {
            let sizes = row.resources as f64 / above.resources as f64;
            format!("{:.1} ({sizes:.0})", row.cpu / above.cpu)
        });
        let (ratio, mebibytes) = (ratio.unwrap_or_default(), row.peak as f64 / 1024.0);
        let Row { name, resources, cpu, work, .. } = row;
        text += &format!("| {name} | {resources} | {cpu:.3} s | {ratio} | {work} | {mebibytes:.0} MiB |\n");
        above = Some(row);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_row_has_the_ratio_to_the_row_above() {
        let rows = [
            row("converge", 1000, "0.500000\t9 plans, 80 calls\t10240\n"),
            row("converge", 4000, "2.250000\t30 plans, 320 calls\t20480\n"),
            row("destroy", 1000, "1.000000\t9 plans, 80 calls\t0\n"),
        ];
        let rows: Vec<Row> = rows.into_iter().collect::<anyhow::Result<_>>().expect("the lines are valid");
        expect![[r#"
            | measurement | resources | CPU | ratio | work | peak memory |
            |---|---|---|---|---|---|
            | converge | 1000 | 0.500 s |  | 9 plans, 80 calls | 10 MiB |
            | converge | 4000 | 2.250 s | 4.5 (4) | 30 plans, 320 calls | 20 MiB |
            | destroy | 1000 | 1.000 s |  | 9 plans, 80 calls | 0 MiB |
        "#]]
        .assert_eq(&table(&rows));
        assert!(row("converge", 1000, "no numbers").is_err());
    }
}
