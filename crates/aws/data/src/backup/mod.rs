//! AWS Backup: tags, request ids, and the list of backup plans, by which selections are found.

pub(crate) mod backup_plan;
pub(crate) mod backup_selection;
pub(crate) mod backup_vault;

use std::sync::Arc;

use aws_sdk_backup::types::BackupPlansListMember;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::owner::TagCalls;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_engine::cloud::Scope;

holdfast_base::client!(backup: aws_sdk_backup);

/// Lists all backup plans of the region, once in a refresh.
async fn plans(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<BackupPlansListMember>>> {
    let pages = || backup(aws).list_backup_plans().into_paginator().items().send();
    aws.once(scope, "backup.plans", || all(pages())).await
}

/// Returns the tags of an ARN; `None` if the resource does not exist.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        let response = backup(aws).list_tags().resource_arn(arn).send().await.or_absent()?;
        Ok(response.map(|response| response.tags.unwrap_or_default().into_iter().collect()))
    })
    .await
}

/// The calls that set and remove tags.
pub(crate) struct BackupTags;

impl TagCalls for BackupTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        let tags = tags.clone().into_iter().collect();
        backup(aws).tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        backup(aws).untag_resource().resource_arn(arn).set_tag_key_list(Some(keys)).send().await?;
        Ok(())
    }
}

/// Returns the creator request id of a token. AWS Backup accepts 1 to 50 characters
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupPlan.html>).
fn request_id(token: &str) -> String {
    token.chars().take(50).collect()
}
