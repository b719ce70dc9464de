//! SearchDomain: an OpenSearch Service domain.

use std::collections::BTreeMap;

use aws_sdk_opensearch::types::{self as sdk, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::field_tags;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, PolicyDocument, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::options::{
    AdvancedOptions, AdvancedSecurityOptions, AutoTuneOptions, ClusterConfig, CognitoOptions, DomainEndpointOptions,
    EbsOptions, EncryptionAtRestOptions, LogPublishingOption, NodeToNodeEncryptionOptions, OffPeakWindowOptions,
    SoftwareUpdateOptions, VpcOptions,
};
use super::{from_response, opensearch, wire};
use crate::secretsmanager::secret::Secret;
use crate::secretsmanager::{CurrentVersion, consumed, consumed_tag, read};

/// An OpenSearch Service domain: a cluster of OpenSearch.
///
/// The name of a domain begins with a letter and has 3 to 28 lower case letters, digits and hyphens. A create takes 15
/// to 30 minutes. Most changes are blue/green deployments: AWS builds a second cluster and moves the data, which takes
/// as long
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/managedomains-configuration-changes.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomain {
    /// The engine version: `OpenSearch_2.19`, `OpenSearch_3.1`, `Elasticsearch_7.10`, … AWS never downgrades a domain.
    engine_version: Option<ServerDefault<String>>,
    /// The nodes of the domain.
    cluster_config: Option<ClusterConfig>,
    /// The EBS volumes of the data nodes.
    ebs_options: Option<EbsOptions>,
    /// The VPC options. Without them the domain is public. AWS cannot change a public domain into a VPC domain, or
    /// back.
    vpc_options: Option<VpcOptions>,
    /// The IP address type: `ipv4` (AWS's default) or `dualstack`. AWS cannot change `dualstack` back to `ipv4`.
    ip_address_type: Option<ServerDefault<String>>,
    /// The access policy of the domain; `null` for no policy.
    access_policies: Option<PolicyDocument>,
    /// The encryption of data at rest.
    encryption_at_rest_options: Option<EncryptionAtRestOptions>,
    /// The encryption of the connections between nodes.
    node_to_node_encryption_options: Option<NodeToNodeEncryptionOptions>,
    /// The endpoint options: how clients connect.
    domain_endpoint_options: Option<DomainEndpointOptions>,
    /// Fine-grained access control.
    advanced_security_options: Option<AdvancedSecurityOptions>,
    /// The ARN of the master user, an IAM role or user with all permissions; for fine-grained access control without an
    /// internal user database.
    master_user_arn: Option<Arn>,
    /// The name of the master user, which has all permissions; for fine-grained access control with
    /// `internalUserDatabaseEnabled`.
    master_user_name: Option<String>,
    /// The secret that holds the master user's password. Holdfast puts each new version of the secret into the domain.
    master_user_password: Option<Ref<Secret, CurrentVersion>>,
    /// The JSON field of the secret value that holds the password, if the value is a JSON object.
    master_user_password_key: Option<String>,
    /// The log groups, by log type: `INDEX_SLOW_LOGS`, `SEARCH_SLOW_LOGS`, `ES_APPLICATION_LOGS` or `AUDIT_LOGS`.
    log_publishing_options: Option<BTreeMap<String, LogPublishingOption>>,
    /// The settings of the whole cluster.
    advanced_options: Option<AdvancedOptions>,
    /// Amazon Cognito authentication for OpenSearch Dashboards.
    cognito_options: Option<CognitoOptions>,
    /// Auto-Tune, with which AWS tunes memory settings.
    auto_tune_options: Option<AutoTuneOptions>,
    /// The off-peak window, in which AWS may do maintenance.
    off_peak_window_options: Option<OffPeakWindowOptions>,
    /// Automatic updates of the service software.
    software_update_options: Option<SoftwareUpdateOptions>,
}

/// The read-only attributes of a SearchDomain.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomainStatus {
    /// The ARN of the domain.
    arn: String,
    /// The endpoint: the host name that clients resolve, as soon as AWS has assigned it.
    endpoint: Option<String>,
    /// The domain id: `<account>/<name>`.
    domain_id: String,
}

const PASSWORD: &str = "masterUserPassword";

/// The fields that one UpdateDomainConfig call changes.
const CONFIGURATION: [&str; 19] = [
    "accessPolicies",
    "advancedOptions",
    "advancedSecurityOptions",
    "autoTuneOptions",
    "clusterConfig",
    "cognitoOptions",
    "domainEndpointOptions",
    "ebsOptions",
    "encryptionAtRestOptions",
    "ipAddressType",
    "logPublishingOptions",
    "masterUserArn",
    "masterUserName",
    PASSWORD,
    "masterUserPasswordKey",
    "nodeToNodeEncryptionOptions",
    "offPeakWindowOptions",
    "softwareUpdateOptions",
    "vpcOptions",
];

