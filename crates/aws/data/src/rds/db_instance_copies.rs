//! The copies of a database's backups in another region: RDS is asked and told about them there.

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::Live;
use holdfast_core::types::{Always, Ref};

use super::db_instance::{BackupsReplication, DbInstance};
use super::db_instance_calls::{reference, value};
use super::rds;

/// The copies of its backups with this ARN, as the other region tells them.
pub(super) async fn backups(aws: &Aws, arn: &str) -> Result<Option<BackupsReplication>> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let ask = rds(&*aws.in_region(region)?).describe_db_instance_automated_backups();
    let answer = ask.db_instance_automated_backups_arn(arn).send().await.or_absent()?;
    let copies = answer.and_then(|answer| answer.db_instance_automated_backups.unwrap_or_default().pop());
    Ok(copies.map(|copies| BackupsReplication {
        region: region.to_owned(),
        backup_retention_period: copies.backup_retention_period.map(Always),
        kms_key: copies.kms_key_id.map(|arn| Always(Ref::new(arn))),
    }))
}

/// Starts, changes or stops the copies of its backups: all of it is called in the other region, and a change is a
/// stop and a start (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/AutomatedBackups.Replicating.Enable.html>).
pub(super) async fn replicate_backups(
    aws: &Aws,
    live: &Live<DbInstance>,
    wanted: Option<&BackupsReplication>,
) -> Result<()> {
    let arn = &live.status.arn;
    if let Some(there) = &live.spec.automated_backups_replication {
        let stop = rds(&*aws.in_region(&there.region)?).stop_db_instance_automated_backups_replication();
        stop.source_db_instance_arn(arn).send().await.or_absent()?;
    }
    if let Some(BackupsReplication { region, backup_retention_period, kms_key }) = wanted {
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
