//! The pass: observes, plans and applies, again and again until no step can start.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::stream::StreamExt;
use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::plan::{Plan, plan_prepared};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::engine::{Engine, Session};
use crate::event::Event;
use crate::flapping::hold_second_creates;
use crate::journal::Journal;
use crate::observe::{
    MAX_CONCURRENT_OBSERVATIONS, RunningObservations, due_observations, initial_refresh, next_polls,
    record_observation, start_observations,
};
pub use crate::options::{ApprovedPlan, PassOptions};
pub use crate::report::{DryRun, PassError, PassReport};
use crate::state::{PassState, PlannedWork};
use crate::steps::{RunningSteps, end_step, planned_work, start_steps};
use crate::{held_lease, history, intent};

/// The number of plans because of responses in a pass that creates a whole document, while its plans have steps that may
/// start. The cost of one plan grows with the document, so the cost of a plan for each response would grow with its
/// square. Up to 16 resources, each response leads to a plan.
const PLANS_PER_DOCUMENT: usize = 16;

/// Observes and plans, and changes nothing.
///
/// # Errors
/// Returns an error when the account is wrong or unknown, the store cannot be read, or nothing can be observed.
pub async fn dry_run(engine: &Engine, document: &Document, options: &PassOptions) -> Result<DryRun, PassError> {
    let before = engine.cloud.calls().total();
    let options = options.with_full_scan_for_prune(document);
    let session = Session::begin(engine, document).await?;
    let journal = Journal::new(engine.store.load().await.map_err(PassError::Store)?);
    let mut state = PassState::new(session, &options, journal);
    initial_refresh(&mut state, true).await?;
    let plan = plan(&state);
    let records = state.journal.history().records();
    Ok(DryRun { plan, observation: state.observation, records, calls: engine.cloud.calls().total() - before })
}

/// Converges the account to the document, as far as it can be converged now.
///
/// # Expected flow
/// 1. Check that the credentials are for the account of the environment.
/// 2. Acquire the lease of the store, and read the history.
/// 3. Observe every kind of the document in its regions. A full scan, and a document that grants `prune`, observe
///    every kind in every configured region.
/// 4. Resume the intents of an earlier process, whose creates may have happened.
/// 5. Plan, start each step that can start, and observe the resources that the steps changed, until no step can
///    start and no resource is worth waiting for. The loop is `converge`.
/// 6. Write the history, release the lease and return the report.
///
/// # Guarantees
/// A wrong account, a lease that another run holds, an unreadable history or a failed observation of everything changes
/// nothing. A run that loses its lease stops before its next mutating call. A create is not repeated while its resource
/// may exist. A deletion starts only after two observations of this pass found the resource. Resources that cannot be
/// observed are held, and everything else continues. The pass starts at most `policy.maxMutations` steps.
///
/// # Assumptions
/// All runs of a stack in an environment use the same store.
///
/// # Caveats
/// `converged` relies on responses for the resources that this pass created: the next pass observes them. After a
/// stop the steps that have begun may finish for up to 25 s; then the pass returns its last plan. A stop before the
/// first plan ends the pass at once, because reads need not finish.
///
/// # Errors
/// Returns an error when the account is wrong or unknown, another run holds the lease, the lease is lost, the store
/// cannot be used, nothing can be observed, or a stop is requested before the first plan. Failed steps are in the
/// report.
pub async fn run(engine: &Engine, document: &Document, options: &PassOptions) -> Result<PassReport, PassError> {
    run_with_options(engine, document, &options.with_full_scan_for_prune(document)).await
}

/// Runs one pass that is a full scan only if the options say so. A daemon's schedule decides this for its passes.
pub(crate) async fn run_with_options(
    engine: &Engine,
    document: &Document,
    options: &PassOptions,
) -> Result<PassReport, PassError> {
    engine.event_sink.on(&Event::PassBegan);
    let began = Instant::now();
    let before = engine.cloud.calls().total();
    let session = options.until_stopped(Session::begin(engine, document)).await.ok_or(PassError::Stopped)??;
    let lease = held_lease::acquire(engine, document, options.stopped()).await?;
    let result = run_with_lease(session, options, began).await;
    let lost = lease.check();
    lease.release().await;
    lost?;
    let report = PassReport { calls: engine.cloud.calls().total() - before, ..result? };
    engine.event_sink.on(&Event::PassEnded { report: &report });
    Ok(report)
}

