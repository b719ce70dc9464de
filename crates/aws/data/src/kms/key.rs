//! Key: what encrypts the data of other services.

use std::collections::BTreeMap;

use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput as Rotation;
use aws_sdk_kms::types::{self as sdk, KeyManagerType, KeySpec, KeyState, OriginType};
use futures::TryFutureExt;
use futures::future::try_join_all;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, asks_for, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Late, Policy};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{kms, sdk_tags, tags_of};

/// The tag that remembers how long a deletion waits: when that is needed, the document no longer says it.
const WINDOW: &str = "holdfast:pending-window";

/// A customer managed key. It has no name of its own but a `Name` tag; an Alias gives it one that calls take.
/// What is encrypted under a key is lost with it, so it stays when it leaves the document unless told otherwise,
/// and AWS deletes it only after a waiting time in which the deletion can be cancelled.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    /// What it is for: at most 8,192 characters.
    description: Option<String>,
    /// Who may use and manage it. `null` for AWS's default: the account, whose IAM policies decide. It may name roles
    /// whose own policies name the key: the key is made first, under the default policy, and gets this one once
    /// they are there. A policy that would lock out whoever puts it is refused
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>).
    policy: Option<Late<Policy>>,
    /// `SYMMETRIC_DEFAULT` (AWS's default), `RSA_2048`, `ECC_NIST_P256`, `HMAC_256` and others
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>).
    #[spec(immutable)]
    key_spec: Option<Always<String>>,
    /// `ENCRYPT_DECRYPT` (AWS's default), `SIGN_VERIFY`, `GENERATE_VERIFY_MAC` or `KEY_AGREEMENT`.
    #[spec(immutable)]
    key_usage: Option<Always<String>>,
    /// Where its material comes from: `AWS_KMS` (AWS's default), `EXTERNAL`, `AWS_CLOUDHSM` or `EXTERNAL_KEY_STORE`.
    #[spec(immutable)]
    origin: Option<Always<String>>,
    /// Whether it can be replicated into other regions; `false` is AWS's default.
    #[spec(immutable)]
    multi_region: Option<Always<bool>>,
    /// Whether it can be used; `true` is AWS's default. A disabled one keeps its data out of reach.
    enabled: Option<Always<bool>>,
    /// Whether AWS makes new material for it regularly; old data stays readable. `false` is AWS's default. Symmetric keys
    /// with material from KMS only (<https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>).
    enable_key_rotation: Option<Always<bool>>,
    /// Days between rotations, 90 to 2560; 365 is AWS's default. Only with `enableKeyRotation`.
    rotation_period_in_days: Option<Always<i32>>,
    /// Days between its deletion and its end, 7 to 30; `null` for AWS's default, 30. Remembered in a tag
    /// (<https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>).
    pending_window_in_days: Option<i32>,
}

/// What only AWS knows of a Key.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyStatus {
    /// Its ARN.
    arn: String,
    /// Its key id, which is also its id here.
    key_id: String,
}

