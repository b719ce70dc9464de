//! `reconcile`: converge, once or for ever.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use holdfast_aws::Vault;
use holdfast_core::plan::Policy;
use holdfast_core::report::text;
use holdfast_engine::daemon::{self, Schedule};
use holdfast_engine::event::Watcher;
use holdfast_engine::pass::Report;
use holdfast_server::{Metrics, Server};

use super::{FINE, differs, options, print_json, print_yaml, stop_signal};
use crate::arguments::{Output, Reconcile};
use crate::progress::Progress;
use crate::{connect, document};

pub(super) async fn run(arguments: &Reconcile) -> anyhow::Result<ExitCode> {
    let policy = Policy { drift: arguments.drift, ..connect::policy(&arguments.grants)? };
    match arguments.once {
        true => once(arguments, policy).await,
        false => forever(arguments, policy).await,
    }
}

async fn once(arguments: &Reconcile, policy: Policy) -> anyhow::Result<ExitCode> {
    let vault = Vault::default();
    let document = document::load(&arguments.source, &vault)?.document;
    let cloud = connect::cloud(&document, &arguments.connection, &vault).await?;
    let engine = connect::engine(cloud, &document, &arguments.connection, Arc::new(Progress::new()));
    let options = options(policy, arguments.grants.prune, arguments.wait, stop_signal()?);
    let report = engine.pass(&document, &options).await?;
    print(&report, arguments.output)?;
    Ok(match report.converged {
        true => FINE,
        false if report.failed() || report.stopped => ExitCode::from(1),
        false => differs(),
    })
}

/// Prints how a pass ended.
pub(super) fn print(report: &Report, output: Output) -> anyhow::Result<()> {
    let json = || super::report_json(report);
    match output {
        Output::Json => print_json(&json()?)?,
        Output::Yaml => print_yaml(&json()?)?,
        Output::Text | Output::Markdown => {
            anstream::print!("{}", text::plan(&report.plan, report.calls));
            let word = match (report.converged, report.stopped) {
                (true, _) => "Converged",
                (_, true) => "Stopped before it converged",
                _ => "Not converged",
            };
            anstream::println!("{word} after {} steps in {:.1} s.", report.results.len(), report.seconds);
        }
    }
    Ok(())
}

async fn forever(arguments: &Reconcile, policy: Policy) -> anyhow::Result<ExitCode> {
    let vault = Vault::default();
    let rendered = document::load(&arguments.source, &vault)?;
    let document = rendered.document;
    let stop = stop_signal()?;
    let cloud = connect::cloud(&document, &arguments.connection, &vault).await?;
    let metrics = Arc::new(Metrics::new(&document.stack, &document.env, cloud.clone(), arguments.interval));
    let server = Server::listen(arguments.listen, metrics.clone(), stop.clone()).await?;
    anstream::eprintln!("holding {}/{}; metrics at http://{}/metrics", document.stack, document.env, server.address());
    let mut watchers: Vec<Arc<dyn Watcher>> = vec![metrics.clone()];
    // Off a terminal stderr is for log lines alone.
    if std::io::stderr().is_terminal() {
        watchers.push(Arc::new(Progress::new()));
    }
    let engine = connect::engine(cloud, &document, &arguments.connection, Arc::new(watchers));
    // What is pending is worth an interval's wait inside the pass; then the next one looks at everything.
    let options = options(policy, arguments.grants.prune, arguments.interval, stop);
    let schedule = Schedule { interval: arguments.interval, everywhere_every: arguments.orphans_every };
    let mut reload = document::Watched::new(arguments.source.clone(), &rendered.files, vault);
    daemon::run(&engine, document, &options, schedule, &mut reload, |end| metrics.ended(end)).await;
    server.stopped().await;
    anstream::eprintln!("stopped");
    Ok(FINE)
}
