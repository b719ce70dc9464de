//! Role: an IAM role, which services and people assume.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_iam::types::{self as sdk, EntityType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::wanted::{Listed, Wants};
use holdfast_core::Spec;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Demand::{Form, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, PolicyDocument};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{RoleTags, from_sdk_tags, iam, sdk_tags};

/// An IAM role.
///
/// The role has exactly the policies that are stated here. A policy that was attached out of band is drift, and is
/// removed.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// The trust policy: which principals may assume the role. When a principal in it is deleted, AWS returns the
    /// principal's unique id (`AROA…`, `AIDA…`) in its place, which is drift
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
    assume_role_policy_document: PolicyDocument,
    /// The description.
    #[spec(length = ..=1000)]
    description: Option<String>,
    /// The maximum session duration in seconds.
    #[spec(range = 3600..=43200, default = 3600)]
    max_session_duration: Option<i32>,
    /// The path, which begins and ends with `/` and is part of the ARN.
    #[spec(immutable, length = 1..=512)]
    #[serde(default = "root")]
    path: String,
    /// The permissions boundary: the ARN of the policy that limits the permissions that the role's other policies can
    /// grant.
    permissions_boundary: Option<Arn>,
    /// The inline policies, by name. Together at most 10,240 characters without white space
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    #[serde(default)]
    policies: BTreeMap<String, PolicyDocument>,
    /// The ARNs of the attached managed policies, AWS managed or customer managed: at most ten, unless the quota was
    /// raised.
    #[serde(default)]
    managed_policies: BTreeSet<Arn>,
}

/// The number of managed policies of a role, unless the quota was raised
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MANAGED_POLICIES: usize = 10;

/// The size of all inline policies of a role together, in characters without white space (the same page).
const INLINE_POLICIES: usize = 10_240;

fn root() -> String {
    "/".into()
}

/// The read-only attributes of a Role.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoleStatus {
    /// The role's ARN.
    arn: String,
    /// The unique id (`AROA…`). A later role of the same name has another unique id.
    role_id: String,
    /// The instance profiles that hold the role.
    instance_profiles: Vec<String>,
}