impl Kind for Key {
    type Status = KeyStatus;
    const TIER: Tier = Tier::Data;
    /// It encrypts from the start; how it is rotated comes later.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Lookup;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "kms" && resource.starts_with("key/");
        if let Some(found) = tagging::known(aws, scope, is, |arn, tags| look(aws, scope, arn, tags)).await? {
            return Ok(found);
        }
        let pages = kms(aws).list_keys().limit(1000).into_paginator().items().send();
        let keys = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let arns: Vec<String> = keys.into_iter().filter_map(|key| key.key_arn).collect();
        // A list of keys says nothing but their ARNs: of those that the hint does not know, each has to be asked.
        let (mut tagged, unknown) = tagging::split(aws, scope, &arns).await?;
        let asked = try_join_all(unknown.iter().map(|arn| tags_of(aws, arn))).await?;
        tagged.extend(unknown.into_iter().zip(asked).filter_map(|(arn, tags)| Some((arn, tags?))));
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let asked_for = |arn: &str| scope.ids.iter().any(|id| id == arn || arn.ends_with(&format!(":key/{id}")));
        let wanted = tagged.into_iter().filter(|(arn, tags)| scope.is_owned(tags) || by_fields || asked_for(arn));
        each(wanted, |(arn, tags)| look(aws, scope, arn, tags)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Key {
            description,
            policy,
            key_spec,
            key_usage,
            origin,
            multi_region,
            enabled: _,
            enable_key_rotation: _,
            rotation_period_in_days: _,
            pending_window_in_days,
        } = &desired.spec;
        let mut tags = desired.all_tags();
        tags.extend(pending_window_in_days.map(|days| (WINDOW.to_owned(), days.to_string())));
        let made = kms(aws)
            .create_key()
            .set_description(description.clone())
            .set_policy(policy.as_ref().map(|policy| policy.0.json()))
            .set_key_spec(key_spec.as_ref().map(|spec| spec.0.as_str().into()))
            .set_key_usage(key_usage.as_ref().map(|usage| usage.0.as_str().into()))
            .set_origin(origin.as_ref().map(|origin| origin.0.as_str().into()))
            .set_multi_region(multi_region.map(|multi| multi.0))
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let key = made.key_metadata.ok_or_else(|| Error::incomplete("kms.CreateKey", "keyMetadata"))?;
        let Some(arn) = key.arn.clone() else { return Ok(Made::unseen(key.key_id)) };
        // A new one rotates from when that is enabled on
        // (https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-enable.html).
        let rotation = rotates(&key).then(|| Rotation::builder().key_rotation_enabled(false).build());
        let policy = policy.clone().map(|policy| policy.0);
        Ok(live(&key, arn, policy, rotation.as_ref(), tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Key {
            description,
            policy,
            key_spec: _,
            key_usage: _,
            origin: _,
            multi_region: _,
            enabled,
            enable_key_rotation,
            rotation_period_in_days,
            pending_window_in_days,
        } = &desired.spec;
        let (kms, id) = (kms(aws), &live.id);
        let enabled = enabled.is_none_or(|enabled| enabled.0);
        if desired.changed("policy") {
            let policy = policy.as_ref().map_or_else(|| default_policy(&live.status.arn), |policy| policy.0.clone());
            kms.put_key_policy().key_id(id).policy_name("default").policy(policy.json()).send().await?;
        }
        // A disabled key takes no rotation, so it is enabled before and disabled after everything else.
        if desired.changed("enabled") && enabled {
            kms.enable_key().key_id(id).send().await?;
        }
        if desired.changed("description") {
            kms.update_key_description()
                .key_id(id)
                .description(description.as_deref().unwrap_or_default())
                .send()
                .await?;
        }
        if desired.changed("enableKeyRotation") || desired.changed("rotationPeriodInDays") {
            if enable_key_rotation.is_some_and(|enable| enable.0) {
                let days = rotation_period_in_days.map(|days| days.0);
                kms.enable_key_rotation().key_id(id).set_rotation_period_in_days(days).send().await?;
            } else {
                kms.disable_key_rotation().key_id(id).send().await?;
            }
        }
        if desired.changed("pendingWindowInDays") {
            let mut tags = Retag::default();
            match pending_window_in_days {
                Some(days) => drop(tags.set.insert(WINDOW.into(), days.to_string())),
                None => drop(tags.remove.insert(WINDOW.into())),
            }
            Self::tag(aws, live, &tags).await?;
        }
        if desired.changed("enabled") && !enabled {
            kms.disable_key().key_id(id).send().await?;
        }
        Ok(())
    }

    /// Its end comes after the waiting time; from now on it is not live.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let days = live.spec.pending_window_in_days;
        kms(aws).schedule_key_deletion().key_id(&live.id).set_pending_window_in_days(days).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            kms(aws).tag_resource().key_id(&live.id).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            kms(aws).untag_resource().key_id(&live.id).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

/// All about a key that the document asks for; none when it is AWS's own, on its way out or gone.
async fn look(aws: &Aws, scope: &Scope, arn: String, tags: Tags) -> Result<Option<Live<Key>>> {
    let detail = detail(aws, scope, &arn, &tags).await.or_absent()?.flatten();
    Ok(detail.map(|(key, policy, rotation)| live(&key, arn, policy, rotation.as_ref(), tags)))
}

type Detail = (sdk::KeyMetadata, Option<Policy>, Option<Rotation>);

async fn detail(aws: &Aws, scope: &Scope, arn: &str, tags: &Tags) -> Result<Option<Detail>> {
    let key = kms(aws).describe_key().key_id(arn).send().map_err(Error::from);
    let policy = async {
        match asks_for::<Key>(scope, tags, "policy") {
            true => Ok(kms(aws).get_key_policy().key_id(arn).send().await?.policy),
            false => Ok(None),
        }
    };
    let (key, policy) = futures::try_join!(key, policy)?;
    let key = key.key_metadata.ok_or_else(|| Error::incomplete("kms.DescribeKey", "keyMetadata"))?;
    let leaving = matches!(key.key_state, Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion));
    if leaving || key.key_manager == Some(KeyManagerType::Aws) {
        return Ok(None);
    }
    let asked_for =
        ["enableKeyRotation", "rotationPeriodInDays"].iter().any(|field| asks_for::<Key>(scope, tags, field));
    let rotation = match asked_for && rotates(&key) {
        true => Some(kms(aws).get_key_rotation_status().key_id(arn).send().await?),
        false => None,
    };
    Ok(Some((key, policy.map(|text| Policy::parse(&text)), rotation)))
}

/// Others have no rotation, and AWS refuses to speak of it.
fn rotates(key: &sdk::KeyMetadata) -> bool {
    key.key_spec == Some(KeySpec::SymmetricDefault) && key.origin == Some(OriginType::AwsKms)
}

/// The policy of a key that was made without one
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>).
fn default_policy(arn: &str) -> Policy {
    let mut parts = arn.split(':');
    let (partition, account) = (parts.nth(1).unwrap_or_default(), parts.nth(2).unwrap_or_default());
    Policy(json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:{partition}:iam::{account}:root") },
            "Action": "kms:*",
            "Resource": "*",
        }],
    }))
}

