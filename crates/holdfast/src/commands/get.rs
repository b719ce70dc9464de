//! `get`: shows the live resources of a document.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use holdfast_aws::SecretStore;
use holdfast_core::inventory::active_resources;
use holdfast_core::report::json;
use holdfast_engine::event::NoopSink;
use holdfast_engine::pass;
use tokio::sync::watch;

use super::{SUCCESS, options, print_json, print_yaml};
use crate::arguments::{GetArgs, OutputFormat};
use crate::{connect, document};

pub(super) async fn run(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    if let Some(address) = args.address.as_ref().filter(|a| !document.resources.contains_key(*a)) {
        let near = holdfast_core::diagnostic::suggest(
            &address.to_string(),
            document.resources.keys().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str),
        );
        bail!("the document has no {address}{}", near.map(|n| format!("; {n}")).unwrap_or_default());
    }
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud.clone(), &document, &args.connection, Arc::new(NoopSink));
    let (_stop, stopped) = watch::channel(false);
    let dry_run =
        pass::dry_run(&engine, &document, &options(Default::default(), false, Duration::ZERO, stopped)).await?;
    let live = active_resources(&document, &dry_run.observation);
    let shown = live.iter().filter(|(address, _)| args.address.as_ref().is_none_or(|a| a == *address));
    match args.output {
        OutputFormat::Json => print_json(&shown.map(|(a, o)| json::observed(a, o, &dry_run.plan)).collect())?,
        OutputFormat::Yaml => print_yaml(&shown.map(|(a, o)| json::observed(a, o, &dry_run.plan)).collect())?,
        OutputFormat::Text | OutputFormat::Markdown => {
            let rows: Vec<_> = shown.map(|(a, o)| (a, a.to_string(), o.phase.to_string(), &o.id)).collect();
            let width = rows.iter().map(|row| row.1.len()).max().unwrap_or_default();
            for (address, text, phase, id) in rows {
                anstream::println!("{text:width$}  {phase:<8}  {id}");
                for hold in dry_run.plan.holds.iter().filter(|hold| hold.address == *address) {
                    anstream::println!("{:width$}  held: {:?}: {}", "", hold.reason, hold.message);
                }
            }
        }
    }
    Ok(SUCCESS)
}
