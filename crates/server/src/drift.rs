//! Drift events: when the drift of a resource is found, how long the event is open, and how it ends.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::plan::hold::Reason;
use holdfast_core::plan::{Action, Cause, Difference, Plan, Step};
use holdfast_core::schema::Tier;

/// A drift event: fields of one resource that began to differ at the same time, or a missing resource.
#[derive(Clone, Debug)]
pub(crate) struct DriftEvent {
    pub(crate) address: Address,
    pub(crate) tier: Tier,
    pub(crate) cause: Cause,
    /// The differences when the event was found. Empty for a missing resource.
    pub(crate) changes: Vec<Change>,
    pub(crate) state: DriftEventState,
    /// The paths that still differ.
    pub(crate) open_paths: BTreeSet<String>,
    /// True once a step for the resource succeeded.
    has_step: bool,
}

/// The state of a drift event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriftEventState {
    /// The event is open, and a step is planned.
    Found,
    /// The event is open, and its step is held.
    Held(Reason),
    /// The event is open, and the drift policy leaves the drift.
    Ignored,
    /// The event ended after a step for the resource succeeded.
    Corrected,
    /// The event ended without a step.
    Resolved,
}

impl DriftEventState {
    /// Returns the word for the state: the log field `done`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            DriftEventState::Found => "found",
            DriftEventState::Held(_) => "held",
            DriftEventState::Ignored => "ignored",
            DriftEventState::Corrected => "corrected",
            DriftEventState::Resolved => "resolved",
        }
    }

    /// True while the event is open.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, DriftEventState::Found | DriftEventState::Held(_) | DriftEventState::Ignored)
    }
}

impl DriftEvent {
    fn is_missing(&self) -> bool {
        self.changes.is_empty()
    }
}

/// The open drift events.
#[derive(Debug, Default)]
pub(crate) struct DriftEvents {
    /// The open events by address, each address with those whose fields began to differ first.
    open: BTreeMap<Address, Vec<DriftEvent>>,
    /// The resources that this process created or edited and that were not observed converged since. Their differences
    /// are the rest of its own change, although they already have the new digest: they are no drift.
    unfinished: BTreeSet<Address>,
    /// The fields that waited for the create of another resource, until their own resource is observed converged. Their
    /// later differences follow from that create.
    awaited: BTreeSet<(Address, String)>,
}

impl DriftEvents {
    /// Returns the open events.
    pub(crate) fn open(&self) -> impl Iterator<Item = &DriftEvent> {
        self.open.values().flatten()
    }

    /// True when a difference is a change of the document that is not completely applied.
    pub(crate) fn is_edit(&self, difference: &Difference) -> bool {
        let edit = difference.cause == Cause::Edit || self.is_unfinished(difference);
        edit && (difference.changes.is_empty() || difference.changes.iter().any(is_known))
    }

    fn is_unfinished(&self, difference: &Difference) -> bool {
        difference.cause != Cause::Missing && self.unfinished.contains(&difference.address)
    }

    /// Records a step that succeeded.
    pub(crate) fn record_step(&mut self, step: &Step) {
        self.open.get_mut(&step.address).into_iter().flatten().for_each(|event| event.has_step = true);
        match step.action {
            Action::Delete | Action::Release => {}
            Action::Update if step.cause != Cause::Edit => {}
            Action::Create | Action::Update | Action::Replace | Action::Adopt => {
                self.unfinished.insert(step.address.clone());
            }
        }
    }

    /// Updates the events from a plan, and returns the events that it opens and those that it ends.
    ///
    /// # Expected flow
    /// 1. The first plan of a pass opens an event for each resource that began to differ or became missing.
    /// 2. Each plan ends the events whose differences it does not contain any more.
    ///
    /// # Guarantees
    /// An event is opened once, however many passes its correction takes. A resource that could not be compared,
    /// because it is held (see [`prevents_comparison`]), neither opens nor ends an event. An edit of the document is
    /// never drift.
    ///
    /// # Caveats
    /// Later plans of a pass open no event, because their differences follow from the steps of the pass.
    pub(crate) fn update(&mut self, plan: &Plan, first: bool) -> Vec<DriftEvent> {
        let held: BTreeSet<&Address> = plan.holds.iter().map(|hold| &hold.address).collect();
        let is_unconverged = |address: &Address| match plan.live.get(address) {
            Some(live) => !live.converged,
            None => held.contains(address),
        };
        self.unfinished.retain(is_unconverged);
        self.awaited.retain(|(address, _)| is_unconverged(address));
        for difference in &plan.differences {
            let unknown = difference.changes.iter().filter(|change| !is_known(change));
            self.awaited.extend(unknown.map(|change| (difference.address.clone(), change.path.clone())));
        }
        let mut changed = self.end_events(plan);
        if first {
            // The hold of a rollback concerns an edit, and not the drift.
            let holds = plan.holds.iter().filter(|hold| hold.reason != Reason::RolledBack);
            let holds: BTreeMap<&Address, Reason> = holds.rev().map(|hold| (&hold.address, hold.reason)).collect();
            let drift: Vec<&Difference> = plan.drift().filter(|difference| !self.is_unfinished(difference)).collect();
            for difference in drift {
                if let Some(event) = self.new_event(difference, open_state(holds.get(&difference.address).copied())) {
                    self.open.entry(event.address.clone()).or_default().push(event.clone());
                    changed.push(event);
                }
            }
        }
        changed
    }