impl SearchDomain {
    /// Returns the fields that are recorded in tags. AWS never returns the master user.
    fn field_tags(&self) -> [(&'static str, Option<String>); 3] {
        [
            ("masterUserArn", self.master_user_arn.clone().map(|arn| arn.0)),
            ("masterUserName", self.master_user_name.clone()),
            ("masterUserPasswordKey", self.master_user_password_key.clone()),
        ]
    }

    /// Returns fine-grained access control with its master user. Only this function reads the password.
    async fn security(&self, aws: &Aws) -> Result<Option<sdk::AdvancedSecurityOptionsInput>> {
        let mut user = sdk::MasterUserOptions::builder()
            .set_master_user_arn(self.master_user_arn.clone().map(|arn| arn.0))
            .set_master_user_name(self.master_user_name.clone());
        if let Some(password) = &self.master_user_password {
            let key = self.master_user_password_key.as_deref();
            user = user.master_user_password(read(aws, password, key).await?.expose());
        }
        let is_stated = self.master_user_arn.is_some() || self.master_user_name.is_some();
        let user = (is_stated || self.master_user_password.is_some()).then(|| user.build());
        Ok(self.advanced_security_options.as_ref().map(|options| wire::security(options, user)))
    }
}

impl Kind for SearchDomain {
    type Status = SearchDomainStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(28) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const STATEFUL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "es" && resource.starts_with("domain/");
        let observe_arn = |arn: String, _| async move {
            observe_domain(aws, scope, arn.rsplit('/').next().unwrap_or_default()).await
        };
        if let Some(found) = tagging::known(aws, scope, is, observe_arn).await? {
            return Ok(found);
        }
        let listed = opensearch(aws).list_domain_names().send().await?.domain_names.unwrap_or_default();
        let names = listed.into_iter().filter_map(|domain| domain.domain_name);
        each(names, |name| async move { observe_domain(aws, scope, &name).await }).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let spec = &desired.spec;
        let SearchDomain {
            engine_version,
            cluster_config,
            ebs_options,
            vpc_options,
            ip_address_type,
            access_policies,
            encryption_at_rest_options,
            node_to_node_encryption_options,
            domain_endpoint_options,
            advanced_security_options: _,
            master_user_arn: _,
            master_user_name: _,
            master_user_password,
            master_user_password_key: _,
            log_publishing_options,
            advanced_options,
            cognito_options,
            auto_tune_options,
            off_peak_window_options,
            software_update_options,
        } = spec;
        let mut tags = field_tags::with(&desired.tags, spec.field_tags());
        tags.extend(master_user_password.as_ref().map(|of| consumed_tag(PASSWORD, of)));
        let created = opensearch(aws)
            .create_domain()
            .domain_name(&desired.name)
            .set_access_policies(access_policies.as_ref().map(PolicyDocument::json))
            .set_encryption_at_rest_options(encryption_at_rest_options.as_ref().map(wire::at_rest))
            .set_node_to_node_encryption_options(node_to_node_encryption_options.as_ref().map(wire::node_to_node))
            .set_domain_endpoint_options(domain_endpoint_options.as_ref().map(wire::endpoint))
            .set_advanced_security_options(spec.security(aws).await?)
            .set_vpc_options(vpc_options.as_ref().map(wire::vpc))
            .set_engine_version(engine_version.as_deref().cloned())
            .set_cluster_config(cluster_config.as_ref().map(wire::cluster).transpose()?)
            .set_ebs_options(ebs_options.as_ref().map(wire::ebs))
            .set_ip_address_type(ip_address_type.as_deref().map(|of| of.as_str().into()))
            .set_log_publishing_options(log_publishing_options.as_ref().map(|logs| wire::logs(None, logs)))
            .set_advanced_options(advanced_options.as_ref().map(wire::advanced))
            .set_cognito_options(cognito_options.as_ref().map(wire::cognito))
            .set_auto_tune_options(auto_tune_options.as_ref().map(wire::auto_tune_at_create))
            .set_off_peak_window_options(off_peak_window_options.as_ref().map(wire::off_peak))
            .set_software_update_options(software_update_options.as_ref().map(wire::software))
            .set_tag_list(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let live = created.domain_status.map(|domain| live(&domain, tags));
        Ok(live.map_or_else(|| Created::unobserved(&desired.name), Into::into))
    }

