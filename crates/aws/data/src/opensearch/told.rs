//! A domain's configuration as OpenSearch Service tells it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_opensearch::types as sdk;
use holdfast_core::types::{Always, Ref};

use super::options::{
    AdvancedOptions, AdvancedSecurity, AutoTune, ClusterConfig, CognitoOptions, DomainEndpoint, Ebs, EncryptionAtRest,
    LogPublishing, OffPeakWindow, SoftwareUpdate, VpcOptions, ZoneAwareness,
};

/// What is off is false, also where AWS says nothing of it.
fn flag(of: Option<bool>) -> Option<Always<bool>> {
    Some(Always(of.unwrap_or(false)))
}

pub(super) fn cluster(of: &sdk::ClusterConfig) -> ClusterConfig {
    ClusterConfig {
        instance_type: of.instance_type.as_ref().map(|of| Always(of.as_str().to_owned())),
        instance_count: of.instance_count.map(Always),
        zone_awareness_enabled: flag(of.zone_awareness_enabled),
        zone_awareness_config: of
            .zone_awareness_config
            .as_ref()
            .map(|of| ZoneAwareness { availability_zone_count: of.availability_zone_count.map(Always) }),
        dedicated_master_enabled: flag(of.dedicated_master_enabled),
        dedicated_master_type: of.dedicated_master_type.as_ref().map(|of| of.as_str().to_owned()),
        dedicated_master_count: of.dedicated_master_count,
        warm_enabled: flag(of.warm_enabled),
        warm_type: of.warm_type.as_ref().map(|of| of.as_str().to_owned()),
        warm_count: of.warm_count,
        cold_storage_enabled: of.cold_storage_options.as_ref().map(|of| of.enabled),
        multi_az_with_standby_enabled: flag(of.multi_az_with_standby_enabled),
    }
}

pub(super) fn ebs(of: &sdk::EbsOptions) -> Ebs {
    Ebs {
        ebs_enabled: of.ebs_enabled.unwrap_or(false),
        volume_type: of.volume_type.as_ref().map(|of| Always(of.as_str().to_owned())),
        volume_size: of.volume_size.map(Always),
        iops: of.iops.map(Always),
        throughput: of.throughput.map(Always),
    }
}

/// A public domain has none.
pub(super) fn vpc(of: &sdk::VpcDerivedInfo) -> Option<VpcOptions> {
    let subnets = of.subnet_ids();
    (!subnets.is_empty()).then(|| VpcOptions {
        subnets: subnets.iter().map(|id| Ref::new(id.as_str())).collect(),
        security_groups: Some(Always(of.security_group_ids().iter().map(|id| Ref::new(id.as_str())).collect())),
    })
}

pub(super) fn at_rest(of: &sdk::EncryptionAtRestOptions) -> EncryptionAtRest {
    let key = of.kms_key_id.clone().map(|key| Always(Ref::new(key)));
    EncryptionAtRest { enabled: of.enabled.unwrap_or(false), kms_key: key }
}

pub(super) fn endpoint(of: &sdk::DomainEndpointOptions) -> DomainEndpoint {
    DomainEndpoint {
        enforce_https: flag(of.enforce_https),
        tls_security_policy: of.tls_security_policy.as_ref().map(|of| Always(of.as_str().to_owned())),
        custom_endpoint_enabled: flag(of.custom_endpoint_enabled),
        custom_endpoint: of.custom_endpoint.clone(),
        custom_endpoint_certificate: of.custom_endpoint_certificate_arn.clone().map(Ref::new),
    }
}

pub(super) fn security(of: &sdk::AdvancedSecurityOptions) -> AdvancedSecurity {
    AdvancedSecurity {
        enabled: of.enabled.unwrap_or(false),
        internal_user_database_enabled: flag(of.internal_user_database_enabled),
        anonymous_auth_enabled: of.anonymous_auth_enabled,
    }
}

pub(super) fn logs(of: Option<&HashMap<sdk::LogType, sdk::LogPublishingOption>>) -> BTreeMap<String, LogPublishing> {
    // What was switched off stays listed.
    let on = of.into_iter().flatten().filter(|(_, option)| option.enabled == Some(true));
    let log = |(of, option): (&sdk::LogType, &sdk::LogPublishingOption)| {
        let group = option.cloud_watch_logs_log_group_arn.as_deref()?.trim_end_matches(":*");
        Some((of.as_str().to_owned(), LogPublishing { cloud_watch_logs_log_group: Ref::new(group) }))
    };
    on.filter_map(log).collect()
}

pub(super) fn advanced(of: &HashMap<String, String>) -> AdvancedOptions {
    let flag = |key: &str| of.get(key).map(|text| Always(text == "true"));
    AdvancedOptions {
        rest_action_multi_allow_explicit_index: flag("rest.action.multi.allow_explicit_index"),
        indices_fielddata_cache_size: of.get("indices.fielddata.cache.size").cloned(),
        indices_query_bool_max_clause_count: of.get("indices.query.bool.max_clause_count").cloned(),
        override_main_response_version: flag("override_main_response_version"),
    }
}

/// What is off is none.
pub(super) fn cognito(of: &sdk::CognitoOptions) -> Option<CognitoOptions> {
    (of.enabled == Some(true)).then(|| CognitoOptions {
        enabled: true,
        user_pool_id: of.user_pool_id.clone(),
        identity_pool_id: of.identity_pool_id.clone(),
        role: of.role_arn.clone().map(Ref::new),
    })
}

/// A state on its way counts as the one that it leads to: `ENABLE_IN_PROGRESS`, `DISABLED_AND_ROLLBACK_SCHEDULED`.
pub(super) fn auto_tune(of: &sdk::AutoTuneOptionsOutput) -> AutoTune {
    let state = |of: &str| if of.starts_with("ENABLE") { "ENABLED" } else { "DISABLED" };
    AutoTune {
        desired_state: of.state.as_ref().map(|of| Always(state(of.as_str()).to_owned())),
        use_off_peak_window: flag(of.use_off_peak_window),
    }
}

pub(super) fn off_peak(of: &sdk::OffPeakWindowOptions) -> OffPeakWindow {
    let start = of.off_peak_window.as_ref().and_then(|window| window.window_start_time.as_ref());
    OffPeakWindow {
        enabled: flag(of.enabled),
        hours: start.map(|start| Always(start.hours)),
        minutes: start.map(|start| Always(start.minutes)),
    }
}

pub(super) fn software(of: &sdk::SoftwareUpdateOptions) -> SoftwareUpdate {
    SoftwareUpdate { auto_software_update_enabled: flag(of.auto_software_update_enabled) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_switched_off_is_none() {
        let log =
            |on| sdk::LogPublishingOption::builder().cloud_watch_logs_log_group_arn("arn:g:*").enabled(on).build();
        let all = HashMap::from([(sdk::LogType::AuditLogs, log(false)), (sdk::LogType::IndexSlowLogs, log(true))]);
        let told = logs(Some(&all));
        assert_eq!(told.len(), 1);
        assert_eq!(told["INDEX_SLOW_LOGS"].cloud_watch_logs_log_group.as_str(), "arn:g");
    }

    #[test]
    fn a_state_on_its_way_counts() {
        let tune = sdk::AutoTuneOptionsOutput::builder().state(sdk::AutoTuneState::EnableInProgress).build();
        assert_eq!(auto_tune(&tune).desired_state, Some(Always("ENABLED".to_owned())));
    }
}
