//! Secret: a value that services read by name, and that no document holds.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{ReplicaRegionType, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, asks_for, each};
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Arn, Late, Once, Policy, Ref, ValueFrom};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::content::{self, Field};
use super::generate::{Generate, version_id};
use super::rotation::{self, Rotation};
use super::{listed, secrets, version};
use crate::kms::key::Key;

/// The tag that remembers how long a deletion waits: when that is needed, the document no longer says it.
const WINDOW: &str = "holdfast:recovery-window";
/// The key under which AWS encrypts what says nothing of a key.
const OWN_KEY: &str = "alias/aws/secretsmanager";

/// A secret. Its value is in no document, plan, log or tag: it is generated, or comes from an environment variable or
/// a file of whoever runs Holdfast. State one of `fields`, `generate` and `valueFrom`; without any, the value is
/// somebody else's. A secret holds data: it stays when it leaves the document unless told otherwise, and one that waits
/// for its deletion is restored when the document wants it again.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Secret {
    /// What it is for: at most 2,048 characters.
    description: Option<String>,
    /// The key that encrypts it; `null` for the service's own, `alias/aws/secretsmanager`. Other accounts can read it
    /// only under a key of one's own.
    kms_key: Option<Ref<Key, Arn>>,
    /// Fields of a JSON object, by name; what else the object has stays. A field that is added later changes no other.
    fields: Option<BTreeMap<String, Field>>,
    /// The whole value as a text, made once and then left alone.
    generate: Option<Once<Generate>>,
    /// The whole value as a text, from outside: `{ env: NAME }` or `{ file: PATH }`. A value that differs from AWS's
    /// is put there. Where the variable or file is not there, a live secret is left as it is, and a missing one is
    /// not made.
    value_from: Option<ValueFrom>,
    /// How its value is changed regularly; `null` for not at all. While it rotates, a value that changed is no drift.
    rotation: Option<Rotation>,
    /// Further regions that have a copy, each with the key that encrypts it there: `alias/aws/secretsmanager`, or a
    /// key's ARN (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html>).
    replica_regions: Option<BTreeMap<String, String>>,
    /// Whether a copy takes the place of a secret that has its name in its region already; refused otherwise.
    force_overwrite_replica_secret: Option<bool>,
    /// Who else may use it. It may name roles whose own policies name the secret.
    policy: Option<Late<Policy>>,
    /// Days between its deletion and its end, 7 to 30, in which its name is taken; `0` for none. `null` for AWS's
    /// default, 30. Remembered in a tag
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>).
    recovery_window_in_days: Option<i64>,
}

/// What only AWS knows of a Secret.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretStatus {
    /// Its ARN, with the six characters that AWS adds to its name; also its id.
    arn: String,
    /// The version that is current.
    pub(super) version_id: Option<String>,
    /// The version that is current and whose it is, by which other resources take the value.
    current_version: Option<String>,
}

