//! Reads a secret from the response of Secrets Manager.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use holdfast_base::kind::Live;
use holdfast_core::types::{AfterCreate, Arn, OnlyAtCreate, PolicyDocument, Ref, ValueFrom};

use super::content;
use super::spec::{OWN_KEY, Rotation, RotationRules, Secret, SecretStatus};
use crate::consumed_secret::CurrentVersion;
use crate::secretsmanager::from_sdk_tags;
use crate::secretsmanager::generate::GenerateSecretString;

/// Reads a secret and its resource policy from responses.
pub(super) fn live(secret: &DescribeSecretOutput, policy: Option<&str>) -> Option<Live<Secret>> {
    let (arn, name) = (secret.arn()?.to_owned(), secret.name()?);
    let tags = from_sdk_tags(secret.tags());
    let stages = secret.version_ids_to_stages().into_iter().flatten();
    let mut current = stages.filter(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
    let version_id = current.next().map(|(id, _)| id.clone());
    let replicas = secret.replication_status().iter().filter_map(|replica| {
        let key = replica.kms_key_id.clone().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY));
        Some((replica.region.clone()?, key.unwrap_or_else(|| OWN_KEY.into())))
    });
    let rotation = secret.rotation_enabled().unwrap_or(false).then(|| rotation(secret));
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
        recovery_window_in_days: None,
    };
    let current_version = version_id.as_ref().map(|id| CurrentVersion::of(&arn, id));
    let failed =
        secret.replication_status().iter().find(|replica| replica.status().is_some_and(|s| s.as_str() == "Failed"));
    let status = SecretStatus { arn: arn.clone(), version_id, current_version };
    let live = Live::new(arn, name, spec, status).tags(tags);
    Some(match failed {
        Some(replica) => live.degraded("ReplicationFailed", replica.status_message().unwrap_or_default()),
        None => live,
    })
}

/// Returns the live rotation.
fn rotation(secret: &DescribeSecretOutput) -> Rotation {
    let lambda = secret.rotation_lambda_arn().filter(|arn| !arn.is_empty());
    Rotation {
        rotation_lambda: lambda.map(|arn| Arn(arn.to_owned())),
        rotation_rules: secret.rotation_rules().map(|rules| RotationRules {
            automatically_after_days: rules.automatically_after_days(),
            schedule_expression: rules.schedule_expression().map(str::to_owned),
            duration: rules.duration().map(str::to_owned),
        }),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::types::Tag;

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

    #[test]
    fn the_live_spec_is_read_back_from_its_value() {
        let tags = Tag::builder().key("holdfast:field/user").value("generated").build();
        let secret = DescribeSecretOutput::builder().arn("arn:a").name("a").tags(tags).rotation_enabled(true);
        let secret = secret.version_ids_to_stages("1", vec!["AWSCURRENT".into()]).build();
        let live = live(&secret, Some(r#"{"Statement":[]}"#)).expect("a secret");
        let value = holdfast_core::value::of(&live.spec).without_nulls();
        let read: Secret = serde_json::from_value(value.json()).expect("the driver reads the spec back");
        assert_eq!(holdfast_core::value::of(&read).without_nulls(), value);
    }
}