    /// Changes the configuration first, and the engine version in a later update.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let is_config = CONFIGURATION.iter().any(|field| desired.changed(field));
        if is_config {
            configure(aws, live, desired).await?;
        }
        let Some(version) =
            desired.spec.engine_version.as_deref().filter(|_| desired.changed(SearchDomain::ENGINE_VERSION))
        else {
            return Ok(Updated::Known);
        };
        if is_config {
            return Err(Error::not_yet(
                "opensearch.UpgradeDomain",
                "the configuration is changed before the engine is upgraded",
            ));
        }
        opensearch(aws).upgrade_domain().domain_name(&live.id).target_version(version).send().await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        opensearch(aws).delete_domain().domain_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

async fn configure(aws: &Aws, live: &Live<SearchDomain>, desired: &Desired<SearchDomain>) -> Result<()> {
    let (spec, changed) = (&desired.spec, |field: &str| desired.changed(field));
    let user =
        ["masterUserArn", "masterUserName", PASSWORD, "masterUserPasswordKey"].iter().any(|field| changed(field));
    let mut call = opensearch(aws)
        .update_domain_config()
        .domain_name(&live.id)
        .set_access_policies(
            changed(SearchDomain::ACCESS_POLICIES)
                .then(|| spec.access_policies.as_ref().map(PolicyDocument::json).unwrap_or_default()),
        )
        .set_encryption_at_rest_options(
            spec.encryption_at_rest_options
                .as_ref()
                .filter(|_| changed(SearchDomain::ENCRYPTION_AT_REST_OPTIONS))
                .map(wire::at_rest),
        )
        .set_node_to_node_encryption_options(
            spec.node_to_node_encryption_options
                .as_ref()
                .filter(|_| changed(SearchDomain::NODE_TO_NODE_ENCRYPTION_OPTIONS))
                .map(wire::node_to_node),
        )
        .set_domain_endpoint_options(
            spec.domain_endpoint_options
                .as_ref()
                .filter(|_| changed(SearchDomain::DOMAIN_ENDPOINT_OPTIONS))
                .map(wire::endpoint),
        )
        .set_vpc_options(spec.vpc_options.as_ref().filter(|_| changed(SearchDomain::VPC_OPTIONS)).map(wire::vpc))
        .set_cluster_config(
            spec.cluster_config
                .as_ref()
                .filter(|_| changed(SearchDomain::CLUSTER_CONFIG))
                .map(wire::cluster)
                .transpose()?,
        )
        .set_ebs_options(spec.ebs_options.as_ref().filter(|_| changed(SearchDomain::EBS_OPTIONS)).map(wire::ebs))
        .set_ip_address_type(
            spec.ip_address_type
                .as_deref()
                .filter(|_| changed(SearchDomain::IP_ADDRESS_TYPE))
                .map(|of| of.as_str().into()),
        )
        .set_advanced_options(
            spec.advanced_options.as_ref().filter(|_| changed(SearchDomain::ADVANCED_OPTIONS)).map(wire::advanced),
        )
        .set_auto_tune_options(
            spec.auto_tune_options.as_ref().filter(|_| changed(SearchDomain::AUTO_TUNE_OPTIONS)).map(wire::auto_tune),
        )
        .set_off_peak_window_options(
            spec.off_peak_window_options
                .as_ref()
                .filter(|_| changed(SearchDomain::OFF_PEAK_WINDOW_OPTIONS))
                .map(wire::off_peak),
        )
        .set_software_update_options(
            spec.software_update_options
                .as_ref()
                .filter(|_| changed(SearchDomain::SOFTWARE_UPDATE_OPTIONS))
                .map(wire::software),
        );
    if user || changed(SearchDomain::ADVANCED_SECURITY_OPTIONS) {
        call = call.set_advanced_security_options(spec.security(aws).await?);
    }
    if changed(SearchDomain::COGNITO_OPTIONS) {
        let disabled = CognitoOptions { enabled: false, user_pool_id: None, identity_pool_id: None, role: None };
        call = call.cognito_options(wire::cognito(spec.cognito_options.as_ref().unwrap_or(&disabled)));
    }
    if changed(SearchDomain::LOG_PUBLISHING_OPTIONS) {
        let (live, desired) = (live.spec.log_publishing_options.as_ref(), spec.log_publishing_options.clone());
        call = call.set_log_publishing_options(Some(wire::logs(live, &desired.unwrap_or_default())));
    }
    call.send().await?;
    let mut tags = field_tags::change_tags(desired, spec.field_tags());
    if changed(PASSWORD) {
        match &spec.master_user_password {
            Some(of) => tags.set.extend([consumed_tag(PASSWORD, of)]),
            None => tags.remove.extend([consumed_tag(PASSWORD, &Ref::new("")).0]),
        }
    }
    tag(aws, &live.status.arn, &tags).await
}

/// Observes one domain; `None` if the domain does not exist or the scope does not request it.
async fn observe_domain(aws: &Aws, scope: &Scope, name: &str) -> Result<Option<Live<SearchDomain>>> {
    if !scope.is_candidate(name) && !scope.ids.contains(name) && scope.lookups.is_empty() {
        return Ok(None);
    }
    let response = opensearch(aws).describe_domain().domain_name(name).send().await.or_absent()?;
    let Some(domain) = response.and_then(|response| response.domain_status) else { return Ok(None) };
    let tags = tags_of(aws, scope, &domain.arn).await?;
    Ok(tags.map(|tags| live(&domain, tags)))
}

async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        let response = opensearch(aws).list_tags().arn(arn).send().await.or_absent()?;
        let pair = |tag: Tag| (tag.key, tag.value);
        Ok(response.map(|response| response.tag_list.unwrap_or_default().into_iter().map(pair).collect()))
    })
    .await
}