/// Runs one pass, once the lease of the store is held.
async fn run_with_lease(session: Session<'_>, options: &PassOptions, began: Instant) -> Result<PassReport, PassError> {
    let (engine, document) = (session.engine, session.document);
    let history = options.until_stopped(engine.store.load()).await.ok_or(PassError::Stopped)?;
    let journal = Journal::new(history.map_err(PassError::Store)?);
    engine.expectations().begin_pass(engine.timing);
    let mut state = PassState::new(session, options, journal);
    options.until_stopped(initial_refresh(&mut state, false)).await.ok_or(PassError::Stopped)??;
    history::add_regions(&mut state);
    intent::resume_intents(&state);
    let (plan, plans) = converge(&mut state, began).await?;
    let stopped = options.is_stopped();
    // A resource that cannot be observed may still exist.
    let all_observed = !options.policy.destroy || state.observation.unknown.is_empty();
    let converged = plan.is_converged() && !stopped && all_observed;
    if engine.writer.gate.permit().await.is_ok() {
        history::save_outcome(&mut state, &plan, converged).await?;
    }
    Ok(PassReport {
        stack: document.stack.clone(),
        env: document.env.clone(),
        converged,
        stopped,
        plans,
        results: state.results,
        plan,
        unobserved: state.observation.unknown,
        calls: 0,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Runs the loop of the pass. Returns the last plan, and the number of plans.
///
/// # Expected flow
/// 1. Plan with everything that is known. If a plan was approved and this is another one, end with an error.
/// 2. Start each step that can start, up to 16 at once.
/// 3. Observe the kinds that are due in their regions: a resource is pending there, a step changed a resource that
///    others wait for, or a deletion needs its second sighting. If nothing else is left to do, observe everything
///    that steps changed.
/// 4. Wait for the end of a step or an observation, or for the next poll.
/// 5. Plan again after each observation, before any other step starts, and after steps whose results are known from
///    their responses. All steps that have ended are recorded before a plan. While a plan has steps that may start, it
///    is used until a 16th of the document's resources had such a response, or a 64th had one that others wait for.
///    Continue at 2.
/// 6. End when no step runs, no observation runs, and no poll is due within the wait timeout.
///
/// # Guarantees
/// A step starts as soon as its own dependencies are ready: it does not wait for unrelated steps. No step starts
/// for an address whose last step runs, or whose last effect was not observed. A deletion starts only after two
/// complete observations of this pass found the resource.
///
/// # Caveats
/// In a document of more than 64 resources, a step that a response made ready may wait for further responses while
/// other steps start.
///
/// After a stop no step and no observation starts. The steps that run may finish for up to 25 s, and their results
/// are saved.
async fn converge<'a>(state: &mut PassState<'a>, began: Instant) -> Result<(Plan, usize), PassError> {
    let (engine, options): (&'a Engine, &'a PassOptions) = (state.session.engine, state.options);
    let (mut steps, mut observations) = (RunningSteps::new(), RunningObservations::new());
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_OBSERVATIONS));
    let mut work = plan_work(state, true);
    let mut plans = 1;
    options.approved.as_ref().map_or(Ok(()), |approved| approved.check(&work.plan))?;
    let mut stopping = options.is_stopped();
    let mut stop_timeout = std::pin::pin!(async {
        tokio::select! {
            () = options.stopped() => {}
            _ = engine.writer.gate.lost() => {}
        }
        sleep(engine.timing.stop()).await;
    });
    loop {
        let mut wake = None;
        if work.responses > 0 && (stopping || is_plan_due(state, &work, steps.is_empty())) {
            work = plan_work(state, false);
            plans += 1;
        }
        if !stopping {
            start_steps(state, &mut work, &steps).await;
            let polls = next_polls(state, &work, began);
            let idle = steps.is_empty() && observations.is_empty();
            let kind_regions = due_observations(state, &work, &polls, idle);
            start_observations(state, kind_regions, &permits, &observations);
            wake = polls.into_values().filter(|at| *at > Instant::now()).min();
            if let (true, true, Some(at)) = (steps.is_empty(), observations.is_empty(), wake) {
                let addresses: BTreeSet<&Address> = work.awaited.values().flatten().collect();
                let addresses: Vec<Address> = addresses.into_iter().cloned().collect();
                let pause = at.saturating_duration_since(Instant::now());
                engine.event_sink.on(&Event::Waiting { addresses: &addresses, pause });
            }
        }
        if steps.is_empty() && stopping {
            return Ok((plan_work(state, false).plan, plans + 1));
        }
        if steps.is_empty() && observations.is_empty() && wake.is_none() {
            return Ok((work.plan, plans));
        }
        tokio::select! {
            biased;
            () = options.stopped(), if !stopping => stopping = true,
            _ = engine.writer.gate.lost(), if !stopping => stopping = true,
            () = &mut stop_timeout => return Ok((work.plan, plans)),
            Some(ended) = steps.next() => {
                end_step(state, &mut work, ended);
                while let Some(Some(ended)) = steps.next().now_or_never() {
                    end_step(state, &mut work, ended);
                }
                state.journal.write(engine).await;
            }
            Some(observed) = observations.next(), if !stopping => {
                record_observation(state, observed);
                while let Some(Some(observed)) = observations.next().now_or_never() {
                    record_observation(state, observed);
                }
                // An observation may show that a step must not start, so no step of the old plan starts after it.
                work = plan_work(state, false);
                plans += 1;
            }
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
}

/// True when responses need a new plan now: no step runs or may start, or there are enough responses to pay for a plan.
fn is_plan_due(state: &PassState<'_>, work: &PlannedWork, is_idle: bool) -> bool {
    is_idle || work.queue.is_empty() || work.responses * PLANS_PER_DOCUMENT >= state.session.document.resources.len()
}

/// Plans with everything that is known, and records what the plan shows.
fn plan_work(state: &mut PassState<'_>, first: bool) -> PlannedWork {
    history::check_unobserved(state);
    let plan = plan(state);
    if first && !plan.owns_something {
        history::begin_initial(state);
    }
    history::record_converged(state, &plan);
    history::record_resources(state, &plan);
    intent::remove_ended_intents(state, &plan);
    state.session.engine.event_sink.on(&Event::Planned { plan: &plan, first });
    planned_work(state, plan)
}

/// Plans with the history, and with the expectations: the changes of this process that reads may not show yet.
fn plan(state: &PassState<'_>) -> Plan {
    let (engine, observation, history) = (state.session.engine, &state.observation, state.journal.history());
    let kinds = engine.cloud.registry().0;
    let mut expectations = engine.expectations();
    let mut policy = state.options.policy.clone();
    policy.history = (history.complete || !history.converged.is_empty()).then(|| history.converged.clone());
    policy.history_is_complete = history.complete;
    policy.records = history.records();
    policy.deleted = state.deleted.clone();
    policy.is_initial = state.is_initial;
    policy.in_progress = expectations.in_progress();
    policy.holds.extend(expectations.holds(observation));
    policy.created = expectations.created_identities(observation);
    let mut plan = plan_prepared(&state.prepared, observation, &policy, kinds);
    if expectations.confirm_creates(&plan) {
        policy.holds = state.options.policy.holds.clone();
        policy.holds.extend(expectations.holds(observation));
        plan = plan_prepared(&state.prepared, observation, &policy, kinds);
    }
    let mut repeated = expectations.update_from_plan(&plan);
    repeated.extend(hold_second_creates(&plan, &state.created));
    if !repeated.is_empty() {
        policy.holds.extend(repeated);
        plan = plan_prepared(&state.prepared, observation, &policy, kinds);
    }
    expectations.flapping.hold_stuck_deletions(plan)
}
