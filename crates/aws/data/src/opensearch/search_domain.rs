//! SearchDomain: a cluster of OpenSearch.

use std::collections::BTreeMap;

use aws_sdk_opensearch::types::{self as sdk, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::remembered;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Policy, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::options::{
    AdvancedOptions, AdvancedSecurity, AutoTune, ClusterConfig, CognitoOptions, DomainEndpoint, Ebs, EncryptionAtRest,
    LogPublishing, NodeToNodeEncryption, OffPeakWindow, SoftwareUpdate, VpcOptions,
};
use super::{opensearch, told, wire};
use crate::secretsmanager::secret::Secret;
use crate::secretsmanager::{CurrentVersion, consumed, consumed_tag, read};

/// An OpenSearch domain. Its name begins with a letter and has 3 to 28 lower case letters, digits and hyphens. Making one
/// takes 15 to 30 minutes; most changes build a second cluster and move the data, which takes as long
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/managedomains-configuration-changes.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomain {
    /// `OpenSearch_2.19`, `OpenSearch_3.1`, `Elasticsearch_7.10`, … AWS never goes back to an older version.
    engine_version: Option<Always<String>>,
    /// Its nodes.
    cluster_config: Option<ClusterConfig>,
    /// The disks of its data nodes.
    ebs_options: Option<Ebs>,
    /// Where it stands in a VPC. Absent, it is public; AWS cannot turn one into the other.
    vpc_options: Option<VpcOptions>,
    /// `ipv4` (AWS's default) or `dualstack`; AWS does not go back from `dualstack`.
    ip_address_type: Option<Always<String>>,
    /// Who may do what; `null` for no policy.
    access_policies: Option<Policy>,
    /// Whether what is on disk is encrypted.
    encryption_at_rest_options: Option<EncryptionAtRest>,
    /// Whether connections between nodes are encrypted.
    node_to_node_encryption_options: Option<NodeToNodeEncryption>,
    /// How clients connect.
    domain_endpoint_options: Option<DomainEndpoint>,
    /// Fine-grained access control.
    advanced_security_options: Option<AdvancedSecurity>,
    /// The ARN of the role or user who may do everything; for fine-grained access control without a user database of
    /// its own.
    master_user_arn: Option<Arn>,
    /// The name of the user who may do everything; for fine-grained access control with
    /// `internalUserDatabaseEnabled`.
    master_user_name: Option<String>,
    /// The secret with that user's password. A new version of the secret is given to the domain.
    master_user_password: Option<Ref<Secret, CurrentVersion>>,
    /// The field of the secret, where its value is JSON.
    master_user_password_key: Option<String>,
    /// Log groups, by the type of log: `INDEX_SLOW_LOGS`, `SEARCH_SLOW_LOGS`, `ES_APPLICATION_LOGS` or `AUDIT_LOGS`.
    log_publishing_options: Option<BTreeMap<String, LogPublishing>>,
    /// Settings of the cluster as a whole.
    advanced_options: Option<AdvancedOptions>,
    /// Sign-in to Dashboards.
    cognito_options: Option<CognitoOptions>,
    /// Whether AWS tunes memory settings.
    auto_tune_options: Option<AutoTune>,
    /// When AWS may do maintenance.
    off_peak_window_options: Option<OffPeakWindow>,
    /// Which service software it gets by itself.
    software_update_options: Option<SoftwareUpdate>,
}

/// What only AWS knows of a SearchDomain.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchDomainStatus {
    /// Its ARN.
    arn: String,
    /// The name that clients resolve, once there is one.
    endpoint: Option<String>,
    /// Its id: `<account>/<name>`.
    domain_id: String,
}

const PASSWORD: &str = "masterUserPassword";

