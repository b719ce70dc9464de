//! Secret: a secret of Secrets Manager, whose value is in no document.

mod content;
mod listed;
mod live;
mod spec;
mod wire;

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::field_tags::FieldTag;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::owner::{TagOnCreate, change_tags};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each, is_requested_field};
use holdfast_core::observed::tag;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::AtLeast,
    Demand::{AtMostOne, Range, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use super::generate::version_id;
use super::{SecretTags, from_sdk_tags, sdk_tags, secrets};
use live::live;
use spec::OWN_KEY;
pub(crate) use spec::{Secret, SecretStatus};
use wire::{replica, replicate, rotate};

impl Kind for Secret {
    type Status = SecretStatus;
    type Owner = TagOnCreate<SecretTags>;
    const TIER: Tier = Tier::Data;
    /// The create puts the initial value.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9/_+=.@-]+", "has letters, digits and the characters `/_+=.@-`"),
        ..NamingRules::limit(512)
    };
    const TAGS_ARE_LISTED: bool = true;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        demand(AtMostOne(&["fields", "generate", "valueFrom"])),
        demand(AtMostOne(&["value", "generate", "valueFrom"])).at("fields.*"),
        // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
        demand(AtMostOne(&["automaticallyAfterDays", "scheduleExpression"])).at("rotation.rotationRules"),
        // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
        demand(Range("recoveryWindowInDays", Some(7), Some(30))).when(&[AtLeast("recoveryWindowInDays", 1)]),
        demand(ValidPolicy("policy", PolicyType::Resource)),
    ];
    const STATEFUL: bool = true;
    const WRITE_ONLY: &'static [(&'static str, &'static str)] = &[(
        Secret::FORCE_OVERWRITE_REPLICA_SECRET.name(),
        "it is a parameter of the call that creates a replica, and AWS does not store it",
    )];
    /// The document no longer states the recovery window when the secret is deleted.
    const FIELD_TAGS: &'static [FieldTag] =
        &[FieldTag::with_key(Secret::RECOVERY_WINDOW_IN_DAYS, "holdfast:recovery-window")];

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let field = Secret::RECOVERY_WINDOW_IN_DAYS.name();
        match spec.get(field) {
            Some(Value::Integer(days @ 1..=6)) => vec![(field, format!("must be 0, or 7 to 30, but this is `{days}`"))],
            _ => vec![],
        }
    }

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
        let mut requested = vec![];
        for entry in &listed {
            // A replica belongs to the secret of its primary region. Its policy cannot be read in this region.
            if is_replica(entry.arn(), entry.primary_region()) {
                continue;
            }
            let Some(secret) = live(&listed::as_description(entry), None) else { continue };
            let listed = Listed::id(&secret.id).named(&secret.name).tags(&secret.tags).spec(&secret.spec);
            if scope.wants(&listed).any() {
                requested.push(secret.id);
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
            recovery_window_in_days: _,
        } = &desired.spec;
        let initial = match content::initial(aws, fields.as_ref(), generate.as_ref(), value_from.as_ref()) {
            Ok(initial) => initial,
            // A restored secret has a value already.
            Err(error) => return restore(aws, desired, error).await.map(Created::unobserved),
        };
        let mut tags = desired.tags.clone();
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
            .set_tags(Some(sdk_tags(&tags)?))
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
            .set_tags(Some(sdk_tags(&tags)?))
            .build();
        Ok(live(&secret, None).map_or_else(|| Created::unobserved(arn), Into::into))
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
            recovery_window_in_days: _,
        } = &desired.spec;
        let (secrets, id) = (secrets(aws), &live.id);
        if desired.changed_any(&[Secret::KMS_KEY, Secret::DESCRIPTION]) {
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
        if desired.changed(Secret::GENERATE) && live.spec.generate.is_none() || desired.changed(Secret::VALUE_FROM) {
            content::put_whole(aws, live, generate.as_ref(), value_from.as_ref()).await?;
        }
        if desired.changed(Secret::FIELDS) {
            content::put_fields(aws, live, fields.as_ref(), &mut tags).await?;
        }
        if desired.changed(Secret::ROTATION) {
            rotate(aws, id, live.spec.rotation.as_ref(), rotation.as_ref()).await?;
        }
        if desired.changed(Secret::REPLICA_REGIONS) {
            let force = force_overwrite_replica_secret.unwrap_or(false);
            replicate(aws, live, &replica_regions.clone().unwrap_or_default(), force).await?;
        }
        change_tags::<SecretTags>(aws, id, &tags).await?;
        // Only an observation returns the id of a new version, and the progress of a replication.
        let is_known =
            !desired.changed_besides(&[Secret::KMS_KEY, Secret::DESCRIPTION, Secret::POLICY, Secret::ROTATION]);
        Ok(if is_known { Updated::Known } else { Updated::ObserveAgain })
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
}

/// Observes one secret; `None` if it does not exist, is scheduled for deletion, or is a replica.
async fn observe_secret(aws: &Aws, scope: &Scope, id: String) -> Result<Option<Live<Secret>>> {
    let Some(secret) = secrets(aws).describe_secret().secret_id(&id).send().await.or_absent()? else {
        return Ok(None);
    };
    if secret.deleted_date().is_some() || is_replica(secret.arn(), secret.primary_region()) {
        return Ok(None);
    }
    let tags = from_sdk_tags(secret.tags());
    let policy = match is_requested_field(scope, &tags, Secret::POLICY) {
        true => secrets(aws).get_resource_policy().secret_id(&id).send().await.or_absent()?,
        false => None,
    };
    Ok(live(&secret, policy.as_ref().and_then(|response| response.resource_policy())))
}

/// Restores the desired secret if it is scheduled for deletion. Otherwise returns `refused`, the failure of its create.
async fn restore(aws: &Aws, desired: &Desired<Secret>, refused: Error) -> Result<String> {
    let existing = secrets(aws).describe_secret().secret_id(&desired.name).send().await.or_absent()?;
    let Some(deleted) = existing.filter(|secret| secret.deleted_date().is_some()) else { return Err(refused) };
    let tags = from_sdk_tags(deleted.tags());
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

/// True when a secret is a replica, which belongs to the secret of its primary region.
fn is_replica(arn: Option<&str>, primary_region: Option<&str>) -> bool {
    primary_region.is_some() && primary_region != arn.and_then(|arn| arn.split(':').nth(3))
}
