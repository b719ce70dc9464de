//! The replication of automated backups to another region. All calls go to the destination region.

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::Live;
use holdfast_core::types::{Ref, ServerDefault};

use super::spec::{AutomatedBackupsReplication, DbInstance};
use crate::rds::{rds, reference, value};

/// Observes the replicated backups with this ARN in the destination region; none when they do not exist.
pub(super) async fn backups(aws: &Aws, arn: &str) -> Result<Option<AutomatedBackupsReplication>> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let describe = rds(&*aws.in_region(region)?).describe_db_instance_automated_backups();
    let output = describe.db_instance_automated_backups_arn(arn).send().await.or_absent()?;
    let copies = output.and_then(|output| output.db_instance_automated_backups.unwrap_or_default().pop());
    Ok(copies.map(|copies| AutomatedBackupsReplication {
        region: region.to_owned(),
        backup_retention_period: copies.backup_retention_period.map(ServerDefault),
        kms_key: copies.kms_key_id.map(|arn| ServerDefault(Ref::new(arn))),
    }))
}

/// Starts, changes or stops the replication of backups, by calls in the destination region.
///
/// A change stops the replication and starts it again
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/AutomatedBackups.Replicating.Enable.html>).
pub(super) async fn replicate_backups(
    aws: &Aws,
    live: &Live<DbInstance>,
    desired: Option<&AutomatedBackupsReplication>,
) -> Result<()> {
    let arn = &live.status.arn;
    if let Some(current) = &live.spec.automated_backups_replication {
        let stop = rds(&*aws.in_region(&current.region)?).stop_db_instance_automated_backups_replication();
        stop.source_db_instance_arn(arn).send().await.or_absent()?;
    }
    if let Some(AutomatedBackupsReplication { region, backup_retention_period, kms_key }) = desired {
        rds(&*aws.in_region(region)?)
            .start_db_instance_automated_backups_replication()
            .source_db_instance_arn(arn)
            .set_backup_retention_period(value(backup_retention_period))
            .set_kms_key_id(reference(kms_key))
            .send()
            .await?;
    }
    Ok(())
}
