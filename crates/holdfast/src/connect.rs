//! From arguments to an engine that drives AWS.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use holdfast_aws::{AwsCloud, Settings, Vault};
use holdfast_core::document::Document;
use holdfast_core::plan::{Grant, Policy};
use holdfast_engine::event::Watcher;
use holdfast_engine::pass::Engine;
use holdfast_engine::store::{File, InProcess, Store};
use holdfast_engine::timing::Timing;

use crate::arguments::{Connection, Grants};

/// The cloud that a document is for, with the secret values that it names.
pub(crate) async fn cloud(
    document: &Document,
    connection: &Connection,
    vault: &Vault,
) -> anyhow::Result<Arc<AwsCloud>> {
    let target = &document.target;
    let settings = Settings {
        region: target.regions.get("main").cloned(),
        others: target.regions.iter().filter(|(alias, _)| *alias != "main").map(|(_, region)| region.clone()).collect(),
        role: target.role.clone(),
        external_id: target.external_id.clone(),
        run: format!("{}-{}", document.stack, document.env),
        call_timeout: Some(connection.call_timeout),
        time_scale: connection.time_scale,
        vault: vault.clone(),
    };
    Ok(Arc::new(AwsCloud::connect(settings).await?))
}

/// An engine that drives it.
pub(crate) fn engine(
    cloud: Arc<AwsCloud>,
    document: &Document,
    connection: &Connection,
    watcher: Arc<dyn Watcher>,
) -> Engine {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let timing = Timing { scale: connection.time_scale };
    Engine::new(cloud, store(document, connection), watcher, timing, seed ^ u64::from(std::process::id()))
}

/// One file for each stack and environment, in the folder that was given or the user's own.
fn store(document: &Document, connection: &Connection) -> Arc<dyn Store> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = connection.store.clone().or_else(|| {
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?;
        Some(state.join("holdfast"))
    });
    let account = document.target.account.as_deref().unwrap_or("any-account");
    match folder {
        Some(folder) => Arc::new(File(folder.join(account).join(format!("{}.{}.json", document.stack, document.env)))),
        None => Arc::new(InProcess::default()),
    }
}

/// What the flags grant.
pub(crate) fn policy(grants: &Grants) -> anyhow::Result<Policy> {
    let replace = match &grants.allow_replace[..] {
        [] => Grant::None,
        all if all.iter().any(|address| address == "*") => Grant::All,
        some => {
            let addresses = some.iter().map(|address| address.parse());
            Grant::Some(addresses.collect::<Result<_, _>>().context("--allow-replace")?)
        }
    };
    Ok(Policy { prune: grants.prune, delete_data: grants.delete_data, replace, ..Policy::default() })
}
