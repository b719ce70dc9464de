//! Data stores: databases, caches, buckets, search domains, backups, secrets, keys and image repositories.

mod backup;
mod consumed_secret;
mod ecr;
mod elasticache;
mod kms;
mod opensearch;
mod rds;
mod s3;
mod secretsmanager;
mod ssm;
mod store;

pub use store::{S3Location, S3Store};

holdfast_base::kinds! {
    backup::backup_plan::BackupPlan,
    backup::backup_selection::BackupSelection,
    backup::backup_vault::BackupVault,
    ecr::repository::Repository,
    elasticache::cache_parameter_group::CacheParameterGroup,
    elasticache::cache_subnet_group::CacheSubnetGroup,
    elasticache::replication_group::ReplicationGroup,
    kms::alias::Alias,
    kms::key::Key,
    opensearch::search_domain::SearchDomain,
    rds::db_instance::DbInstance,
    rds::db_parameter_group::DbParameterGroup,
    rds::db_proxy::DbProxy,
    rds::db_subnet_group::DbSubnetGroup,
    s3::bucket::Bucket,
    secretsmanager::secret::Secret,
    ssm::parameter::Parameter,
}