async fn tag(aws: &Aws, arn: &str, TagChanges { set, remove }: &TagChanges) -> Result<()> {
    if !set.is_empty() {
        opensearch(aws).add_tags().arn(arn).set_tag_list(Some(sdk_tags(set)?)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        opensearch(aws).remove_tags().arn(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}

fn sdk_tags(tags: &Tags) -> Result<Vec<Tag>> {
    tags.iter().map(|(key, value)| Ok(Tag::builder().key(key).value(value).build()?)).collect()
}

fn live(domain: &sdk::DomainStatus, tags: Tags) -> Live<SearchDomain> {
    let spec = SearchDomain {
        engine_version: domain.engine_version.clone().map(ServerDefault),
        cluster_config: domain.cluster_config.as_ref().map(from_response::cluster),
        ebs_options: domain.ebs_options.as_ref().map(from_response::ebs),
        vpc_options: domain.vpc_options.as_ref().and_then(from_response::vpc),
        ip_address_type: domain.ip_address_type.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        access_policies: domain.access_policies().filter(|text| !text.is_empty()).map(PolicyDocument::parse),
        encryption_at_rest_options: domain.encryption_at_rest_options.as_ref().map(from_response::at_rest),
        node_to_node_encryption_options: domain
            .node_to_node_encryption_options
            .as_ref()
            .map(|of| NodeToNodeEncryptionOptions { enabled: of.enabled.unwrap_or(false) }),
        domain_endpoint_options: domain.domain_endpoint_options.as_ref().map(from_response::endpoint),
        advanced_security_options: domain.advanced_security_options.as_ref().map(from_response::security),
        master_user_arn: field_tags::recall(&tags, "masterUserArn").map(Arn),
        master_user_name: field_tags::recall(&tags, "masterUserName"),
        master_user_password: consumed(&tags, PASSWORD),
        master_user_password_key: field_tags::recall(&tags, "masterUserPasswordKey"),
        log_publishing_options: Some(from_response::logs(domain.log_publishing_options.as_ref())),
        advanced_options: domain.advanced_options.as_ref().map(from_response::advanced),
        cognito_options: domain.cognito_options.as_ref().and_then(from_response::cognito),
        auto_tune_options: domain.auto_tune_options.as_ref().map(from_response::auto_tune),
        off_peak_window_options: domain.off_peak_window_options.as_ref().map(from_response::off_peak),
        software_update_options: domain.software_update_options.as_ref().map(from_response::software),
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
    let live = Live::new(&domain.domain_name, &domain.domain_name, spec, status).tags(tags).phase(phase);
    match domain.domain_processing_status.as_ref().map(sdk::DomainProcessingStatusType::as_str) {
        Some("Isolated") => live.degraded("Isolated", "AWS has isolated the domain; no client can reach it"),
        _ => live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_without_an_endpoint_is_being_created() -> Result<()> {
        let domain = || sdk::DomainStatus::builder().domain_id("1/logs").domain_name("logs").arn("arn:logs");
        let domain = || domain().cluster_config(sdk::ClusterConfig::builder().build()).processing(true);
        assert_eq!(live(&domain().build()?, Tags::new()).phase, Phase::Pending);
        assert_eq!(live(&domain().endpoint("logs.es").build()?, Tags::new()).phase, Phase::Updating);
        let inside = domain().endpoints("vpc", "vpc-logs.es").processing(false).build()?;
        let inside = live(&inside, Tags::new());
        assert_eq!((inside.phase, inside.status.endpoint.as_deref()), (Phase::Ready, Some("vpc-logs.es")));
        Ok(())
    }
}
