//! The tag `holdfast:requested`: stated values of fields that AWS does not return or changes on its own.
//!
//! The fields are no field tags ([`Kind::FIELD_TAGS`](holdfast_base::kind::Kind::FIELD_TAGS)). One tag records all of
//! them. AWS returns some of them, and a requested value counts only under a condition, for example while a newer minor
//! version of the requested version runs.

use std::collections::BTreeMap;

use holdfast_base::tagging::{self, Tags};
use holdfast_core::schema::FieldName;

use super::spec::DbInstance;
use crate::rds::value;

type Field = FieldName<DbInstance>;

/// The key of the tag. Its value is `engineVersion=15.4 allocatedStorage=20 skipFinalSnapshot=true`, for example.
const KEY: &str = "holdfast:requested";

/// The last requested value of each recorded field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestedValues(BTreeMap<String, String>);

impl RequestedValues {
    /// Reads the requested values from the tags of a resource.
    pub(super) fn of(tags: &Tags) -> RequestedValues {
        let text = tagging::requested(tags, KEY).map(String::as_str).unwrap_or_default();
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        RequestedValues(pairs.map(|(field, value)| (field.to_owned(), value.to_owned())).collect())
    }

    /// Returns the requested value of a field; none when the tag does not record the field.
    pub(super) fn get(&self, field: Field) -> Option<&str> {
        self.0.get(field.name()).map(String::as_str)
    }

    /// Returns the requested value of a boolean field, or `default` when the tag does not record the field.
    pub(super) fn flag(&self, field: Field, default: bool) -> bool {
        self.get(field).map_or(default, |word| word == "true")
    }

    /// Records the stated values of the fields that differ.
    pub(super) fn record(&mut self, spec: &DbInstance, changed: impl Fn(Field) -> bool) {
        let flags = [
            (DbInstance::ALLOW_MAJOR_VERSION_UPGRADE, spec.allow_major_version_upgrade),
            (DbInstance::SKIP_FINAL_SNAPSHOT, spec.skip_final_snapshot),
            (DbInstance::DELETE_AUTOMATED_BACKUPS, spec.delete_automated_backups),
            (DbInstance::APPLY_IMMEDIATELY, spec.apply_immediately),
        ];
        for (field, flag) in flags.into_iter().filter(|(field, _)| changed(*field)) {
            self.set(field, Some(flag));
        }
        let words = [
            (DbInstance::ENGINE_VERSION, value(&spec.engine_version)),
            (DbInstance::ALLOCATED_STORAGE, value(&spec.allocated_storage).map(|gib| gib.to_string())),
            (DbInstance::AVAILABILITY_ZONE, value(&spec.availability_zone)),
            (DbInstance::MASTER_USER_PASSWORD_KEY, spec.master_user_password_key.clone()),
        ];
        for (field, word) in words.into_iter().filter(|(field, _)| changed(*field)) {
            self.set(field, word);
        }
    }

    /// Records the requested value of a field. `None` removes the record.
    fn set(&mut self, field: Field, value: Option<impl ToString>) {
        match value {
            Some(value) => self.0.insert(field.name().to_owned(), value.to_string()),
            None => self.0.remove(field.name()),
        };
    }

    /// Returns the tag, as key and value, that records the requested values.
    pub(super) fn tag(&self) -> (String, String) {
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
        requested.set(DbInstance::ENGINE_VERSION, Some("15.4"));
        requested.set(DbInstance::SKIP_FINAL_SNAPSHOT, Some(true));
        requested.set(DbInstance::ALLOCATED_STORAGE, None::<i32>);
        let read = RequestedValues::of(&[requested.tag()].into());
        assert_eq!(read, requested);
        assert_eq!(
            (read.get(DbInstance::ENGINE_VERSION), read.flag(DbInstance::SKIP_FINAL_SNAPSHOT, false)),
            (Some("15.4"), true)
        );
        assert!(RequestedValues::of(&Tags::new()).flag(DbInstance::APPLY_IMMEDIATELY, true));
        let former = Tags::from([("holdfast:asked".to_owned(), requested.tag().1)]);
        assert_eq!(RequestedValues::of(&former), requested, "the tag of an earlier build");
    }
}
