//! OriginAccessControl: how requests to a private origin are signed.

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// How CloudFront signs its requests to a private origin: a bucket, for one, whose policy then lets in that one
/// distribution alone. It has no tags; its owner stands at the end of its description
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginAccessControl {
    /// What people read about it; with the owner's mark at most 256 characters.
    description: Option<String>,
    /// What the origin is: `s3` (our default), `mediastore`, `mediapackagev2` or `lambda`.
    #[serde(default = "s3")]
    origin_access_control_origin_type: String,
    /// `always` (our default, and AWS's recommendation), `never`, or `no-override`: only requests that are not
    /// signed yet.
    #[serde(default = "always")]
    signing_behavior: String,
    /// `sigv4`: the only one there is, and our default.
    #[serde(default = "sigv4")]
    signing_protocol: String,
}

fn s3() -> String {
    "s3".into()
}

fn always() -> String {
    "always".into()
}

fn sigv4() -> String {
    "sigv4".into()
}

/// What only AWS knows of a OriginAccessControl.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginAccessControlStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for OriginAccessControl {
    type Status = OriginAccessControlStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("OriginAccessControl", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("OriginAccessControl", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("OriginAccessControl", "this kind is not there yet"))
    }
}