impl Kind for Secret {
    type Status = SecretStatus;
    const TIER: Tier = Tier::Data;
    /// Its first value comes with the create.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::limit(512);
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;
    const UNOBSERVED: &'static [(&'static str, &'static str)] =
        &[("forceOverwriteReplicaSecret", "it is a word of the call that makes a copy, and nothing keeps it")];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, _: &str| service == "secretsmanager";
        let look = |arn: String, tags| async move {
            match listed::find(aws, scope, &arn, &tags).await? {
                Some(secret) => Ok(live(&secret, None)),
                None => detail(aws, scope, arn).await,
            }
        };
        if let Some(found) = tagging::known(aws, scope, is, look).await? {
            return Ok(found);
        }
        let pages = secrets(aws).list_secrets().max_results(100).into_paginator().send();
        let pages = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default()).collect();
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let mut wanted = vec![];
        for entry in &listed {
            let (arn, name) = (entry.arn().unwrap_or_default(), entry.name().unwrap_or_default());
            // A copy of another region's secret is that one's business; here not even its policy can be asked for.
            if entry.primary_region().is_some() && entry.primary_region() != arn.split(':').nth(3) {
                continue;
            }
            let ours = scope.is_candidate(name) || scope.is_owned(&tags_of(entry.tags()));
            if ours || by_fields || scope.ids.contains(arn) || scope.ids.contains(name) {
                wanted.push(arn.to_owned());
            }
        }
        // The list lags up to five minutes behind, and a description does not: after a change it is asked by name
        // (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html).
        if !scope.hints {
            let known = |name: &String| listed.iter().any(|entry| entry.name() == Some(name.as_str()));
            wanted.extend(scope.names.iter().filter(|name| !known(name)).cloned());
        }
        each(wanted, |id| detail(aws, scope, id)).await
    }

    /// One mutating call: a secret of ours that waits for its deletion has the name, and is restored instead.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        const OPERATION: &str = "secretsmanager.CreateSecret";
        let Secret {
            description,
            kms_key,
            fields,
            generate,
            value_from,
            rotation: _,
            replica_regions,
            force_overwrite_replica_secret,
            policy: _,
            recovery_window_in_days,
        } = &desired.spec;
        let made = match content::first(aws, fields.as_ref(), generate.as_ref(), value_from.as_ref()) {
            Ok(made) => made,
            // One that is restored has its value.
            Err(error) => return restore(aws, desired, error).await.map(Made::unseen),
        };
        let mut tags = desired.tags.clone();
        tags.extend(recovery_window_in_days.map(|days| (WINDOW.to_owned(), days.to_string())));
        let token = made.as_ref().map_or_else(|| version_id(OPERATION), |made| Ok(made.version.clone()))?;
        tags.extend(made.iter().flat_map(|made| made.tags.clone()));
        let replicas = replica_regions.as_ref().filter(|regions| !regions.is_empty());
        let first = made.as_ref().map(|_| token.clone());
        let made = secrets(aws)
            .create_secret()
            .name(&desired.name)
            .client_request_token(token)
            .set_description(description.clone())
            .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
            .set_secret_string(made.map(|made| made.text.expose().to_owned()))
            .set_add_replica_regions(replicas.map(|regions| regions.iter().map(replica).collect()))
            .set_force_overwrite_replica_secret(force_overwrite_replica_secret.filter(|_| replicas.is_some()))
            .set_tags(Some(sdk_tags(&tags)))
            .send()
            .await;
        let made = match made {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_invalid_request_exception()) => {
                return restore(aws, desired, error.into()).await.map(Made::unseen);
            }
            answer => answer?,
        };
        let arn = made.arn.ok_or_else(|| Error::incomplete(OPERATION, "ARN"))?;
        // The version that the value makes is called by the token
        // (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html).
        let secret = DescribeSecretOutput::builder()
            .arn(&arn)
            .name(&desired.name)
            .set_description(description.clone())
            .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
            .set_version_ids_to_stages(first.map(|version| [(version, vec!["AWSCURRENT".to_owned()])].into()))
            .set_replication_status(made.replication_status)
            .set_tags(Some(sdk_tags(&tags)))
            .build();
        // A further value makes another version, which only AWS tells.
        Ok(live(&secret, None).map_or_else(|| Made::unseen(arn), |live| live.keep(()).into()))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Secret {
            description,
            kms_key,
            fields,
            generate,
            value_from,
            rotation,
            replica_regions,
            force_overwrite_replica_secret,
            policy,
            recovery_window_in_days,
        } = &desired.spec;
        let (secrets, id) = (secrets(aws), &live.id);
        if desired.changed("kmsKey") || desired.changed("description") {
            let mut update = secrets.update_secret().secret_id(id);
            if desired.changed("kmsKey") {
                update = update.kms_key_id(kms_key.as_ref().map_or(OWN_KEY, |key| key.as_str()));
            }
            if desired.changed("description") {
                update = update.description(description.as_deref().unwrap_or_default());
            }
            update.send().await?;
        }
        if desired.changed("policy") {
            match policy {
                Some(policy) => {
                    let put = secrets.put_resource_policy().secret_id(id).resource_policy(policy.0.json());
                    put.send().await?;
                }
                None => {
                    secrets.delete_resource_policy().secret_id(id).send().await?;
                }
            }
        }
        let mut tags = Retag::default();
        let window = recovery_window_in_days.map(|days| days.to_string());
        match window.filter(|_| desired.changed("recoveryWindowInDays")) {
            Some(days) => drop(tags.set.insert(WINDOW.into(), days)),
            None if desired.changed("recoveryWindowInDays") => drop(tags.remove.insert(WINDOW.into())),
            None => {}
        }
        if desired.changed("generate") && live.spec.generate.is_none() || desired.changed("valueFrom") {
            content::put_whole(aws, live, generate.as_ref(), value_from.as_ref()).await?;
        }
        if desired.changed("fields") {
            content::put_fields(aws, live, fields.as_ref(), &mut tags).await?;
        }
        if desired.changed("rotation") {
            rotation::set(aws, id, live.spec.rotation.as_ref(), rotation.as_ref()).await?;
        }
        if desired.changed("replicaRegions") {
            let force = force_overwrite_replica_secret.unwrap_or(false);
            replicate(aws, live, &replica_regions.clone().unwrap_or_default(), force).await?;
        }
        Self::tag(aws, live, &tags).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // One that has copies is not deleted.
        replicate(aws, live, &BTreeMap::new(), false).await?;
        let delete = secrets(aws).delete_secret().secret_id(&live.id);
        match live.spec.recovery_window_in_days {
            Some(0) => delete.force_delete_without_recovery(true).send().await?,
            days => delete.set_recovery_window_in_days(days).send().await?,
        };
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            secrets(aws).tag_resource().secret_id(&live.id).set_tags(Some(sdk_tags(set))).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            secrets(aws).untag_resource().secret_id(&live.id).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

