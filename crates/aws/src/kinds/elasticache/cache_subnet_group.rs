//! CacheSubnetGroup: not there yet.

use std::collections::BTreeSet;

use crate::kinds::ec2::subnet::Subnet;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// The subnets in which the nodes of replication groups are placed. AWS keeps its name in lower case: at most 255
/// letters, digits and hyphens
/// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheSubnetGroup.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheSubnetGroup {
    /// What it is for.
    description: String,
    /// Its subnets, all of one VPC. AWS refuses to take one away that a node is in (`SubnetInUse`).
    subnets: BTreeSet<Ref<Subnet>>,
}

/// What only AWS knows of a CacheSubnetGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheSubnetGroupStatus {
    /// Its ARN.
    arn: String,
    /// The VPC of its subnets.
    vpc_id: Option<String>,
}

impl Kind for CacheSubnetGroup {
    type Status = CacheSubnetGroupStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("CacheSubnetGroup", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("CacheSubnetGroup", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("CacheSubnetGroup", "this kind is not there yet"))
    }
}
