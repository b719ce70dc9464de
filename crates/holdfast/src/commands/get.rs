//! `get`: shows the live resources of a document.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use holdfast_aws::SecretStore;
use holdfast_core::inventory::active_resources;
use holdfast_engine::event::NoopSink;
use holdfast_engine::pass;
use holdfast_report::{json, markdown, text};
use tokio::sync::watch;

use super::{SUCCESS, options, print_json, print_yaml};
use crate::arguments::{GetArgs, OutputFormat};
use crate::output::print;
use crate::{connect, document};

pub(super) async fn run(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    if let Some(address) = &args.address {
        document::check_address(address, &document)?;
    }
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud.clone(), &document, &args.connection, Arc::new(NoopSink))?;
    let (_stop, stopped) = watch::channel(false);
    let dry_run =
        pass::dry_run(&engine, &document, &options(Default::default(), false, Duration::ZERO, stopped)).await?;
    let plan = &dry_run.plan;
    let live = active_resources(&document, &dry_run.observation, &dry_run.records);
    let shown = live.iter().map(|(address, live)| (address, *live));
    let shown = shown.filter(|(address, _)| args.address.as_ref().is_none_or(|a| a == *address));
    match args.output {
        OutputFormat::Json => print_json(&shown.map(|(a, o)| json::observed(a, o, plan)).collect())?,
        OutputFormat::Yaml => print_yaml(&shown.map(|(a, o)| json::observed(a, o, plan)).collect())?,
        OutputFormat::Text => print(&text::resources(shown, plan))?,
        OutputFormat::Markdown => print(&markdown::resources(shown, plan))?,
    }
    Ok(SUCCESS)
}
