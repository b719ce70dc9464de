//! The poll schedule of a pass: which kinds to observe next in which regions, and when.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::address::Address;
use holdfast_core::observed::KindRegion;
use tokio::time::Instant;

use crate::timing::Timing;

/// The age of what is known about each kind in each region.
#[derive(Debug)]
pub(crate) struct PollSchedule {
    began: Instant,
    timing: Timing,
    /// The steps in progress, with the kinds and regions that they change.
    running: Vec<(Address, BTreeSet<KindRegion>)>,
    /// The addresses whose steps changed a kind in a region since its last observation began.
    changed: BTreeMap<KindRegion, BTreeSet<Address>>,
    /// The kinds and regions that are being observed, with the addresses whose steps changed them before.
    observing: BTreeMap<KindRegion, BTreeSet<Address>>,
    /// When the last observation ended, and the number of observations since a step changed the kind in the region.
    observations: BTreeMap<KindRegion, (Instant, u32)>,
}

impl PollSchedule {
    /// Creates a schedule after the initial refresh: everything was observed just now.
    pub(crate) fn new(timing: Timing) -> PollSchedule {
        let (running, changed, observing, observations) = Default::default();
        PollSchedule { began: Instant::now(), timing, running, changed, observing, observations }
    }

    /// Records that a step began, with the kinds and regions that it changes.
    pub(crate) fn step_began(&mut self, address: &Address, kind_regions: impl IntoIterator<Item = KindRegion>) {
        self.running.push((address.clone(), kind_regions.into_iter().collect()));
    }

    /// Records that a step of this address ended. With `confirmed`, its effect is known without an observation. Returns
    /// the kinds and regions whose observation has to show the effect.
    pub(crate) fn step_ended(&mut self, address: &Address, confirmed: bool) -> BTreeSet<KindRegion> {
        let ended = self.running.iter().position(|(of, _)| of == address).map(|at| self.running.swap_remove(at).1);
        let kind_regions = ended.unwrap_or_default();
        if confirmed {
            self.observations.extend(kind_regions.into_iter().map(|kind_region| (kind_region, (Instant::now(), 1))));
            return BTreeSet::new();
        }
        for kind_region in &kind_regions {
            self.observations.remove(kind_region);
            self.changed.entry(kind_region.clone()).or_default().insert(address.clone());
        }
        kind_regions
    }

    /// Records that an observation of these kinds and regions began. It shows the effect of every step that ended
    /// before, and of no step that ends from now on.
    pub(crate) fn observation_began(&mut self, kind_regions: &BTreeSet<KindRegion>) {
        for kind_region in kind_regions {
            let addresses = self.changed.remove(kind_region).unwrap_or_default();
            self.observing.insert(kind_region.clone(), addresses);
        }
    }

    /// Records that an observation ended.
    pub(crate) fn observation_ended(&mut self, kind_region: &KindRegion) {
        self.observing.remove(kind_region);
        let (at, count) = self.observations.entry(kind_region.clone()).or_insert((self.began, 0));
        (*at, *count) = (Instant::now(), *count + 1);
    }

    /// True when the kind is not being observed in the region.
    pub(crate) fn is_idle(&self, kind_region: &KindRegion) -> bool {
        !self.observing.contains_key(kind_region)
    }

    /// Returns the kinds and regions that steps changed, that no running step changes, and that were not observed
    /// since.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &KindRegion> {
        let is_busy =
            |kind_region: &KindRegion| self.running.iter().any(|(_, kind_regions)| kind_regions.contains(kind_region));
        self.changed.keys().filter(move |kind_region| !is_busy(kind_region))
    }

    /// Returns the kinds and regions that steps of these addresses changed, and that were not observed since.
    pub(crate) fn changed_at(&self, addresses: &BTreeSet<Address>) -> BTreeSet<KindRegion> {
        let changed = self.changed.iter().filter(|(_, changed)| changed.iter().any(|a| addresses.contains(a)));
        changed.map(|(kind_region, _)| kind_region.clone()).collect()
    }

    /// Returns the addresses whose last step is running, or whose effect was not observed. A plan's statements about
    /// them are out of date.
    pub(crate) fn outdated(&self) -> BTreeSet<&Address> {
        let running = self.running.iter().map(|(address, _)| address);
        self.changed.values().chain(self.observing.values()).flatten().chain(running).collect()
    }

    /// True when the address is one of [`PollSchedule::outdated`].
    pub(crate) fn is_outdated(&self, address: &Address) -> bool {
        self.running.iter().any(|(running, _)| running == address)
            || self.changed.values().chain(self.observing.values()).any(|of| of.contains(address))
    }

    /// Returns when a kind is to be observed next in a region where a resource is pending.
    pub(crate) fn next_poll(&self, kind_region: &KindRegion) -> Instant {
        let (at, count) = self.observations.get(kind_region).copied().unwrap_or((self.began, 1));
        at + self.timing.poll(count.saturating_sub(1))
    }
}
