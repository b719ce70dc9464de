//! The state of a running pass: everything that it knows, and the work that it has planned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use holdfast_core::address::Address;
use holdfast_core::observed::{KindRegion, Observation};
use holdfast_core::operation::Operation;
use holdfast_core::plan::{Plan, PreparedDocument};
use tokio::time::Instant;

use crate::engine::Session;
use crate::journal::Journal;
use crate::options::PassOptions;
use crate::poll_schedule::PollSchedule;
use crate::report::StepResult;

/// The state of a running pass.
pub(crate) struct PassState<'a> {
    pub(crate) session: Session<'a>,
    pub(crate) prepared: PreparedDocument<'a>,
    pub(crate) options: &'a PassOptions,
    pub(crate) journal: Journal,
    pub(crate) observation: Observation,
    pub(crate) poll_schedule: PollSchedule,
    /// The number of complete observations that found each id. A deletion needs two.
    pub(crate) sightings: BTreeMap<KindRegion, BTreeMap<String, u32>>,
    /// The number of consecutive observations that failed, by kind and region, unless the failure is terminal.
    pub(crate) failed_observations: BTreeMap<KindRegion, u32>,
    /// The resources that this pass created, with the time of the last response that confirmed their state. `None` when
    /// only an observation can show the state.
    pub(crate) confirmed_at: BTreeMap<(KindRegion, String), Option<Instant>>,
    /// The results of the steps, in the order in which they ended.
    pub(crate) results: Vec<StepResult>,
    /// The addresses that this pass created. A pass creates each address once.
    pub(crate) created: BTreeSet<Address>,
    /// The number of steps that were started.
    pub(crate) mutations: usize,
    /// The resources whose deletion was started, by kind and id, without old revisions.
    pub(crate) deleted: BTreeSet<(&'static str, String)>,
    /// True when the stack owned no resource when the pass began.
    pub(crate) is_initial: bool,
}

impl<'a> PassState<'a> {
    pub(crate) fn new(session: Session<'a>, options: &'a PassOptions, journal: Journal) -> PassState<'a> {
        PassState {
            prepared: PreparedDocument::new(session.document),
            poll_schedule: PollSchedule::new(session.engine.timing),
            session,
            options,
            journal,
            observation: Observation::default(),
            sightings: BTreeMap::new(),
            failed_observations: BTreeMap::new(),
            confirmed_at: BTreeMap::new(),
            results: vec![],
            created: BTreeSet::new(),
            mutations: 0,
            deleted: BTreeSet::new(),
            is_initial: false,
        }
    }

    /// Returns where a resource of the document is observed.
    pub(crate) fn kind_region(&self, address: &Address) -> Option<KindRegion> {
        let resource = self.session.document.resources.get(address)?;
        Some(KindRegion { kind: resource.schema.kind, region: resource.region.clone() })
    }
}

/// A plan, with the work that is left of it.
pub(crate) struct PlannedWork {
    pub(crate) plan: Plan,
    /// The steps of the plan that may start, by index, in the order of the plan: the longest chain of dependents first.
    pub(crate) queue: VecDeque<usize>,
    /// The ids that already belong to the addresses of the creates in the queue.
    pub(crate) ids_before: BTreeMap<Address, BTreeSet<String>>,
    /// When the first of the steps that wait for a retry may start, by kind and region.
    pub(crate) retries: BTreeMap<KindRegion, Instant>,
    /// The kinds and regions to observe again because a deletion needs its second sighting.
    pub(crate) second_sightings: BTreeSet<KindRegion>,
    /// The addresses that a step or a hold waits for.
    pub(crate) waited_for: BTreeSet<Address>,
    /// The kinds and regions that steps changed at an address that a step or a hold waits for.
    pub(crate) changed: BTreeSet<KindRegion>,
    /// The addresses whose holds an observation may end, by the kinds and regions to observe.
    pub(crate) awaited: BTreeMap<KindRegion, BTreeSet<Address>>,
    /// The kinds and regions whose observation failed, and is worth repeating because a hold waits for it.
    pub(crate) failed: BTreeSet<KindRegion>,
    /// The number of responses since the plan that changed the known state, by weight.
    pub(crate) responses: usize,
}

/// Returns where the resource of an operation is observed.
pub(crate) fn kind_region_of(operation: &Operation) -> KindRegion {
    KindRegion { kind: operation.kind, region: operation.region.clone() }
}
