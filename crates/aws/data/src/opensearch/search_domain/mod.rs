//! SearchDomain: an OpenSearch Service domain.

mod live;
mod spec;
mod wire;

use aws_sdk_opensearch::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::field_tags::FieldTag;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants, each, observe_listed};
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::{Is, IsNot, Stated},
    Demand::{AtMostOne, Excludes, Needs, OneOf, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Tier};
use holdfast_core::types::PolicyDocument;
use holdfast_engine::cloud::Scope;

use super::{OpenSearchTags, opensearch, sdk_tags, tags_of};
use crate::consumed_secret::read;
use live::live;
use spec::CognitoOptions;
pub(crate) use spec::{SearchDomain, SearchDomainStatus};

/// The fields of the master user, which AWS never returns.
const MASTER_USER: &[FieldName<SearchDomain>] = &[
    SearchDomain::MASTER_USER_ARN,
    SearchDomain::MASTER_USER_NAME,
    SearchDomain::MASTER_USER_PASSWORD,
    SearchDomain::MASTER_USER_PASSWORD_KEY,
];

impl Kind for SearchDomain {
    type Status = SearchDomainStatus;
    type Owner = TagOnCreate<OpenSearchTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (r"[a-z][a-z0-9-]{2,27}", "has 3 to 28 lower case letters, digits and hyphens, and begins with a letter"),
        ..NamingRules::limit(28)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_ClusterConfig.html
        demand(OneOf("zoneAwarenessEnabled", &["true"])).when(&[Stated("zoneAwarenessConfig")]).at("clusterConfig"),
        demand(Needs("dedicatedMasterType")).when(&[Is("dedicatedMasterEnabled", &["true"])]).at("clusterConfig"),
        demand(Needs("dedicatedMasterCount")).when(&[Is("dedicatedMasterEnabled", &["true"])]).at("clusterConfig"),
        demand(OneOf("dedicatedMasterCount", &["3", "5"])).at("clusterConfig"),
        demand(Needs("warmType")).when(&[Is("warmEnabled", &["true"])]).at("clusterConfig"),
        demand(Needs("warmCount")).when(&[Is("warmEnabled", &["true"])]).at("clusterConfig"),
        demand(OneOf("warmEnabled", &["true"])).when(&[Is("coldStorageEnabled", &["true"])]).at("clusterConfig"),
        demand(OneOf("zoneAwarenessEnabled", &["true"]))
            .when(&[Is("multiAzWithStandbyEnabled", &["true"])])
            .at("clusterConfig"),
        // https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_EBSOptions.html
        demand(Needs("volumeSize")).when(&[Is("ebsEnabled", &["true"])]).at("ebsOptions"),
        demand(Excludes("iops")).when(&[Is("volumeType", &["gp2", "standard"])]).at("ebsOptions"),
        demand(Excludes("throughput")).when(&[IsNot("volumeType", &["gp3"])]).at("ebsOptions"),
        // https://docs.aws.amazon.com/opensearch-service/latest/APIReference/API_DomainEndpointOptions.html
        demand(Needs("customEndpoint")).when(&[Is("customEndpointEnabled", &["true"])]).at("domainEndpointOptions"),
        demand(Needs("customEndpointCertificate"))
            .when(&[Is("customEndpointEnabled", &["true"])])
            .at("domainEndpointOptions"),
        // https://docs.aws.amazon.com/opensearch-service/latest/developerguide/fgac.html
        demand(OneOf("encryptionAtRestOptions.enabled", &["true"]))
            .when(&[Is("advancedSecurityOptions.enabled", &["true"])]),
        demand(OneOf("nodeToNodeEncryptionOptions.enabled", &["true"]))
            .when(&[Is("advancedSecurityOptions.enabled", &["true"])]),
        demand(OneOf("domainEndpointOptions.enforceHTTPS", &["true"]))
            .when(&[Is("advancedSecurityOptions.enabled", &["true"])]),
        demand(AtMostOne(&["masterUserArn", "masterUserName"])),
        demand(Needs("userPoolId")).when(&[Is("enabled", &["true"])]).at("cognitoOptions"),
        demand(Needs("identityPoolId")).when(&[Is("enabled", &["true"])]).at("cognitoOptions"),
        demand(Needs("role")).when(&[Is("enabled", &["true"])]).at("cognitoOptions"),
        demand(ValidPolicy("accessPolicies", PolicyType::Resource)),
    ];
    const STATEFUL: bool = true;
    const FIELD_TAGS: &'static [FieldTag] = &[
        FieldTag::new(Self::MASTER_USER_ARN).sent(),
        FieldTag::new(Self::MASTER_USER_NAME).sent(),
        FieldTag::with_key(Self::MASTER_USER_PASSWORD, "holdfast:secret/masterUserPassword").sent(),
        FieldTag::new(Self::MASTER_USER_PASSWORD_KEY).sent(),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "es" && resource.starts_with("domain/");
        let by_arn = |arn: String, _| async move {
            observe_domain(aws, scope, arn.rsplit('/').next().unwrap_or_default()).await
        };
        if let Some(found) = tagging::known(aws, scope, is, by_arn).await? {
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
            master_user_password: _,
            master_user_password_key: _,
            log_publishing_options,
            advanced_options,
            cognito_options,
            auto_tune_options,
            off_peak_window_options,
            software_update_options,
        } = spec;
        let created = opensearch(aws)
            .create_domain()
            .domain_name(&desired.name)
            .set_access_policies(access_policies.as_ref().map(PolicyDocument::json))
            .set_encryption_at_rest_options(encryption_at_rest_options.as_ref().map(wire::at_rest))
            .set_node_to_node_encryption_options(node_to_node_encryption_options.as_ref().map(wire::node_to_node))
            .set_domain_endpoint_options(domain_endpoint_options.as_ref().map(wire::endpoint))
            .set_advanced_security_options(security(aws, spec).await?)
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
            .set_tag_list(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        Ok(desired.confirmed(&desired.name, created.domain_status.as_ref().map(live)))
    }

    /// Changes the configuration first, and the engine version in a later update.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let is_config = desired.changed_besides(&[Self::ENGINE_VERSION]);
        if is_config {
            configure(aws, live, desired).await?;
        }
        match desired.if_changed(Self::ENGINE_VERSION, desired.spec.engine_version.as_deref()) {
            None => Ok(Updated::Known),
            Some(_) if is_config => Ok(Updated::Unfinished("the engine is upgraded once the configuration is changed")),
            Some(version) => {
                opensearch(aws).upgrade_domain().domain_name(&live.id).target_version(version).send().await?;
                Ok(Updated::Known)
            }
        }
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        opensearch(aws).delete_domain().domain_name(&live.id).send().await?;
        Ok(())
    }
}

