//! Secret: a secret of Secrets Manager, whose value is in no document.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{ReplicaRegionType, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each, is_requested_field};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{AfterCreate, Arn, OnlyAtCreate, PolicyDocument, Ref, ValueFrom};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::content::{self, SecretField};
use super::generate::{GenerateSecretString, version_id};
use super::rotation::{self, Rotation};
use super::{listed, secrets, version};
use crate::kms::key::Key;

/// The tag that records `recoveryWindowInDays`. When the secret is deleted, the document no longer states the field.
const WINDOW: &str = "holdfast:recovery-window";
/// The AWS managed key, which AWS uses for a secret that names no key.
const OWN_KEY: &str = "alias/aws/secretsmanager";

/// A secret of AWS Secrets Manager.
///
/// The secret value is in no document, plan, log or tag: Holdfast generates it, or reads it from an environment
/// variable or a file of the process that runs Holdfast. State one of `fields`, `generate` and `valueFrom`. Without any
/// of them, Holdfast does not manage the value. A secret that leaves the document is retained unless `onDelete: delete`
/// is set. A secret that is scheduled for deletion is restored if the document contains it again.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Secret {
    /// The description: at most 2,048 characters.
    description: Option<String>,
    /// The KMS key that encrypts the secret; `null` for the AWS managed key, `alias/aws/secretsmanager`. Other accounts
    /// can read the secret only under a customer managed key.
    kms_key: Option<Ref<Key, Arn>>,
    /// The secret value as a JSON object: its fields, by name. Fields of the object that Holdfast never wrote are kept.
    /// A field that is added later changes no other field.
    fields: Option<BTreeMap<String, SecretField>>,
    /// The secret value as one text, which Holdfast generates once and never changes afterwards.
    generate: Option<OnlyAtCreate<GenerateSecretString>>,
    /// The secret value as one text, from outside: `{ env: NAME }` or `{ file: PATH }`. Holdfast puts a value that
    /// differs from the live value. If the variable or the file does not exist, a live secret is left unchanged, and a
    /// missing secret is not created.
    value_from: Option<ValueFrom>,
    /// The rotation of the secret value; `null` for none. With rotation, a changed value is not drift.
    rotation: Option<Rotation>,
    /// The replica secrets: further regions, each with the KMS key that encrypts the replica there:
    /// `alias/aws/secretsmanager`, or the ARN of a key
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html>).
    replica_regions: Option<BTreeMap<String, String>>,
    /// Whether a replica overwrites a secret of the same name that exists in its region. Otherwise AWS refuses the
    /// replica.
    force_overwrite_replica_secret: Option<bool>,
    /// The resource policy: which other principals may use the secret. It may name roles whose own policies name the
    /// secret.
    policy: Option<AfterCreate<PolicyDocument>>,
    /// The recovery window of a deletion in days, 7 to 30: how long a deleted secret can be restored, and its name
    /// remains in use. `0` for no recovery window, `null` for AWS's default, 30. Recorded in the tag
    /// `holdfast:recovery-window`
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>).
    recovery_window_in_days: Option<i64>,
}

/// The read-only attributes of a Secret.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretStatus {
    /// The ARN of the secret, with the six characters that AWS adds to its name. It is also the resource's `id`.
    arn: String,
    /// The id of the current version.
    pub(super) version_id: Option<String>,
    /// The current version as `<ARN>@<version id>`, by which other resources refer to the value.
    current_version: Option<String>,
}

