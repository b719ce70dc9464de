//! Connects the arguments of a command to an engine that drives AWS.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use holdfast_aws::{AwsCloud, SecretStore, Settings};
use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::plan::{Grant, PlanPolicy};
use holdfast_engine::engine::Engine;
use holdfast_engine::event::EventSink;
use holdfast_engine::timing::Timing;
use holdfast_engine::writer::Writer;

use crate::arguments::{ConnectionArgs, GrantArgs};
use crate::{document, lease_holder, store};

/// Connects to the account and regions of a document, with the secret values that it refers to.
pub(crate) async fn cloud(
    document: &Document,
    connection: &ConnectionArgs,
    secret_store: &SecretStore,
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
        secret_store: secret_store.clone(),
    };
    Ok(Arc::new(AwsCloud::connect(settings).await?))
}

/// Returns an engine that drives the cloud, for a command that changes nothing.
///
/// # Errors
/// When the store is not one.
pub(crate) fn engine(
    cloud: Arc<AwsCloud>,
    document: &Document,
    connection: &ConnectionArgs,
    event_sink: Arc<dyn EventSink>,
) -> anyhow::Result<Engine> {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let timing = Timing { scale: connection.time_scale };
    let store = store::of_document(&cloud, document, connection)?;
    Ok(Engine::new(cloud, store, event_sink, timing, seed ^ u64::from(std::process::id())))
}

/// Returns an engine that drives the cloud, for a command that changes resources while it holds the lease of the store.
/// `command` names it for other runs.
///
/// # Errors
/// When the store is not one.
pub(crate) fn writing_engine(
    cloud: Arc<AwsCloud>,
    document: &Document,
    connection: &ConnectionArgs,
    event_sink: Arc<dyn EventSink>,
    command: &str,
    lock_timeout: Duration,
) -> anyhow::Result<Engine> {
    let writer = Writer::new(
        cloud.gate(),
        lease_holder::this_process(command),
        lock_timeout,
        store::unlock_command(document, connection),
    );
    Ok(engine(cloud, document, connection, event_sink)?.with_writer(writer))
}

/// Returns the policy with the grants of the flags.
///
/// # Errors
/// When a grant is not an address, or names a resource that the document does not have.
pub(crate) fn policy(grants: &GrantArgs, document: &Document) -> anyhow::Result<PlanPolicy> {
    let replace = match &grants.allow_replace[..] {
        [] => Grant::None,
        all if all.iter().any(|address| address == "*") => Grant::All,
        some => {
            let granted = |text: &String| {
                let address: Address = text.parse()?;
                document::check_address(&address, document).map(|()| address)
            };
            Grant::Some(some.iter().map(granted).collect::<anyhow::Result<_>>().context("--allow-replace")?)
        }
    };
    Ok(PlanPolicy { prune: grants.prune, delete_data: grants.delete_data, replace, ..PlanPolicy::default() })
}
