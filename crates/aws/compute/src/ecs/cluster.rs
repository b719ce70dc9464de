//! Cluster: where tasks and services of ECS run.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{self as sdk, ClusterSettingName};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::names::LogGroup;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{CapacityProviderStrategyItem, clusters, ecs, sdk_strategy, sdk_tags, strategy, tag, tags_of};

/// A cluster of ECS. CreateCluster answers with a cluster that is there already instead of refusing, which is
/// why Holdfast looks first.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cluster {
    /// Its settings. What is left out follows the account's settings when it is created.
    settings: Option<ClusterSettings>,
    /// The capacity providers that its services may use: `FARGATE`, `FARGATE_SPOT`, names of the account's own.
    capacity_providers: Option<BTreeSet<String>>,
    /// What services and tasks use that state neither a launch type nor a strategy.
    default_capacity_provider_strategy: Option<BTreeSet<CapacityProviderStrategyItem>>,
    /// How sessions of ECS Exec are logged, and which keys encrypt.
    configuration: Option<ClusterConfiguration>,
}

/// A cluster's settings.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterSettings {
    /// Metrics of Container Insights: `enhanced`, `enabled` or `disabled`.
    container_insights: Option<String>,
}

/// Exec and storage.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterConfiguration {
    /// Sessions of ECS Exec.
    execute_command_configuration: Option<ExecuteCommand>,
    /// Encryption of storage that ECS manages.
    managed_storage_configuration: Option<ManagedStorage>,
}

/// Sessions of ECS Exec.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecuteCommand {
    /// The key, by id or ARN, that encrypts what goes between the client and the container.
    kms_key_id: Option<String>,
    /// `NONE`, `DEFAULT` (to where the task definition's `awslogs` go), or `OVERRIDE` (as `logConfiguration` says).
    logging: Option<String>,
    /// Where sessions are logged when `logging` is `OVERRIDE`.
    log_configuration: Option<ExecuteCommandLog>,
}

/// Where sessions of ECS Exec are logged.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecuteCommandLog {
    /// The log group.
    cloud_watch_log_group_name: Option<Ref<LogGroup>>,
    /// Whether the log group has to be encrypted by a key.
    cloud_watch_encryption_enabled: Option<bool>,
    /// The bucket.
    s3_bucket_name: Option<String>,
    /// Whether the bucket has to be encrypted.
    s3_encryption_enabled: Option<bool>,
    /// The folder in the bucket.
    s3_key_prefix: Option<String>,
}

/// Encryption of storage that ECS manages.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManagedStorage {
    /// The key for volumes that services attach.
    kms_key_id: Option<String>,
    /// The key for the ephemeral storage of Fargate tasks.
    fargate_ephemeral_storage_kms_key_id: Option<String>,
}