impl Kind for Secret {
    type Status = SecretStatus;
    const TIER: Tier = Tier::Data;
    /// The create puts the initial value.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules::limit(512);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const STATEFUL: bool = true;
    const WRITE_ONLY: &'static [(&'static str, &'static str)] = &[(
        "forceOverwriteReplicaSecret",
        "it is a parameter of the call that creates a replica, and AWS does not store it",
    )];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, _: &str| service == "secretsmanager";
        let observe_one = |arn: String, tags| async move {
            match listed::find(aws, scope, &arn, &tags).await? {
                Some(secret) => Ok(live(&secret, None)),
                None => observe_secret(aws, scope, arn).await,
            }
        };
        if let Some(found) = tagging::known(aws, scope, is, observe_one).await? {
            return Ok(found);
        }
        let pages = secrets(aws).list_secrets().max_results(100).into_paginator().send();
        let pages = all(pages).await?;
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default()).collect();
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let mut requested = vec![];
        for entry in &listed {
            let (arn, name) = (entry.arn().unwrap_or_default(), entry.name().unwrap_or_default());
            // A replica belongs to the secret of its primary region. Its policy cannot be read in this region.
            if entry.primary_region().is_some() && entry.primary_region() != arn.split(':').nth(3) {
                continue;
            }
            let ours = scope.is_candidate(name) || scope.is_owned(&tags_of(entry.tags()));
            if ours || by_fields || scope.ids.contains(arn) || scope.ids.contains(name) {
                requested.push(arn.to_owned());
            }
        }
        // ListSecrets can lag up to five minutes behind, and DescribeSecret does not: after a change, describe by name
        // (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html).
        if !scope.from_index {
            let is_listed = |name: &String| listed.iter().any(|entry| entry.name() == Some(name.as_str()));
            requested.extend(scope.names.iter().filter(|name| !is_listed(name)).cloned());
        }
        each(requested, |id| observe_secret(aws, scope, id)).await
    }

    /// Creates the secret with one mutating call, or restores the resource's own secret that is scheduled for deletion.
    ///
    /// # Expected flow
    /// 1. Generate or read the initial value.
    /// 2. Call CreateSecret with the value, the tags, and the version id as client request token.
    /// 3. If step 1 fails, or AWS refuses step 2 with `InvalidRequestException`, describe the secret of this name.
    /// 4. If that secret is scheduled for deletion and has the same owner tags, call RestoreSecret.
    ///
    /// # Guarantees
    /// A secret with other owner tags is never restored.
    ///
    /// # Caveats
    /// A restored secret has its old value. The next update changes what differs.
    ///
    /// # Errors
    /// Returns a `Terminal` failure if a secret of another owner has the name and is scheduled for deletion. In all
    /// other cases returns the failure of step 1 or 2.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
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
        let initial = match content::initial(aws, fields.as_ref(), generate.as_ref(), value_from.as_ref()) {
            Ok(initial) => initial,
            // A restored secret has a value already.
            Err(error) => return restore(aws, desired, error).await.map(Created::unobserved),
        };
        let mut tags = desired.tags.clone();
        tags.extend(recovery_window_in_days.map(|days| (WINDOW.to_owned(), days.to_string())));
        let token = initial.as_ref().map_or_else(|| version_id(OPERATION), |initial| Ok(initial.version.clone()))?;
        tags.extend(initial.iter().flat_map(|initial| initial.tags.clone()));
        let replicas = replica_regions.as_ref().filter(|regions| !regions.is_empty());
        let first_version = initial.as_ref().map(|_| token.clone());
        let response = secrets(aws)
            .create_secret()
            .name(&desired.name)
            .client_request_token(token)
            .set_description(description.clone())
            .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
            .set_secret_string(initial.map(|initial| initial.text.expose().to_owned()))
            .set_add_replica_regions(replicas.map(|regions| regions.iter().map(replica).collect()))
            .set_force_overwrite_replica_secret(force_overwrite_replica_secret.filter(|_| replicas.is_some()))
            .set_tags(Some(sdk_tags(&tags)))
            .send()
            .await;
        let created = match response {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_invalid_request_exception()) => {
                return restore(aws, desired, error.into()).await.map(Created::unobserved);
            }
            response => response?,
        };
        let arn = created.arn.ok_or_else(|| Error::incomplete(OPERATION, "ARN"))?;
        // The client request token is the id of the version that holds the value
        // (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html).
        let secret = DescribeSecretOutput::builder()
            .arn(&arn)
            .name(&desired.name)
            .set_description(description.clone())
            .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
            .set_version_ids_to_stages(first_version.map(|version| [(version, vec!["AWSCURRENT".to_owned()])].into()))
            .set_replication_status(created.replication_status)
            .set_tags(Some(sdk_tags(&tags)))
            .build();
        // A later update puts another version, whose id only a new observation returns.
        Ok(live(&secret, None).map_or_else(|| Created::unobserved(arn), |live| live.keep(()).into()))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
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
        if desired.changed(Secret::KMS_KEY) || desired.changed(Secret::DESCRIPTION) {
            let mut update = secrets.update_secret().secret_id(id);
            if desired.changed(Secret::KMS_KEY) {
                update = update.kms_key_id(kms_key.as_ref().map_or(OWN_KEY, |key| key.as_str()));
            }
            if desired.changed(Secret::DESCRIPTION) {
                update = update.description(description.as_deref().unwrap_or_default());
            }
            update.send().await?;
        }
        if desired.changed(Secret::POLICY) {
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
        let mut tags = TagChanges::default();
        let window = recovery_window_in_days.map(|days| days.to_string());
        match window.filter(|_| desired.changed(Secret::RECOVERY_WINDOW_IN_DAYS)) {
            Some(days) => drop(tags.set.insert(WINDOW.into(), days)),
            None if desired.changed(Secret::RECOVERY_WINDOW_IN_DAYS) => drop(tags.remove.insert(WINDOW.into())),
            None => {}
        }
        if desired.changed(Secret::GENERATE) && live.spec.generate.is_none() || desired.changed(Secret::VALUE_FROM) {
            content::put_whole(aws, live, generate.as_ref(), value_from.as_ref()).await?;
        }
        if desired.changed(Secret::FIELDS) {
            content::put_fields(aws, live, fields.as_ref(), &mut tags).await?;
        }
        if desired.changed(Secret::ROTATION) {
            rotation::set(aws, id, live.spec.rotation.as_ref(), rotation.as_ref()).await?;
        }
        if desired.changed(Secret::REPLICA_REGIONS) {
            let force = force_overwrite_replica_secret.unwrap_or(false);
            replicate(aws, live, &replica_regions.clone().unwrap_or_default(), force).await?;
        }
        Self::tag(aws, live, &tags).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // AWS refuses to delete a secret that has replicas.
        replicate(aws, live, &BTreeMap::new(), false).await?;
        let delete = secrets(aws).delete_secret().secret_id(&live.id);
        match live.spec.recovery_window_in_days {
            Some(0) => delete.force_delete_without_recovery(true).send().await?,
            days => delete.set_recovery_window_in_days(days).send().await?,
        };
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let TagChanges { set, remove } = tags;
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

/// Observes one secret; `None` if it does not exist, is scheduled for deletion, or is a replica.
async fn observe_secret(aws: &Aws, scope: &Scope, id: String) -> Result<Option<Live<Secret>>> {
    let Some(secret) = secrets(aws).describe_secret().secret_id(&id).send().await.or_absent()? else {
        return Ok(None);
    };
    // A replica belongs to the secret of its primary region.
    let region = secret.arn().and_then(|arn| arn.split(':').nth(3));
    let is_replica = secret.primary_region().is_some() && secret.primary_region() != region;
    if secret.deleted_date().is_some() || is_replica {
        return Ok(None);
    }
    let policy = match is_requested_field::<Secret>(scope, &tags_of(secret.tags()), "policy") {
        true => secrets(aws).get_resource_policy().secret_id(&id).send().await.or_absent()?,
        false => None,
    };
    Ok(live(&secret, policy.as_ref().and_then(|response| response.resource_policy())))
}

/// Restores the desired secret if it is scheduled for deletion. Otherwise returns `refused`, the failure of its create.
async fn restore(aws: &Aws, desired: &Desired<Secret>, refused: Error) -> Result<String> {
    let existing = secrets(aws).describe_secret().secret_id(&desired.name).send().await.or_absent()?;
    let Some(deleted) = existing.filter(|secret| secret.deleted_date().is_some()) else { return Err(refused) };
    let tags = tags_of(deleted.tags());
    let owner = [tag::STACK, tag::ENV, tag::ADDRESS];
    if owner.iter().any(|key| tags.get(*key) != desired.tags.get(*key)) {
        let message = format!(
            "a secret named `{}` waits for its deletion and is not owned by this stack: restore it, delete it without \
             a recovery window, or choose another `name`",
            desired.name
        );
        return Err(Error::terminal("secretsmanager.CreateSecret", message));
    }
    let restored = secrets(aws).restore_secret().secret_id(&desired.name).send().await?;
    restored.arn.ok_or_else(|| Error::incomplete("secretsmanager.RestoreSecret", "ARN"))
}

/// Adds and removes replicas. A replica under another key is removed and added again.
async fn replicate(aws: &Aws, live: &Live<Secret>, desired: &BTreeMap<String, String>, force: bool) -> Result<()> {
    let replicas = live.spec.replica_regions.clone().unwrap_or_default();
    let removed: Vec<String> =
        replicas.iter().filter(|(r, key)| desired.get(*r) != Some(key)).map(|(r, _)| r.clone()).collect();
    if !removed.is_empty() {
        let remove = secrets(aws).remove_regions_from_replication().secret_id(&live.id);
        remove.set_remove_replica_regions(Some(removed)).send().await?;
    }
    let added: Vec<_> = desired.iter().filter(|(r, key)| replicas.get(*r) != Some(key)).map(replica).collect();
    if !added.is_empty() {
        let add = secrets(aws).replicate_secret_to_regions().secret_id(&live.id);
        add.set_add_replica_regions(Some(added)).force_overwrite_replica_secret(force).send().await?;
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
    let replicas = secret.replication_status().iter().filter_map(|replica| {
        let key = replica.kms_key_id.clone().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY));
        Some((replica.region.clone()?, key.unwrap_or_else(|| OWN_KEY.into())))
    });
    let rotation = secret.rotation_enabled().unwrap_or(false).then(|| rotation::live(secret));
    let spec = Secret {
        description: secret.description().filter(|text| !text.is_empty()).map(str::to_owned),
        kms_key: secret.kms_key_id().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY)).map(Ref::new),
        fields: content::live(&tags, version_id.as_deref(), rotation.is_some()),
        // A secret with a current version has a value.
        generate: version_id.as_ref().map(|_| OnlyAtCreate(GenerateSecretString::default())),
        value_from: version_id.clone().map(|id| ValueFrom { version: Some(id), ..ValueFrom::default() }),
        rotation,
        replica_regions: Some(replicas.collect()),
        force_overwrite_replica_secret: None,
        policy: policy.filter(|text| !text.is_empty()).map(PolicyDocument::parse).map(AfterCreate),
        recovery_window_in_days: tags.get(WINDOW).and_then(|days| days.parse().ok()),
    };
    let current_version = version_id.as_ref().map(|id| version(&arn, id));
    let failed =
        secret.replication_status().iter().find(|replica| replica.status().is_some_and(|s| s.as_str() == "Failed"));
    let status = SecretStatus { arn: arn.clone(), version_id, current_version };
    let live = Live::new(arn, name, spec, status).tags(tags);
    Some(match failed {
        Some(replica) => live.degraded("ReplicationFailed", replica.status_message().unwrap_or_default()),
        None => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_version_has_the_staging_label_awscurrent() {
        let secret = DescribeSecretOutput::builder().arn("arn:a").name("a").kms_key_id(OWN_KEY);
        let secret = secret.version_ids_to_stages("old", vec!["AWSPREVIOUS".into()]);
        let secret = secret.version_ids_to_stages("new", vec!["AWSCURRENT".into()]).build();
        let live = live(&secret, None).expect("a secret");
        assert_eq!(live.status.current_version.as_deref(), Some("arn:a@new"));
        assert!(live.spec.kms_key.is_none() && live.spec.rotation.is_none() && live.spec.fields.is_none());
    }
}
