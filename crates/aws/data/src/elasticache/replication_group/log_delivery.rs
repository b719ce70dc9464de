//! The log delivery of a cache, in its spec and in the form of ElastiCache.

use std::collections::BTreeMap;

use aws_sdk_elasticache::types::{
    self as sdk, CloudWatchLogsDestinationDetails, DestinationDetails, DestinationType,
    KinesisFirehoseDestinationDetails, LogDeliveryConfigurationRequest,
};
use holdfast_base::names::LogGroup;
use holdfast_core::Spec;
use holdfast_core::types::{Name, Ref};
use serde::{Deserialize, Serialize};

/// The log delivery by log type.
type LogDeliveries = BTreeMap<String, LogDeliveryConfiguration>;

/// The delivery of the logs of one type, to exactly one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDeliveryConfiguration {
    /// The log group of CloudWatch Logs. Its resource policy must allow `delivery.logs.amazonaws.com` to write. AWS
    /// adds this permission itself if the credentials of Holdfast allow it
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html>).
    pub(crate) log_group: Option<Ref<LogGroup, Name>>,
    /// The name of the Data Firehose stream.
    pub(crate) delivery_stream: Option<String>,
    /// The log format.
    #[spec(one_of = sdk::LogFormat)]
    pub(crate) log_format: String,
}

/// Returns the requests that turn off log types that are not desired and set those that differ.
pub(super) fn requests(
    current: Option<&LogDeliveries>,
    desired: Option<&LogDeliveries>,
) -> Vec<LogDeliveryConfigurationRequest> {
    let (current, desired) = (current.cloned().unwrap_or_default(), desired.cloned().unwrap_or_default());
    let off = current
        .keys()
        .filter(|of| !desired.contains_key(*of))
        .map(|of| LogDeliveryConfigurationRequest::builder().log_type(of.as_str().into()).enabled(false).build());
    let on = desired.iter().filter(|(of, log)| current.get(*of) != Some(*log)).map(|(of, log)| {
        let (r#type, details) = match (&log.log_group, &log.delivery_stream) {
            (Some(group), _) => {
                let details = CloudWatchLogsDestinationDetails::builder().log_group(group.as_str()).build();
                let details = DestinationDetails::builder().cloud_watch_logs_details(details);
                (DestinationType::CloudWatchLogs, details)
            }
            (None, stream) => {
                let details = KinesisFirehoseDestinationDetails::builder().set_delivery_stream(stream.clone()).build();
                (DestinationType::KinesisFirehose, DestinationDetails::builder().kinesis_firehose_details(details))
            }
        };
        LogDeliveryConfigurationRequest::builder()
            .log_type(of.as_str().into())
            .destination_type(r#type)
            .destination_details(details.build())
            .log_format(log.log_format.as_str().into())
            .enabled(true)
            .build()
    });
    off.chain(on).collect()
}

/// Reads a log type and its delivery from a response.
pub(super) fn log_delivery(response: &sdk::LogDeliveryConfiguration) -> Option<(String, LogDeliveryConfiguration)> {
    let details = response.destination_details.as_ref();
    let delivery = LogDeliveryConfiguration {
        log_group: details.and_then(|d| d.cloud_watch_logs_details()?.log_group.clone()).map(Ref::new),
        delivery_stream: details.and_then(|d| d.kinesis_firehose_details()?.delivery_stream.clone()),
        log_format: response.log_format.as_ref()?.as_str().to_owned(),
    };
    Some((response.log_type.as_ref()?.as_str().to_owned(), delivery))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_type_that_is_not_desired_is_turned_off() {
        let log = |group: &str| LogDeliveryConfiguration {
            log_group: Some(Ref::new(group)),
            delivery_stream: None,
            log_format: "json".into(),
        };
        let current = LogDeliveries::from([("slow-log".to_owned(), log("a")), ("engine-log".to_owned(), log("b"))]);
        let desired = LogDeliveries::from([("engine-log".to_owned(), log("b"))]);
        let sent = requests(Some(&current), Some(&desired));
        assert_eq!(sent.len(), 1, "an unchanged log type is not sent");
        assert_eq!((sent[0].log_type.as_ref().map(|t| t.as_str()), sent[0].enabled), (Some("slow-log"), Some(false)));
        assert_eq!(requests(None, Some(&desired))[0].enabled, Some(true));
    }
}