/// All about a secret; none when it is not there or waits for its deletion.
async fn detail(aws: &Aws, scope: &Scope, id: String) -> Result<Option<Live<Secret>>> {
    let Some(secret) = secrets(aws).describe_secret().secret_id(&id).send().await.or_absent()? else {
        return Ok(None);
    };
    // A copy of a secret of another region is that one's business.
    let region = secret.arn().and_then(|arn| arn.split(':').nth(3));
    let copied = secret.primary_region().is_some() && secret.primary_region() != region;
    let there = secret.deleted_date().is_none() && !copied;
    if !there {
        return Ok(None);
    }
    let policy = match asks_for::<Secret>(scope, &tags_of(secret.tags()), "policy") {
        true => secrets(aws).get_resource_policy().secret_id(&id).send().await.or_absent()?,
        false => None,
    };
    Ok(live(&secret, policy.as_ref().and_then(|answer| answer.resource_policy())))
}

/// Restores a secret that waits for its deletion, if it is the one that is wanted. `refused`: why it cannot be made.
async fn restore(aws: &Aws, desired: &Desired<Secret>, refused: Error) -> Result<String> {
    let there = secrets(aws).describe_secret().secret_id(&desired.name).send().await.or_absent()?;
    let Some(deleted) = there.filter(|secret| secret.deleted_date().is_some()) else { return Err(refused) };
    let tags = tags_of(deleted.tags());
    let owner = [tag::STACK, tag::ENV, tag::ADDRESS];
    if owner.iter().any(|key| tags.get(*key) != desired.tags.get(*key)) {
        let message = format!(
            "a secret named `{}` waits for its deletion and is not this stack's: restore it, delete it without a \
             recovery window, or choose another `name`",
            desired.name
        );
        return Err(Error::terminal("secretsmanager.CreateSecret", message));
    }
    let restored = secrets(aws).restore_secret().secret_id(&desired.name).send().await?;
    restored.arn.ok_or_else(|| Error::incomplete("secretsmanager.RestoreSecret", "ARN"))
}

