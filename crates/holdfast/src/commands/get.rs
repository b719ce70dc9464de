//! `get`: the live resources of a document.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use holdfast_aws::Vault;
use holdfast_core::report::json;
use holdfast_core::situation::live;
use holdfast_engine::event::Nobody;
use tokio::sync::watch;

use super::{FINE, options, print_json, print_yaml};
use crate::arguments::{Get, Output};
use crate::{connect, document};

pub(super) async fn run(arguments: &Get) -> anyhow::Result<ExitCode> {
    let vault = Vault::default();
    let document = document::load(&arguments.source, &vault)?.document;
    if let Some(address) = arguments.address.as_ref().filter(|a| !document.resources.contains_key(*a)) {
        let near = holdfast_core::diagnostic::suggest(
            &address.to_string(),
            document.resources.keys().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str),
        );
        bail!("the document has no {address}{}", near.map(|n| format!("; {n}")).unwrap_or_default());
    }
    let cloud = connect::cloud(&document, &arguments.connection, &vault).await?;
    let engine = connect::engine(cloud.clone(), &document, &arguments.connection, Arc::new(Nobody));
    let (_stop, stopped) = watch::channel(false);
    let look = engine.look(&document, &options(Default::default(), false, Duration::ZERO, stopped)).await?;
    let live = live(&document, &look.observation);
    let shown = live.iter().filter(|(address, _)| arguments.address.as_ref().is_none_or(|a| a == *address));
    match arguments.output {
        Output::Json => print_json(&shown.map(|(a, o)| json::observed(a, o, &look.plan)).collect())?,
        Output::Yaml => print_yaml(&shown.map(|(a, o)| json::observed(a, o, &look.plan)).collect())?,
        Output::Text | Output::Markdown => {
            let rows: Vec<_> = shown.map(|(a, o)| (a, a.to_string(), o.phase.to_string(), &o.id)).collect();
            let wide = rows.iter().map(|row| row.1.len()).max().unwrap_or_default();
            for (of, address, phase, id) in rows {
                anstream::println!("{address:wide$}  {phase:<8}  {id}");
                for hold in look.plan.holds.iter().filter(|hold| hold.address == *of) {
                    anstream::println!("{:wide$}  held: {:?}: {}", "", hold.reason, hold.message);
                }
            }
        }
    }
    Ok(FINE)
}
