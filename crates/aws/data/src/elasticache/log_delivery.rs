//! Where the logs of a cache go, as people write it and as ElastiCache takes and answers it.

use std::collections::BTreeMap;

use aws_sdk_elasticache::types::{
    CloudWatchLogsDestinationDetails, DestinationDetails, DestinationType, KinesisFirehoseDestinationDetails,
    LogDeliveryConfiguration, LogDeliveryConfigurationRequest,
};
use holdfast_base::names::LogGroup;
use holdfast_core::Spec;
use holdfast_core::types::{Name, Ref};
use serde::{Deserialize, Serialize};

type Logs = BTreeMap<String, LogDelivery>;

/// Where logs of one type go: exactly one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogDelivery {
    /// A log group of CloudWatch Logs. Its resource policy has to let `delivery.logs.amazonaws.com` write; AWS adds
    /// that by itself where the caller may
    /// (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html>).
    pub(crate) log_group: Option<Ref<LogGroup, Name>>,
    /// The name of a stream of Data Firehose.
    pub(crate) delivery_stream: Option<String>,
    /// `json` or `text`.
    pub(crate) log_format: String,
}

/// What to ask for: those that differ, and the end of those that are not wanted.
pub(super) fn requests(there: Option<&Logs>, wanted: Option<&Logs>) -> Vec<LogDeliveryConfigurationRequest> {
    let (there, wanted) = (there.cloned().unwrap_or_default(), wanted.cloned().unwrap_or_default());
    let off = there
        .keys()
        .filter(|of| !wanted.contains_key(*of))
        .map(|of| LogDeliveryConfigurationRequest::builder().log_type(of.as_str().into()).enabled(false).build());
    let on = wanted.iter().filter(|(of, log)| there.get(*of) != Some(*log)).map(|(of, log)| {
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

/// A log's type, and where it goes.
pub(super) fn log(told: &LogDeliveryConfiguration) -> Option<(String, LogDelivery)> {
    let details = told.destination_details.as_ref();
    let delivery = LogDelivery {
        log_group: details.and_then(|d| d.cloud_watch_logs_details()?.log_group.clone()).map(Ref::new),
        delivery_stream: details.and_then(|d| d.kinesis_firehose_details()?.delivery_stream.clone()),
        log_format: told.log_format.as_ref()?.as_str().to_owned(),
    };
    Some((told.log_type.as_ref()?.as_str().to_owned(), delivery))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_not_wanted_is_switched_off() {
        let log = |group: &str| LogDelivery {
            log_group: Some(Ref::new(group)),
            delivery_stream: None,
            log_format: "json".into(),
        };
        let there = Logs::from([("slow-log".to_owned(), log("a")), ("engine-log".to_owned(), log("b"))]);
        let wanted = Logs::from([("engine-log".to_owned(), log("b"))]);
        let asked = requests(Some(&there), Some(&wanted));
        assert_eq!(asked.len(), 1, "what is as wanted is not sent");
        assert_eq!((asked[0].log_type.as_ref().map(|t| t.as_str()), asked[0].enabled), (Some("slow-log"), Some(false)));
        assert_eq!(requests(None, Some(&wanted))[0].enabled, Some(true));
    }
}
