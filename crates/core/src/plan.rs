//! The plan: a pure function of what is wanted, what is there, and what is granted. It cannot fail.

mod deed;
mod delete;
mod difference;
pub mod hold;
mod kept;
mod planner;
mod replace;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::address::Address;
use crate::diff::Change;
use crate::document::{Document, Drift};
use crate::graph::Graph;
use crate::observed::{Observation, Phase, Remark};
use crate::op::Op;
use crate::resolve::Made;
use crate::schema::{Schema, Tier};
use crate::situation::situation;
use hold::Hold;

/// What is to be done, and what is held.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The stack.
    pub stack: String,
    /// The environment.
    pub env: String,
    /// The steps: those with the longest chain behind them first.
    pub steps: Vec<Step>,
    /// What is not done, and why.
    pub holds: Vec<Hold>,
    /// What differs from the document, whether or not there is a step for it.
    pub differences: Vec<Difference>,
    /// How many resources are as the document has them.
    pub unchanged: usize,
    /// True when anything live is ours.
    pub owns_something: bool,
    /// What people should know of live resources.
    pub remarks: Vec<(Address, Remark)>,
    /// The live resources of the document.
    pub live: BTreeMap<Address, Live>,
}

/// A live resource of the document, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Live {
    /// Its id.
    pub id: String,
    /// Its phase.
    pub phase: Phase,
    /// Its tier.
    pub tier: Tier,
    /// The digest of what the document says of it.
    pub digest: String,
    /// True when it is as the document has it.
    pub converged: bool,
}

/// One thing that a plan does.
#[derive(Clone, Debug)]
pub struct Step {
    /// To whom.
    pub address: Address,
    /// In which tier.
    pub tier: Tier,
    /// What.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// What changes by it.
    pub changes: Vec<Change>,
    /// The addresses whose steps or phases it waits for. Empty means: it can start.
    pub after: BTreeSet<Address>,
    /// How it is done; none while something it needs is not known.
    pub deed: Option<Deed>,
}

/// How a step is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// The kind whose driver does it: the parent's, where a child is remembered there.
    pub kind: &'static str,
    /// Where.
    pub region: String,
    /// What.
    pub op: Op,
}

/// Something that differs from the document.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Whom it is about.
    pub address: Address,
    /// Its tier.
    pub tier: Tier,
    /// Why it differs.
    pub cause: Cause,
    /// What differs; empty for one that is missing.
    pub changes: Vec<Change>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Makes what is not there.
    Create,
    /// Changes what is there.
    Update,
    /// Makes a new one in the place of what cannot be changed.
    Replace,
    /// Deletes.
    Delete,
    /// Takes over what was not ours, or was ours under another address.
    Adopt,
    /// Lets go of it without deleting it.
    Release,
}

impl Action {
    /// All actions.
    pub const ALL: [Action; 6] =
        [Action::Create, Action::Update, Action::Replace, Action::Delete, Action::Adopt, Action::Release];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
            Action::Adopt => "adopt",
            Action::Release => "release",
        }
    }
}

/// Why something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// What is there left what was converged.
    Drift,
    /// The document changed and was not applied yet.
    Edit,
    /// It was there, or should be, and is not.
    Missing,
    /// Nobody recorded what was converged last.
    Unattributed,
}

impl Cause {
    /// True when AWS moved and not the document.
    pub fn is_drift(self) -> bool {
        matches!(self, Cause::Drift | Cause::Missing | Cause::Unattributed)
    }
}

/// What may be done, and what is known besides the document and the observation.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// True when what left the document may be deleted.
    pub prune: bool,
    /// True when data may be deleted with it.
    pub delete_data: bool,
    /// The addresses that may be replaced.
    pub replace: Grant,
    /// True when everything is to go.
    pub destroy: bool,
    /// Overrides what is done about drift.
    pub drift: Option<Drift>,
    /// What the store remembers: the digest last converged of each address. None when there is no store.
    pub memory: Option<BTreeMap<Address, String>>,
    /// True when the memory saw all that was ever made: an address that it does not know is new.
    pub remembers_all: bool,
    /// True when the stack owned nothing when this began: its data stores are made without a grant.
    pub fresh: bool,
    /// What this process made, adopted or is replacing and has not seen converged: what differs there is no drift.
    pub at_work: BTreeSet<Address>,
    /// What this process made and has not seen yet.
    pub made: BTreeMap<Address, Made>,
    /// What the engine holds, because of what happened earlier in this process.
    pub holds: BTreeMap<Address, Hold>,
}

/// To which addresses something is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// To none.
    #[default]
    None,
    /// To these.
    Some(BTreeSet<Address>),
    /// To all.
    All,
}

impl Grant {
    /// True when it is granted to this address.
    pub fn allows(&self, address: &Address) -> bool {
        match self {
            Grant::None => false,
            Grant::Some(addresses) => addresses.contains(address),
            Grant::All => true,
        }
    }
}

/// Works out what is to be done.
pub fn plan(document: &Document, observation: &Observation, policy: &Policy, kinds: &[&'static Schema]) -> Plan {
    let graph = Graph::of(document);
    let order = graph.order();
    let situation = situation(document, observation, &order, kinds);
    let mut planner = planner::Planner::new(document, policy, &situation);
    if policy.destroy {
        planner.destroy(&order);
    } else {
        order.iter().for_each(|address| planner.consider(address));
        planner.prune();
    }
    let heights = graph.heights();
    let mut plan = planner.finish();
    plan.steps.sort_by_key(|step| {
        let height = heights.get(&step.address).copied().unwrap_or_default();
        (step.action == Action::Delete, std::cmp::Reverse(height), step.tier, step.address.clone())
    });
    plan.holds.sort_by(|a, b| a.address.cmp(&b.address));
    plan
}

impl Plan {
    /// True when there is nothing to do and nothing keeps the document from being converged.
    pub fn is_converged(&self) -> bool {
        self.steps.is_empty() && !self.holds.iter().any(|hold| hold.reason.blocks())
    }

    /// The steps that can start now.
    pub fn startable(&self) -> impl Iterator<Item = (&Step, &Deed)> {
        self.steps.iter().filter(|step| step.after.is_empty()).filter_map(|step| Some((step, step.deed.as_ref()?)))
    }

    /// How many steps there are of an action.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }

    /// What drifted: what AWS has that the document did not change.
    pub fn drift(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.cause.is_drift())
    }
}
