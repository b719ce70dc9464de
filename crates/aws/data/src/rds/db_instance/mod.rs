//! DbInstance: a database instance, which may be a read replica, and the replication of its backups to another region.

mod backups;
mod create;
mod live;
mod modify;
mod requested;
mod spec;

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use super::{RdsTags, instances, rds};
use backups::{backups, replicate_backups};
use create::create;
use live::live;
use modify::update;
pub(crate) use spec::{DbInstance, DbInstanceStatus};

impl Kind for DbInstance {
    type Status = DbInstanceStatus;
    type Owner = TagOnCreate<RdsTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(63) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const STATEFUL: bool = true;

    /// The smallest storage depends on the storage type
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>).
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let field = DbInstance::ALLOCATED_STORAGE.name();
        let storage_type = spec.get(DbInstance::STORAGE_TYPE.name()).and_then(Value::text);
        match (spec.get(field), storage_type) {
            (Some(Value::Integer(gib @ ..20)), Some(of @ ("gp2" | "gp3"))) => {
                vec![(field, format!("must be at least 20 for `{of}`, but this is `{gib}`"))]
            }
            _ => vec![],
        }
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let instances = instances(aws, scope).await?;
        each(instances.iter(), |instance| async move {
            let mut live = live(instance)?;
            let listed = Listed::name(&live.name).or_id(&live.status.arn).tags(&live.tags).spec(&live.spec);
            let want = scope.wants(&listed);
            let mut replications = instance.db_instance_automated_backups_replications().iter();
            let backups_arn = replications.find_map(|replication| replication.db_instance_automated_backups_arn());
            if let Some(arn) = backups_arn.filter(|_| want.fields()) {
                live.spec.automated_backups_replication = backups(aws, arn).await?;
            }
            Ok(want.any().then_some(live))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let created = create(aws, desired).await?.and_then(|instance| live(&instance).ok());
        Ok(created.map_or_else(|| Created::unobserved(&desired.name), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        update(aws, live, desired).await?;
        if desired.changed(DbInstance::AUTOMATED_BACKUPS_REPLICATION) {
            replicate_backups(aws, live, desired.spec.automated_backups_replication.as_ref()).await?;
        }
        Ok(Updated::Known)
    }

    /// Deletes the database, after turning deletion protection off.
    ///
    /// **Expected flow**
    /// 1. While deletion protection is on, the call turns it off and fails with `NotYet`; the engine retries the
    ///    deletion.
    /// 2. The next call deletes the database, with a final snapshot unless `skipFinalSnapshot` is true.
    ///
    /// **Guarantees**: the name of the final snapshot is the same for every retry.
    ///
    /// **Assumptions**: the engine has checked that the database may be deleted.
    ///
    /// **Caveats**: AWS creates no final snapshot of a replica.
    ///
    /// **Errors**: `NotYet` after deletion protection was turned off.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let DbInstance { deletion_protection, skip_final_snapshot, delete_automated_backups, .. } = &live.spec;
        if deletion_protection.as_deref() == Some(&true) {
            let modify = rds(aws).modify_db_instance().db_instance_identifier(&live.id);
            modify.deletion_protection(false).apply_immediately(true).send().await?;
            let message = format!("the deletion protection of {} is now off; the deletion follows", live.id);
            return Err(Error::not_yet("rds.DeleteDBInstance", message));
        }
        // AWS creates no final snapshot of a replica, and refuses a request for one.
        let skip = *skip_final_snapshot || live.spec.source().is_some();
        rds(aws)
            .delete_db_instance()
            .db_instance_identifier(&live.id)
            .skip_final_snapshot(skip)
            .set_final_db_snapshot_identifier((!skip).then(|| live.status.final_db_snapshot_identifier.clone()))
            .delete_automated_backups(*delete_automated_backups)
            .send()
            .await?;
        Ok(())
    }
}
