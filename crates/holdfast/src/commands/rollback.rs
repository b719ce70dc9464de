//! `rollback`: returns a service to an earlier revision, and holds the document's revision.

use std::process::ExitCode;
use std::sync::Arc;

use holdfast_aws::SecretStore;
use holdfast_engine::rollback::{self, RollbackTarget};
use serde_json::json;

use super::{SUCCESS, print_json, print_yaml};
use crate::arguments::{OutputFormat, RollbackArgs};
use crate::output::print;
use crate::progress::Progress;
use crate::{connect, watched};

pub(super) async fn run(args: &RollbackArgs) -> anyhow::Result<ExitCode> {
    let RollbackArgs { document: document_args, connection, address, to, release, lock_timeout, output } = args;
    let secret_store = SecretStore::default();
    let document = watched::load(document_args, &secret_store)?.document;
    let cloud = connect::cloud(&document, connection, &secret_store).await?;
    let engine =
        connect::writing_engine(cloud, &document, connection, Arc::new(Progress::new()), "rollback", *lock_timeout)?;
    let target = match to {
        _ if *release => RollbackTarget::Release,
        Some(revision) => RollbackTarget::To(revision),
        None => RollbackTarget::Previous,
    };
    let rollback = rollback::run(&engine, &document, address, target).await?;
    let json = json!({
        "address": address,
        "from": rollback.from,
        "to": rollback.to,
        "held": rollback.held,
        "changed": !rollback.operations.is_empty(),
    });
    let name = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
    let (from, to) = (name(&rollback.from), name(&rollback.to));
    match output {
        OutputFormat::Json => print_json(&json)?,
        OutputFormat::Yaml => print_yaml(&json)?,
        OutputFormat::Text | OutputFormat::Markdown if *release && rollback.operations.is_empty() => {
            print(&format!("{address} runs {to}; there was no hold to release\n"))?;
        }
        OutputFormat::Text | OutputFormat::Markdown if *release => {
            print(&format!("{address} runs {to}; the next pass updates it to the document's revision\n"))?;
        }
        OutputFormat::Text | OutputFormat::Markdown => {
            print(&format!("{address}  {from} → {to}\n"))?;
            if rollback.held {
                let (path, env) = (&document_args.path, &document_args.env);
                print(&format!(
                    "The document's revision is held until the document changes. To release the hold, run:\n  \
                     holdfast rollback {path} -e {env} {address} --release\n"
                ))?;
            }
        }
    }
    Ok(SUCCESS)
}