/// Makes and removes copies; one under another key is made anew.
async fn replicate(aws: &Aws, live: &Live<Secret>, wanted: &BTreeMap<String, String>, force: bool) -> Result<()> {
    let there = live.spec.replica_regions.clone().unwrap_or_default();
    let gone: Vec<String> =
        there.iter().filter(|(r, key)| wanted.get(*r) != Some(key)).map(|(r, _)| r.clone()).collect();
    if !gone.is_empty() {
        let remove = secrets(aws).remove_regions_from_replication().secret_id(&live.id);
        remove.set_remove_replica_regions(Some(gone)).send().await?;
    }
    let new: Vec<_> = wanted.iter().filter(|(r, key)| there.get(*r) != Some(key)).map(replica).collect();
    if !new.is_empty() {
        let add = secrets(aws).replicate_secret_to_regions().secret_id(&live.id);
        add.set_add_replica_regions(Some(new)).force_overwrite_replica_secret(force).send().await?;
    }
    Ok(())
}

fn replica((region, key): (&String, &String)) -> ReplicaRegionType {
    let key = Some(key.clone()).filter(|key| key != OWN_KEY);
    ReplicaRegionType::builder().region(region).set_kms_key_id(key).build()
}

pub(super) fn tags_of(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn live(secret: &DescribeSecretOutput, policy: Option<&str>) -> Option<Live<Secret>> {
    let (arn, name) = (secret.arn()?.to_owned(), secret.name()?);
    let tags = tags_of(secret.tags());
    let stages = secret.version_ids_to_stages().into_iter().flatten();
    let mut current = stages.filter(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
    let version_id = current.next().map(|(id, _)| id.clone());
    let copies = secret.replication_status().iter().filter_map(|copy| {
        let key = copy.kms_key_id.clone().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY));
        Some((copy.region.clone()?, key.unwrap_or_else(|| OWN_KEY.into())))
    });
    let rotation = secret.rotation_enabled().unwrap_or(false).then(|| rotation::live(secret));
    let spec = Secret {
        description: secret.description().filter(|text| !text.is_empty()).map(str::to_owned),
        kms_key: secret.kms_key_id().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY)).map(Ref::new),
        fields: content::live(&tags, version_id.as_deref(), rotation.is_some()),
        // Whatever the value is, there is one.
        generate: version_id.as_ref().map(|_| Once(Generate::default())),
        value_from: version_id.clone().map(|id| ValueFrom { version: Some(id), ..ValueFrom::default() }),
        rotation,
        replica_regions: Some(copies.collect()),
        force_overwrite_replica_secret: None,
        policy: policy.filter(|text| !text.is_empty()).map(Policy::parse).map(Late),
        recovery_window_in_days: tags.get(WINDOW).and_then(|days| days.parse().ok()),
    };
    let current_version = version_id.as_ref().map(|id| version(&arn, id));
    let failed = secret.replication_status().iter().find(|copy| copy.status().is_some_and(|s| s.as_str() == "Failed"));
    let status = SecretStatus { arn: arn.clone(), version_id, current_version };
    let live = Live::new(arn, name, spec, status).tags(tags);
    Some(match failed {
        Some(copy) => live.remark("ReplicationFailed", copy.status_message().unwrap_or_default()),
        None => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_version_is_that_of_the_label() {
        let secret = DescribeSecretOutput::builder().arn("arn:a").name("a").kms_key_id(OWN_KEY);
        let secret = secret.version_ids_to_stages("old", vec!["AWSPREVIOUS".into()]);
        let secret = secret.version_ids_to_stages("new", vec!["AWSCURRENT".into()]).build();
        let live = live(&secret, None).expect("a secret");
        assert_eq!(live.status.current_version.as_deref(), Some("arn:a@new"));
        assert!(live.spec.kms_key.is_none() && live.spec.rotation.is_none() && live.spec.fields.is_none());
    }
}
