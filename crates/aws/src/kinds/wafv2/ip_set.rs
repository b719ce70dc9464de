//! IpSet: addresses that firewall rules name.

use std::collections::BTreeSet;

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// A set of addresses for the rules of web ACLs.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpSet {
    /// `REGIONAL`, or `CLOUDFRONT` for web ACLs of distributions: then its `region` has to be us-east-1.
    #[spec(immutable)]
    scope: String,
    /// `IPV4` or `IPV6`.
    #[spec(immutable)]
    ip_address_version: String,
    /// The addresses as blocks; one address is a block as in `192.0.2.44/32`. `0.0.0.0/0` is refused.
    addresses: BTreeSet<Cidr>,
    /// What people read about it.
    description: Option<String>,
}

/// What only AWS knows of an IpSet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IpSetStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for IpSet {
    type Status = IpSetStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("IpSet", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("IpSet", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("IpSet", "this kind is not there yet"))
    }
}
