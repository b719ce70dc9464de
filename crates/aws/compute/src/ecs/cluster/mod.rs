//! Cluster: the ECS cluster in which services and tasks run.

mod spec;

use aws_sdk_ecs::types::{self as sdk, ClusterSettingName};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::text;
use holdfast_base::wanted::{Listed, Wants};
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;

use super::{EcsTags, clusters, ecs, from_sdk_tags, sdk_strategy, sdk_tags, strategy};
pub(crate) use spec::Cluster;
use spec::{
    ClusterConfiguration, ClusterSettings, ClusterStatus, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration,
    ManagedStorageConfiguration,
};

impl Kind for Cluster {
    type Status = ClusterStatus;
    type Owner = TagOnCreate<EcsTags, ByArn>;
    const TIER: Tier = Tier::Compute;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9_-]+", "has letters, digits and the characters `_-`"),
        ..NamingRules::limit(255)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ExecuteCommandConfiguration.html
        demand(Needs("logConfiguration"))
            .when(&[Is("logging", &["OVERRIDE"])])
            .at("configuration.executeCommandConfiguration"),
        demand(OneOf("logging", &["OVERRIDE"]))
            .when(&[Stated("logConfiguration")])
            .at("configuration.executeCommandConfiguration"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let names: Vec<&str> = scope.names.iter().map(String::as_str).collect();
        let clusters = clusters(aws, scope, &names).await?;
        let mut found = vec![];
        for cluster in clusters.iter() {
            let live = live(cluster)?;
            let listed = Listed::name(&live.name).or_id(&live.status.arn).tags(&live.tags).spec(&live.spec);
            if scope.wants(&listed).any() {
                found.push(live);
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Cluster { settings, capacity_providers, default_capacity_provider_strategy, configuration } = &desired.spec;
        let strategy = default_capacity_provider_strategy.as_ref().map(sdk_strategy).transpose()?;
        let output = ecs(aws)
            .create_cluster()
            .cluster_name(&desired.name)
            .set_configuration(configuration.as_ref().map(sdk_configuration).transpose()?)
            .set_settings(settings.as_ref().map(sdk_settings))
            .set_capacity_providers(capacity_providers.clone().map(|providers| providers.into_iter().collect()))
            .set_default_capacity_provider_strategy(strategy)
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        Ok(match output.cluster.as_ref().map(live).transpose()? {
            // The response may describe a cluster that existed before. Only a cluster with our tags is the created one.
            Some(live) if desired.tags.iter().all(|(key, value)| live.tags.get(key) == Some(value)) => {
                created(live, &desired.spec).into()
            }
            _ => Created::unobserved(&desired.name),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Cluster { settings, capacity_providers, default_capacity_provider_strategy, configuration } = &desired.spec;
        if desired.changed_any(&[Cluster::SETTINGS, Cluster::CONFIGURATION]) {
            let mut update = ecs(aws).update_cluster().cluster(&live.id);
            if desired.changed(Cluster::SETTINGS) {
                let default = ClusterSettings { container_insights: Some("disabled".into()) };
                update = update.set_settings(Some(sdk_settings(settings.as_ref().unwrap_or(&default))));
            }
            if desired.changed(Cluster::CONFIGURATION) {
                let none =
                    ClusterConfiguration { execute_command_configuration: None, managed_storage_configuration: None };
                update = update.configuration(sdk_configuration(configuration.as_ref().unwrap_or(&none))?);
            }
            update.send().await?;
        }
        // One call sets both fields, and replaces each of them as a whole.
        if desired.changed_any(&[Cluster::CAPACITY_PROVIDERS, Cluster::DEFAULT_CAPACITY_PROVIDER_STRATEGY]) {
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
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ecs(aws).delete_cluster().cluster(&live.id).send().await?;
        Ok(())
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
    let execute =
        execute.as_ref().map(|ExecuteCommandConfiguration { kms_key_id, logging, log_configuration: log }| {
            // ECS accepts a log configuration with OVERRIDE only, and a merged spec may still have an old one.
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
    let storage =
        storage.as_ref().map(|ManagedStorageConfiguration { kms_key_id, fargate_ephemeral_storage_kms_key_id }| {
            sdk::ManagedStorageConfiguration::builder()
                .set_kms_key_id(kms_key_id.clone())
                .set_fargate_ephemeral_storage_kms_key_id(fargate_ephemeral_storage_kms_key_id.clone())
                .build()
        });
    let configuration = sdk::ClusterConfiguration::builder().set_execute_command_configuration(execute);
    Ok(configuration.set_managed_storage_configuration(storage).build())
}

fn configuration(configuration: &sdk::ClusterConfiguration) -> ClusterConfiguration {
    let log = |log: &sdk::ExecuteCommandLogConfiguration| ExecuteCommandLogConfiguration {
        cloud_watch_log_group_name: log.cloud_watch_log_group_name().map(Ref::from),
        cloud_watch_encryption_enabled: Some(log.cloud_watch_encryption_enabled),
        s3_bucket_name: log.s3_bucket_name.clone(),
        s3_encryption_enabled: Some(log.s3_encryption_enabled),
        s3_key_prefix: log.s3_key_prefix.clone(),
    };
    let execute = configuration.execute_command_configuration().map(|execute| ExecuteCommandConfiguration {
        kms_key_id: execute.kms_key_id.clone(),
        logging: text(&execute.logging),
        log_configuration: execute.log_configuration().map(log),
    });
    let storage = configuration.managed_storage_configuration().map(|storage| ManagedStorageConfiguration {
        kms_key_id: storage.kms_key_id.clone(),
        fargate_ephemeral_storage_kms_key_id: storage.fargate_ephemeral_storage_kms_key_id.clone(),
    });
    ClusterConfiguration { execute_command_configuration: execute, managed_storage_configuration: storage }
}

/// Returns the created cluster: the fields that the request stated, which the response need not contain, and AWS's
/// choice for the other fields.
fn created(live: Live<Cluster>, requested: &Cluster) -> Live<Cluster> {
    let Cluster { settings, capacity_providers, default_capacity_provider_strategy, configuration } = requested.clone();
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
    Ok(Live::new(name, name, spec, ClusterStatus { arn }).tags(from_sdk_tags(cluster.tags())).phase(phase))
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
    fn a_created_cluster_has_the_requested_fields_and_the_choices_of_aws() {
        let response =
            sdk::Cluster::builder().cluster_name("main").cluster_arn("arn").capacity_providers("FARGATE").build();
        let settings = ClusterSettings { container_insights: Some("enhanced".into()) };
        let requested = Cluster {
            settings: Some(settings),
            capacity_providers: None,
            default_capacity_provider_strategy: None,
            configuration: None,
        };
        let spec = created(live(&response).unwrap(), &requested).spec;
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
