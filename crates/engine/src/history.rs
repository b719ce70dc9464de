//! The history of a pass: which resources converged, and whether the history covers every resource of the stack.

use std::collections::BTreeSet;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::inventory::proof::{ResourceRecord, is_recorded};
use holdfast_core::observed::{KindRegion, Observed};
use holdfast_core::plan::Plan;

use crate::report::PassError;
use crate::state::PassState;

/// Adds the regions of the document: resources may be left there once the document no longer has them.
pub(crate) fn add_regions(state: &mut PassState<'_>) {
    let configured = state.session.document.target.regions.values();
    let regions = state.journal.history().regions.iter().chain(configured).cloned().collect();
    state.journal.set_regions(regions);
}

/// Records the digests of the resources that a plan found converged.
pub(crate) fn record_converged(state: &mut PassState<'_>, plan: &Plan) {
    for (address, live) in plan.live.iter().filter(|(_, live)| live.converged) {
        state.journal.set_converged(address, &live.digest);
    }
}

/// Records the live resources of a plan, which prove ownership later, and forgets the recorded ones that an observation
/// no longer shows.
pub(crate) fn record_resources(state: &mut PassState<'_>, plan: &Plan) {
    let document = state.session.document;
    for (address, record) in &plan.copies {
        state.journal.add_resource(address, record.clone());
    }
    for (address, live) in &plan.live {
        let Some(resource) = document.resources.get(address).filter(|resource| !resource.is_lookup()) else { continue };
        let (id, region, name) = (&live.id, &resource.region, &live.name);
        let history = state.journal.history();
        let known = history.resources.get(address).map(Vec::as_slice).unwrap_or_default();
        let is_known =
            |r: &ResourceRecord| !r.copy && r.id == *id && r.name == *name && r.generation == live.generation;
        if matches!(known, [one] if is_known(one) && one.region == *region) {
            continue;
        }
        let answered = history.intents.get(address).is_some_and(|intent| !intent.ids_before.contains(id));
        let (kind, found) = (resource.schema.kind, &state.observation.found);
        let exists = |record: &ResourceRecord| {
            let place = KindRegion { kind, region: record.region.clone() };
            found.get(&place).is_none_or(|found| found.iter().any(|observed| is_recorded(record, observed)))
        };
        let left = known.iter().filter(|record| exists(record)).cloned().collect();
        let (id, region, name) = (id.clone(), region.clone(), name.clone());
        let record = ResourceRecord { id, region, name, generation: live.generation, created: answered, copy: false };
        state.journal.set_resources(address, left);
        state.journal.add_resource(address, record);
    }
}

/// Marks the stack as initial and its history as complete: the first plan of the pass found no owned resource.
///
/// Kinds that could not be observed do not prevent this, unless the history has earlier resources. If an owned resource
/// of such a kind is observed later, [`check_unobserved`] reverts the mark.
pub(crate) fn begin_initial(state: &mut PassState<'_>) {
    let (unknown, history) = (&state.observation.unknown, state.journal.history());
    if unknown.is_empty() || history.converged.is_empty() && history.intents.is_empty() {
        state.is_initial = true;
        state.journal.set_complete(true, unknown.keys().map(text_of).collect());
    }
}

/// Reverts the mark of an initial stack when an owned resource is observed whose kind could not be observed before.
pub(crate) fn check_unobserved(state: &mut PassState<'_>) {
    let history = state.journal.history();
    if history.unobserved.is_empty() {
        return;
    }
    let (complete, mut unobserved) = (history.complete, history.unobserved.clone());
    for (kind_region, found) in &state.observation.found {
        if unobserved.remove(&text_of(kind_region)) && found.iter().any(|o| is_owned(state.session.document, o)) {
            state.is_initial = false;
            state.journal.set_complete(false, BTreeSet::new());
            return;
        }
    }
    state.journal.set_complete(complete, unobserved);
}

/// Writes the history at the end of a pass.
///
/// # Errors
/// Returns an error when the store cannot be written.
pub(crate) async fn save_outcome(state: &mut PassState<'_>, plan: &Plan, converged: bool) -> Result<(), PassError> {
    remove_former_regions(state);
    if state.options.policy.destroy {
        let recorded = state.journal.history().converged.keys();
        let deleted: Vec<Address> = recorded.filter(|address| !plan.live.contains_key(address)).cloned().collect();
        deleted.iter().for_each(|address| state.journal.remove_converged(address));
    }
    if converged {
        // No resource is missing: an address that the document gets from now on is new.
        state.journal.set_complete(true, BTreeSet::new());
    }
    state.journal.save(&*state.session.engine.store).await.map_err(PassError::Store)
}

/// Removes the regions that the document no longer has, once every kind was observed there and no owned resource is
/// left.
fn remove_former_regions(state: &mut PassState<'_>) {
    let document = state.session.document;
    let kinds = state.session.engine.cloud.registry().0.iter().filter(|schema| !schema.global);
    let is_left = |region: &String| {
        kinds.clone().any(|schema| match state.observation.at(schema.kind, region) {
            Some(found) => found.iter().any(|o| is_owned(document, o)),
            None => true,
        })
    };
    let is_configured = |region: &String| document.target.regions.values().any(|r| r == region);
    let regions = &state.journal.history().regions;
    let regions = regions.iter().filter(|region| is_configured(region) || is_left(region)).cloned().collect();
    state.journal.set_regions(regions);
}

/// True when the stack of the document owns the resource.
fn is_owned(document: &Document, observed: &Observed) -> bool {
    observed.owner().is_some_and(|owner| owner.stack == document.stack && owner.env == document.env)
}

/// Returns a kind and a region as text, for the store.
fn text_of(kind_region: &KindRegion) -> String {
    format!("{} {}", kind_region.kind, kind_region.region)
}
