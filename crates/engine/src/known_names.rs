//! Known names: the names and ids of owned resources whose names do not follow from the document.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::address::Address;
use holdfast_core::document::Document;
use holdfast_core::observed::Observation;

use crate::scope::KnownNames;
use crate::store::History;

/// Returns the names and ids of owned resources that the store records or that an earlier observation found, and whose
/// names do not follow from the document: they left it, or the document gives them another name now. A later
/// observation with these names finds the same resources as the earlier one.
pub(crate) fn known_names(document: &Document, history: &History, observation: &Observation) -> KnownNames {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |address: &Address, identities: [&str; 2]| {
        let [name, _] = identities;
        if document.resources.get(address).is_none_or(|resource| resource.name != name) {
            let identities = identities.into_iter().filter(|identity| !identity.is_empty()).map(str::to_owned);
            known.entry(address.kind.to_string()).or_default().extend(identities);
        }
    };
    for (address, records) in &history.resources {
        records.iter().for_each(|record| add(address, [&record.name, &record.id]));
    }
    for live in observation.found.values().flatten() {
        let owner = live.owner().filter(|owner| owner.stack == document.stack && owner.env == document.env);
        if let Some(address) = owner.and_then(|owner| owner.address.parse().ok()) {
            add(&address, [&live.name, &live.id]);
        }
    }
    Arc::new(known)
}
