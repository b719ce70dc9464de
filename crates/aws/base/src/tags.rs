//! The tags of a resource, and changes of them.

use std::collections::{BTreeMap, BTreeSet};

/// The tags of a resource.
pub type Tags = BTreeMap<String, String>;

/// Returns the tag of a requested value, whose key begins with `holdfast:requested`. Builds before version 0.1.0 wrote
/// `holdfast:asked` instead.
pub fn requested<'a>(tags: &'a Tags, key: &str) -> Option<&'a String> {
    tags.get(key).or_else(|| tags.get(&key.replacen("holdfast:requested", "holdfast:asked", 1)))
}

/// Tags to set and to remove.
#[derive(Clone, Debug, Default)]
pub struct TagChanges {
    /// The tags to set.
    pub set: BTreeMap<String, String>,
    /// The keys of the tags to remove.
    pub remove: BTreeSet<String>,
}

impl TagChanges {
    /// Returns the tags after the changes.
    pub fn applied_to(&self, tags: &Tags) -> Tags {
        let mut tags = tags.clone();
        tags.extend(self.set.clone());
        tags.retain(|key, _| !self.remove.contains(key));
        tags
    }
}
