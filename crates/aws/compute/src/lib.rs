//! Compute: ECS, Elastic Load Balancing, Application Auto Scaling and EventBridge Scheduler.

mod autoscaling;
mod ecs;
mod elbv2;
mod scheduler;

holdfast_base::kinds! {
    autoscaling::scalable_target::ScalableTarget,
    autoscaling::scaling_policy::ScalingPolicy,
    ecs::cluster::Cluster,
    ecs::service::Service,
    ecs::task_definition::TaskDefinition,
    elbv2::listener::Listener,
    elbv2::listener_rule::ListenerRule,
    elbv2::load_balancer::LoadBalancer,
    elbv2::target_group::TargetGroup,
    scheduler::schedule::Schedule,
}
