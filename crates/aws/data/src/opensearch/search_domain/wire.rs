//! Builds a domain's configuration for requests to OpenSearch Service.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_opensearch::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::sdk::texts;
use holdfast_core::types::ServerDefault;

use super::spec::{
    AdvancedOptions, AdvancedSecurityOptions, AutoTuneOptions, ClusterConfig, CognitoOptions, DomainEndpointOptions,
    EbsOptions, EncryptionAtRestOptions, LogPublishingOption, NodeToNodeEncryptionOptions, OffPeakWindowOptions,
    SoftwareUpdateOptions, VpcOptions, ZoneAwarenessConfig,
};

fn word<T: for<'a> From<&'a str>>(of: &Option<ServerDefault<String>>) -> Option<T> {
    of.as_deref().map(|of| of.as_str().into())
}

fn plain<T: Copy>(of: Option<ServerDefault<T>>) -> Option<T> {
    of.map(|ServerDefault(of)| of)
}

/// Returns the cluster configuration. AWS refuses the settings of a disabled feature, so they are left out.
pub(super) fn cluster(of: &ClusterConfig) -> Result<sdk::ClusterConfig> {
    let ClusterConfig {
        instance_type,
        instance_count,
        zone_awareness_enabled,
        zone_awareness_config,
        dedicated_master_enabled,
        dedicated_master_type,
        dedicated_master_count,
        warm_enabled,
        warm_type,
        warm_count,
        cold_storage_enabled,
        multi_az_with_standby_enabled,
    } = of;
    let [zones, masters, warm] = [zone_awareness_enabled, dedicated_master_enabled, warm_enabled]
        .map(|enabled| enabled.is_some_and(|ServerDefault(enabled)| enabled));
    let zone = |ZoneAwarenessConfig { availability_zone_count }: &ZoneAwarenessConfig| {
        sdk::ZoneAwarenessConfig::builder().set_availability_zone_count(plain(*availability_zone_count)).build()
    };
    let cold = cold_storage_enabled.map(|enabled| sdk::ColdStorageOptions::builder().enabled(enabled).build());
    Ok(sdk::ClusterConfig::builder()
        .set_instance_type(word(instance_type))
        .set_instance_count(plain(*instance_count))
        .set_zone_awareness_enabled(plain(*zone_awareness_enabled))
        .set_zone_awareness_config(zone_awareness_config.as_ref().filter(|_| zones).map(zone))
        .set_dedicated_master_enabled(plain(*dedicated_master_enabled))
        .set_dedicated_master_type(dedicated_master_type.as_deref().filter(|_| masters).map(Into::into))
        .set_dedicated_master_count(dedicated_master_count.filter(|_| masters))
        .set_warm_enabled(plain(*warm_enabled))
        .set_warm_type(warm_type.as_deref().filter(|_| warm).map(Into::into))
        .set_warm_count(warm_count.filter(|_| warm))
        .set_cold_storage_options(cold.transpose()?)
        .set_multi_az_with_standby_enabled(plain(*multi_az_with_standby_enabled))
        .build())
}

pub(super) fn ebs(of: &EbsOptions) -> sdk::EbsOptions {
    let EbsOptions { ebs_enabled, volume_type, volume_size, iops, throughput } = of;
    let is = |types: &[&str]| *ebs_enabled && volume_type.as_deref().is_none_or(|of| types.contains(&of.as_str()));
    sdk::EbsOptions::builder()
        .ebs_enabled(*ebs_enabled)
        .set_volume_type(word(volume_type).filter(|_| *ebs_enabled))
        .set_volume_size(plain(*volume_size).filter(|_| *ebs_enabled))
        .set_iops(plain(*iops).filter(|_| is(&["gp3", "io1"])))
        .set_throughput(plain(*throughput).filter(|_| is(&["gp3"])))
        .build()
}

