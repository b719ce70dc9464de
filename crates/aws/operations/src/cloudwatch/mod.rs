//! CloudWatch: alarms and dashboards.

pub(crate) mod alarm;
pub(crate) mod dashboard;

holdfast_base::client!(cloudwatch: aws_sdk_cloudwatch);
