//! The command line: every command, its flags and their help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use holdfast_core::address::Address;

use self::OutputFormat::{Json, Markdown, Text, Yaml};

/// Keeps AWS as you declared it: without a state file, a cluster or Terraform.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct CliArgs {
    #[command(subcommand)]
    pub(crate) command: CommandArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CommandArgs {
    /// Validates a document without AWS: syntax, types and references. Without -e, in every environment. Exit code 0:
    /// valid, 1: errors.
    Validate(ValidateArgs),
    /// Prints the resources of an environment, with all components and expressions rendered. Values that only AWS knows
    /// remain references. Makes no call to AWS.
    Render(RenderArgs),
    /// Shows the steps that a pass would make, and the holds (dry run). Changes nothing. Without `--prune` or `policy: {
    /// prune: true }`, resources that left the document are not searched for. Exit code 0: nothing to do, 2: steps, or
    /// holds that block, 1: error.
    Plan(PlanArgs),
    /// Converges the account to the document: continuously as a daemon, or in one pass with --once. On a terminal, --once
    /// shows the plan and asks before it changes anything, unless --yes or --plan is given. Log lines go to
    /// stderr; HOLDFAST_LOG selects them, as in `holdfast=info`. Exit code of --once 0: converged, 2: steps, or holds that
    /// block, are left, 1: a failed step, a stop or an error.
    Reconcile(ReconcileArgs),
    /// Shows the drift: what changed in AWS and not in the document. Changes nothing. Exit code 0: no drift, 2: drift,
    /// 1: error.
    Drift(DriftArgs),
    /// Deletes the resources that the stack owns in an environment. Without --confirm, shows what would be deleted, and
    /// changes nothing. Exit code 0: all but the retained are deleted, 2: some are left, 1: a failed step, a stop or an
    /// error.
    Destroy(DestroyArgs),
    /// Returns a service to an earlier revision of its task definition at once, and holds the document's revision until
    /// the document changes or the hold is released. Exit code 0: AWS accepted the change, 1: error.
    Rollback(RollbackArgs),
    /// Frees the lease of a run that has died, so that another run can write. A run that is still alive stops before its
    /// next change. Exit code 0: the lease is free, 1: error.
    Unlock(UnlockArgs),
    /// Shows the live resources of a document, as observed. Changes nothing.
    Get(GetArgs),
    /// Draws the graph of the document's resources and references. Makes no call to AWS.
    Graph(GraphArgs),
    /// Describes a kind or a field, as in `explain Service.desiredCount`. Without an argument, lists the kinds.
    Explain(ExplainArgs),
    /// Prints the JSON Schema of all documents, for editors.
    Schema,
    /// Prints the completion script of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The arguments that select a document.
#[derive(Args, Clone, Debug)]
pub(crate) struct DocumentArgs {
    /// The folder with stack.yaml, or that file.
    pub(crate) path: String,
    /// The name of the environment: the file `environments/ENV.yaml` next to stack.yaml.
    #[arg(short, long)]
    pub(crate) env: String,
    /// Sets a parameter, in place of the environment's value. The value is YAML. May be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) set: Vec<(String, String)>,
    /// The repository or bucket that the document comes from, recorded in the tag `holdfast:source`. Documents of
    /// different sources cannot prune each other's resources. Default: empty.
    #[arg(long, env = "HOLDFAST_SOURCE", default_value = "", hide_default_value = true)]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// The arguments of reading a document's files.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadingArgs {
    /// Allows components and secret files in this folder, besides the one above the stack's folder. May be repeated.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) allow_files_from: Vec<PathBuf>,
    /// How long the files must be unchanged before a command changes the account, for tests.
    #[arg(long, env = "HOLDFAST_QUIET_TIME", default_value = "1s", value_parser = time, hide = true)]
    pub(crate) quiet_time: Duration,
}

/// The arguments of the connection to AWS.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConnectionArgs {
    /// The store, with the lease, the history and the intents: a folder, or `s3://BUCKET/PREFIX` for runs on several
    /// hosts. Keep it between runs. Losing it loses no ownership, but without it a new resource cannot be distinguished
    /// from a deleted one, and new data stores are held. Default: the `store` of the environment, or else `holdfast` in
    /// $XDG_STATE_HOME or ~/.local/state.
    #[arg(long, env = "HOLDFAST_STORE", value_name = "FOLDER|S3-URL")]
    pub(crate) store: Option<String>,
    /// The timeout of one AWS call, as in 250ms, 30s or 1m. Not 0s.
    #[arg(long, env = "HOLDFAST_CALL_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = nonzero_time)]
    pub(crate) call_timeout: Duration,
    /// The factor of every window and interval, for tests against an emulator.
    #[arg(long, env = "HOLDFAST_TIME_SCALE", default_value = "1", hide = true)]
    pub(crate) time_scale: f64,
}