pub(super) fn vpc(of: &VpcOptions) -> sdk::VpcOptions {
    let VpcOptions { subnets, security_groups } = of;
    let groups = security_groups.as_deref().map(texts);
    sdk::VpcOptions::builder().set_subnet_ids(Some(texts(subnets))).set_security_group_ids(groups).build()
}

pub(super) fn at_rest(of: &EncryptionAtRestOptions) -> sdk::EncryptionAtRestOptions {
    let EncryptionAtRestOptions { enabled, kms_key } = of;
    let key = kms_key.as_deref().cloned().map(String::from);
    sdk::EncryptionAtRestOptions::builder().enabled(*enabled).set_kms_key_id(key).build()
}

pub(super) fn node_to_node(of: &NodeToNodeEncryptionOptions) -> sdk::NodeToNodeEncryptionOptions {
    let NodeToNodeEncryptionOptions { enabled } = of;
    sdk::NodeToNodeEncryptionOptions::builder().enabled(*enabled).build()
}

pub(super) fn endpoint(of: &DomainEndpointOptions) -> sdk::DomainEndpointOptions {
    let DomainEndpointOptions {
        enforce_https,
        tls_security_policy,
        custom_endpoint_enabled,
        custom_endpoint,
        custom_endpoint_certificate,
    } = of;
    let own = custom_endpoint_enabled.is_some_and(|ServerDefault(enabled)| enabled);
    sdk::DomainEndpointOptions::builder()
        .set_enforce_https(plain(*enforce_https))
        .set_tls_security_policy(word(tls_security_policy))
        .set_custom_endpoint_enabled(plain(*custom_endpoint_enabled))
        .set_custom_endpoint(custom_endpoint.clone().filter(|_| own))
        .set_custom_endpoint_certificate_arn(custom_endpoint_certificate.clone().filter(|_| own).map(String::from))
        .build()
}

pub(super) fn security(
    of: &AdvancedSecurityOptions,
    user: Option<sdk::MasterUserOptions>,
) -> sdk::AdvancedSecurityOptionsInput {
    let AdvancedSecurityOptions { enabled, internal_user_database_enabled, anonymous_auth_enabled } = of;
    sdk::AdvancedSecurityOptionsInput::builder()
        .enabled(*enabled)
        .set_internal_user_database_enabled(plain(*internal_user_database_enabled))
        .set_anonymous_auth_enabled(*anonymous_auth_enabled)
        .set_master_user_options(user.filter(|_| *enabled))
        .build()
}

/// Log publishing options, by log type.
type LogPublishingOptions = BTreeMap<String, LogPublishingOption>;

/// Returns the log publishing options of an update: the desired log types are enabled, the other live ones disabled.
pub(super) fn logs(
    live: Option<&LogPublishingOptions>,
    desired: &LogPublishingOptions,
) -> HashMap<sdk::LogType, sdk::LogPublishingOption> {
    let option = |LogPublishingOption { cloud_watch_logs_log_group }: &LogPublishingOption, enabled| {
        let group = cloud_watch_logs_log_group.as_str();
        sdk::LogPublishingOption::builder().cloud_watch_logs_log_group_arn(group).enabled(enabled).build()
    };
    let disabled = live.into_iter().flatten().map(|(of, log)| (of.as_str().into(), option(log, false)));
    let enabled = desired.iter().map(|(of, log)| (of.as_str().into(), option(log, true)));
    disabled.chain(enabled).collect()
}

