//! Intents: the records of creates in the store, so that each resource is created exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use holdfast_core::address::Address;
use holdfast_core::digest;
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::{Action, Plan, Step};
use holdfast_core::schema::Idempotency;

use crate::state::PassState;
use crate::store::Intent;

/// Records the creates and replacements that are about to begin, so that each resource is created exactly once.
///
/// # Expected flow
/// 1. Before a create, an [`Intent`] is written to the store: a random nonce, the time, and the ids that already
///    belong to the address. An intent of an earlier attempt keeps its nonce, so that the attempt has the same
///    client token ([`with_nonce`]).
/// 2. The step makes one mutating call, with the owner in it. The SDK does not retry it.
/// 3. A response with an id is recorded in the intent and in the expectations. A failure that is not ambiguous
///    removes the intent.
/// 4. After an ambiguous failure, a kind with client tokens is created again with the same token, and AWS returns
///    the same resource. The address of any other kind is held (`CreateUnconfirmed`) until its resource is observed
///    or its consistency window has passed; then the create is sent again.
/// 5. The intent is removed once its resource was observed and its consistency window has passed
///    ([`remove_ended_intents`]).
/// 6. A process that finds an intent of an earlier process continues at step 4 ([`resume_intents`]).
///
/// # Guarantees
/// A lost response or a crash at any point leaves no duplicate, as long as the next process has the same store.
///
/// # Assumptions
/// Reads show a created resource once the consistency window of its kind has passed.
///
/// # Caveats
/// If the store is lost within the window, a kind whose id AWS generates can have a duplicate. A later plan reports both.
///
/// # Errors
/// None: a store that cannot be written is logged as a warning, and the pass continues.
pub(crate) async fn record_intents(
    state: &mut PassState<'_>,
    ids_before: &mut BTreeMap<Address, BTreeSet<String>>,
    start: &[(Step, Operation)],
) {
    let engine = state.session.engine;
    let began = (engine.now)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    for (Step { address, action, .. }, operation) in start {
        match operation.mutation {
            Mutation::Create(_) => {
                // If the earlier intent has a response, its resource no longer exists, because the plan creates it
                // again.
                let earlier = state.journal.history().intents.get(address).filter(|intent| intent.created.is_none());
                let intent = match earlier {
                    Some(earlier) => Intent { began, ..earlier.clone() },
                    None => {
                        let ids_before = ids_before.remove(address).unwrap_or_default();
                        Intent { nonce: engine.nonce(), began, ids_before, created: None }
                    }
                };
                state.journal.set_intent(address, intent);
            }
            Mutation::Delete { .. } if *action == Action::Replace => {
                // This step deletes the resource, so it does not count as missing, in a later process neither.
                engine.expectations().record_replacement(address);
                state.journal.remove_converged(address);
            }
            _ => {}
        }
    }
    state.journal.write(engine).await;
}

/// Combines the client token of a create with the nonce of its intent: a second attempt has the same token, and a later
/// create of the same address has another one.
pub(crate) fn with_nonce(state: &PassState<'_>, mut operation: Operation, step: &Step) -> Operation {
    let intent = state.journal.history().intents.get(&step.address);
    if let (Mutation::Create(desired), Some(intent)) = (&mut operation.mutation, intent) {
        desired.token = digest::token(&format!("{} {}", desired.token, intent.nonce));
    }
    operation
}

/// Records the id of a created resource in its intent, which is kept until its consistency window has passed, for the
/// case that this process dies before.
pub(crate) fn record_created(state: &mut PassState<'_>, address: &Address, id: &str) {
    if let Some(intent) = state.journal.history().intents.get(address) {
        let intent = Intent { created: Some(id.to_owned()), ..intent.clone() };
        state.journal.set_intent(address, intent);
    }
}

/// Resumes the intents of an earlier process: their resources may exist, although reads may not show them yet. See
/// [`record_intents`].
pub(crate) fn resume_intents(state: &PassState<'_>) {
    let (engine, document) = (state.session.engine, state.session.document);
    let now = (engine.now)();
    let mut expectations = engine.expectations();
    for (address, intent) in &state.journal.history().intents {
        let (Some(resource), Some(kind_region)) = (document.resources.get(address), state.kind_region(address)) else {
            continue;
        };
        let window = engine.timing.consistency_window(resource.schema.consistency_window);
        let left = window.checked_sub(intent.age(now));
        let Some(left) = left.filter(|left| !left.is_zero()) else { continue };
        match &intent.created {
            Some(id) => expectations.record_create(address, kind_region, id.clone(), None, left),
            None if resource.schema.idempotency == Idempotency::ClientToken => {}
            None => expectations.record_unconfirmed_create(address, kind_region, intent.ids_before.clone(), left),
        }
    }
}

/// Removes the intents that have ended: their resource was observed, and their consistency window has passed.
pub(crate) fn remove_ended_intents(state: &mut PassState<'_>, plan: &Plan) {
    let (engine, document) = (state.session.engine, state.session.document);
    let now = (engine.now)();
    let has_ended = |address: &Address, intent: &Intent| {
        let Some(resource) = document.resources.get(address) else { return true };
        let is_observed = plan.live.get(address).is_some_and(|live| !intent.ids_before.contains(&live.id));
        is_observed && intent.age(now) >= engine.timing.consistency_window(resource.schema.consistency_window)
    };
    let intents = &state.journal.history().intents;
    let ended = intents.iter().filter(|(address, intent)| has_ended(address, intent)).map(|(a, _)| a.clone());
    ended.collect::<Vec<_>>().iter().for_each(|address| state.journal.remove_intent(address));
}
