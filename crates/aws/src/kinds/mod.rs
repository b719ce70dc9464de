//! The kinds, by service. A new kind is a file below and a line here.

mod acm;
mod autoscaling;
mod backup;
mod budgets;
mod cloudfront;
mod cloudtrail;
mod cloudwatch;
mod ec2;
mod ecr;
mod ecs;
mod elasticache;
mod elbv2;
mod events;
mod iam;
mod kms;
mod logs;
mod opensearch;
mod rds;
mod route53;
mod s3;
mod scheduler;
mod secretsmanager;
mod sns;
mod sqs;
mod ssm;
mod wafv2;

use holdfast_core::schema::{Registry, Schema};
use holdfast_engine::cloud::Failure;

use crate::driver::{Driver, Of};

macro_rules! kinds {
    ($($kind:ty),* $(,)?) => {
        static DRIVERS: &[&dyn Driver] = &[$(&Of::<$kind>::DRIVER),*];
        static SCHEMAS: &[&Schema] = &[$(Of::<$kind>::SCHEMA),*];
    };
}

kinds! {
    acm::certificate::Certificate,
    autoscaling::scalable_target::ScalableTarget,
    autoscaling::scaling_policy::ScalingPolicy,
    backup::backup_plan::BackupPlan,
    backup::backup_selection::BackupSelection,
    backup::backup_vault::BackupVault,
    budgets::budget::Budget,
    cloudfront::cache_policy::CachePolicy,
    cloudfront::distribution::Distribution,
    cloudfront::origin_access_control::OriginAccessControl,
    cloudfront::origin_request_policy::OriginRequestPolicy,
    cloudfront::response_headers_policy::ResponseHeadersPolicy,
    cloudtrail::trail::Trail,
    cloudwatch::alarm::Alarm,
    cloudwatch::dashboard::Dashboard,
    ec2::elastic_ip::ElasticIp,
    ec2::flow_log::FlowLog,
    ec2::instance::Instance,
    ec2::internet_gateway::InternetGateway,
    ec2::nat_gateway::NatGateway,
    ec2::route_table::RouteTable,
    ec2::security_group::SecurityGroup,
    ec2::subnet::Subnet,
    ec2::vpc::Vpc,
    ec2::vpc_endpoint::VpcEndpoint,
    ec2::vpc_peering::VpcPeering,
    ecr::repository::Repository,
    ecs::cluster::Cluster,
    ecs::service::Service,
    ecs::task_definition::TaskDefinition,
    elasticache::cache_parameter_group::CacheParameterGroup,
    elasticache::cache_subnet_group::CacheSubnetGroup,
    elasticache::replication_group::ReplicationGroup,
    elbv2::listener::Listener,
    elbv2::listener_rule::ListenerRule,
    elbv2::load_balancer::LoadBalancer,
    elbv2::target_group::TargetGroup,
    events::event_rule::EventRule,
    iam::instance_profile::InstanceProfile,
    iam::oidc_provider::OidcProvider,
    iam::policy::Policy,
    iam::role::Role,
    kms::alias::Alias,
    kms::key::Key,
    logs::log_group::LogGroup,
    logs::metric_filter::MetricFilter,
    opensearch::search_domain::SearchDomain,
    rds::db_instance::DbInstance,
    rds::db_parameter_group::DbParameterGroup,
    rds::db_proxy::DbProxy,
    rds::db_subnet_group::DbSubnetGroup,
    route53::health_check::HealthCheck,
    route53::hosted_zone::HostedZone,
    route53::record_set::RecordSet,
    s3::bucket::Bucket,
    scheduler::schedule::Schedule,
    secretsmanager::secret::Secret,
    sns::subscription::Subscription,
    sns::topic::Topic,
    sqs::queue::Queue,
    ssm::parameter::Parameter,
    wafv2::ip_set::IpSet,
    wafv2::web_acl::WebAcl,
}

/// All kinds, as the engine sees them.
pub(crate) fn registry() -> Registry {
    Registry(SCHEMAS)
}

/// The driver of a kind.
pub(crate) fn driver(kind: &str) -> Result<&'static dyn Driver, Failure> {
    DRIVERS
        .iter()
        .copied()
        .find(|driver| driver.schema().kind == kind)
        .ok_or_else(|| Failure::terminal(kind, "no such kind"))
}
