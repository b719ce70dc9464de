//! Drift events: when drift of a resource is found, for how long it is open, and how it is over.

use std::collections::BTreeSet;

use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Cause, Difference, Plan, Step};
use holdfast_core::schema::Tier;

/// One drift event: fields of one resource that began to differ at the same time, or that it is missing.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) address: Address,
    pub(crate) tier: Tier,
    pub(crate) cause: Cause,
    /// What differed when it was found; empty for a resource that is missing.
    pub(crate) changes: Vec<Change>,
    pub(crate) done: Done,
    /// The paths that still differ.
    pub(crate) left: BTreeSet<String>,
    /// True once a step was done for the resource.
    touched: bool,
}

/// What is done about a drift event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was found, and a step is planned.
    Found,
    /// It was found, and its step is held.
    Held(Reason),
    /// It was found, and the document says to leave it.
    Left,
    /// It is over after a step.
    Mended,
    /// It is over without one.
    Resolved,
}

impl Done {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Done::Found => "found",
            Done::Held(_) => "held",
            Done::Left => "left",
            Done::Mended => "mended",
            Done::Resolved => "resolved",
        }
    }

    /// True for the first word about an event, false for the last.
    pub(crate) fn is_news(self) -> bool {
        matches!(self, Done::Found | Done::Held(_) | Done::Left)
    }
}

impl Event {
    fn is_missing(&self) -> bool {
        self.changes.is_empty()
    }
}

/// The drift events that are open.
#[derive(Debug, Default)]
pub(crate) struct Drifts {
    open: Vec<Event>,
    /// What this process made or edited and has not seen converged since. What differs there is the rest of
    /// its own work, though the digest is already the new one: no drift.
    unfinished: BTreeSet<Address>,
    /// Fields that waited for another resource to be made, until their own is seen converged: what differs there
    /// afterwards follows from what was made.
    awaited: BTreeSet<(Address, String)>,
}

impl Drifts {
    /// The open events.
    pub(crate) fn open(&self) -> &[Event] {
        &self.open
    }

    /// True when a difference is a change of the document that is not wholly applied.
    pub(crate) fn is_edit(&self, difference: &Difference) -> bool {
        let edit = difference.cause == Cause::Edit || self.is_unfinished(difference);
        edit && (difference.changes.is_empty() || difference.changes.iter().any(is_known))
    }

    fn is_unfinished(&self, difference: &Difference) -> bool {
        difference.cause != Cause::Missing && self.unfinished.contains(&difference.address)
    }

    /// Learns that a step was done.
    pub(crate) fn did(&mut self, step: &Step) {
        for event in self.open.iter_mut().filter(|event| event.address == step.address) {
            event.touched = true;
        }
        match step.action {
            Action::Delete | Action::Release => {}
            Action::Update if step.cause != Cause::Edit => {}
            Action::Create | Action::Update | Action::Replace | Action::Adopt => {
                self.unfinished.insert(step.address.clone());
            }
        }
    }

    /// Learns from a plan: returns the events that are found by it and those that are over.
    ///
    /// Only the first plan of a pass finds: what differs later in a pass follows from its own steps.
    pub(crate) fn see(&mut self, plan: &Plan, first: bool) -> Vec<Event> {
        let under_way = |address: &Address| match plan.live.get(address) {
            Some(live) => !live.converged,
            None => plan.holds.iter().any(|hold| hold.address == *address),
        };
        self.unfinished.retain(under_way);
        self.awaited.retain(|(address, _)| under_way(address));
        for difference in &plan.differences {
            let unknown = difference.changes.iter().filter(|change| !is_known(change));
            self.awaited.extend(unknown.map(|change| (difference.address.clone(), change.path.clone())));
        }
        let mut turned = self.close(plan);
        if first {
            let drift: Vec<&Difference> = plan.drift().filter(|difference| !self.is_unfinished(difference)).collect();
            for difference in drift {
                if let Some(event) = self.find(difference, plan) {
                    self.open.push(event.clone());
                    turned.push(event);
                }
            }
        }
        turned
    }

    fn close(&mut self, plan: &Plan) -> Vec<Event> {
        let mut over = vec![];
        for mut event in std::mem::take(&mut self.open) {
            let now = plan.drift().find(|difference| difference.address == event.address);
            let still = match now {
                Some(difference) => {
                    let paths = difference.changes.iter().map(|change| &change.path);
                    event.left = paths.filter(|path| event.changes.iter().any(|c| c.path == **path)).cloned().collect();
                    !event.left.is_empty() || event.is_missing() && difference.changes.is_empty()
                }
                // A difference that a hold keeps from being looked for is not gone: unknown is not absent.
                None => plan.holds.iter().any(|hold| hold.address == event.address && hides(hold.reason)),
            };
            if still {
                self.open.push(event);
            } else {
                event.done = if event.touched { Done::Mended } else { Done::Resolved };
                over.push(event);
            }
        }
        over
    }

    fn find(&self, difference: &Difference, plan: &Plan) -> Option<Event> {
        let mut open = self.open.iter().filter(|event| event.address == difference.address);
        let changes: Vec<Change> = match difference.changes.is_empty() {
            true if open.any(Event::is_missing) => return None,
            true => vec![],
            false => {
                let open: Vec<&Event> = open.collect();
                let is_new = |change: &&Change| {
                    let awaited = self.awaited.contains(&(difference.address.clone(), change.path.clone()));
                    !awaited && !open.iter().any(|event| event.left.contains(&change.path))
                };
                let fresh: Vec<Change> = difference.changes.iter().filter(is_new).cloned().collect();
                if fresh.is_empty() {
                    return None;
                }
                fresh
            }
        };
        Some(Event {
            address: difference.address.clone(),
            tier: difference.tier,
            cause: difference.cause,
            left: changes.iter().map(|change| change.path.clone()).collect(),
            changes,
            done: done(plan.holds.iter().filter(|hold| {
                // An edit that is held back holds no drift.
                hold.address == difference.address && hold.reason != Reason::RolledBack
            })),
            touched: false,
        })
    }
}

/// False for a field of which it cannot be told yet whether it differs.
fn is_known(change: &Change) -> bool {
    change.unknown.is_none()
}

fn done<'a>(mut holds: impl Iterator<Item = &'a Hold>) -> Done {
    match holds.next().map(|hold| hold.reason) {
        None => Done::Found,
        Some(Reason::DriftLeft) => Done::Left,
        Some(reason) => Done::Held(reason),
    }
}

/// True when a resource that is held for this reason was not compared.
fn hides(reason: Reason) -> bool {
    match reason {
        Reason::Ambiguous
        | Reason::AmbiguousCreate
        | Reason::Deleting
        | Reason::Failed
        | Reason::Expression
        | Reason::NameTaken
        | Reason::NotFound
        | Reason::OtherOrigin
        | Reason::Pending
        | Reason::Settling
        | Reason::Stalled
        | Reason::Unobserved
        | Reason::WaitsFor => true,
        Reason::DriftLeft
        | Reason::EmptyDocument
        | Reason::NamedReplacement
        | Reason::Protected
        | Reason::PruneNotGranted
        | Reason::ReplaceNotGranted
        | Reason::Retained
        | Reason::RolledBack
        | Reason::Scheduled
        | Reason::TooManyDeletions => false,
    }
}
