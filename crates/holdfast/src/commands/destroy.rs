//! `destroy`: deletes the resources that the stack owns.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use holdfast_aws::SecretStore;
use holdfast_core::plan::PlanPolicy;
use holdfast_engine::pass;
use holdfast_report::Detail;

use super::{SUCCESS, options, plan, reconcile, stop_signal, work_left};
use crate::arguments::DestroyArgs;
use crate::output::print_error;
use crate::progress::Progress;
use crate::{connect, watched};

pub(super) async fn run(args: &DestroyArgs) -> anyhow::Result<ExitCode> {
    let secret_store = SecretStore::default();
    let document = watched::load(&args.document, &secret_store)?.document;
    let target = format!("{}/{}", document.stack, document.env);
    if args.confirm.as_ref().is_some_and(|confirmed| *confirmed != target) {
        bail!(
            "destroy deletes every resource that {target} owns; confirm with `--confirm {target}`; nothing was changed"
        );
    }
    let cloud = connect::cloud(&document, &args.connection, &secret_store).await?;
    let progress = Arc::new(Progress::new());
    let engine = connect::writing_engine(cloud, &document, &args.connection, progress, "destroy", args.lock_timeout)?;
    let policy = PlanPolicy { destroy: true, delete_data: args.delete_data, ..PlanPolicy::default() };
    let options = options(policy, true, args.wait, stop_signal()?);
    let detail = Detail { full: args.full };
    if args.confirm.is_none() {
        let dry_run = pass::dry_run(&engine, &document, &options).await?;
        plan::show(&dry_run, plan::footer(&dry_run, true), args.output, detail)?;
        if dry_run.plan.is_converged() && dry_run.observation.unknown.is_empty() {
            return Ok(SUCCESS);
        }
        print_error(&format!("nothing was changed; to delete these resources, add `--confirm {target}`"));
        return Ok(work_left());
    }
    let report = pass::run(&engine, &document, &options).await?;
    reconcile::print(&report, true, args.output, detail)?;
    Ok(reconcile::exit_code(&report))
}
