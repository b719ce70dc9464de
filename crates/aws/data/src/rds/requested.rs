//! The tag `holdfast:requested`: stated values of fields that AWS does not return or changes on its own.

use holdfast_base::tagging::{self, Tags};

use std::collections::BTreeMap;

/// The key of the tag. Its value is `engineVersion=15.4 allocatedStorage=20 skipFinalSnapshot=true`, for example.
const KEY: &str = "holdfast:requested";

/// The last requested value of each recorded field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestedValues(BTreeMap<String, String>);

impl RequestedValues {
    /// Reads the requested values from the tags of a resource.
    pub(crate) fn of(tags: &Tags) -> RequestedValues {
        let text = tagging::requested(tags, KEY).map(String::as_str).unwrap_or_default();
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        RequestedValues(pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).collect())
    }

    /// Returns the requested value of a field; none when the tag does not record the field.
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Returns the requested value of a boolean field, or `default` when the tag does not record the field.
    pub(crate) fn flag(&self, field: &str, default: bool) -> bool {
        self.get(field).map_or(default, |word| word == "true")
    }

    /// Records the requested value of a field. `None` removes the record.
    pub(crate) fn set(&mut self, field: &str, value: Option<impl ToString>) {
        match value {
            Some(value) => self.0.insert(field.to_owned(), value.to_string()),
            None => self.0.remove(field),
        };
    }

    /// Returns the tag, as key and value, that records the requested values.
    pub(crate) fn tag(&self) -> (String, String) {
        let pairs: Vec<String> = self.0.iter().map(|(field, value)| format!("{field}={value}")).collect();
        (KEY.to_owned(), pairs.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_records_values_that_can_be_read_back() {
        let mut requested = RequestedValues::default();
        requested.set("engineVersion", Some("15.4"));
        requested.set("skipFinalSnapshot", Some(true));
        requested.set("allocatedStorage", None::<i32>);
        let read = RequestedValues::of(&[requested.tag()].into());
        assert_eq!(read, requested);
        assert_eq!((read.get("engineVersion"), read.flag("skipFinalSnapshot", false)), (Some("15.4"), true));
        assert!(RequestedValues::of(&Tags::new()).flag("applyImmediately", true));
        let former = Tags::from([("holdfast:asked".to_owned(), requested.tag().1)]);
        assert_eq!(RequestedValues::of(&former), requested, "the tag of an earlier build");
    }
}
