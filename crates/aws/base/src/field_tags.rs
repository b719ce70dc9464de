//! Field tags: tags of the resource that record fields which no AWS API returns.

use crate::kind::{Desired, TagChanges};
use crate::tagging::Tags;

/// The key of the tag that records a field.
fn key(field: &str) -> String {
    format!("holdfast:field/{field}")
}

/// The last value that was set for a field.
pub fn recall(tags: &Tags, field: &str) -> Option<String> {
    tags.get(&key(field)).cloned()
}

/// The tags of a create, with the field tags of these fields.
pub fn with<'a>(tags: &Tags, fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Tags {
    let mut all = tags.clone();
    all.extend(fields.into_iter().filter_map(|(field, value)| Some((key(field), value?))));
    all
}

/// The field tags to set and to remove for the fields that differ.
pub fn change_tags<'a, K>(
    desired: &Desired<K>,
    fields: impl IntoIterator<Item = (&'a str, Option<String>)>,
) -> TagChanges {
    let mut changes = TagChanges::default();
    for (field, value) in fields.into_iter().filter(|(field, _)| desired.changed(field)) {
        match value {
            Some(value) => drop(changes.set.insert(key(field), value)),
            None => drop(changes.remove.insert(key(field))),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_field_is_read_back() {
        let tags = with(&Tags::new(), [("a", Some("1".to_owned())), ("b", None)]);
        assert_eq!((recall(&tags, "a").as_deref(), recall(&tags, "b")), (Some("1"), None));
    }
}
