//! The kinds, by service. A new kind is a file below and a line here.

mod acm;
mod autoscaling;
mod cloudwatch;
mod ec2;
mod ecr;
mod ecs;
mod elbv2;
mod iam;
mod logs;
mod sns;

use holdfast_core::schema::{Registry, Schema};
use holdfast_engine::cloud::Failure;

use crate::kind::{Driver, Of};

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
    cloudwatch::alarm::Alarm,
    ec2::elastic_ip::ElasticIp,
    ec2::flow_log::FlowLog,
    ec2::internet_gateway::InternetGateway,
    ec2::nat_gateway::NatGateway,
    ec2::route_table::RouteTable,
    ec2::security_group::SecurityGroup,
    ec2::subnet::Subnet,
    ec2::vpc::Vpc,
    ecr::repository::Repository,
    ecs::cluster::Cluster,
    ecs::service::Service,
    ecs::task_definition::TaskDefinition,
    elbv2::listener::Listener,
    elbv2::load_balancer::LoadBalancer,
    elbv2::target_group::TargetGroup,
    iam::role::Role,
    logs::log_group::LogGroup,
    sns::subscription::Subscription,
    sns::topic::Topic,
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