/// The grants beyond those of the document.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct GrantArgs {
    /// Grants the replacement of this resource, or of every resource if no address is given. May be repeated. Default:
    /// the document's grants.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "*")]
    pub(crate) allow_replace: Vec<String>,
    /// Grants the deletion of orphans: owned resources that left the document. Every pass then observes every kind in
    /// every configured region (full scan). Default: the document's `prune`.
    #[arg(long)]
    pub(crate) prune: bool,
    /// Grants the deletion of data stores (databases, caches, buckets, secrets, keys) and of retained resources as well.
    /// For orphans, together with `--prune`. Default: not granted.
    #[arg(long)]
    pub(crate) delete_data: bool,
}

/// The format of a command's output. Each command accepts only the formats that it can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Text for a terminal.
    Text,
    /// JSON, with every detail.
    Json,
    /// YAML, with the same content as JSON.
    Yaml,
    /// Markdown, for a comment on a pull request.
    Markdown,
}

/// Returns the parser of `--output` of a command that can print these formats.
fn formats(accepted: &[OutputFormat]) -> impl TypedValueParser<Value = OutputFormat> {
    PossibleValuesParser::new(accepted.iter().filter_map(ValueEnum::to_possible_value))
        .try_map(|name| OutputFormat::from_str(&name, false))
}

#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// The folder with stack.yaml, or that file.
    pub(crate) path: String,
    /// The name of one environment. Default: all environments.
    #[arg(short, long)]
    pub(crate) env: Option<String>,
    /// Sets a parameter, in place of the environment's value. The value is YAML. May be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) set: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// The format of the errors.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml]))]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    /// The format of the output.
    #[arg(short, long, default_value = "yaml", value_parser = formats(&[Yaml, Json]))]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) dry_run: DryRunArgs,
    /// Writes the plan to a file for `reconcile --once --plan FILE`, which makes these steps and no others. The file
    /// contains live values.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Shows every field, line and address. Without it, long ones are folded.
    #[arg(long)]
    pub(crate) full: bool,
    /// The format of the output.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml, Markdown]))]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct DriftArgs {
    #[command(flatten)]
    pub(crate) dry_run: DryRunArgs,
    /// Shows every line of a difference. Without it, long ones are folded.
    #[arg(long)]
    pub(crate) full: bool,
    /// The format of the output.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml, Markdown]))]
    pub(crate) output: OutputFormat,
}

