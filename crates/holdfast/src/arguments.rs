//! The command line: every command, its flags and their meanings.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use holdfast_core::address::Address;

/// Holds AWS to what you declared: no state file, no cluster, no Terraform.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks a document without AWS: syntax, types, references. Without -e, in every environment.
    Validate(Validate),
    /// Shows the flat resources of an environment, without AWS.
    Render(Render),
    /// Shows what would be done. Changes nothing. Exit code 0: nothing to do, 2: changes or holds, 1: error.
    Plan(Plan),
    /// Converges, again and again; with --once for CI. Exit code of --once 0: converged, 2: steps or holds
    /// remain, 1: error.
    Reconcile(Reconcile),
    /// Shows what left the document on AWS's side, and not edits. Changes nothing. Exit code 0: none, 2: drift,
    /// 1: error.
    Drift(Plan),
    /// Deletes what the stack owns in an environment. Exit code 0: nothing of it is left, 2: something is, 1: error.
    Destroy(Destroy),
    /// Returns a service to an earlier revision of its task definition at once, and holds the document's own back
    /// until it changes or is released. Exit code 0: AWS accepted it, 1: error.
    Rollback(Rollback),
    /// Shows the live resources of a document as they were observed. Changes nothing.
    Get(Get),
    /// Draws the document's graph, without AWS.
    Graph(Graph),
    /// Tells what a kind or field means, as in `explain Service.desiredCount`.
    Explain(Explain),
    /// Prints the JSON Schema of all documents, for editors.
    Schema,
    /// Prints completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Which document.
#[derive(Args, Clone, Debug)]
pub(crate) struct Source {
    /// A folder with stack.yaml, or that file.
    pub(crate) path: String,
    /// The environment: `environments/ENV.yaml` beside the stack.
    #[arg(short, long)]
    pub(crate) env: String,
    /// Sets a parameter over the environment's: NAME=VALUE, the value in YAML.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// Which repository or bucket the document comes from: two origins cannot prune each other.
    #[arg(long, env = "HOLDFAST_ORIGIN", default_value = "", hide_default_value = true)]
    pub(crate) origin: String,
}

/// How to reach AWS.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Where history and intents are kept. An aid: losing it loses no ownership.
    #[arg(long, env = "HOLDFAST_STORE", value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,
    /// How long to wait for one answer of AWS.
    #[arg(long, env = "HOLDFAST_CALL_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) call_timeout: Duration,
    /// Multiplies every window and interval: for tests against an emulator.
    #[arg(long, env = "HOLDFAST_TIME_SCALE", default_value = "1", hide = true)]
    pub(crate) time_scale: f64,
}

/// What is granted beyond the document.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Grants {
    /// Allows to replace this resource, or all without an address.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "*")]
    pub(crate) allow_replace: Vec<String>,
    /// Allows to delete what left the document, and looks for it in every kind and configured region.
    #[arg(long)]
    pub(crate) prune: bool,
    /// Allows to delete data stores too.
    #[arg(long)]
    pub(crate) delete_data: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
    /// For people who want all of it.
    Yaml,
    /// For a comment on a pull request.
    Markdown,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// A folder with stack.yaml, or that file.
    pub(crate) path: String,
    /// One environment only.
    #[arg(short, long)]
    pub(crate) env: Option<String>,
    /// Sets a parameter over the environment's.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// How to print errors.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to print.
    #[arg(short, long, default_value = "yaml")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// How to print.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) grants: Grants,
    /// One pass, until converged or nothing more can be done.
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: how long to wait for what AWS is at work on.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    pub(crate) wait: Duration,
    /// The time between two passes of the daemon.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = time)]
    pub(crate) interval: Duration,
    /// Every how many passes to look for orphans in every kind and configured region; 0 for never.
    #[arg(long, value_name = "PASSES", default_value_t = 60)]
    pub(crate) orphans_every: u64,
    /// Where the daemon answers /metrics, /healthz and /readyz.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9464")]
    pub(crate) listen: std::net::SocketAddr,
    /// What to do about drift, over the document: mend, alert or observe.
    #[arg(long, value_parser = drift)]
    pub(crate) drift: Option<holdfast_core::document::Drift>,
    /// How to print, with --once.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Deletes data stores too, and what is marked to stay.
    #[arg(long)]
    pub(crate) delete_data: bool,
    /// The stack and environment, as in `mashroom/dev`: says that it is meant.
    #[arg(long, value_name = "STACK/ENV")]
    pub(crate) confirm: Option<String>,
    /// How long to wait for what AWS is at work on.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    pub(crate) wait: Duration,
    /// How to print.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What is to go back, as in `Service/web`.
    pub(crate) address: Address,
    /// The revision to go back to, as in `7` or `shop-prod-web:7`; the one before what runs, when left out.
    #[arg(long, value_name = "REVISION", conflicts_with = "release")]
    pub(crate) to: Option<String>,
    /// Holds nothing back any more: the next pass goes forward to what the document says.
    #[arg(long)]
    pub(crate) release: bool,
    /// How to print.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Only this resource.
    pub(crate) address: Option<Address>,
    /// How to print.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) source: Source,
    /// As what.
    #[arg(short, long, default_value = "mermaid")]
    pub(crate) output: Drawing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// Mermaid's flowchart, as GitHub shows it in Markdown.
    Mermaid,
    /// An SVG picture with the tiers as columns.
    Svg,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// A kind or a field of it, as in `Service.desiredCount`; none lists the kinds.
    pub(crate) what: Option<String>,
    /// As text, or as the manual's page in Markdown.
    #[arg(short, long, default_value = "text")]
    pub(crate) output: Output,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`; write NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn drift(text: &str) -> Result<holdfast_core::document::Drift, String> {
    use holdfast_core::document::Drift;
    match text {
        "mend" => Ok(Drift::Mend),
        "alert" => Ok(Drift::Alert),
        "observe" => Ok(Drift::Observe),
        other => Err(format!("`{other}` is none of mend, alert, observe")),
    }
}

/// `90s`, `5m`, `1h`, `250ms`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time; write one like 30s, 5m or 1h");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert!(time("90").is_err() && time("-1s").is_err() && time("5d").is_err());
    }
}
