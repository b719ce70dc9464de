//! How the steps of a pass are begun, carried out and taken in.

use std::time::Duration;

use holdfast_core::op::Op;
use holdfast_core::plan::{Deed, Step};
use holdfast_core::schema::CreateClass;
use tokio::time::{Instant, sleep};

use super::{AT_ONCE, Ended, Run, Steps, Turn, place_of};
use crate::cloud::{Class, Done, Failure};
use crate::event::{Event, Outcome, StepResult};
use crate::pass::{Engine, Options};

/// How often a throttled call is made again within its step. Looking in between as well would make more calls, and
/// the same number between two attempts each time, which a service that throttles by count never lets through.
const THROTTLED: u32 = 3;

impl<'a> Run<'a> {
    /// Begins the steps that can start, several at once.
    pub(super) async fn start(&mut self, turn: &mut Turn, steps: &mut Steps<'a>) {
        let left = self.document.policy.max_mutations.saturating_sub(self.mutations);
        let free = AT_ONCE.saturating_sub(steps.len()).min(left).min(turn.queue.len());
        let start: Vec<(Step, Deed)> = turn.queue.drain(..free).collect();
        if start.is_empty() {
            return;
        }
        self.mutations += start.len();
        self.intend(&turn.plan, &start).await;
        for (step, deed) in start {
            let touches = [Some(place_of(&deed)), self.place(&step.address)].into_iter().flatten();
            self.agenda.step_begins(&step.address, touches);
            let op = self.with_nonce(&deed.op, &step);
            steps.push(Box::pin(carry_out(self.engine, self.options, step, deed, op)));
        }
    }

    /// Takes in what came of a step. Returns true when others can go on because of that alone, without a look.
    pub(super) async fn ended(&mut self, ended: Ended) -> bool {
        let Ended { step, deed, took, mut result } = ended;
        let early = self.engine.cloud.schema(deed.kind).is_some_and(|schema| schema.early);
        let made = early && result.is_ok() && matches!(deed.op, Op::Create(_));
        let told = result.as_mut().is_ok_and(|done| self.is_told(&deed, done));
        self.agenda.step_ended(&step.address, told);
        self.record(&step, &deed, took, result).await;
        made || told
    }

    async fn record(&mut self, step: &Step, deed: &Deed, took: Duration, result: Result<Done, Failure>) {
        let engine = self.engine;
        let schema = engine.cloud.schema(deed.kind);
        let lag = engine.timing.lag(schema.map_or(0, |s| s.lag_seconds));
        let mut ledger = engine.ledger.lock().await;
        let name = step.address.to_string();
        let (outcome, failure) = match result {
            Ok(done) => {
                ledger.done(step, place_of(deed), lag);
                match (&deed.op, done.id) {
                    (Op::Create(wanted), Some(id)) => {
                        // The intent stays until reads surely show it: this process may not live to see that.
                        if let Some(intent) = self.memory.intents.get_mut(&name) {
                            intent.made = Some(id.clone());
                        }
                        ledger.made(&step.address, place_of(deed), id, Some(&wanted.name), lag);
                    }
                    (Op::Delete { live }, _) => {
                        ledger.deleted(place_of(deed), live.id.clone(), lag);
                        if !self.document.resources.contains_key(&step.address) {
                            self.memory.converged.remove(&name);
                        }
                    }
                    _ => {}
                }
                (Outcome::Done, None)
            }
            Err(failure) => {
                if let (Op::Create(_), Some(intent)) = (&deed.op, self.memory.intents.get(&name)) {
                    // A token makes the second attempt the first; without one it has to be looked for.
                    let token = schema.is_some_and(|s| s.class == CreateClass::Token);
                    if failure.ambiguous && !token {
                        ledger.doubt(&step.address, place_of(deed), intent.known.clone(), lag);
                    } else if !failure.ambiguous {
                        self.memory.intents.remove(&name);
                    }
                }
                let again = ledger.failed(step, &failure, engine.timing);
                (if again { Outcome::Retry } else { Outcome::Failed }, Some(failure))
            }
        };
        drop(ledger);
        engine.watcher.on(&Event::StepEnded { step, outcome, took, failure: failure.as_ref() });
        // Of an attempt that is made again only the last is told.
        self.results.retain(|r| r.address != step.address || r.action != step.action || r.outcome == Outcome::Done);
        self.results.push(StepResult {
            address: step.address.clone(),
            action: step.action,
            outcome,
            seconds: took.as_secs_f64(),
            error: failure.map(|f| f.to_string()),
        });
    }
}

/// Carries out a step.
async fn carry_out(engine: &Engine, options: &Options, step: Step, deed: Deed, op: Op) -> Ended {
    let began = Instant::now();
    engine.watcher.on(&Event::StepBegan { step: &step });
    let mut result = engine.cloud.apply(deed.kind, &deed.region, &op).await;
    for attempt in 0..THROTTLED {
        // A throttled call did nothing, so it is safe to make at once what a new look would lead to as well.
        let throttled = result.as_ref().is_err_and(|f| f.class == Class::Throttled && !f.ambiguous);
        if !throttled || *options.stop.borrow() {
            break;
        }
        sleep(engine.timing.retry(attempt)).await;
        result = engine.cloud.apply(deed.kind, &deed.region, &op).await;
    }
    Ended { step, deed, took: began.elapsed(), result }
}