/// The arguments of a dry run.
#[derive(Args, Debug)]
pub(crate) struct DryRunArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
    /// Runs one pass instead of the daemon: until the account is converged or no step can be made.
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once, makes the steps of a plan that `plan --out FILE` wrote, with the grants of that plan. Nothing is
    /// changed if the document or the account changed since then.
    #[arg(long, value_name = "FILE", requires = "once",
        conflicts_with_all = ["allow_replace", "prune", "delete_data", "drift"])]
    pub(crate) plan: Option<PathBuf>,
    /// Does not ask for an approval. --once asks only if stdin and stderr are a terminal and no --plan is given.
    #[arg(long, requires = "once")]
    pub(crate) yes: bool,
    /// With --once, how long to wait while another run writes to the same stack and environment, as in 30s or 10m. 0s
    /// does not wait. A daemon waits without a limit.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time, requires = "once")]
    pub(crate) lock_timeout: Duration,
    /// With --once, the longest wait for resources that AWS is creating, changing or deleting, as in 30s, 5m or 1h. 0s
    /// does not wait.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    pub(crate) wait: Duration,
    /// The time from the end of a pass of the daemon to the beginning of the next, as in 30s, 5m or 1h, with a jitter
    /// of 5 %. Not 0s.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = nonzero_time)]
    pub(crate) interval: Duration,
    /// The number of passes of the daemon from one full scan to the next. A full scan observes every kind in every
    /// configured region, to find orphans. 0 means never.
    #[arg(long, value_name = "PASSES", default_value_t = 60)]
    pub(crate) full_scan_every: u64,
    /// The address and port of the daemon's listener for /metrics, /healthz and /readyz. The listener has no
    /// authentication.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9464")]
    pub(crate) listen: std::net::SocketAddr,
    /// The drift policy for all resources, in place of the document's: correct, warn (report drift and leave it) or
    /// ignore (leave drift and do not report it). Default: the document's `drift`.
    #[arg(long, value_name = "POLICY", value_parser = drift)]
    pub(crate) drift: Option<holdfast_core::document::Drift>,
    /// With --once, shows every field, line and address. Without it, long ones are folded.
    #[arg(long, requires = "once")]
    pub(crate) full: bool,
    /// The format of the report, with --once.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml, Markdown]), requires = "once")]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// Grants the deletion of data stores and of resources that the document retains. Default: not granted.
    #[arg(long)]
    pub(crate) delete_data: bool,
    /// Confirms the target: must equal STACK/ENV, as in `mashroom/dev`. Without it, the plan is shown and nothing is
    /// changed.
    #[arg(long, value_name = "STACK/ENV")]
    pub(crate) confirm: Option<String>,
    /// How long to wait while another run writes to the same stack and environment, as in 30s or 10m. 0s does not wait.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub(crate) lock_timeout: Duration,
    /// The longest wait for resources that AWS is changing or deleting, as in 30s, 5m or 1h. 0s does not wait.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    pub(crate) wait: Duration,
    /// Shows every address. Without it, long lists are folded.
    #[arg(long)]
    pub(crate) full: bool,
    /// The format of the report.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml, Markdown]))]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// The resource that returns to an earlier revision, as in `Service/web`.
    pub(crate) address: Address,
    /// The revision to return to, as in `7` or `shop-prod-web:7`. Default: the revision before the current one.
    #[arg(long, value_name = "REVISION", conflicts_with = "release")]
    pub(crate) to: Option<String>,
    /// Ends the hold of an earlier rollback: the next pass updates the resource to the document's revision.
    #[arg(long)]
    pub(crate) release: bool,
    /// How long to wait while another run, such as a pass of the daemon, writes to the same stack and environment. 0s does
    /// not wait.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    pub(crate) lock_timeout: Duration,
    /// The format of the output.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml]))]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct UnlockArgs {
    /// The stack and the environment, as in `mashroom/dev`.
    #[arg(value_name = "STACK/ENV", value_parser = stack_env)]
    pub(crate) target: (String, String),
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// The id of the account, when the store has the stack in several accounts.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Confirms the target: must equal STACK/ENV.
    #[arg(long, value_name = "STACK/ENV")]
    pub(crate) confirm: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// The address of one resource, as in `Service/web`. Default: all resources.
    pub(crate) address: Option<Address>,
    /// The format of the output.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Yaml, Markdown]))]
    pub(crate) output: OutputFormat,
}

#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    /// The format of the diagram.
    #[arg(short, long, default_value = "mermaid")]
    pub(crate) output: DiagramFormat,
}

/// The format of a diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiagramFormat {
    /// A Mermaid flowchart, which GitHub renders in Markdown.
    Mermaid,
    /// An SVG image with the tiers as columns.
    Svg,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// A kind, or a field of one, as in `Service.desiredCount`. Default: the list of kinds.
    pub(crate) what: Option<String>,
    /// The format of the output. Markdown is for a kind, and JSON for the list of kinds.
    #[arg(short, long, default_value = "text", value_parser = formats(&[Text, Json, Markdown]))]
    pub(crate) output: OutputFormat,
}

/// Parses `NAME=VALUE`.
fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`; write NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Parses `STACK/ENV`.
fn stack_env(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((stack, env)) if !stack.is_empty() && !env.is_empty() && !env.contains('/') => {
            Ok((stack.to_owned(), env.to_owned()))
        }
        _ => Err(format!("`{text}` is not a stack and an environment; write STACK/ENV, as in `mashroom/dev`")),
    }
}

/// Parses a drift policy.
fn drift(text: &str) -> Result<holdfast_core::document::Drift, String> {
    use holdfast_core::document::Drift;
    match text {
        "correct" => Ok(Drift::Correct),
        "warn" => Ok(Drift::Warn),
        "ignore" => Ok(Drift::Ignore),
        other => Err(format!("`{other}` is not a drift policy; write correct, warn or ignore")),
    }
}

/// Parses a time: `250ms`, `90s`, `5m`, `1h`.
fn time(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is not a time; write one such as 30s, 5m or 1h");
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
    let number: f64 = text[..unit_at].parse().map_err(|_| error())?;
    let unit = match &text[unit_at..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(error()),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| error())
}

/// Parses a time that is not zero.
fn nonzero_time(text: &str) -> Result<Duration, String> {
    match time(text)? {
        Duration::ZERO => Err(format!("`{text}` is zero; write a time such as 30s, 5m or 1h")),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests;
