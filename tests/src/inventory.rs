//! The inventory of the account: all resources by kind, as `tests/sandbox/inventory.py` reads them from the state of the
//! emulator. It depends neither on Holdfast's observations nor on tags.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{REGION, table};

/// The ids of all resources by kind, each with its region. A kind without resources has an empty set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Inventory(pub BTreeMap<String, BTreeSet<String>>);

impl Inventory {
    /// Returns the resources that do not exist in `earlier`. Kinds without such resources are left out.
    pub fn since(&self, earlier: &Inventory) -> Inventory {
        let none = BTreeSet::new();
        let new = self.0.iter().map(|(kind, ids)| {
            let known = earlier.0.get(kind).unwrap_or(&none);
            (kind.clone(), ids.difference(known).cloned().collect::<BTreeSet<_>>())
        });
        Inventory(new.filter(|(_, ids)| !ids.is_empty()).collect())
    }

    /// Returns the numbers of resources by kind. The inventory also has resources that no kind of Holdfast stands for,
    /// such as tasks and snapshots. Their names begin with a small letter, and they are not counted here.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let kinds = self.0.iter().filter(|(kind, ids)| !ids.is_empty() && is_kind(kind));
        kinds.map(|(kind, ids)| (kind.clone(), ids.len())).collect()
    }

    /// Returns a line `kind region id` for each resource.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().flat_map(|(kind, ids)| ids.iter().map(move |id| format!("{kind} {id}"))).collect()
    }

    /// Returns the regions that have resources, and the main region. Global resources have no region.
    pub fn regions(&self) -> BTreeSet<String> {
        let regions = self.0.values().flatten().filter_map(|id| id.split(' ').next()).chain([REGION]);
        regions.filter(|region| region.contains('-')).map(str::to_owned).collect()
    }

    /// Returns the kinds of Holdfast that the inventory counts.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).filter(|kind| is_kind(kind)).collect()
    }
}

fn is_kind(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Returns the numbers of these addresses by kind.
pub fn counts<'a>(addresses: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for address in addresses {
        *counts.entry(table::kind_of(address).to_owned()).or_default() += 1;
    }
    counts
}
