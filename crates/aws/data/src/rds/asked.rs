//! What a document asked for, where AWS moves on by itself or does not tell: remembered in one tag.

use holdfast_base::tagging::Tags;

use std::collections::BTreeMap;

/// The tag: `engineVersion=15.4 allocatedStorage=20 skipFinalSnapshot=true`.
const KEY: &str = "holdfast:asked";

/// What was last asked for, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked(BTreeMap<String, String>);

impl Asked {
    /// What the tags of a resource remember.
    pub(crate) fn of(tags: &Tags) -> Asked {
        let text = tags.get(KEY).map(String::as_str).unwrap_or_default();
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        Asked(pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).collect())
    }

    /// What was asked for this field.
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Whether this was asked for; `default` when nothing was.
    pub(crate) fn flag(&self, field: &str, default: bool) -> bool {
        self.get(field).map_or(default, |word| word == "true")
    }

    /// Remembers what is asked for this field, or that nothing is.
    pub(crate) fn set(&mut self, field: &str, value: Option<impl ToString>) {
        match value {
            Some(value) => self.0.insert(field.to_owned(), value.to_string()),
            None => self.0.remove(field),
        };
    }

    /// The tag that remembers it.
    pub(crate) fn tag(&self) -> (String, String) {
        let pairs: Vec<String> = self.0.iter().map(|(field, value)| format!("{field}={value}")).collect();
        (KEY.to_owned(), pairs.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back() {
        let mut asked = Asked::default();
        asked.set("engineVersion", Some("15.4"));
        asked.set("skipFinalSnapshot", Some(true));
        asked.set("allocatedStorage", None::<i32>);
        let read = Asked::of(&[asked.tag()].into());
        assert_eq!(read, asked);
        assert_eq!((read.get("engineVersion"), read.flag("skipFinalSnapshot", false)), (Some("15.4"), true));
        assert!(Asked::of(&Tags::new()).flag("applyImmediately", true));
    }
}