/// What only AWS knows of a Cluster.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for Cluster {
    type Status = ClusterStatus;
    const TIER: Tier = Tier::Compute;
    const NAMING: Naming = Naming::limit(255);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let names: Vec<&str> = scope.names.iter().map(String::as_str).collect();
        let clusters = clusters(aws, scope, &names).await?;
        let mut found = vec![];
        for cluster in clusters.iter() {
            let live = live(cluster)?;
            let asked = scope.ids.contains(&live.id) || scope.ids.contains(&live.status.arn);
            if asked || scope.is_candidate(&live.name) || scope.is_owned(&live.tags) || !scope.lookups.is_empty() {
                found.push(live);
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Cluster { settings, capacity_providers, default_capacity_provider_strategy, configuration } = &desired.spec;
        let strategy = default_capacity_provider_strategy.as_ref().map(sdk_strategy).transpose()?;
        let made = ecs(aws)
            .create_cluster()
            .cluster_name(&desired.name)
            .set_configuration(configuration.as_ref().map(sdk_configuration).transpose()?)
            .set_settings(settings.as_ref().map(sdk_settings))
            .set_capacity_providers(capacity_providers.clone().map(|providers| providers.into_iter().collect()))
            .set_default_capacity_provider_strategy(strategy)
            .set_tags(Some(sdk_tags(&desired.tags)))
            .send()
            .await?;
        Ok(match made.cluster.as_ref().map(live).transpose()? {
            // It may be one that was there already.
            Some(live) if desired.tags.iter().all(|(key, value)| live.tags.get(key) == Some(value)) => {
                told(live, &desired.spec).into()
            }
            _ => Made::unseen(&desired.name),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Cluster { settings, capacity_providers, default_capacity_provider_strategy, configuration } = &desired.spec;
        if desired.changed("settings") || desired.changed("configuration") {
            let mut update = ecs(aws).update_cluster().cluster(&live.id);
            if desired.changed("settings") {
                let default = ClusterSettings { container_insights: Some("disabled".into()) };
                update = update.set_settings(Some(sdk_settings(settings.as_ref().unwrap_or(&default))));
            }
            if desired.changed("configuration") {
                let none =
                    ClusterConfiguration { execute_command_configuration: None, managed_storage_configuration: None };
                update = update.configuration(sdk_configuration(configuration.as_ref().unwrap_or(&none))?);
            }
            update.send().await?;
        }
        // One call for both, each replaced as a whole.
        if desired.changed("capacityProviders") || desired.changed("defaultCapacityProviderStrategy") {
            let providers = capacity_providers.iter().flatten().cloned().collect();
            let strategy = default_capacity_provider_strategy.as_ref().map(sdk_strategy).transpose()?;
            ecs(aws)
                .put_cluster_capacity_providers()
                .cluster(&live.id)
                .set_capacity_providers(Some(providers))
                .set_default_capacity_provider_strategy(Some(strategy.unwrap_or_default()))
                .send()
                .await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ecs(aws).delete_cluster().cluster(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.status.arn, tags).await
    }
}

fn sdk_settings(settings: &ClusterSettings) -> Vec<sdk::ClusterSetting> {
    let ClusterSettings { container_insights } = settings;
    let insights = container_insights
        .as_ref()
        .map(|value| sdk::ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value(value).build());
    insights.into_iter().collect()
}

fn sdk_configuration(configuration: &ClusterConfiguration) -> Result<sdk::ClusterConfiguration> {
    let ClusterConfiguration { execute_command_configuration: execute, managed_storage_configuration: storage } =
        configuration;
    let execute = execute.as_ref().map(|ExecuteCommand { kms_key_id, logging, log_configuration: log }| {
        // AWS takes it with OVERRIDE only, and a merged spec may still hold an old one.
        let log = log.as_ref().filter(|_| logging.as_deref() == Some("OVERRIDE")).map(|log| {
            sdk::ExecuteCommandLogConfiguration::builder()
                .set_cloud_watch_log_group_name(log.cloud_watch_log_group_name.clone().map(String::from))
                .set_cloud_watch_encryption_enabled(log.cloud_watch_encryption_enabled)
                .set_s3_bucket_name(log.s3_bucket_name.clone())
                .set_s3_encryption_enabled(log.s3_encryption_enabled)
                .set_s3_key_prefix(log.s3_key_prefix.clone())
                .build()
        });
        sdk::ExecuteCommandConfiguration::builder()
            .set_kms_key_id(kms_key_id.clone())
            .set_logging(logging.as_deref().map(Into::into))
            .set_log_configuration(log)
            .build()
    });
    let storage = storage.as_ref().map(|ManagedStorage { kms_key_id, fargate_ephemeral_storage_kms_key_id }| {
        sdk::ManagedStorageConfiguration::builder()
            .set_kms_key_id(kms_key_id.clone())
            .set_fargate_ephemeral_storage_kms_key_id(fargate_ephemeral_storage_kms_key_id.clone())
            .build()
    });
    let configuration = sdk::ClusterConfiguration::builder().set_execute_command_configuration(execute);
    Ok(configuration.set_managed_storage_configuration(storage).build())
}

fn configuration(configuration: &sdk::ClusterConfiguration) -> ClusterConfiguration {
    let log = |log: &sdk::ExecuteCommandLogConfiguration| ExecuteCommandLog {
        cloud_watch_log_group_name: log.cloud_watch_log_group_name().map(Ref::from),
        cloud_watch_encryption_enabled: Some(log.cloud_watch_encryption_enabled),
        s3_bucket_name: log.s3_bucket_name.clone(),
        s3_encryption_enabled: Some(log.s3_encryption_enabled),
        s3_key_prefix: log.s3_key_prefix.clone(),
    };
    let execute = configuration.execute_command_configuration().map(|execute| ExecuteCommand {
        kms_key_id: execute.kms_key_id.clone(),
        logging: execute.logging.as_ref().map(|l| l.as_str().to_owned()),
        log_configuration: execute.log_configuration().map(log),
    });
    let storage = configuration.managed_storage_configuration().map(|storage| ManagedStorage {
        kms_key_id: storage.kms_key_id.clone(),
        fargate_ephemeral_storage_kms_key_id: storage.fargate_ephemeral_storage_kms_key_id.clone(),
    });
    ClusterConfiguration { execute_command_configuration: execute, managed_storage_configuration: storage }
}

/// What a create of this spec made: what it took, of which the answer need not have all, and what AWS chose.
fn told(live: Live<Cluster>, taken: &Cluster) -> Live<Cluster> {
    let Cluster { settings, capacity_providers, default_capacity_provider_strategy, configuration } = taken.clone();
    let insights = settings.and_then(|settings| settings.container_insights);
    let spec = Cluster {
        settings: insights
            .map(|insights| ClusterSettings { container_insights: Some(insights) })
            .or(live.spec.settings),
        capacity_providers: capacity_providers.or(live.spec.capacity_providers),
        default_capacity_provider_strategy: default_capacity_provider_strategy
            .or(live.spec.default_capacity_provider_strategy),
        configuration: configuration.or(live.spec.configuration),
    };
    Live { spec, ..live }
}

fn live(cluster: &sdk::Cluster) -> Result<Live<Cluster>> {
    let missing = |what| Error::incomplete("ecs.DescribeClusters", what);
    let name = cluster.cluster_name().ok_or_else(|| missing("clusterName"))?;
    let arn = cluster.cluster_arn.clone().ok_or_else(|| missing("clusterArn"))?;
    let insights = cluster.settings().iter().find(|s| s.name == Some(ClusterSettingName::ContainerInsights));
    let spec = Cluster {
        settings: Some(ClusterSettings { container_insights: insights.and_then(|setting| setting.value.clone()) }),
        capacity_providers: Some(cluster.capacity_providers().iter().cloned().collect()),
        default_capacity_provider_strategy: Some(strategy(cluster.default_capacity_provider_strategy())),
        configuration: cluster.configuration().map(configuration),
    };
    let phase = match cluster.status() {
        Some("PROVISIONING") => Phase::Pending,
        Some("DEPROVISIONING") => Phase::Deleting,
        Some("FAILED") => Phase::Failed,
        _ => Phase::Ready,
    };
    Ok(Live::new(name, name, spec, ClusterStatus { arn }).tags(tags_of(cluster.tags())).phase(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_cluster_keeps_its_settings() {
        let setting =
            sdk::ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value("enhanced").build();
        let cluster =
            sdk::Cluster::builder().cluster_name("main").cluster_arn("arn").status("ACTIVE").settings(setting);
        let live = live(&cluster.capacity_providers("FARGATE").build()).unwrap();
        assert_eq!(live.spec.settings.and_then(|s| s.container_insights).as_deref(), Some("enhanced"));
        assert_eq!((live.id.as_str(), live.phase), ("main", Phase::Ready));
        assert!(live.spec.configuration.is_none());
    }

    #[test]
    fn a_new_cluster_has_what_was_taken_and_what_aws_chose() {
        let answer =
            sdk::Cluster::builder().cluster_name("main").cluster_arn("arn").capacity_providers("FARGATE").build();
        let settings = ClusterSettings { container_insights: Some("enhanced".into()) };
        let taken = Cluster {
            settings: Some(settings),
            capacity_providers: None,
            default_capacity_provider_strategy: None,
            configuration: None,
        };
        let spec = told(live(&answer).unwrap(), &taken).spec;
        assert_eq!(spec.settings.and_then(|s| s.container_insights).as_deref(), Some("enhanced"));
        assert_eq!(spec.capacity_providers, Some(["FARGATE".to_owned()].into()));
    }

    #[test]
    fn configurations_survive_the_round_trip() {
        let json = serde_json::json!({"executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration":
            {"cloudWatchLogGroupName": "/exec", "cloudWatchEncryptionEnabled": true, "s3EncryptionEnabled": false}}});
        let spec: ClusterConfiguration = serde_json::from_value(json.clone()).unwrap();
        let back = holdfast_core::value::of(&configuration(&sdk_configuration(&spec).unwrap())).without_nulls();
        assert_eq!(back.json(), json);
    }
}
