//! Policy: a managed policy of the account's own, for several roles.

use aws_sdk_iam::types::{self as sdk, EntityType, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Policy as PolicyDocument;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::iam;

/// A managed policy. Roles take it by its ARN: `managedPolicies: ["${Policy.read.arn}"]`. Each change of the document is a
/// new version; the oldest of five goes for it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    /// What it allows and denies: at most 6,144 characters without white space
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    policy_document: PolicyDocument,
    /// What it is for: at most 1,000 characters.
    #[spec(immutable)]
    description: Option<String>,
    /// Its path, which begins and ends with `/` and is part of the ARN.
    #[spec(immutable)]
    #[serde(default = "root")]
    path: String,
}

fn root() -> String {
    "/".into()
}

/// What only AWS knows of a Policy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyStatus {
    /// Its ARN; also its id.
    arn: String,
    /// The version that counts, as in `v2`.
    default_version_id: String,
}

/// The most versions that a policy may have.
const VERSIONS: usize = 5;

impl Kind for Policy {
    type Status = PolicyStatus;
    const TIER: Tier = Tier::Operations;
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    /// One list has the documents of all the account's policies; tags and description take a call for each that is
    /// wanted, where `ListPolicies` would take two.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = iam(aws).get_account_authorization_details().filter(EntityType::LocalManagedPolicy);
        let pages = pages.into_paginator().send().collect::<std::result::Result<Vec<_>, _>>().await?;
        let all: Vec<&sdk::ManagedPolicyDetail> = pages.iter().flat_map(|page| page.policies()).collect();
        let arns: Vec<String> = all.iter().filter_map(|detail| detail.arn.clone()).collect();
        let (hinted, _) = tagging::split(&*tagging::of_no_region(aws)?, scope, &arns).await?;
        let wanted = all.into_iter().filter(|detail| {
            let arn = detail.arn().unwrap_or_default();
            let named = scope.is_candidate(detail.policy_name().unwrap_or_default());
            named || scope.ids.contains(arn) || hinted.contains_key(arn) || !scope.lookups.is_empty()
        });
        each(wanted, |detail| async move {
            let arn = detail.arn().unwrap_or_default();
            let answer = iam(aws).get_policy().policy_arn(arn).send().await.or_absent()?;
            answer.and_then(|answer| answer.policy).map(|policy| live(detail, &policy)).transpose()
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Policy { policy_document, description, path } = &desired.spec;
        let made = iam(aws)
            .create_policy()
            .policy_name(&desired.name)
            .policy_document(policy_document.json())
            .set_description(description.clone())
            .path(path)
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let missing = || Error::incomplete("iam.CreatePolicy", "arn");
        let policy = made.policy.ok_or_else(missing)?;
        let arn = policy.arn.ok_or_else(missing)?;
        let default_version_id = policy.default_version_id.unwrap_or_else(|| "v1".into());
        // There is no older version.
        let detail = sdk::ManagedPolicyDetail::builder().build();
        Ok(desired.made(arn.clone(), PolicyStatus { arn, default_version_id }).keep(detail).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Policy { policy_document, description: _, path: _ } = &desired.spec;
        if !desired.changed("policyDocument") {
            return Ok(());
        }
        let old = old_versions(live.raw()?);
        if let Some(oldest) = old.first().filter(|_| old.len() + 1 >= VERSIONS) {
            iam(aws).delete_policy_version().policy_arn(&live.id).version_id(oldest).send().await.or_absent()?;
        }
        let version = iam(aws).create_policy_version().policy_arn(&live.id).policy_document(policy_document.json());
        version.set_as_default(true).send().await?;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        for version in old_versions(live.raw()?) {
            iam(aws).delete_policy_version().policy_arn(&live.id).version_id(version).send().await.or_absent()?;
        }
        iam(aws).delete_policy().policy_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            iam(aws).tag_policy().policy_arn(&live.id).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            iam(aws).untag_policy().policy_arn(&live.id).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

pub(super) fn sdk_tags(tags: &Tags) -> Result<Vec<Tag>> {
    tags.iter().map(|(k, v)| Ok(Tag::builder().key(k).value(v).build()?)).collect()
}

/// The ids of the versions that do not count, the oldest first: `v10` is younger than `v9`.
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
        // URL-encoded after RFC 3986, as everywhere in IAM.
        policy_document: PolicyDocument::parse(&urlencoding::decode(document).unwrap_or(document.into())),
        description: policy.description.clone().filter(|text| !text.is_empty()),
        path: detail.path().unwrap_or("/").to_owned(),
    };
    let status = PolicyStatus { arn: arn.clone(), default_version_id: default.version_id.clone().unwrap_or_default() };
    let tags = policy.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    Ok(Live::new(arn, detail.policy_name().unwrap_or_default(), spec, status).tags(tags).keep(detail.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_counts_is_the_document() {
        let version = |id: &str, document: &str, counts| {
            let version = sdk::PolicyVersion::builder().version_id(id).document(document);
            version.is_default_version(counts).build()
        };
        let detail = sdk::ManagedPolicyDetail::builder()
            .policy_name("read")
            .arn("arn:aws:iam::1:policy/read")
            .policy_version_list(version("v10", "%7B%7D", false))
            .policy_version_list(version("v11", "%7B%22Version%22%3A%22a+b%22%7D", true))
            .policy_version_list(version("v9", "%7B%7D", false))
            .build();
        assert_eq!(old_versions(&detail), ["v9", "v10"]);
        let live = live(&detail, &sdk::Policy::builder().description("").build()).expect("it is whole");
        assert_eq!(live.spec.policy_document, PolicyDocument::parse(r#"{"Version":"a+b"}"#));
        assert_eq!((live.spec.description.as_deref(), live.spec.path.as_str()), (None, "/"));
    }
}
