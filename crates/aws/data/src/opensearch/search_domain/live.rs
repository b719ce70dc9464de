//! SearchDomain from the responses of OpenSearch Service.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_opensearch::types as sdk;
use holdfast_base::kind::Live;
use holdfast_core::observed::Phase;
use holdfast_core::types::{PolicyDocument, Ref, ServerDefault};

use super::spec::{
    AdvancedOptions, AdvancedSecurityOptions, AutoTuneOptions, ClusterConfig, CognitoOptions, DomainEndpointOptions,
    EbsOptions, EncryptionAtRestOptions, LogPublishingOption, NodeToNodeEncryptionOptions, OffPeakWindowOptions,
    SearchDomain, SearchDomainStatus, SoftwareUpdateOptions, VpcOptions, ZoneAwarenessConfig,
};

/// Returns a domain without its tags.
pub(super) fn live(domain: &sdk::DomainStatus) -> Live<SearchDomain> {
    let spec = SearchDomain {
        engine_version: domain.engine_version.clone().map(ServerDefault),
        cluster_config: domain.cluster_config.as_ref().map(cluster),
        ebs_options: domain.ebs_options.as_ref().map(ebs),
        vpc_options: domain.vpc_options.as_ref().and_then(vpc),
        ip_address_type: domain.ip_address_type.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        access_policies: domain.access_policies().filter(|text| !text.is_empty()).map(PolicyDocument::parse),
        encryption_at_rest_options: domain.encryption_at_rest_options.as_ref().map(at_rest),
        node_to_node_encryption_options: domain
            .node_to_node_encryption_options
            .as_ref()
            .map(|of| NodeToNodeEncryptionOptions { enabled: of.enabled.unwrap_or(false) }),
        domain_endpoint_options: domain.domain_endpoint_options.as_ref().map(endpoint),
        advanced_security_options: domain.advanced_security_options.as_ref().map(security),
        // AWS never returns the master user.
        master_user_arn: None,
        master_user_name: None,
        master_user_password: None,
        master_user_password_key: None,
        log_publishing_options: Some(logs(domain.log_publishing_options.as_ref())),
        advanced_options: domain.advanced_options.as_ref().map(advanced),
        cognito_options: domain.cognito_options.as_ref().and_then(cognito),
        auto_tune_options: domain.auto_tune_options.as_ref().map(auto_tune),
        off_peak_window_options: domain.off_peak_window_options.as_ref().map(off_peak),
        software_update_options: domain.software_update_options.as_ref().map(software),
    };
    let vpc = domain.endpoints.as_ref().and_then(|endpoints| endpoints.get("vpc"));
    let endpoint = domain.endpoint.as_ref().or(vpc).cloned();
    let is_processing = domain.processing == Some(true) || domain.upgrade_processing == Some(true);
    let phase = match () {
        () if domain.deleted == Some(true) => Phase::Deleting,
        () if endpoint.is_none() => Phase::Pending,
        () if is_processing => Phase::Updating,
        () => Phase::Ready,
    };
    let status = SearchDomainStatus { arn: domain.arn.clone(), endpoint, domain_id: domain.domain_id.clone() };
    let live = Live::new(&domain.domain_name, &domain.domain_name, spec, status).phase(phase);
    match domain.domain_processing_status.as_ref().map(sdk::DomainProcessingStatusType::as_str) {
        Some("Isolated") => live.degraded("Isolated", "AWS has isolated the domain; no client can reach it"),
        _ => live,
    }
}

/// Returns the flag; `false` if the response leaves it out.
fn flag(of: Option<bool>) -> Option<ServerDefault<bool>> {
    Some(ServerDefault(of.unwrap_or(false)))
}

