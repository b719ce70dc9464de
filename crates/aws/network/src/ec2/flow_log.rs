//! FlowLog: a VPC flow log.

use aws_sdk_ec2::types::{self as sdk, FlowLogsResourceType, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::{LogGroup, Role};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{AtMostOne, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Replacement, Tier};
use holdfast_core::types::{Arn, Name, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{Ec2Tags, check_unsuccessful, describe_all, ec2, from_sdk_tags, tag_specification, tagged};

/// A flow log: records of the IP traffic of a VPC.
///
/// A record has the source, the destination, the amount of traffic, and whether it was accepted or rejected. It has no
/// content (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs.html>). AWS can change only the tags of a flow
/// log.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowLog {
    /// The VPC whose traffic is recorded.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The traffic to record: accepted traffic, rejected traffic, or all traffic, which is the default.
    #[spec(immutable)]
    #[serde(default)]
    traffic_type: TrafficType,
    /// The type of the destination.
    #[spec(immutable, one_of = sdk::LogDestinationType, default = "cloud-watch-logs")]
    log_destination_type: Option<String>,
    /// The log group that receives the records. AWS creates a log group that does not exist.
    #[spec(immutable, default = null)]
    log_group: Option<Ref<LogGroup, Name>>,
    /// The ARN of the bucket, optionally with a folder (`arn:aws:s3:::bucket/folder/`), or of the delivery stream that
    /// receives the records.
    #[spec(immutable, default = null)]
    log_destination: Option<Arn>,
    /// The role that writes to the log group, the API's `deliverLogsPermissionArn`. It must trust
    /// `vpc-flow-logs.amazonaws.com`, and needs `logs:CreateLogStream`, `PutLogEvents`, `DescribeLogGroups` and
    /// `DescribeLogStreams` (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html>).
    #[spec(immutable, default = null)]
    role: Option<Ref<Role, Arn>>,
    /// The maximum aggregation interval in seconds: 60 or 600. On Nitro instances it is never more than 60.
    #[spec(immutable, range = 60..=600, default = 600)]
    max_aggregation_interval: Option<i32>,
    /// The fields of a record, as in `${version} ${srcaddr}`; a document must escape them as `$${…}`. Without it, AWS
    /// uses its default format (<https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>).
    #[spec(immutable)]
    log_format: Option<String>,
}

/// The traffic to record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
pub(crate) enum TrafficType {
    /// All traffic.
    #[default]
    #[serde(rename = "ALL")]
    All,
    /// Traffic that security groups and network ACLs accept.
    #[serde(rename = "ACCEPT")]
    Accept,
    /// Traffic that security groups or network ACLs reject.
    #[serde(rename = "REJECT")]
    Reject,
}

/// The read-only attributes of a FlowLog.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlowLogStatus {
    /// The status of the delivery: `SUCCESS` or `FAILED`; `null` before the first delivery.
    deliver_logs_status: Option<String>,
}

impl Kind for FlowLog {
    type Status = FlowLogStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// AWS refuses a second flow log with the same VPC and destination (`FlowLogAlreadyExists`).
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html
        demand(OneOf("maxAggregationInterval", &["60", "600"])),
        demand(AtMostOne(&["logGroup", "logDestination"])),
        demand(Needs("logDestination")).when(&[Is("logDestinationType", &["kinesis-data-firehose", "s3"])]),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe = |filters| all(ec2(aws).describe_flow_logs().set_filter(filters).into_paginator().items().send());
        let logs: Vec<sdk::FlowLog> = describe_all(scope, "flow-log-id", describe).await?;
        // Flow logs of subnets, network interfaces and transit gateways are not of this kind.
        logs.iter().filter(|log| log.resource_id().is_some_and(|id| id.starts_with("vpc-"))).map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        const CALL: &str = "ec2.CreateFlowLogs";
        let FlowLog {
            vpc,
            traffic_type,
            log_destination_type,
            log_group,
            log_destination,
            role,
            max_aggregation_interval,
            log_format,
        } = &desired.spec;
        let created = ec2(aws)
            .create_flow_logs()
            .client_token(&desired.token)
            .resource_type(FlowLogsResourceType::Vpc)
            .resource_ids(vpc.as_str())
            .traffic_type(traffic_type.as_str().into())
            .set_log_destination_type(log_destination_type.as_deref().map(Into::into))
            .set_log_group_name(log_group.clone().map(String::from))
            .set_log_destination(log_destination.as_ref().map(|arn| arn.0.clone()))
            .set_deliver_logs_permission_arn(role.clone().map(String::from))
            .set_max_aggregation_interval(*max_aggregation_interval)
            .set_log_format(log_format.clone())
            .tag_specifications(tag_specification(ResourceType::VpcFlowLog, &desired.all_tags())?)
            .send()
            .await?;
        check_unsuccessful(CALL, created.unsuccessful())?;
        let id = created.flow_log_ids().first().ok_or_else(|| Error::incomplete(CALL, "flowLogId"))?;
        Ok(desired.as_live(id, FlowLogStatus { deliver_logs_status: None }).into())
    }

    /// Does nothing: AWS has no call that changes a flow log, and all fields are immutable.
    async fn update(_: &Aws, _: &Live<Self>, _: &Desired<Self>) -> Result<Updated> {
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        const CALL: &str = "ec2.DeleteFlowLogs";
        let response = ec2(aws).delete_flow_logs().flow_log_ids(&live.id).send().await?;
        check_unsuccessful(CALL, response.unsuccessful())
    }
}

fn live(log: &sdk::FlowLog) -> Result<Live<FlowLog>> {
    let id = log.flow_log_id.clone().ok_or_else(|| Error::incomplete("ec2.DescribeFlowLogs", "flowLogId"))?;
    let spec = FlowLog {
        vpc: Ref::new(log.resource_id().unwrap_or_default()),
        traffic_type: match log.traffic_type {
            Some(sdk::TrafficType::Accept) => TrafficType::Accept,
            Some(sdk::TrafficType::Reject) => TrafficType::Reject,
            _ => TrafficType::All,
        },
        log_destination_type: text(&log.log_destination_type),
        log_group: log.log_group_name.clone().map(Ref::new),
        log_destination: log.log_destination.clone().map(Arn),
        role: log.deliver_logs_permission_arn.clone().map(Ref::new),
        max_aggregation_interval: log.max_aggregation_interval,
        log_format: log.log_format.clone(),
    };
    let status = FlowLogStatus { deliver_logs_status: log.deliver_logs_status.clone() };
    let live = tagged(id, from_sdk_tags(log.tags()), spec, status);
    Ok(match &log.deliver_logs_error_message {
        Some(message) => live.degraded("DeliveryFailed", message),
        None => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_log_that_cannot_be_delivered_is_degraded() {
        let log = sdk::FlowLog::builder()
            .flow_log_id("fl-1")
            .resource_id("vpc-1")
            .traffic_type(sdk::TrafficType::Reject)
            .log_group_name("/shop-dev-flow")
            .deliver_logs_permission_arn("arn:aws:iam::1:role/flow")
            .deliver_logs_status("FAILED")
            .deliver_logs_error_message("Access error")
            .build();
        let live = live(&log).unwrap();
        assert_eq!(live.spec.traffic_type, TrafficType::Reject);
        assert_eq!(live.spec.log_group, Some(Ref::new("/shop-dev-flow")));
        assert_eq!(live.conditions.len(), 1);
    }
}