pub(super) fn advanced(of: &AdvancedOptions) -> HashMap<String, String> {
    let AdvancedOptions {
        rest_action_multi_allow_explicit_index,
        indices_fielddata_cache_size,
        indices_query_bool_max_clause_count,
        override_main_response_version,
    } = of;
    let text = |of: &Option<ServerDefault<bool>>| of.map(|ServerDefault(of)| of.to_string());
    let all = [
        ("rest.action.multi.allow_explicit_index", text(rest_action_multi_allow_explicit_index)),
        ("indices.fielddata.cache.size", indices_fielddata_cache_size.clone()),
        ("indices.query.bool.max_clause_count", indices_query_bool_max_clause_count.clone()),
        ("override_main_response_version", text(override_main_response_version)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

pub(super) fn cognito(of: &CognitoOptions) -> sdk::CognitoOptions {
    let CognitoOptions { enabled, user_pool_id, identity_pool_id, role } = of;
    sdk::CognitoOptions::builder()
        .enabled(*enabled)
        .set_user_pool_id(user_pool_id.clone())
        .set_identity_pool_id(identity_pool_id.clone())
        .set_role_arn(role.clone().map(String::from))
        .build()
}

pub(super) fn auto_tune_at_create(of: &AutoTuneOptions) -> sdk::AutoTuneOptionsInput {
    let AutoTuneOptions { desired_state, use_off_peak_window } = of;
    sdk::AutoTuneOptionsInput::builder()
        .set_desired_state(word(desired_state))
        .set_use_off_peak_window(plain(*use_off_peak_window))
        .build()
}

pub(super) fn auto_tune(of: &AutoTuneOptions) -> sdk::AutoTuneOptions {
    let AutoTuneOptions { desired_state, use_off_peak_window } = of;
    sdk::AutoTuneOptions::builder()
        .set_desired_state(word(desired_state))
        .set_use_off_peak_window(plain(*use_off_peak_window))
        .build()
}

pub(super) fn off_peak(of: &OffPeakWindowOptions) -> sdk::OffPeakWindowOptions {
    let OffPeakWindowOptions { enabled, hours, minutes } = of;
    let start = hours.map(|ServerDefault(hours)| {
        let minutes = plain(*minutes).unwrap_or(0);
        sdk::WindowStartTime::builder().hours(hours).minutes(minutes).build()
    });
    let window = start.map(|start| sdk::OffPeakWindow::builder().window_start_time(start).build());
    sdk::OffPeakWindowOptions::builder().set_enabled(plain(*enabled)).set_off_peak_window(window).build()
}

pub(super) fn software(of: &SoftwareUpdateOptions) -> sdk::SoftwareUpdateOptions {
    let SoftwareUpdateOptions { auto_software_update_enabled } = of;
    let enabled = plain(*auto_software_update_enabled);
    sdk::SoftwareUpdateOptions::builder().set_auto_software_update_enabled(enabled).build()
}

#[cfg(test)]
mod tests {
    use holdfast_core::types::Ref;

    use super::*;

    #[test]
    fn settings_that_a_volume_type_does_not_support_are_left_out() {
        let (volume, size) = (|of: &str| Some(ServerDefault(of.to_owned())), Some(ServerDefault(20)));
        let disk =
            |of| EbsOptions { ebs_enabled: true, volume_type: of, volume_size: size, iops: size, throughput: size };
        let sent = ebs(&disk(volume("gp2")));
        assert_eq!((sent.volume_size, sent.iops, sent.throughput), (Some(20), None, None));
        assert_eq!(ebs(&disk(volume("gp3"))).throughput, Some(20));
        assert_eq!(ebs(&EbsOptions { ebs_enabled: false, ..disk(volume("gp3")) }).volume_type, None);
    }

    #[test]
    fn a_live_log_type_that_is_not_desired_is_disabled() {
        let log = |group: &str| LogPublishingOption { cloud_watch_logs_log_group: Ref::new(group) };
        let live =
            LogPublishingOptions::from([("AUDIT_LOGS".to_owned(), log("a")), ("INDEX_SLOW_LOGS".to_owned(), log("b"))]);
        let sent = logs(Some(&live), &LogPublishingOptions::from([("AUDIT_LOGS".to_owned(), log("c"))]));
        assert_eq!(sent[&sdk::LogType::IndexSlowLogs].enabled, Some(false));
        assert_eq!(sent[&sdk::LogType::AuditLogs].cloud_watch_logs_log_group_arn.as_deref(), Some("c"));
    }
}