fn is_default(policy: &Policy, arn: &str) -> bool {
    let statement = |policy: &Policy| {
        let mut statement = policy.0["Statement"][0].clone();
        // AWS spells it one way for keys of the API and another for those of its console.
        statement.as_object_mut().map(|statement| statement.remove("Sid"));
        (policy.0["Statement"].as_array().map(Vec::len), statement)
    };
    statement(policy) == statement(&default_policy(arn))
}

fn live(
    key: &sdk::KeyMetadata,
    arn: String,
    policy: Option<Policy>,
    rotation: Option<&Rotation>,
    tags: BTreeMap<String, String>,
) -> Live<Key> {
    let spec = Key {
        description: key.description.clone().filter(|text| !text.is_empty()),
        policy: policy.filter(|policy| !is_default(policy, &arn)).map(Late),
        key_spec: key.key_spec.as_ref().map(|spec| Always(spec.as_str().to_owned())),
        key_usage: key.key_usage.as_ref().map(|usage| Always(usage.as_str().to_owned())),
        origin: key.origin.as_ref().map(|origin| Always(origin.as_str().to_owned())),
        multi_region: Some(Always(key.multi_region.unwrap_or_default())),
        enabled: Some(Always(key.enabled)),
        enable_key_rotation: rotation.map(|rotation| Always(rotation.key_rotation_enabled)),
        rotation_period_in_days: rotation.and_then(|rotation| rotation.rotation_period_in_days).map(Always),
        pending_window_in_days: tags.get(WINDOW).and_then(|days| days.parse().ok()),
    };
    let phase = match key.key_state {
        Some(KeyState::Creating) => Phase::Pending,
        Some(KeyState::Updating) => Phase::Updating,
        _ => Phase::Ready,
    };
    let name = tags.get("Name").cloned().unwrap_or_default();
    let status = KeyStatus { arn, key_id: key.key_id.clone() };
    let live = Live::new(&key.key_id, name, spec, status).tags(tags).phase(phase);
    match key.key_state {
        Some(KeyState::PendingImport) => live.remark("PendingImport", "its material has yet to be imported"),
        Some(KeyState::Unavailable) => live.remark("Unavailable", "its key store cannot be reached"),
        _ => live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_none() -> Result<()> {
        let arn = "arn:aws:kms:us-east-1:123456789012:key/1";
        let key = sdk::KeyMetadata::builder().key_id("1").description("").build()?;
        let spec = live(&key, arn.into(), Some(default_policy(arn)), None, BTreeMap::new()).spec;
        assert!(spec.policy.is_none() && spec.description.is_none());
        let other = Policy(json!({ "Statement": [] }));
        assert!(live(&key, arn.into(), Some(other), None, BTreeMap::new()).spec.policy.is_some());
        Ok(())
    }
}
