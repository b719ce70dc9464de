//! Fields that AWS keeps nowhere: a tag of the resource remembers them.

use crate::kind::{Desired, Retag};
use crate::tagging::Tags;

/// The key of the tag that remembers a field.
fn key(field: &str) -> String {
    format!("holdfast:field/{field}")
}

/// What a field was last given.
pub fn recall(tags: &Tags, field: &str) -> Option<String> {
    tags.get(&key(field)).cloned()
}

/// All tags of a create, with those that remember these fields.
pub fn with<'a>(tags: &Tags, fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Tags {
    let mut all = tags.clone();
    all.extend(fields.into_iter().filter_map(|(field, value)| Some((key(field), value?))));
    all
}

/// The tags to set and to remove so that these fields are remembered, where they differ.
pub fn retag<'a, K>(desired: &Desired<K>, fields: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Retag {
    let mut retag = Retag::default();
    for (field, value) in fields.into_iter().filter(|(field, _)| desired.changed(field)) {
        match value {
            Some(value) => drop(retag.set.insert(key(field), value)),
            None => drop(retag.remove.insert(key(field))),
        }
    }
    retag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled() {
        let tags = with(&Tags::new(), [("a", Some("1".to_owned())), ("b", None)]);
        assert_eq!((recall(&tags, "a").as_deref(), recall(&tags, "b")), (Some("1"), None));
    }
}
