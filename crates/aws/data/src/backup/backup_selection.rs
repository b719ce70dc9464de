//! BackupSelection: the resources that a backup plan backs up.

use std::collections::BTreeSet;

use aws_sdk_backup::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Role;
use holdfast_base::owner::{Child, ViaParent};
use holdfast_base::sdk::all;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{Demand::AnyOf, Relation, demand};
use holdfast_core::schema::{FieldName, Idempotency, Named as _, NamingRules, Replacement, Tier};
use holdfast_core::types::{Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::backup_plan::BackupPlan;
use super::{backup, plans, request_id};

/// A resource selection of a backup plan.
///
/// A selection covers `resources` without `notResources`, and only resources that meet the conditions. Its name has at
/// most 50 letters, digits, dots, hyphens and underscores. AWS cannot change a selection: an edit deletes the old one
/// and then creates a new one, which loses no recovery points
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupSelection.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupSelection {
    /// The backup plan.
    #[spec(immutable)]
    plan: Ref<BackupPlan>,
    /// The role with which AWS Backup reads and restores resources. It must trust `backup.amazonaws.com`.
    #[spec(immutable)]
    iam_role: Ref<Role, Arn>,
    /// The ARNs of the resources to back up. An ARN may end with `*`; `*` alone selects all resources. At most 30 ARNs
    /// may have a `*`.
    #[spec(immutable, items = ..=500, default = null)]
    resources: Option<BTreeSet<String>>,
    /// The ARNs of the resources to leave out.
    #[spec(immutable, items = ..=500, default = null)]
    not_resources: Option<BTreeSet<String>>,
    /// The tags of which a resource must have at least one. With this field, `resources` does not need `*`.
    #[spec(immutable, default = null)]
    list_of_tags: Option<BTreeSet<TagCondition>>,
    /// The conditions, all of which a resource must meet.
    #[spec(immutable, default = null)]
    conditions: Option<Conditions>,
}

/// A condition on a tag: a key and a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["conditionKey", "conditionValue"])]
pub(crate) struct TagCondition {
    /// The key of the tag; in `conditions` it begins with `aws:ResourceTag/`.
    condition_key: String,
    /// The value of the tag.
    condition_value: String,
}

/// Conditions on tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conditions {
    /// The tag has this value.
    string_equals: Option<BTreeSet<TagCondition>>,
    /// The tag has another value, or does not exist.
    string_not_equals: Option<BTreeSet<TagCondition>>,
    /// The tag's value matches this pattern, in which `*` matches any characters.
    string_like: Option<BTreeSet<TagCondition>>,
    /// The tag's value does not match this pattern.
    string_not_like: Option<BTreeSet<TagCondition>>,
}

/// The read-only attributes of a BackupSelection.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupSelectionStatus {
    /// The id of the selection within its plan.
    selection_id: String,
}