/// What one UpdateDomainConfig takes.
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
    /// The fields that only tags remember: AWS tells nobody who the master user is.
    fn remembered(&self) -> [(&'static str, Option<String>); 3] {
        [
            ("masterUserArn", self.master_user_arn.clone().map(|arn| arn.0)),
            ("masterUserName", self.master_user_name.clone()),
            ("masterUserPasswordKey", self.master_user_password_key.clone()),
        ]
    }

    /// Fine-grained access control with its master user; the one place that reads the password.
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
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(28) };
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "es" && resource.starts_with("domain/");
        let look_at =
            |arn: String, _| async move { look(aws, scope, arn.rsplit('/').next().unwrap_or_default()).await };
        if let Some(found) = tagging::known(aws, scope, is, look_at).await? {
            return Ok(found);
        }
        let listed = opensearch(aws).list_domain_names().send().await?.domain_names.unwrap_or_default();
        let names = listed.into_iter().filter_map(|domain| domain.domain_name);
        each(names, |name| async move { look(aws, scope, &name).await }).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
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
        let mut tags = remembered::with(&desired.tags, spec.remembered());
        tags.extend(master_user_password.as_ref().map(|of| consumed_tag(PASSWORD, of)));
        let made = opensearch(aws)
            .create_domain()
            .domain_name(&desired.name)
            .set_access_policies(access_policies.as_ref().map(Policy::json))
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
        let told = made.domain_status.map(|domain| live(&domain, tags));
        Ok(told.map_or_else(|| Made::unseen(&desired.name), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let is_config = CONFIGURATION.iter().any(|field| desired.changed(field));
        if is_config {
            configure(aws, live, desired).await?;
        }
        let Some(version) = desired.spec.engine_version.as_deref().filter(|_| desired.changed("engineVersion")) else {
            return Ok(());
        };
        if is_config {
            return Err(Error::not_yet("opensearch.UpgradeDomain", "the configuration is changed first"));
        }
        opensearch(aws).upgrade_domain().domain_name(&live.id).target_version(version).send().await?;
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        opensearch(aws).delete_domain().domain_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
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
            changed("accessPolicies").then(|| spec.access_policies.as_ref().map(Policy::json).unwrap_or_default()),
        )
        .set_encryption_at_rest_options(
            spec.encryption_at_rest_options.as_ref().filter(|_| changed("encryptionAtRestOptions")).map(wire::at_rest),
        )
        .set_node_to_node_encryption_options(
            spec.node_to_node_encryption_options
                .as_ref()
                .filter(|_| changed("nodeToNodeEncryptionOptions"))
                .map(wire::node_to_node),
        )
        .set_domain_endpoint_options(
            spec.domain_endpoint_options.as_ref().filter(|_| changed("domainEndpointOptions")).map(wire::endpoint),
        )
        .set_vpc_options(spec.vpc_options.as_ref().filter(|_| changed("vpcOptions")).map(wire::vpc))
        .set_cluster_config(
            spec.cluster_config.as_ref().filter(|_| changed("clusterConfig")).map(wire::cluster).transpose()?,
        )
        .set_ebs_options(spec.ebs_options.as_ref().filter(|_| changed("ebsOptions")).map(wire::ebs))
        .set_ip_address_type(
            spec.ip_address_type.as_deref().filter(|_| changed("ipAddressType")).map(|of| of.as_str().into()),
        )
        .set_advanced_options(spec.advanced_options.as_ref().filter(|_| changed("advancedOptions")).map(wire::advanced))
        .set_auto_tune_options(
            spec.auto_tune_options.as_ref().filter(|_| changed("autoTuneOptions")).map(wire::auto_tune),
        )
        .set_off_peak_window_options(
            spec.off_peak_window_options.as_ref().filter(|_| changed("offPeakWindowOptions")).map(wire::off_peak),
        )
        .set_software_update_options(
            spec.software_update_options.as_ref().filter(|_| changed("softwareUpdateOptions")).map(wire::software),
        );
    if user || changed("advancedSecurityOptions") {
        call = call.set_advanced_security_options(spec.security(aws).await?);
    }
    if changed("cognitoOptions") {
        let off = CognitoOptions { enabled: false, user_pool_id: None, identity_pool_id: None, role: None };
        call = call.cognito_options(wire::cognito(spec.cognito_options.as_ref().unwrap_or(&off)));
    }
    if changed("logPublishingOptions") {
        let (there, wanted) = (live.spec.log_publishing_options.as_ref(), spec.log_publishing_options.clone());
        call = call.set_log_publishing_options(Some(wire::logs(there, &wanted.unwrap_or_default())));
    }
    call.send().await?;
    let mut tags = remembered::retag(desired, spec.remembered());
    if changed(PASSWORD) {
        match &spec.master_user_password {
            Some(of) => tags.set.extend([consumed_tag(PASSWORD, of)]),
            None => tags.remove.extend([consumed_tag(PASSWORD, &Ref::new("")).0]),
        }
    }
    tag(aws, &live.status.arn, &tags).await
}