/// Observes one domain; `None` if the domain does not exist or the scope does not request it.
async fn observe_domain(aws: &Aws, scope: &Scope, name: &str) -> Result<Option<Live<SearchDomain>>> {
    if !scope.wants(&Listed::name(name)).any() {
        return Ok(None);
    }
    let response = opensearch(aws).describe_domain().domain_name(name).send().await.or_absent()?;
    let Some(domain) = response.and_then(|response| response.domain_status) else { return Ok(None) };
    observe_listed(scope, live(&domain), tags_of(aws, scope, &domain.arn), async |live| Ok(Some(live))).await
}

/// Returns fine-grained access control with its master user. Only this function reads the password.
async fn security(aws: &Aws, spec: &SearchDomain) -> Result<Option<sdk::AdvancedSecurityOptionsInput>> {
    let mut user = sdk::MasterUserOptions::builder()
        .set_master_user_arn(spec.master_user_arn.clone().map(|arn| arn.0))
        .set_master_user_name(spec.master_user_name.clone());
    if let Some(password) = &spec.master_user_password {
        let key = spec.master_user_password_key.as_deref();
        user = user.master_user_password(read(aws, password, key).await?.expose());
    }
    let is_stated = spec.master_user_arn.is_some() || spec.master_user_name.is_some();
    let user = (is_stated || spec.master_user_password.is_some()).then(|| user.build());
    Ok(spec.advanced_security_options.as_ref().map(|options| wire::security(options, user)))
}