impl Kind for BackupSelection {
    type Status = BackupSelectionStatus;
    type Owner = ViaParent;
    const TIER: Tier = Tier::Data;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules {
        form: (r"[.A-Za-z0-9_-]+", "has letters, digits and the characters `._-`"),
        ..NamingRules::limit(50)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupSelection.html
        demand(AnyOf(&["resources", "notResources", "listOfTags", "conditions"])),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let plans = plans(aws, scope).await?;
        let found = each(plans.iter(), |plan| async move {
            let id = plan.backup_plan_id().unwrap_or_default();
            // An id names its plan; a lookup by name does not.
            let has_id = scope.ids.iter().any(|of| of.split_once('/').is_none_or(|(plan, _)| plan == id));
            if !has_id && !scope.wants(&child_of(Listed::default(), plan)).any() {
                return Ok(None);
            }
            let members = backup(aws).list_backup_selections().backup_plan_id(id).into_paginator().items().send();
            each(all(members).await.or_absent()?.unwrap_or_default(), |member| async move {
                let selection = member.selection_id.unwrap_or_default();
                let own = id_of(id, &selection);
                let listed = Listed::id(&own).named(member.selection_name.as_deref().unwrap_or_default());
                if !scope.wants(&child_of(listed, plan)).fields() {
                    return Ok(None);
                }
                let get = backup(aws).get_backup_selection().backup_plan_id(id).selection_id(&selection);
                let body = get.send().await.or_absent()?.and_then(|response| response.backup_selection);
                Ok(body.map(|body| live(id, selection, body)))
            })
            .await
            .map(Some)
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let BackupSelection { plan, iam_role, resources, not_resources, list_of_tags, conditions } = &desired.spec;
        let selection = sdk::BackupSelection::builder()
            .selection_name(&desired.name)
            .iam_role_arn(iam_role.as_str())
            .set_resources(resources.clone().map(|of| of.into_iter().collect()))
            .set_not_resources(not_resources.clone().map(|of| of.into_iter().collect()))
            .set_list_of_tags(list_of_tags.as_ref().map(tags).transpose()?)
            .set_conditions(conditions.as_ref().map(sdk_conditions))
            .build()?;
        let create = backup(aws).create_backup_selection().backup_plan_id(plan.as_str());
        let created = create.backup_selection(selection).creator_request_id(request_id(&desired.token)).send().await?;
        let id =
            created.selection_id.ok_or_else(|| Error::incomplete("backup.CreateBackupSelection", "selectionId"))?;
        Ok(desired.as_live(id_of(plan.as_str(), &id), BackupSelectionStatus { selection_id: id }).into())
    }

    async fn update(_: &Aws, _: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let BackupSelection { plan: _, iam_role: _, resources: _, not_resources: _, list_of_tags: _, conditions: _ } =
            &desired.spec;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let delete = backup(aws).delete_backup_selection().backup_plan_id(live.spec.plan.as_str());
        delete.selection_id(&live.status.selection_id).send().await?;
        Ok(())
    }
}

impl Child for BackupSelection {
    const PARENT: FieldName<Self> = Self::PLAN;
}

fn child_of<'a>(listed: Listed<'a>, plan: &'a sdk::BackupPlansListMember) -> Listed<'a> {
    let listed = listed.child_of(BackupPlan::KIND, plan.backup_plan_name().unwrap_or_default());
    listed.child_of(BackupPlan::KIND, plan.backup_plan_id().unwrap_or_default())
}

/// Returns the resource's id, `<plan id>/<selection id>`: calls need both.
fn id_of(plan: &str, selection: &str) -> String {
    format!("{plan}/{selection}")
}

fn tags(conditions: &BTreeSet<TagCondition>) -> Result<Vec<sdk::Condition>> {
    let condition = |TagCondition { condition_key, condition_value }: &TagCondition| {
        let condition = sdk::Condition::builder().condition_type(sdk::ConditionType::Stringequals);
        Ok(condition.condition_key(condition_key).condition_value(condition_value).build()?)
    };
    conditions.iter().map(condition).collect()
}

fn sdk_conditions(conditions: &Conditions) -> sdk::Conditions {
    let Conditions { string_equals, string_not_equals, string_like, string_not_like } = conditions;
    let sdk_of = |of: &Option<BTreeSet<TagCondition>>| {
        let parameter = |TagCondition { condition_key, condition_value }: &TagCondition| {
            sdk::ConditionParameter::builder().condition_key(condition_key).condition_value(condition_value).build()
        };
        of.as_ref().map(|of| of.iter().map(parameter).collect())
    };
    sdk::Conditions::builder()
        .set_string_equals(sdk_of(string_equals))
        .set_string_not_equals(sdk_of(string_not_equals))
        .set_string_like(sdk_of(string_like))
        .set_string_not_like(sdk_of(string_not_like))
        .build()
}

fn conditions_from_response(conditions: sdk::Conditions) -> Conditions {
    let set = |of: Option<Vec<sdk::ConditionParameter>>| -> Option<BTreeSet<TagCondition>> {
        let pair = |p: sdk::ConditionParameter| {
            Some(TagCondition { condition_key: p.condition_key?, condition_value: p.condition_value? })
        };
        Some(of?.into_iter().filter_map(pair).collect()).filter(|set: &BTreeSet<_>| !set.is_empty())
    };
    Conditions {
        string_equals: set(conditions.string_equals),
        string_not_equals: set(conditions.string_not_equals),
        string_like: set(conditions.string_like),
        string_not_like: set(conditions.string_not_like),
    }
}

fn live(plan: &str, selection_id: String, selection: sdk::BackupSelection) -> Live<BackupSelection> {
    let tag = |c: sdk::Condition| TagCondition { condition_key: c.condition_key, condition_value: c.condition_value };
    let none = Conditions { string_equals: None, string_not_equals: None, string_like: None, string_not_like: None };
    let spec = BackupSelection {
        plan: Ref::new(plan),
        iam_role: Ref::new(selection.iam_role_arn),
        resources: Some(selection.resources.unwrap_or_default().into_iter().collect()),
        not_resources: Some(selection.not_resources.unwrap_or_default().into_iter().collect()),
        list_of_tags: Some(selection.list_of_tags.unwrap_or_default().into_iter().map(tag).collect()),
        conditions: selection.conditions.map(conditions_from_response).filter(|conditions| *conditions != none),
    };
    let id = id_of(plan, &selection_id);
    Live::new(id, selection.selection_name, spec, BackupSelectionStatus { selection_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_conditions_are_none() -> Result<()> {
        let selection = || sdk::BackupSelection::builder().selection_name("all").iam_role_arn("arn:role");
        let nothing = sdk::Conditions::builder().set_string_like(Some(vec![])).build();
        let live = live("plan", "selection".into(), selection().conditions(nothing).build()?);
        assert_eq!((live.spec.conditions, live.id.as_str()), (None, "plan/selection"));
        Ok(())
    }
}
