//! BackupSelection: not there yet.

use std::collections::BTreeSet;

use super::backup_plan::BackupPlan;
use crate::kinds::iam::role::Role;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// What a plan backs up: `resources`, less `notResources`, and only what meets the conditions. Its name has at most 50
/// letters, digits, dots, hyphens and underscores. It cannot be changed: any edit replaces it, the old one first, which
/// loses no recovery points (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupSelection.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupSelection {
    /// The plan.
    #[spec(immutable)]
    plan: Ref<BackupPlan>,
    /// The role with which AWS Backup reads and restores; it has to trust `backup.amazonaws.com`.
    #[spec(immutable)]
    iam_role: Ref<Role, Arn>,
    /// The ARNs of what is backed up; a `*` may end one, and `*` alone is everything.
    #[spec(immutable)]
    resources: Option<BTreeSet<String>>,
    /// The ARNs of what is not.
    #[spec(immutable)]
    not_resources: Option<BTreeSet<String>>,
    /// Tags of which a resource has to have any one. `*` alone in `resources` is not needed beside it.
    #[spec(immutable)]
    list_of_tags: Option<BTreeSet<TagCondition>>,
    /// Conditions of which a resource has to meet all.
    #[spec(immutable)]
    conditions: Option<Conditions>,
}

/// A tag with this value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TagCondition {
    /// The tag's key; in `conditions` it begins with `aws:ResourceTag/`.
    condition_key: String,
    /// Its value.
    condition_value: String,
}

/// Conditions on tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conditions {
    /// The tag has this value.
    string_equals: Option<BTreeSet<TagCondition>>,
    /// The tag has another value, or is not there.
    string_not_equals: Option<BTreeSet<TagCondition>>,
    /// The tag's value fits this pattern, in which `*` stands for anything.
    string_like: Option<BTreeSet<TagCondition>>,
    /// The tag's value does not fit this pattern.
    string_not_like: Option<BTreeSet<TagCondition>>,
}

/// What only AWS knows of a BackupSelection.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackupSelectionStatus {
    /// Its id under the plan.
    selection_id: String,
}

impl Kind for BackupSelection {
    type Status = BackupSelectionStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("BackupSelection", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("BackupSelection", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("BackupSelection", "this kind is not there yet"))
    }
}