/// Changes all fields that differ except the engine version, with one call.
async fn configure(aws: &Aws, live: &Live<SearchDomain>, desired: &Desired<SearchDomain>) -> Result<()> {
    type D = SearchDomain;
    let spec = &desired.spec;
    let policies = spec.access_policies.as_ref().map(PolicyDocument::json).unwrap_or_default();
    let encryption = desired.if_changed(D::ENCRYPTION_AT_REST_OPTIONS, spec.encryption_at_rest_options.as_ref());
    let between_nodes = spec.node_to_node_encryption_options.as_ref();
    let between_nodes = desired.if_changed(D::NODE_TO_NODE_ENCRYPTION_OPTIONS, between_nodes);
    let endpoint = desired.if_changed(D::DOMAIN_ENDPOINT_OPTIONS, spec.domain_endpoint_options.as_ref());
    let cluster = desired.if_changed(D::CLUSTER_CONFIG, spec.cluster_config.as_ref());
    let address_type = desired.if_changed(D::IP_ADDRESS_TYPE, spec.ip_address_type.as_deref());
    let off_peak = desired.if_changed(D::OFF_PEAK_WINDOW_OPTIONS, spec.off_peak_window_options.as_ref());
    let software = desired.if_changed(D::SOFTWARE_UPDATE_OPTIONS, spec.software_update_options.as_ref());
    let mut call = opensearch(aws)
        .update_domain_config()
        .domain_name(&live.id)
        .set_access_policies(desired.if_changed(D::ACCESS_POLICIES, Some(policies)))
        .set_encryption_at_rest_options(encryption.map(wire::at_rest))
        .set_node_to_node_encryption_options(between_nodes.map(wire::node_to_node))
        .set_domain_endpoint_options(endpoint.map(wire::endpoint))
        .set_vpc_options(desired.if_changed(D::VPC_OPTIONS, spec.vpc_options.as_ref()).map(wire::vpc))
        .set_cluster_config(cluster.map(wire::cluster).transpose()?)
        .set_ebs_options(desired.if_changed(D::EBS_OPTIONS, spec.ebs_options.as_ref()).map(wire::ebs))
        .set_ip_address_type(address_type.map(|of| of.as_str().into()))
        .set_advanced_options(
            desired.if_changed(D::ADVANCED_OPTIONS, spec.advanced_options.as_ref()).map(wire::advanced),
        )
        .set_auto_tune_options(
            desired.if_changed(D::AUTO_TUNE_OPTIONS, spec.auto_tune_options.as_ref()).map(wire::auto_tune),
        )
        .set_off_peak_window_options(off_peak.map(wire::off_peak))
        .set_software_update_options(software.map(wire::software));
    if desired.changed_any(MASTER_USER) || desired.changed(D::ADVANCED_SECURITY_OPTIONS) {
        call = call.set_advanced_security_options(security(aws, spec).await?);
    }
    if desired.changed(D::COGNITO_OPTIONS) {
        let disabled = CognitoOptions { enabled: false, user_pool_id: None, identity_pool_id: None, role: None };
        call = call.cognito_options(wire::cognito(spec.cognito_options.as_ref().unwrap_or(&disabled)));
    }
    if desired.changed(D::LOG_PUBLISHING_OPTIONS) {
        let (live, desired) = (live.spec.log_publishing_options.as_ref(), spec.log_publishing_options.clone());
        call = call.set_log_publishing_options(Some(wire::logs(live, &desired.unwrap_or_default())));
    }
    call.send().await?;
    Ok(())
}