fn cluster(of: &sdk::ClusterConfig) -> ClusterConfig {
    ClusterConfig {
        instance_type: of.instance_type.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        instance_count: of.instance_count.map(ServerDefault),
        zone_awareness_enabled: flag(of.zone_awareness_enabled),
        zone_awareness_config: of
            .zone_awareness_config
            .as_ref()
            .map(|of| ZoneAwarenessConfig { availability_zone_count: of.availability_zone_count.map(ServerDefault) }),
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

fn ebs(of: &sdk::EbsOptions) -> EbsOptions {
    EbsOptions {
        ebs_enabled: of.ebs_enabled.unwrap_or(false),
        volume_type: of.volume_type.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        volume_size: of.volume_size.map(ServerDefault),
        iops: of.iops.map(ServerDefault),
        throughput: of.throughput.map(ServerDefault),
    }
}

/// Returns the VPC options; `None` for a public domain.
fn vpc(of: &sdk::VpcDerivedInfo) -> Option<VpcOptions> {
    let subnets = of.subnet_ids();
    (!subnets.is_empty()).then(|| VpcOptions {
        subnets: subnets.iter().map(|id| Ref::new(id.as_str())).collect(),
        security_groups: Some(ServerDefault(of.security_group_ids().iter().map(|id| Ref::new(id.as_str())).collect())),
    })
}

fn at_rest(of: &sdk::EncryptionAtRestOptions) -> EncryptionAtRestOptions {
    let key = of.kms_key_id.clone().map(|key| ServerDefault(Ref::new(key)));
    EncryptionAtRestOptions { enabled: of.enabled.unwrap_or(false), kms_key: key }
}

fn endpoint(of: &sdk::DomainEndpointOptions) -> DomainEndpointOptions {
    DomainEndpointOptions {
        enforce_https: flag(of.enforce_https),
        tls_security_policy: of.tls_security_policy.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        custom_endpoint_enabled: flag(of.custom_endpoint_enabled),
        custom_endpoint: of.custom_endpoint.clone(),
        custom_endpoint_certificate: of.custom_endpoint_certificate_arn.clone().map(Ref::new),
    }
}

fn security(of: &sdk::AdvancedSecurityOptions) -> AdvancedSecurityOptions {
    AdvancedSecurityOptions {
        enabled: of.enabled.unwrap_or(false),
        internal_user_database_enabled: flag(of.internal_user_database_enabled),
        anonymous_auth_enabled: of.anonymous_auth_enabled,
    }
}

fn logs(of: Option<&HashMap<sdk::LogType, sdk::LogPublishingOption>>) -> BTreeMap<String, LogPublishingOption> {
    // AWS keeps a disabled log type in the list.
    let enabled = of.into_iter().flatten().filter(|(_, option)| option.enabled == Some(true));
    let log = |(of, option): (&sdk::LogType, &sdk::LogPublishingOption)| {
        let group = option.cloud_watch_logs_log_group_arn.as_deref()?.trim_end_matches(":*");
        Some((of.as_str().to_owned(), LogPublishingOption { cloud_watch_logs_log_group: Ref::new(group) }))
    };
    enabled.filter_map(log).collect()
}

fn advanced(of: &HashMap<String, String>) -> AdvancedOptions {
    let flag = |key: &str| of.get(key).map(|text| ServerDefault(text == "true"));
    AdvancedOptions {
        rest_action_multi_allow_explicit_index: flag("rest.action.multi.allow_explicit_index"),
        indices_fielddata_cache_size: of.get("indices.fielddata.cache.size").cloned(),
        indices_query_bool_max_clause_count: of.get("indices.query.bool.max_clause_count").cloned(),
        override_main_response_version: flag("override_main_response_version"),
    }
}

/// Returns the Cognito options; `None` if Cognito authentication is disabled.
fn cognito(of: &sdk::CognitoOptions) -> Option<CognitoOptions> {
    (of.enabled == Some(true)).then(|| CognitoOptions {
        enabled: true,
        user_pool_id: of.user_pool_id.clone(),
        identity_pool_id: of.identity_pool_id.clone(),
        role: of.role_arn.clone().map(Ref::new),
    })
}

/// Returns the Auto-Tune options. A transitional state counts as the state that it leads to: `ENABLE_IN_PROGRESS`,
/// `DISABLED_AND_ROLLBACK_SCHEDULED`.
fn auto_tune(of: &sdk::AutoTuneOptionsOutput) -> AutoTuneOptions {
    let state = |of: &str| if of.starts_with("ENABLE") { "ENABLED" } else { "DISABLED" };
    AutoTuneOptions {
        desired_state: of.state.as_ref().map(|of| ServerDefault(state(of.as_str()).to_owned())),
        use_off_peak_window: flag(of.use_off_peak_window),
    }
}

fn off_peak(of: &sdk::OffPeakWindowOptions) -> OffPeakWindowOptions {
    let start = of.off_peak_window.as_ref().and_then(|window| window.window_start_time.as_ref());
    OffPeakWindowOptions {
        enabled: flag(of.enabled),
        hours: start.map(|start| ServerDefault(start.hours)),
        minutes: start.map(|start| ServerDefault(start.minutes)),
    }
}

fn software(of: &sdk::SoftwareUpdateOptions) -> SoftwareUpdateOptions {
    SoftwareUpdateOptions { auto_software_update_enabled: flag(of.auto_software_update_enabled) }
}

#[cfg(test)]
mod tests {
    use holdfast_base::error::Result;

    use super::*;

    #[test]
    fn a_disabled_log_type_is_left_out() {
        let log =
            |on| sdk::LogPublishingOption::builder().cloud_watch_logs_log_group_arn("arn:g:*").enabled(on).build();
        let all = HashMap::from([(sdk::LogType::AuditLogs, log(false)), (sdk::LogType::IndexSlowLogs, log(true))]);
        let live = logs(Some(&all));
        assert_eq!(live.len(), 1);
        assert_eq!(live["INDEX_SLOW_LOGS"].cloud_watch_logs_log_group.as_str(), "arn:g");
    }

    #[test]
    fn a_transitional_state_counts_as_the_state_that_it_leads_to() {
        let tune = sdk::AutoTuneOptionsOutput::builder().state(sdk::AutoTuneState::EnableInProgress).build();
        assert_eq!(auto_tune(&tune).desired_state, Some(ServerDefault("ENABLED".to_owned())));
    }

    #[test]
    fn a_domain_without_an_endpoint_is_being_created() -> Result<()> {
        let domain = || sdk::DomainStatus::builder().domain_id("1/logs").domain_name("logs").arn("arn:logs");
        let domain = || domain().cluster_config(sdk::ClusterConfig::builder().build()).processing(true);
        assert_eq!(live(&domain().build()?).phase, Phase::Pending);
        assert_eq!(live(&domain().endpoint("logs.es").build()?).phase, Phase::Updating);
        let inside = domain().endpoints("vpc", "vpc-logs.es").processing(false).build()?;
        let inside = live(&inside);
        assert_eq!((inside.phase, inside.status.endpoint.as_deref()), (Phase::Ready, Some("vpc-logs.es")));
        Ok(())
    }
}
