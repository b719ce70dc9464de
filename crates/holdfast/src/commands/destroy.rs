//! `destroy`: deletes what the stack owns.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use holdfast_aws::Vault;
use holdfast_core::plan::Policy;

use super::{FINE, differs, options, reconcile, stop_signal};
use crate::arguments::Destroy;
use crate::progress::Progress;
use crate::{connect, document};

pub(super) async fn run(arguments: &Destroy) -> anyhow::Result<ExitCode> {
    let vault = Vault::default();
    let document = document::load(&arguments.source, &vault)?.document;
    let meant = format!("{}/{}", document.stack, document.env);
    if arguments.confirm.as_deref() != Some(&meant) {
        bail!("destroy deletes all that {meant} owns; say that you mean it with `--confirm {meant}`");
    }
    let cloud = connect::cloud(&document, &arguments.connection, &vault).await?;
    let engine = connect::engine(cloud, &document, &arguments.connection, Arc::new(Progress::new()));
    let policy = Policy { destroy: true, delete_data: arguments.delete_data, ..Policy::default() };
    let report = engine.pass(&document, &options(policy, true, arguments.wait, stop_signal()?)).await?;
    reconcile::print(&report, arguments.output)?;
    Ok(match report.converged {
        true => FINE,
        false if report.failed() || report.stopped => ExitCode::from(1),
        false => differs(),
    })
}
