//! Which events a trail records: a part of its spec.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// Events of one sort (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventSelector {
    /// `All`, `ReadOnly` or `WriteOnly`.
    #[serde(default = "all")]
    read_write_type: String,
    /// Whether calls that manage resources are recorded.
    #[serde(default = "yes")]
    include_management_events: bool,
    /// Services whose management events are not: `kms.amazonaws.com`, `rdsdata.amazonaws.com`.
    #[serde(default)]
    exclude_management_event_sources: BTreeSet<String>,
    /// The objects and functions whose data events are recorded: ARNs by type, as in
    /// `{ "AWS::S3::Object": ["arn:aws:s3:::bucket/"] }`. They cost extra.
    #[serde(default)]
    data_resources: BTreeMap<String, BTreeSet<String>>,
}

fn all() -> String {
    "All".into()
}

fn yes() -> bool {
    true
}

/// Events for which all conditions are true
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedEventSelector {
    /// The conditions, by the event's field. `eventCategory` is a must: `{ eventCategory: { equals: [Data] } }`.
    field_selectors: BTreeMap<String, FieldSelector>,
}

/// A condition on a field. At least one of these is stated.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FieldSelector {
    /// It is one of these.
    #[serde(default)]
    equals: BTreeSet<String>,
    /// It is none of these.
    #[serde(default)]
    not_equals: BTreeSet<String>,
    /// It begins with one of these.
    #[serde(default)]
    starts_with: BTreeSet<String>,
    /// It begins with none of these.
    #[serde(default)]
    not_starts_with: BTreeSet<String>,
    /// It ends with one of these.
    #[serde(default)]
    ends_with: BTreeSet<String>,
    /// It ends with none of these.
    #[serde(default)]
    not_ends_with: BTreeSet<String>,
}

impl EventSelector {
    /// What a trail records without being told: all management events.
    pub(super) fn default_one() -> EventSelector {
        EventSelector {
            read_write_type: all(),
            include_management_events: true,
            exclude_management_event_sources: BTreeSet::new(),
            data_resources: BTreeMap::new(),
        }
    }

    /// As AWS's call takes it.
    pub(super) fn sdk(&self) -> sdk::EventSelector {
        let EventSelector {
            read_write_type,
            include_management_events,
            exclude_management_event_sources: excluded,
            data_resources,
        } = self;
        let resource = |(of, arns): (&String, &BTreeSet<String>)| {
            sdk::DataResource::builder().r#type(of).set_values(Some(arns.iter().cloned().collect())).build()
        };
        sdk::EventSelector::builder()
            .read_write_type(read_write_type.as_str().into())
            .include_management_events(*include_management_events)
            .set_exclude_management_event_sources(Some(excluded.iter().cloned().collect()))
            .set_data_resources(Some(data_resources.iter().map(resource).collect()))
            .build()
    }

    /// From AWS's answer.
    pub(super) fn read(told: &sdk::EventSelector) -> EventSelector {
        let resource = |of: &sdk::DataResource| Some((of.r#type.clone()?, of.values().iter().cloned().collect()));
        EventSelector {
            read_write_type: told.read_write_type().map_or_else(all, |of| of.as_str().to_owned()),
            include_management_events: told.include_management_events.unwrap_or(true),
            exclude_management_event_sources: told.exclude_management_event_sources().iter().cloned().collect(),
            data_resources: told.data_resources().iter().filter_map(resource).collect(),
        }
    }
}

impl AdvancedEventSelector {
    /// As AWS's call takes it.
    pub(super) fn sdk(&self, name: &str) -> Result<sdk::AdvancedEventSelector> {
        let AdvancedEventSelector { field_selectors } = self;
        let fields = field_selectors.iter().map(|(field, selector)| selector.sdk(field)).collect::<Result<_>>()?;
        Ok(sdk::AdvancedEventSelector::builder().name(name).set_field_selectors(Some(fields)).build()?)
    }

    /// From AWS's answer, with its name.
    pub(super) fn read(told: &sdk::AdvancedEventSelector) -> (String, AdvancedEventSelector) {
        let fields = told.field_selectors().iter().map(FieldSelector::read).collect();
        (told.name().unwrap_or_default().to_owned(), AdvancedEventSelector { field_selectors: fields })
    }
}

impl FieldSelector {
    fn sdk(&self, field: &str) -> Result<sdk::AdvancedFieldSelector> {
        let FieldSelector { equals, not_equals, starts_with, not_starts_with, ends_with, not_ends_with } = self;
        let all = |set: &BTreeSet<String>| (!set.is_empty()).then(|| set.iter().cloned().collect());
        let selector = sdk::AdvancedFieldSelector::builder()
            .field(field)
            .set_equals(all(equals))
            .set_not_equals(all(not_equals))
            .set_starts_with(all(starts_with))
            .set_not_starts_with(all(not_starts_with))
            .set_ends_with(all(ends_with))
            .set_not_ends_with(all(not_ends_with));
        Ok(selector.build()?)
    }

    fn read(told: &sdk::AdvancedFieldSelector) -> (String, FieldSelector) {
        let all = |list: &[String]| list.iter().cloned().collect();
        let selector = FieldSelector {
            equals: all(told.equals()),
            not_equals: all(told.not_equals()),
            starts_with: all(told.starts_with()),
            not_starts_with: all(told.not_starts_with()),
            ends_with: all(told.ends_with()),
            not_ends_with: all(told.not_ends_with()),
        };
        (told.field.clone(), selector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_come_back_as_they_were_sent() {
        let plain = EventSelector::default_one();
        assert_eq!(EventSelector::read(&plain.sdk()), plain);
        let wanted = serde_json::json!({ "fieldSelectors": { "eventCategory": {
            "equals": ["Data"], "notEquals": [], "startsWith": [], "notStartsWith": ["a"], "endsWith": [],
            "notEndsWith": [],
        } } });
        let sent: AdvancedEventSelector = serde_json::from_value(wanted.clone()).unwrap();
        let (name, back) = AdvancedEventSelector::read(&sent.sdk("data").unwrap());
        assert_eq!((name.as_str(), serde_json::to_value(back).unwrap()), ("data", wanted));
    }
}
