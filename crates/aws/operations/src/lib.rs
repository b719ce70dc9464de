//! Operations: IAM, CloudTrail, CloudWatch, CloudWatch Logs, EventBridge, SNS, SQS and AWS Budgets.

mod budgets;
mod cloudtrail;
mod cloudwatch;
mod events;
mod iam;
mod logs;
mod sns;
mod sqs;

holdfast_base::kinds! {
    budgets::budget::Budget,
    cloudtrail::trail::Trail,
    cloudwatch::alarm::Alarm,
    cloudwatch::composite_alarm::CompositeAlarm,
    cloudwatch::dashboard::Dashboard,
    events::event_rule::EventRule,
    iam::instance_profile::InstanceProfile,
    iam::oidc_provider::OidcProvider,
    iam::policy::Policy,
    iam::role::Role,
    logs::log_group::LogGroup,
    logs::metric_filter::MetricFilter,
    sns::subscription::Subscription,
    sns::topic::Topic,
    sqs::queue::Queue,
}