    /// Ends the events whose differences the plan does not contain any more, and returns them.
    fn end_events(&mut self, plan: &Plan) -> Vec<DriftEvent> {
        let mut ended = vec![];
        let differences: BTreeMap<&Address, &Difference> = plan.drift().map(|d| (&d.address, d)).collect();
        let uncompared = plan.holds.iter().filter(|hold| prevents_comparison(hold.reason));
        let uncompared: BTreeSet<&Address> = uncompared.map(|hold| &hold.address).collect();
        for mut event in std::mem::take(&mut self.open).into_values().flatten() {
            let is_open = match differences.get(&event.address) {
                Some(difference) => {
                    let paths = difference.changes.iter().map(|change| &change.path);
                    let is_of_event = |path: &&String| event.changes.iter().any(|c| c.path == **path);
                    event.open_paths = paths.filter(is_of_event).cloned().collect();
                    !event.open_paths.is_empty() || event.is_missing() && difference.changes.is_empty()
                }
                // A held resource that was not compared may still differ: unknown is not absent.
                None => uncompared.contains(&event.address),
            };
            if is_open {
                self.open.entry(event.address.clone()).or_default().push(event);
            } else {
                event.state = if event.has_step { DriftEventState::Corrected } else { DriftEventState::Resolved };
                ended.push(event);
            }
        }
        ended
    }

    /// Returns the event of a difference that no open event covers.
    fn new_event(&self, difference: &Difference, state: DriftEventState) -> Option<DriftEvent> {
        let mut open = self.open.get(&difference.address).into_iter().flatten();
        let changes: Vec<Change> = match difference.changes.is_empty() {
            true if open.any(DriftEvent::is_missing) => return None,
            true => vec![],
            false => {
                let open: Vec<&DriftEvent> = open.collect();
                let is_new = |change: &&Change| {
                    let awaited = self.awaited.contains(&(difference.address.clone(), change.path.clone()));
                    !awaited && !open.iter().any(|event| event.open_paths.contains(&change.path))
                };
                let new: Vec<Change> = difference.changes.iter().filter(is_new).cloned().collect();
                if new.is_empty() {
                    return None;
                }
                new
            }
        };
        Some(DriftEvent {
            address: difference.address.clone(),
            tier: difference.tier,
            cause: difference.cause,
            open_paths: changes.iter().map(|change| change.path.clone()).collect(),
            changes,
            state,
            has_step: false,
        })
    }
}

/// False for a field that may or may not differ, because its value depends on a resource that does not exist yet.
fn is_known(change: &Change) -> bool {
    change.unknown.is_none()
}

/// Returns the state of an event when it opens.
fn open_state(hold: Option<Reason>) -> DriftEventState {
    match hold {
        None => DriftEventState::Found,
        Some(Reason::DriftIgnored) => DriftEventState::Ignored,
        Some(reason) => DriftEventState::Held(reason),
    }
}

/// True when a resource that is held for this reason could not be compared with the document.
fn prevents_comparison(reason: Reason) -> bool {
    match reason {
        Reason::Ambiguous
        | Reason::CreateUnconfirmed
        | Reason::Deleting
        | Reason::ProvisioningFailed
        | Reason::InvalidExpression
        | Reason::AlreadyExists
        | Reason::NotFound
        | Reason::OwnershipAmbiguous
        | Reason::SourceConflict
        | Reason::Pending
        | Reason::Propagating
        | Reason::Stalled
        | Reason::ObservationFailed
        | Reason::DependencyNotReady => true,
        Reason::DriftIgnored
        | Reason::Stopped
        | Reason::DocumentUnconfirmed
        | Reason::EmptyDocument
        | Reason::ReplaceNameConflict
        | Reason::Protected
        | Reason::PruneNotAllowed
        | Reason::ReplaceNotAllowed
        | Reason::Retained
        | Reason::RolledBack
        | Reason::PendingMaintenanceWindow
        | Reason::DeletionLimitExceeded => false,
    }
}
