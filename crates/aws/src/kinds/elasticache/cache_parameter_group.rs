//! CacheParameterGroup: not there yet.

use std::collections::BTreeMap;

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// Settings of an engine. AWS keeps its name in lower case: at most 255 letters, digits and hyphens
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheParameterGroup.html>).
/// AWS's own groups, `default.<family>`, need no resource: refer to one as `{ id: default.valkey8 }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheParameterGroup {
    /// The engine and version it is for: `redis7`, `valkey7`, `valkey8`, …
    #[spec(immutable)]
    cache_parameter_group_family: String,
    /// What it is for. No call changes it.
    #[spec(immutable)]
    description: String,
    /// The parameters that differ from the family's defaults, each a text (`"yes"`, `"300"`). What is not named here
    /// is set back to its default. Some take effect only when nodes are rebooted
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html>).
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// What only AWS knows of a CacheParameterGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheParameterGroupStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for CacheParameterGroup {
    type Status = CacheParameterGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("CacheParameterGroup", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("CacheParameterGroup", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("CacheParameterGroup", "this kind is not there yet"))
    }
}
