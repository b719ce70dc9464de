//! InstanceProfile: an IAM instance profile, through which an EC2 instance gets its role.

use aws_sdk_iam::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{Demand::Form, Relation, demand};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::role::Role;
use super::{InstanceProfileTags, from_sdk_tags, iam, sdk_tags};

/// An instance profile, which gives a role to the programs on an `Instance`.
///
/// EC2 takes instance profiles, not roles. An instance profile holds one role
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceProfile {
    /// The role. Its trust policy must allow `ec2.amazonaws.com` to assume it. After a change, instances get the new
    /// role's credentials within minutes.
    role: Option<Ref<Role>>,
    /// The path, which begins and ends with `/` and is part of the ARN.
    #[spec(immutable, length = 1..=512)]
    #[serde(default = "root")]
    path: String,
}

fn root() -> String {
    "/".into()
}

/// The read-only attributes of an InstanceProfile.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceProfileStatus {
    /// The instance profile's ARN.
    arn: String,
    /// The unique id (`AIPA…`). A later instance profile of the same name has another unique id.
    instance_profile_id: String,
}

impl Kind for InstanceProfile {
    type Status = InstanceProfileStatus;
    type Owner = TagOnCreate<InstanceProfileTags>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules {
        form: (r"[\w+=,.@-]+", "has letters, digits and the characters `+=,.@_-`"),
        ..NamingRules::limit(128)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        demand(Form("path", r"/|/[\x21-\x7e]+/", "a path that begins and ends with `/`")),
    ];
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = iam(aws).list_instance_profiles().into_paginator().items().send();
        let index = &tagging::of_no_region(aws)?;
        each(all(pages).await?, |profile| async move {
            let name = profile.instance_profile_name();
            if !scope.wants(&Listed::name(name).spec(&live(&profile).spec)).any() {
                return Ok(None);
            }
            // ListInstanceProfiles returns no tags.
            let tags = tagging::tags(index, scope, profile.arn(), || tags_of(aws, name)).await?;
            Ok(tags.map(|tags| live(&profile).tags(tags)))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let InstanceProfile { role: _, path } = &desired.spec;
        let create = iam(aws).create_instance_profile().instance_profile_name(&desired.name).path(path);
        let output = create.set_tags(Some(sdk_tags(&desired.tags)?)).send().await?;
        Ok(desired.confirmed(&desired.name, output.instance_profile.as_ref().map(live)))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let InstanceProfile { role, path: _ } = &desired.spec;
        // An instance profile holds only one role, so the old role is removed before the new role is added.
        if let Some(old) = live.spec.role.as_ref().filter(|old| Some(*old) != role.as_ref()) {
            remove(aws, &live.id, old).await?;
        }
        if let Some(role) = role.as_ref().filter(|role| Some(*role) != live.spec.role.as_ref()) {
            let add = iam(aws).add_role_to_instance_profile().instance_profile_name(&live.id);
            add.role_name(role.as_str()).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        if let Some(role) = &live.spec.role {
            remove(aws, &live.id, role).await?;
        }
        iam(aws).delete_instance_profile().instance_profile_name(&live.id).send().await?;
        Ok(())
    }
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Option<Tags>> {
    let pages = iam(aws).list_instance_profile_tags().instance_profile_name(name).into_paginator().items().send();
    Ok(all(pages).await.or_absent()?.as_deref().map(from_sdk_tags))
}

async fn remove(aws: &Aws, profile: &str, role: &Ref<Role>) -> Result<()> {
    let remove = iam(aws).remove_role_from_instance_profile().instance_profile_name(profile);
    remove.role_name(role.as_str()).send().await.or_absent()?;
    Ok(())
}

fn live(profile: &sdk::InstanceProfile) -> Live<InstanceProfile> {
    let name = profile.instance_profile_name();
    let spec = InstanceProfile {
        role: profile.roles().first().map(|role| Ref::new(role.role_name())),
        path: profile.path().to_owned(),
    };
    let status = InstanceProfileStatus {
        arn: profile.arn().to_owned(),
        instance_profile_id: profile.instance_profile_id().to_owned(),
    };
    Live::new(name, name, spec, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_profile_may_have_no_role() {
        let profile = sdk::InstanceProfile::builder()
            .path("/")
            .instance_profile_name("bastion")
            .instance_profile_id("AIPA1")
            .arn("arn:aws:iam::1:instance-profile/bastion")
            .create_date(aws_smithy_types::DateTime::from_secs(0))
            .set_roles(Some(vec![]))
            .build()
            .unwrap();
        let live = live(&profile);
        assert_eq!((live.id.as_str(), live.spec.role), ("bastion", None));
    }
}
