//! `rollback`: returns a service to an earlier revision, and holds the document's own back.

use std::process::ExitCode;
use std::sync::Arc;

use holdfast_aws::Vault;
use holdfast_engine::event::Nobody;
use holdfast_engine::rollback::Wish;
use serde_json::json;

use super::{FINE, print_json, print_yaml};
use crate::arguments::{Output, Rollback};
use crate::{connect, document};

pub(super) async fn run(arguments: &Rollback) -> anyhow::Result<ExitCode> {
    let Rollback { source, connection, address, to, release, output } = arguments;
    let vault = Vault::default();
    let document = document::load(source, &vault)?.document;
    let cloud = connect::cloud(&document, connection, &vault).await?;
    let engine = connect::engine(cloud, &document, connection, Arc::new(Nobody));
    let wish = match to {
        _ if *release => Wish::Release,
        Some(revision) => Wish::To(revision),
        None => Wish::Previous,
    };
    let done = engine.rollback(&document, address, wish).await?;
    let json = json!({
        "address": address,
        "from": done.from,
        "to": done.to,
        "held": done.held,
        "changed": !done.ops.is_empty(),
    });
    let name = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
    let (from, to) = (name(&done.from), name(&done.to));
    match output {
        Output::Json => print_json(&json)?,
        Output::Yaml => print_yaml(&json)?,
        Output::Text | Output::Markdown if *release && done.ops.is_empty() => {
            anstream::println!("{address} runs {to}, and nothing was held back");
        }
        Output::Text | Output::Markdown if *release => {
            anstream::println!("{address} runs {to}; the next pass goes to what the document says");
        }
        Output::Text | Output::Markdown => {
            anstream::println!("{address}  {from} → {to}");
            if done.held {
                anstream::println!(
                    "The document's own revision is held back until it changes, or until `holdfast rollback {} -e {} \
                     {address} --release`.",
                    source.path,
                    source.env
                );
            }
        }
    }
    Ok(FINE)
}