/// A domain as it is; none when it is gone, or not asked for.
async fn look(aws: &Aws, scope: &Scope, name: &str) -> Result<Option<Live<SearchDomain>>> {
    if !scope.is_candidate(name) && !scope.ids.contains(name) && scope.lookups.is_empty() {
        return Ok(None);
    }
    let answer = opensearch(aws).describe_domain().domain_name(name).send().await.or_absent()?;
    let Some(domain) = answer.and_then(|answer| answer.domain_status) else { return Ok(None) };
    let tags = tags_of(aws, scope, &domain.arn).await?;
    Ok(tags.map(|tags| live(&domain, tags)))
}

async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        let answer = opensearch(aws).list_tags().arn(arn).send().await.or_absent()?;
        let pair = |tag: Tag| (tag.key, tag.value);
        Ok(answer.map(|answer| answer.tag_list.unwrap_or_default().into_iter().map(pair).collect()))
    })
    .await
}

async fn tag(aws: &Aws, arn: &str, Retag { set, remove }: &Retag) -> Result<()> {
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
        engine_version: domain.engine_version.clone().map(Always),
        cluster_config: domain.cluster_config.as_ref().map(told::cluster),
        ebs_options: domain.ebs_options.as_ref().map(told::ebs),
        vpc_options: domain.vpc_options.as_ref().and_then(told::vpc),
        ip_address_type: domain.ip_address_type.as_ref().map(|of| Always(of.as_str().to_owned())),
        access_policies: domain.access_policies().filter(|text| !text.is_empty()).map(Policy::parse),
        encryption_at_rest_options: domain.encryption_at_rest_options.as_ref().map(told::at_rest),
        node_to_node_encryption_options: domain
            .node_to_node_encryption_options
            .as_ref()
            .map(|of| NodeToNodeEncryption { enabled: of.enabled.unwrap_or(false) }),
        domain_endpoint_options: domain.domain_endpoint_options.as_ref().map(told::endpoint),
        advanced_security_options: domain.advanced_security_options.as_ref().map(told::security),
        master_user_arn: remembered::recall(&tags, "masterUserArn").map(Arn),
        master_user_name: remembered::recall(&tags, "masterUserName"),
        master_user_password: consumed(&tags, PASSWORD),
        master_user_password_key: remembered::recall(&tags, "masterUserPasswordKey"),
        log_publishing_options: Some(told::logs(domain.log_publishing_options.as_ref())),
        advanced_options: domain.advanced_options.as_ref().map(told::advanced),
        cognito_options: domain.cognito_options.as_ref().and_then(told::cognito),
        auto_tune_options: domain.auto_tune_options.as_ref().map(told::auto_tune),
        off_peak_window_options: domain.off_peak_window_options.as_ref().map(told::off_peak),
        software_update_options: domain.software_update_options.as_ref().map(told::software),
    };
    let vpc = domain.endpoints.as_ref().and_then(|endpoints| endpoints.get("vpc"));
    let endpoint = domain.endpoint.as_ref().or(vpc).cloned();
    let busy = domain.processing == Some(true) || domain.upgrade_processing == Some(true);
    let phase = match () {
        () if domain.deleted == Some(true) => Phase::Deleting,
        () if endpoint.is_none() => Phase::Pending,
        () if busy => Phase::Updating,
        () => Phase::Ready,
    };
    let status = SearchDomainStatus { arn: domain.arn.clone(), endpoint, domain_id: domain.domain_id.clone() };
    let live = Live::new(&domain.domain_name, &domain.domain_name, spec, status).tags(tags).phase(phase);
    match domain.domain_processing_status.as_ref().map(sdk::DomainProcessingStatusType::as_str) {
        Some("Isolated") => live.remark("Isolated", "AWS has isolated it; it can be reached by nobody"),
        _ => live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_without_an_endpoint_is_being_made() -> Result<()> {
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
