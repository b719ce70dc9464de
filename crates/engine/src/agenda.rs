//! What a pass looks at next, and when: what steps touched, and what is waited for.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::address::Address;
use holdfast_core::observed::Place;
use tokio::time::Instant;

use crate::timing::Timing;

/// What is known of each place, and how old that is.
#[derive(Debug)]
pub(crate) struct Agenda {
    began: Instant,
    timing: Timing,
    /// The steps under way, with the places that they touch.
    under_way: Vec<(Address, BTreeSet<Place>)>,
    /// The addresses whose steps touched a place since a look at it began.
    touched: BTreeMap<Place, BTreeSet<Address>>,
    /// The places that are being looked at, with the addresses whose steps touched them before.
    looking: BTreeMap<Place, BTreeSet<Address>>,
    /// When each place was last looked at, and how often since a step touched it.
    looks: BTreeMap<Place, (Instant, u32)>,
}

impl Agenda {
    /// Everything was looked at just now.
    pub(crate) fn new(timing: Timing) -> Agenda {
        let (under_way, touched, looking, looks) = Default::default();
        Agenda { began: Instant::now(), timing, under_way, touched, looking, looks }
    }

    /// A step begins that touches these places.
    pub(crate) fn step_begins(&mut self, address: &Address, places: impl IntoIterator<Item = Place>) {
        self.under_way.push((address.clone(), places.into_iter().collect()));
    }

    /// A step of this address ended. `told`: what it did is known without a look.
    pub(crate) fn step_ended(&mut self, address: &Address, told: bool) {
        let Some(at) = self.under_way.iter().position(|(of, _)| of == address) else { return };
        for place in self.under_way.swap_remove(at).1 {
            if told {
                self.looks.insert(place, (Instant::now(), 1));
            } else {
                self.looks.remove(&place);
                self.touched.entry(place).or_default().insert(address.clone());
            }
        }
    }

    /// A look at these places begins. It sees all that ended before, and not what ends from now on.
    pub(crate) fn look_begins(&mut self, places: &BTreeSet<Place>) {
        for place in places {
            let addresses = self.touched.remove(place).unwrap_or_default();
            self.looking.insert(place.clone(), addresses);
        }
    }

    /// A look at this place ended.
    pub(crate) fn look_ended(&mut self, place: &Place) {
        self.looking.remove(place);
        let (at, count) = self.looks.entry(place.clone()).or_insert((self.began, 0));
        (*at, *count) = (Instant::now(), *count + 1);
    }

    /// True when no look is under way there.
    pub(crate) fn is_free(&self, place: &Place) -> bool {
        !self.looking.contains_key(place)
    }

    /// The places that steps touched, no step is at, and nobody has looked at since, with the addresses of those steps.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (&Place, &BTreeSet<Address>)> {
        let is_busy = |place: &Place| self.under_way.iter().any(|(_, places)| places.contains(place));
        self.touched.iter().filter(move |(place, _)| !is_busy(place))
    }

    /// The addresses whose last step is under way, or was not seen to have its effect: what a plan says of them is
    /// out of date.
    pub(crate) fn outdated(&self) -> BTreeSet<Address> {
        let under_way = self.under_way.iter().map(|(address, _)| address);
        self.touched.values().chain(self.looking.values()).flatten().chain(under_way).cloned().collect()
    }

    /// When a place that something is waited for at is to be looked at again.
    pub(crate) fn due(&self, place: &Place) -> Instant {
        let (at, count) = self.looks.get(place).copied().unwrap_or((self.began, 1));
        at + self.timing.poll(count.saturating_sub(1))
    }
}
