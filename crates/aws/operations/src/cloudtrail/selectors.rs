//! The event selectors of a trail: a part of the trail's spec.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// A basic event selector: which events a trail records
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(no_key = "the selectors of a trail have no names")]
pub(crate) struct EventSelector {
    /// The type of calls.
    #[serde(default = "all")]
    #[spec(one_of = sdk::ReadWriteType)]
    read_write_type: String,
    /// Whether management events are recorded: calls that manage resources.
    #[serde(default = "yes")]
    include_management_events: bool,
    /// The services whose management events are excluded: `kms.amazonaws.com`, `rdsdata.amazonaws.com`.
    #[serde(default)]
    exclude_management_event_sources: BTreeSet<String>,
    /// The objects and functions whose data events are recorded: ARNs by type, as in
    /// `{ "AWS::S3::Object": ["arn:aws:s3:::bucket/"] }`. Data events cost extra.
    #[serde(default)]
    data_resources: BTreeMap<String, BTreeSet<String>>,
}

fn all() -> String {
    "All".into()
}

fn yes() -> bool {
    true
}

/// An advanced event selector: the events for which all conditions are true
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdvancedEventSelector {
    /// The conditions, by the event's field. `eventCategory` is required: `{ eventCategory: { equals: [Data] } }`.
    field_selectors: BTreeMap<String, FieldSelector>,
}

/// A condition on a field of an event. At least one of these comparisons must be stated.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FieldSelector {
    /// The field equals one of these values.
    #[serde(default)]
    equals: BTreeSet<String>,
    /// The field equals none of these values.
    #[serde(default)]
    not_equals: BTreeSet<String>,
    /// The field begins with one of these values.
    #[serde(default)]
    starts_with: BTreeSet<String>,
    /// The field begins with none of these values.
    #[serde(default)]
    not_starts_with: BTreeSet<String>,
    /// The field ends with one of these values.
    #[serde(default)]
    ends_with: BTreeSet<String>,
    /// The field ends with none of these values.
    #[serde(default)]
    not_ends_with: BTreeSet<String>,
}

impl EventSelector {
    /// Returns AWS's default selector: all management events.
    pub(super) fn all_management_events() -> EventSelector {
        EventSelector {
            read_write_type: all(),
            include_management_events: true,
            exclude_management_event_sources: BTreeSet::new(),
            data_resources: BTreeMap::new(),
        }
    }

    /// Returns the SDK's type.
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

    /// Reads a selector from a response.
    pub(super) fn from_response(response: &sdk::EventSelector) -> EventSelector {
        let resource = |of: &sdk::DataResource| Some((of.r#type.clone()?, of.values().iter().cloned().collect()));
        EventSelector {
            read_write_type: response.read_write_type().map_or_else(all, |of| of.as_str().to_owned()),
            include_management_events: response.include_management_events.unwrap_or(true),
            exclude_management_event_sources: response.exclude_management_event_sources().iter().cloned().collect(),
            data_resources: response.data_resources().iter().filter_map(resource).collect(),
        }
    }
}

impl AdvancedEventSelector {
    /// Returns the SDK's type.
    pub(super) fn sdk(&self, name: &str) -> Result<sdk::AdvancedEventSelector> {
        let AdvancedEventSelector { field_selectors } = self;
        let fields = field_selectors.iter().map(|(field, selector)| selector.sdk(field)).collect::<Result<_>>()?;
        Ok(sdk::AdvancedEventSelector::builder().name(name).set_field_selectors(Some(fields)).build()?)
    }

    /// Reads a selector and its name from a response.
    pub(super) fn from_response(response: &sdk::AdvancedEventSelector) -> (String, AdvancedEventSelector) {
        let fields = response.field_selectors().iter().map(FieldSelector::from_response).collect();
        (response.name().unwrap_or_default().to_owned(), AdvancedEventSelector { field_selectors: fields })
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

    fn from_response(response: &sdk::AdvancedFieldSelector) -> (String, FieldSelector) {
        let all = |list: &[String]| list.iter().cloned().collect();
        let selector = FieldSelector {
            equals: all(response.equals()),
            not_equals: all(response.not_equals()),
            starts_with: all(response.starts_with()),
            not_starts_with: all(response.not_starts_with()),
            ends_with: all(response.ends_with()),
            not_ends_with: all(response.not_ends_with()),
        };
        (response.field.clone(), selector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_back_as_they_were_sent() {
        let plain = EventSelector::all_management_events();
        assert_eq!(EventSelector::from_response(&plain.sdk()), plain);
        let desired = serde_json::json!({ "fieldSelectors": { "eventCategory": {
            "equals": ["Data"], "notEquals": [], "startsWith": [], "notStartsWith": ["a"], "endsWith": [],
            "notEndsWith": [],
        } } });
        let sent: AdvancedEventSelector = serde_json::from_value(desired.clone()).unwrap();
        let (name, back) = AdvancedEventSelector::from_response(&sent.sdk("data").unwrap());
        assert_eq!((name.as_str(), serde_json::to_value(back).unwrap()), ("data", desired));
    }
}
