//! DbInstance: a database instance, which may be a read replica, and the replication of its backups to another region.

mod backups;
mod check;
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
use holdfast_core::schema::relation::{
    Condition::{AtLeast, Below, Is, IsNot, Stated},
    Demand::{AtMost, Excludes, MultipleOf, Needs, OneOf, Range},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier, ValidationError};
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
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[A-Za-z](-?[A-Za-z0-9])*", "begins with a letter, and has letters, digits and single hyphens"),
        ..NamingRules::limit(63)
    };
    const TAGS_ARE_LISTED: bool = true;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] =
        &[DocumentRelation::ZoneInRegion(Self::AVAILABILITY_ZONE.name())];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
        demand(Needs("iops")).when(&[Is("storageType", &["io1", "io2"])]),
        demand(Excludes("iops")).when(&[Is("storageType", &["gp2", "standard"])]),
        demand(Excludes("storageThroughput")).when(&[IsNot("storageType", &["gp3"])]),
        demand(AtMost("allocatedStorage", "maxAllocatedStorage")),
        demand(Needs("monitoringRole")).when(&[AtLeast("monitoringInterval", 1)]),
        demand(OneOf("monitoringInterval", &["0", "1", "5", "10", "15", "30", "60"])),
        demand(MultipleOf("performanceInsightsRetentionPeriod", 31))
            .when(&[IsNot("performanceInsightsRetentionPeriod", &["7", "731"])]),
        demand(OneOf("performanceInsightsEnabled", &["true"])).when(&[Is("databaseInsightsMode", &["advanced"])]),
        demand(OneOf("storageEncrypted", &["true"])).when(&[Stated("kmsKey")]),
        demand(OneOf("manageMasterUserPassword", &["true"])).when(&[Stated("masterUserSecretKmsKey")]),
        demand(Excludes("masterUserPassword")).when(&[Is("manageMasterUserPassword", &["true"])]),
        demand(Excludes("availabilityZone")).when(&[Is("multiAz", &["true"])]),
        demand(Excludes("dbName"))
            .when(&[Is("engine", &["sqlserver-ee", "sqlserver-ex", "sqlserver-se", "sqlserver-web"])]),
        demand(Range("backupRetentionPeriod", Some(1), None)).when(&[Stated("automatedBackupsReplication")]),
        // Below 400 GiB the IOPS and throughput of gp3 are fixed; above, IOPS begin at 12,000:
        // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
        demand(Excludes("iops")).when(&[
            Is("storageType", &["gp3"]),
            Below("allocatedStorage", 400),
            Is("engine", &["mariadb", "mysql", "postgres"]),
        ]),
        demand(Excludes("storageThroughput")).when(&[
            Is("storageType", &["gp3"]),
            Below("allocatedStorage", 400),
            Is("engine", &["mariadb", "mysql", "postgres"]),
        ]),
        demand(Range("iops", Some(12_000), Some(64_000))).when(&[
            Is("storageType", &["gp3"]),
            AtLeast("allocatedStorage", 400),
            Is("engine", &["mariadb", "mysql", "postgres"]),
        ]),
        demand(Range("storageThroughput", Some(500), Some(4000))).when(&[
            Is("storageType", &["gp3"]),
            AtLeast("allocatedStorage", 400),
            Is("engine", &["mariadb", "mysql", "postgres"]),
        ]),
    ];
    const STATEFUL: bool = true;
    /// RDS refuses a major version whose parameter group or option group is of another version
    /// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>).
    const FITS: &'static [(&'static str, &'static str)] =
        &[(Self::ENGINE_VERSION.name(), Self::DB_PARAMETER_GROUP.name())];
    const DELETION_PROTECTION: Option<&'static str> = Some("deletionProtection");

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        check::check(spec)
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
