//! Reads several secrets with one ListSecrets call, for the first observation of a pass.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::is_requested_field;
use holdfast_engine::cloud::Scope;

use super::spec::Secret;
use crate::secretsmanager::{from_sdk_tags, secrets};

/// The maximum number of name prefixes in one filter
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html>).
const BATCH: usize = 10;

/// Returns a secret as ListSecrets reports it; `None` if the secret has to be described.
///
/// ListSecrets can lag up to five minutes behind, so an entry counts only if its tags equal the tags of the tag index
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>). ListSecrets returns neither
/// replicas nor policies.
pub(super) async fn find(aws: &Aws, scope: &Scope, arn: &str, tags: &Tags) -> Result<Option<DescribeSecretOutput>> {
    let undescribed = [Secret::REPLICA_REGIONS, Secret::POLICY];
    let needs_description = undescribed.into_iter().any(|field| is_requested_field(scope, tags, field));
    // For a single secret, DescribeSecret is one call as well.
    if needs_description || scope.names.len() < 2 {
        return Ok(None);
    }
    let listed = aws.once(scope, "secretsmanager.secrets", || list(aws, scope)).await?;
    let named = listed.iter().find(|entry| entry.arn() == Some(arn));
    let usable = named.filter(|entry| entry.deleted_date().is_none() && entry.primary_region().is_none());
    Ok(usable.filter(|entry| from_sdk_tags(entry.tags()) == *tags).map(as_description))
}

/// Lists the secrets whose names begin with a name of the document.
async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<SecretListEntry>> {
    let names: Vec<String> = scope.names.iter().cloned().collect();
    let pages = names.chunks(BATCH).map(|names| {
        let named = Filter::builder().key(FilterNameStringType::Name).set_values(Some(names.to_vec())).build();
        all(secrets(aws).list_secrets().max_results(100).filters(named).into_paginator().send())
    });
    let pages = try_join_all(pages).await?;
    Ok(pages.into_iter().flatten().flat_map(|page| page.secret_list.unwrap_or_default()).collect())
}

/// Converts a list entry into a DescribeSecret response.
pub(super) fn as_description(entry: &SecretListEntry) -> DescribeSecretOutput {
    DescribeSecretOutput::builder()
        .set_arn(entry.arn.clone())
        .set_name(entry.name.clone())
        .set_description(entry.description.clone())
        .set_kms_key_id(entry.kms_key_id.clone())
        .set_rotation_enabled(entry.rotation_enabled)
        .set_rotation_lambda_arn(entry.rotation_lambda_arn.clone())
        .set_rotation_rules(entry.rotation_rules.clone())
        .set_tags(entry.tags.clone())
        .set_version_ids_to_stages(entry.secret_versions_to_stages.clone())
        .build()
}
