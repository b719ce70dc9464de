//! Policy: a customer managed IAM policy, which several roles can use.

use aws_sdk_iam::types::{self as sdk, EntityType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Demand::{Form, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::PolicyDocument;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{PolicyTags, from_sdk_tags, iam, sdk_tags};

/// A customer managed policy.
///
/// Roles refer to it by its ARN: `managedPolicies: ["${Policy.read.arn}"]`. Each change of the document creates a new
/// version. A policy has at most five versions, so the oldest version is deleted for a sixth
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    /// The policy document: the permissions that the policy allows and denies. At most 6,144 characters without white
    /// space (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    policy_document: PolicyDocument,
    /// The description.
    #[spec(immutable, length = ..=1000, default = null)]
    description: Option<String>,
    /// The path, which begins and ends with `/` and is part of the ARN.
    #[spec(immutable, length = 1..=512)]
    #[serde(default = "root")]
    path: String,
}

fn root() -> String {
    "/".into()
}

/// The read-only attributes of a Policy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyStatus {
    /// The policy's ARN, which is also its id.
    arn: String,
    /// The default version, which is in effect, as in `v2`.
    default_version_id: String,
}

/// The maximum number of versions of a policy.
const VERSIONS: usize = 5;

impl Kind for Policy {
    type Status = PolicyStatus;
    type Owner = TagOnCreate<PolicyTags>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules {
        form: (r"[\w+=,.@-]+", "has letters, digits and the characters `+=,.@_-`"),
        ..NamingRules::limit(128)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        demand(Form("path", r"/|/[\x21-\x7e]+/", "a path that begins and ends with `/`")),
        demand(ValidPolicy("policyDocument", PolicyType::Managed)),
    ];
    const GLOBAL: bool = true;

    /// One list call returns the documents of all the account's customer managed policies. Tags and description take
    /// one call for each requested policy, where `ListPolicies` would take two.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = iam(aws).get_account_authorization_details().filter(EntityType::LocalManagedPolicy);
        let pages = all(pages.into_paginator().send()).await?;
        let all: Vec<&sdk::ManagedPolicyDetail> = pages.iter().flat_map(|page| page.policies()).collect();
        let arns: Vec<String> = all.iter().filter_map(|detail| detail.arn.clone()).collect();
        let (indexed, _) = tagging::split(&*tagging::of_no_region(aws)?, scope, &arns).await?;
        let candidates = all.into_iter().filter(|detail| {
            let arn = detail.arn().unwrap_or_default();
            let listed = Listed::id(arn).named(detail.policy_name().unwrap_or_default());
            indexed.contains_key(arn) || scope.wants(&listed).any()
        });
        each(candidates, |detail| async move {
            let arn = detail.arn().unwrap_or_default();
            let output = iam(aws).get_policy().policy_arn(arn).send().await.or_absent()?;
            output.and_then(|output| output.policy).map(|policy| live(detail, &policy)).transpose()
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Policy { policy_document, description, path } = &desired.spec;
        let output = iam(aws)
            .create_policy()
            .policy_name(&desired.name)
            .policy_document(policy_document.json())
            .set_description(description.clone())
            .path(path)
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let missing = || Error::incomplete("iam.CreatePolicy", "arn");
        let policy = output.policy.ok_or_else(missing)?;
        let arn = policy.arn.ok_or_else(missing)?;
        let default_version_id = policy.default_version_id.unwrap_or_else(|| "v1".into());
        // A new policy has no older version.
        let detail = sdk::ManagedPolicyDetail::builder().build();
        Ok(desired.as_live(arn.clone(), PolicyStatus { arn, default_version_id }).keep(detail).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Policy { policy_document, description: _, path: _ } = &desired.spec;
        let old = old_versions(live.raw()?);
        if let Some(oldest) = old.first().filter(|_| old.len() + 1 >= VERSIONS) {
            iam(aws).delete_policy_version().policy_arn(&live.id).version_id(oldest).send().await.or_absent()?;
        }
        let version = iam(aws).create_policy_version().policy_arn(&live.id).policy_document(policy_document.json());
        version.set_as_default(true).send().await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        for version in old_versions(live.raw()?) {
            iam(aws).delete_policy_version().policy_arn(&live.id).version_id(version).send().await.or_absent()?;
        }
        iam(aws).delete_policy().policy_arn(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the ids of the versions that are not the default version, the oldest first: `v10` is newer than `v9`.
fn old_versions(detail: &sdk::ManagedPolicyDetail) -> Vec<String> {
    let old = detail.policy_version_list().iter().filter(|version| !version.is_default_version);
    let mut ids: Vec<String> = old.filter_map(|version| version.version_id.clone()).collect();
    ids.sort_by_key(|id| (id.len(), id.clone()));
    ids
}

fn live(detail: &sdk::ManagedPolicyDetail, policy: &sdk::Policy) -> Result<Live<Policy>> {
    let missing = |what| Error::incomplete("iam.GetAccountAuthorizationDetails", what);
    let default = detail.policy_version_list().iter().find(|version| version.is_default_version);
    let default = default.ok_or_else(|| missing("default version"))?;
    let document = default.document().ok_or_else(|| missing("document"))?;
    let arn = detail.arn.clone().ok_or_else(|| missing("arn"))?;
    let spec = Policy {
        // IAM URL-encodes documents according to RFC 3986.
        policy_document: PolicyDocument::parse(&urlencoding::decode(document).unwrap_or(document.into())),
        description: policy.description.clone().filter(|text| !text.is_empty()),
        path: detail.path().unwrap_or("/").to_owned(),
    };
    let status = PolicyStatus { arn: arn.clone(), default_version_id: default.version_id.clone().unwrap_or_default() };
    Ok(Live::new(arn, detail.policy_name().unwrap_or_default(), spec, status)
        .tags(from_sdk_tags(policy.tags()))
        .keep(detail.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_of_a_policy_is_its_default_version() {
        let version = |id: &str, document: &str, is_default| {
            let version = sdk::PolicyVersion::builder().version_id(id).document(document);
            version.is_default_version(is_default).build()
        };
        let detail = sdk::ManagedPolicyDetail::builder()
            .policy_name("read")
            .arn("arn:aws:iam::1:policy/read")
            .policy_version_list(version("v10", "%7B%7D", false))
            .policy_version_list(version("v11", "%7B%22Version%22%3A%22a+b%22%7D", true))
            .policy_version_list(version("v9", "%7B%7D", false))
            .build();
        assert_eq!(old_versions(&detail), ["v9", "v10"]);
        let live = live(&detail, &sdk::Policy::builder().description("").build()).expect("a complete policy");
        assert_eq!(live.spec.policy_document, PolicyDocument::parse(r#"{"Version":"a+b"}"#));
        assert_eq!((live.spec.description.as_deref(), live.spec.path.as_str()), (None, "/"));
    }
}
