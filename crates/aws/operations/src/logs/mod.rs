//! CloudWatch Logs: log groups and metric filters.

pub(crate) mod log_group;
pub(crate) mod metric_filter;

holdfast_base::client!(logs: aws_sdk_cloudwatchlogs);
