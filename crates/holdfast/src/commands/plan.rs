//! `plan`: what would be done.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use holdfast_aws::Vault;
use holdfast_core::report::{json, markdown, text};
use holdfast_engine::event::Nobody;
use holdfast_engine::pass::Look;
use tokio::sync::watch;

use super::{FINE, differs, options, print_json, print_yaml};
use crate::arguments::{Output, Plan};
use crate::{connect, document};

pub(super) async fn run(arguments: &Plan) -> anyhow::Result<ExitCode> {
    let Look { plan, calls, .. } = look(arguments).await?;
    match arguments.output {
        Output::Text => anstream::print!("{}", text::plan(&plan, calls)),
        Output::Json => print_json(&json::plan(&plan, calls))?,
        Output::Yaml => print_yaml(&json::plan(&plan, calls))?,
        Output::Markdown => anstream::print!("{}", markdown::plan(&plan, calls)),
    }
    Ok(if plan.is_converged() { FINE } else { differs() })
}

/// Looks once and plans.
pub(super) async fn look(arguments: &Plan) -> anyhow::Result<Look> {
    let vault = Vault::default();
    let document = document::load(&arguments.source, &vault)?.document;
    let cloud = connect::cloud(&document, &arguments.connection, &vault).await?;
    let engine = connect::engine(cloud, &document, &arguments.connection, Arc::new(Nobody));
    let policy = connect::policy(&arguments.grants)?;
    let (_stop, stopped) = watch::channel(false);
    Ok(engine.look(&document, &options(policy, arguments.grants.prune, Duration::ZERO, stopped)).await?)
}