impl Kind for Role {
    type Status = RoleStatus;
    type Owner = TagOnCreate<RoleTags>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules {
        form: (r"[\w+=,.@-]+", "has letters, digits and the characters `+=,.@_-`"),
        ..NamingRules::limit(64)
    };
    const TAGS_ARE_LISTED: bool = true;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        demand(Form("path", r"/|/[\x21-\x7e]+/", "a path that begins and ends with `/`")),
        demand(ValidPolicy("assumeRolePolicyDocument", PolicyType::Trust)),
        demand(ValidPolicy("", PolicyType::Inline)).at("policies.*"),
        demand(Form("permissionsBoundary", "arn:.+", "the ARN of a policy")),
    ];
    const GLOBAL: bool = true;
    /// IAM is eventually consistent: other services know a new role after 10 to 30 seconds
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>).
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(30);

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // GetAccountAuthorizationDetails returns all fields of all roles except two, which only ListRoles returns.
        // Neither call is made once per role.
        let details = iam(aws).get_account_authorization_details().filter(EntityType::Role).into_paginator().send();
        let in_list_only = [Role::DESCRIPTION, Role::MAX_SESSION_DURATION];
        let is_in_list_only =
            |stated: &BTreeSet<String>| in_list_only.iter().any(|field| stated.contains(field.name()));
        let list_is_needed = scope.fields.as_ref().is_none_or(|fields| fields.values().any(is_in_list_only));
        let listed = async {
            match list_is_needed {
                true => all(iam(aws).list_roles().into_paginator().items().send()).await,
                false => Ok(vec![]),
            }
        };
        let (details, listed) = futures::try_join!(all(details), listed)?;
        let listed: BTreeMap<_, _> = listed.into_iter().map(|role| (role.role_id.clone(), role)).collect();

        let mut found = vec![];
        for detail in details.iter().flat_map(|page| page.role_detail_list()) {
            let name = detail.role_name().unwrap_or_default();
            if !scope.wants(&Listed::name(name).tags(&from_sdk_tags(detail.tags()))).any() {
                continue;
            }
            // The two responses are from two moments: a role in only one of them was created or deleted in between.
            let role = match listed.get(detail.role_id().unwrap_or_default()) {
                None if list_is_needed => {
                    iam(aws).get_role().role_name(name).send().await.or_absent()?.and_then(|a| a.role)
                }
                role => role.cloned(),
            };
            if role.is_some() || !list_is_needed {
                found.push(live(detail, role.as_ref())?);
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Role {
            assume_role_policy_document,
            description,
            max_session_duration,
            path,
            permissions_boundary,
            policies: _,
            managed_policies: _,
        } = &desired.spec;
        let output = iam(aws)
            .create_role()
            .role_name(&desired.name)
            .assume_role_policy_document(assume_role_policy_document.json())
            .set_description(description.clone())
            .set_max_session_duration(*max_session_duration)
            .path(path)
            .set_permissions_boundary(permissions_boundary.as_ref().map(|arn| arn.0.clone()))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        // The update after the create adds the policies.
        let live = output.role.map(|role| {
            let spec = Role {
                max_session_duration: max_session_duration.or(Some(3600)),
                policies: BTreeMap::new(),
                managed_policies: BTreeSet::new(),
                ..desired.spec.clone()
            };
            let status = RoleStatus { arn: role.arn, role_id: role.role_id, instance_profiles: vec![] };
            Live { spec, ..desired.as_live(&desired.name, status) }
        });
        Ok(desired.confirmed(&desired.name, live))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Role {
            assume_role_policy_document,
            description,
            max_session_duration,
            path: _,
            permissions_boundary,
            policies,
            managed_policies,
        } = &desired.spec;
        let (iam, name) = (iam(aws), &live.id);
        // The boundary, which limits all permissions, comes first. Then new permissions precede the removal of old ones
        // as far as the quotas have room for both, so that the role is never without the permissions that it keeps.
        if desired.changed(Role::PERMISSIONS_BOUNDARY) {
            match permissions_boundary {
                Some(arn) => {
                    iam.put_role_permissions_boundary().role_name(name).permissions_boundary(&arn.0).send().await?;
                }
                None => {
                    iam.delete_role_permissions_boundary().role_name(name).send().await?;
                }
            }
        }
        if desired.changed(Role::MANAGED_POLICIES) {
            let old: Vec<&Arn> = live.spec.managed_policies.difference(managed_policies).collect();
            let new: Vec<&Arn> = managed_policies.difference(&live.spec.managed_policies).collect();
            let surplus = (live.spec.managed_policies.len() + new.len()).saturating_sub(MANAGED_POLICIES);
            let (first, last) = old.split_at(surplus.min(old.len()));
            detach(aws, name, first).await?;
            for arn in new {
                iam.attach_role_policy().role_name(name).policy_arn(&arn.0).send().await?;
            }
            detach(aws, name, last).await?;
        }
        if desired.changed(Role::POLICIES) {
            let old = live.spec.policies.iter().filter(|(policy, _)| !policies.contains_key(*policy));
            let sizes = policies.values().chain(old.clone().map(|(_, document)| document));
            let has_room = sizes.map(|document| document.json().len()).sum::<usize>() <= INLINE_POLICIES;
            let old: Vec<&String> = old.map(|(policy, _)| policy).collect();
            let none: &[&String] = &[];
            let (first, last) = if has_room { (none, &old[..]) } else { (&old[..], none) };
            delete_inline(aws, name, first).await?;
            for (policy, document) in policies.iter().filter(|(k, v)| live.spec.policies.get(*k) != Some(v)) {
                let put = iam.put_role_policy().role_name(name).policy_name(policy);
                put.policy_document(document.json()).send().await?;
            }
            delete_inline(aws, name, last).await?;
        }
        if desired.changed(Role::ASSUME_ROLE_POLICY_DOCUMENT) {
            let document = assume_role_policy_document.json();
            iam.update_assume_role_policy().role_name(name).policy_document(document).send().await?;
        }
        let in_update_role = [Role::DESCRIPTION, Role::MAX_SESSION_DURATION];
        // One call sets both fields: UpdateRole without the duration resets it to one hour
        // (https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html).
        if desired.changed_any(&in_update_role) {
            iam.update_role()
                .role_name(name)
                .description(description.clone().unwrap_or_default())
                .max_session_duration(max_session_duration.unwrap_or(3600))
                .send()
                .await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let (iam, name) = (iam(aws), &live.id);
        for profile in &live.status.instance_profiles {
            let remove = iam.remove_role_from_instance_profile().instance_profile_name(profile);
            remove.role_name(name).send().await.or_absent()?;
        }
        detach(aws, name, &live.spec.managed_policies.iter().collect::<Vec<_>>()).await?;
        delete_inline(aws, name, &live.spec.policies.keys().collect::<Vec<_>>()).await?;
        iam.delete_role().role_name(name).send().await?;
        Ok(())
    }
}

/// Detaches managed policies.
async fn detach(aws: &Aws, role: &str, policies: &[&Arn]) -> Result<()> {
    for arn in policies {
        iam(aws).detach_role_policy().role_name(role).policy_arn(&arn.0).send().await.or_absent()?;
    }
    Ok(())
}

/// Deletes inline policies.
async fn delete_inline(aws: &Aws, role: &str, policies: &[&String]) -> Result<()> {
    for policy in policies {
        iam(aws).delete_role_policy().role_name(role).policy_name(*policy).send().await.or_absent()?;
    }
    Ok(())
}

/// Parses a policy document of IAM, which is URL-encoded according to RFC 3986: a plus sign stands for itself.
fn policy(text: Option<&str>) -> PolicyDocument {
    let text = text.unwrap_or_default();
    PolicyDocument::parse(&urlencoding::decode(text).unwrap_or(text.into()))
}

fn live(detail: &sdk::RoleDetail, role: Option<&sdk::Role>) -> Result<Live<Role>> {
    let missing = |what| Error::incomplete("iam.GetAccountAuthorizationDetails", what);
    let name = detail.role_name().ok_or_else(|| missing("roleName"))?;
    let inline = |p: &sdk::PolicyDetail| Some((p.policy_name.clone()?, policy(p.policy_document())));
    let attached = |p: &sdk::AttachedPolicy| p.policy_arn.clone().map(Arn);
    let spec = Role {
        assume_role_policy_document: policy(detail.assume_role_policy_document()),
        description: role.and_then(|role| role.description.clone()).filter(|text| !text.is_empty()),
        max_session_duration: role.and_then(|role| role.max_session_duration),
        path: detail.path().unwrap_or("/").to_owned(),
        permissions_boundary: detail
            .permissions_boundary()
            .and_then(|boundary| boundary.permissions_boundary_arn.clone())
            .map(Arn),
        policies: detail.role_policy_list().iter().filter_map(inline).collect(),
        managed_policies: detail.attached_managed_policies().iter().filter_map(attached).collect(),
    };
    let status = RoleStatus {
        arn: detail.arn.clone().ok_or_else(|| missing("arn"))?,
        role_id: detail.role_id.clone().ok_or_else(|| missing("roleId"))?,
        instance_profiles: detail.instance_profile_list().iter().map(|p| p.instance_profile_name.clone()).collect(),
    };
    Ok(Live::new(name, name, spec, status).tags(from_sdk_tags(detail.tags())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_responses_are_combined_into_one_role() {
        let encoded = "%7B%22Statement%22%3A%5B%7B%22Sid%22%3A%22a+b%22%7D%5D%7D";
        let detail = sdk::RoleDetail::builder()
            .role_name("shop-dev-app")
            .role_id("AROA1")
            .arn("arn:aws:iam::1:role/shop-dev-app")
            .assume_role_policy_document(encoded)
            .role_policy_list(sdk::PolicyDetail::builder().policy_name("read").policy_document(encoded).build())
            .attached_managed_policies(sdk::AttachedPolicy::builder().policy_arn("arn:aws:iam::aws:policy/A").build())
            .tags(sdk::Tag::builder().key("team").value("a").build().unwrap())
            .build();
        let role = sdk::Role::builder()
            .path("/")
            .role_name("shop-dev-app")
            .role_id("AROA1")
            .arn("arn:aws:iam::1:role/shop-dev-app")
            .create_date(aws_smithy_types::DateTime::from_secs(0))
            .description("")
            .max_session_duration(7200)
            .build()
            .unwrap();
        let live = live(&detail, Some(&role)).unwrap();
        assert_eq!(live.spec.assume_role_policy_document, PolicyDocument::parse(r#"{"Statement":[{"Sid":"a+b"}]}"#));
        assert_eq!((live.spec.description.as_deref(), live.spec.max_session_duration), (None, Some(7200)));
        assert_eq!(live.spec.policies.len() + live.spec.managed_policies.len(), 2);
        assert_eq!(live.tags.get("team").map(String::as_str), Some("a"));
    }
}
