//! `destroy`: deletes the resources that the stack owns.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use holdfast_aws::SecretStore;
use holdfast_core::plan::PlanPolicy;
use holdfast_engine::pass;

use super::{SUCCESS, options, reconcile, stop_signal, work_left};
use crate::arguments::DestroyArgs;
use crate::progress::Progress;
use crate::{connect, document};

pub(super) async fn run(args: &DestroyArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let document = document::load(&args.document, &secret_store)?.document;
    let target = format!("{}/{}", document.stack, document.env);
    if args.confirm.as_deref() != Some(&target) {
        bail!(
            "destroy deletes every resource that {target} owns; confirm with `--confirm {target}`; nothing was changed"
        );
    }
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let engine = connect::engine(cloud, &document, &args.connection, Arc::new(Progress::new()));
    let policy = PlanPolicy { destroy: true, delete_data: args.delete_data, ..PlanPolicy::default() };
    let report = pass::run(&engine, &document, &options(policy, true, args.wait, stop_signal()?)).await?;
    reconcile::print(&report, true, args.output)?;
    Ok(match report.converged {
        true => SUCCESS,
        false if report.failed() || report.stopped => ExitCode::from(1),
        false => work_left(),
    })
}
