//! Converts the containers of a task definition to the SDK's types and back.

use std::collections::BTreeMap;

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::sdk::text;
use holdfast_core::types::Ref;

use super::container::{
    ContainerDefinition, ContainerDependency, ContainerHealthCheck, FirelensConfiguration, KernelCapabilities,
    LinuxParameters, LogConfiguration, MountPoint, PortMapping, RepositoryCredentials, SystemControl, Ulimit,
};

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn sdk_secrets(secrets: &BTreeMap<String, String>) -> Result<Option<Vec<sdk::Secret>>> {
    let secret = |(k, v): (&String, &String)| Ok(sdk::Secret::builder().name(k).value_from(v).build()?);
    Ok(some(secrets.iter().map(secret).collect::<Result<_>>()?))
}

fn secrets(secrets: &[sdk::Secret]) -> BTreeMap<String, String> {
    secrets.iter().map(|secret| (secret.name.clone(), secret.value_from.clone())).collect()
}

impl ContainerDefinition {
    /// Converts the container for a request.
    pub(crate) fn sdk(&self) -> Result<sdk::ContainerDefinition> {
        let ContainerDefinition {
            name,
            image,
            repository_credentials,
            cpu,
            memory,
            memory_reservation,
            essential,
            entry_point,
            command,
            working_directory,
            user,
            environment,
            environment_files,
            secrets,
            port_mappings,
            health_check,
            log_configuration,
            firelens_configuration,
            mount_points,
            readonly_root_filesystem,
            privileged,
            linux_parameters,
            ulimits,
            system_controls,
            depends_on,
            start_timeout,
            stop_timeout,
            docker_labels,
        } = self;
        let credentials = repository_credentials.as_ref().map(|RepositoryCredentials { credentials_parameter }| {
            sdk::RepositoryCredentials::builder().credentials_parameter(credentials_parameter.as_str()).build()
        });
        let variable = |(k, v): (&String, &String)| sdk::KeyValuePair::builder().name(k).value(v).build();
        let file = |arn: &String| {
            let file = sdk::EnvironmentFile::builder().r#type(sdk::EnvironmentFileType::S3);
            Ok(file.value(arn).build()?)
        };
        let port = |p: &PortMapping| {
            sdk::PortMapping::builder()
                .container_port(p.container_port)
                .set_host_port(p.host_port)
                .set_protocol(p.protocol.as_deref().map(Into::into))
                .set_name(p.name.clone())
                .set_app_protocol(p.app_protocol.as_deref().map(Into::into))
                .build()
        };
        let mount = |m: &MountPoint| {
            let mount = sdk::MountPoint::builder().source_volume(&m.source_volume).container_path(&m.container_path);
            mount.set_read_only(m.read_only).build()
        };
        let ulimit = |u: &Ulimit| {
            let ulimit = sdk::Ulimit::builder().name(u.name.as_str().into());
            Ok(ulimit.soft_limit(u.soft_limit).hard_limit(u.hard_limit).build()?)
        };
        let control = |c: &SystemControl| sdk::SystemControl::builder().namespace(&c.namespace).value(&c.value).build();
        let dependency = |d: &ContainerDependency| {
            let dependency = sdk::ContainerDependency::builder().container_name(&d.container_name);
            Ok(dependency.condition(d.condition.as_str().into()).build()?)
        };
        Ok(sdk::ContainerDefinition::builder()
            .name(name)
            .image(image)
            .set_repository_credentials(credentials.transpose()?)
            .set_cpu(*cpu)
            .set_memory(*memory)
            .set_memory_reservation(*memory_reservation)
            .set_essential(*essential)
            .set_entry_point(some(entry_point.clone()))
            .set_command(some(command.clone()))
            .set_working_directory(working_directory.clone())
            .set_user(user.clone())
            .set_environment(some(environment.iter().map(variable).collect()))
            .set_environment_files(some(environment_files.iter().map(file).collect::<Result<_>>()?))
            .set_secrets(sdk_secrets(secrets)?)
            .set_port_mappings(some(port_mappings.iter().map(port).collect()))
            .set_health_check(health_check.as_ref().map(ContainerHealthCheck::sdk).transpose()?)
            .set_log_configuration(log_configuration.as_ref().map(LogConfiguration::sdk).transpose()?)
            .set_firelens_configuration(firelens_configuration.as_ref().map(FirelensConfiguration::sdk).transpose()?)
            .set_mount_points(some(mount_points.iter().map(mount).collect()))
            .set_readonly_root_filesystem(*readonly_root_filesystem)
            .set_privileged(*privileged)
            .set_linux_parameters(linux_parameters.as_ref().map(LinuxParameters::sdk))
            .set_ulimits(some(ulimits.iter().map(ulimit).collect::<Result<_>>()?))
            .set_system_controls(some(system_controls.iter().map(control).collect()))
            .set_depends_on(some(depends_on.iter().map(dependency).collect::<Result<_>>()?))
            .set_start_timeout(*start_timeout)
            .set_stop_timeout(*stop_timeout)
            .set_docker_labels(Some(docker_labels.clone().into_iter().collect()).filter(|_| !docker_labels.is_empty()))
            .build())
    }

    /// Reads a container from a response. ECS may leave out a flag that has its default value; the result always has
    /// it.
    pub(crate) fn from_response(c: &sdk::ContainerDefinition) -> ContainerDefinition {
        let pair = |pair: &sdk::KeyValuePair| Some((pair.name.clone()?, pair.value.clone().unwrap_or_default()));
        let port = |p: &sdk::PortMapping| PortMapping {
            container_port: p.container_port.unwrap_or_default(),
            host_port: p.host_port,
            protocol: text(&p.protocol),
            name: p.name.clone(),
            app_protocol: text(&p.app_protocol),
        };
        let mount = |m: &sdk::MountPoint| MountPoint {
            source_volume: m.source_volume.clone().unwrap_or_default(),
            container_path: m.container_path.clone().unwrap_or_default(),
            read_only: Some(m.read_only.unwrap_or(false)),
        };
        let ulimit = |u: &sdk::Ulimit| Ulimit {
            name: u.name.as_str().to_owned(),
            soft_limit: u.soft_limit,
            hard_limit: u.hard_limit,
        };
        let control = |c: &sdk::SystemControl| SystemControl {
            namespace: c.namespace.clone().unwrap_or_default(),
            value: c.value.clone().unwrap_or_default(),
        };
        let dependency = |d: &sdk::ContainerDependency| ContainerDependency {
            container_name: d.container_name.clone(),
            condition: d.condition.as_str().to_owned(),
        };
        let credentials = |c: &sdk::RepositoryCredentials| Ref::new(c.credentials_parameter());
        ContainerDefinition {
            name: c.name.clone().unwrap_or_default(),
            image: c.image.clone().unwrap_or_default(),
            repository_credentials: c
                .repository_credentials()
                .map(credentials)
                .map(|credentials_parameter| RepositoryCredentials { credentials_parameter }),
            cpu: Some(c.cpu),
            memory: c.memory,
            memory_reservation: c.memory_reservation,
            essential: Some(c.essential.unwrap_or(true)),
            entry_point: c.entry_point().to_vec(),
            command: c.command().to_vec(),
            working_directory: c.working_directory.clone(),
            user: c.user.clone(),
            environment: c.environment().iter().filter_map(pair).collect(),
            environment_files: c.environment_files().iter().map(|file| file.value.clone()).collect(),
            secrets: secrets(c.secrets()),
            port_mappings: c.port_mappings().iter().map(port).collect(),
            health_check: c.health_check().map(ContainerHealthCheck::from_response),
            log_configuration: c.log_configuration().map(LogConfiguration::from_response),
            firelens_configuration: c.firelens_configuration().map(FirelensConfiguration::from_response),
            mount_points: c.mount_points().iter().map(mount).collect(),
            readonly_root_filesystem: Some(c.readonly_root_filesystem.unwrap_or(false)),
            privileged: Some(c.privileged.unwrap_or(false)),
            linux_parameters: c.linux_parameters().map(LinuxParameters::from_response),
            ulimits: c.ulimits().iter().map(ulimit).collect(),
            system_controls: c.system_controls().iter().map(control).collect(),
            depends_on: c.depends_on().iter().map(dependency).collect(),
            start_timeout: c.start_timeout,
            stop_timeout: c.stop_timeout,
            docker_labels: c.docker_labels().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }
}

impl ContainerHealthCheck {
    fn sdk(&self) -> Result<sdk::HealthCheck> {
        let ContainerHealthCheck { command, interval, timeout, retries, start_period } = self;
        Ok(sdk::HealthCheck::builder()
            .set_command(Some(command.clone()))
            .set_interval(*interval)
            .set_timeout(*timeout)
            .set_retries(*retries)
            .set_start_period(*start_period)
            .build()?)
    }

    fn from_response(c: &sdk::HealthCheck) -> ContainerHealthCheck {
        ContainerHealthCheck {
            command: c.command.clone(),
            interval: c.interval,
            timeout: c.timeout,
            retries: c.retries,
            start_period: c.start_period,
        }
    }
}

impl LogConfiguration {
    fn sdk(&self) -> Result<sdk::LogConfiguration> {
        let LogConfiguration { log_driver, options, secret_options } = self;
        Ok(sdk::LogConfiguration::builder()
            .log_driver(log_driver.as_str().into())
            .set_options(Some(options.clone().into_iter().collect()))
            .set_secret_options(sdk_secrets(secret_options)?)
            .build()?)
    }

    fn from_response(l: &sdk::LogConfiguration) -> LogConfiguration {
        LogConfiguration {
            log_driver: l.log_driver.as_str().to_owned(),
            options: l.options().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            secret_options: secrets(l.secret_options()),
        }
    }
}

impl FirelensConfiguration {
    fn sdk(&self) -> Result<sdk::FirelensConfiguration> {
        let firelens = sdk::FirelensConfiguration::builder().r#type(self.r#type.as_str().into());
        Ok(firelens.set_options(Some(self.options.clone().into_iter().collect())).build()?)
    }

    fn from_response(f: &sdk::FirelensConfiguration) -> FirelensConfiguration {
        FirelensConfiguration {
            r#type: f.r#type.as_str().to_owned(),
            options: f.options().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        }
    }
}

impl LinuxParameters {
    fn sdk(&self) -> sdk::LinuxParameters {
        let LinuxParameters { init_process_enabled, capabilities } = self;
        let capabilities = capabilities.as_ref().map(|KernelCapabilities { add, drop }| {
            let capabilities = sdk::KernelCapabilities::builder().set_add(some(add.clone()));
            capabilities.set_drop(some(drop.clone())).build()
        });
        let parameters = sdk::LinuxParameters::builder().set_init_process_enabled(*init_process_enabled);
        parameters.set_capabilities(capabilities).build()
    }

    fn from_response(l: &sdk::LinuxParameters) -> LinuxParameters {
        LinuxParameters {
            init_process_enabled: Some(l.init_process_enabled.unwrap_or(false)),
            capabilities: l
                .capabilities()
                .map(|c| KernelCapabilities { add: c.add().to_vec(), drop: c.drop().to_vec() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::diff::diff;
    use holdfast_core::schema::Spec as _;
    use holdfast_core::value::{Value, of};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_survives_the_round_trip() {
        let document = json!({
            "name": "web", "image": "app:1", "cpu": 0, "essential": true,
            "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:r:1:secret:x"},
            "command": ["run"], "entryPoint": ["/bin/sh", "-c"], "workingDirectory": "/srv", "user": "1000",
            "environment": {"B": "2", "A": "1"}, "environmentFiles": ["arn:aws:s3:::b/a.env"],
            "secrets": {"KEY": "arn"},
            "portMappings": [{"containerPort": 3000}],
            "healthCheck": {"command": ["CMD", "true"], "startPeriod": 5},
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/a"},
                "secretOptions": {"t": "arn"}},
            "firelensConfiguration": {"type": "fluentbit", "options": {}},
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": false}],
            "linuxParameters": {"initProcessEnabled": true, "capabilities": {"add": [], "drop": ["ALL"]}},
            "readonlyRootFilesystem": false, "privileged": false, "stopTimeout": 60,
            "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
            "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}],
            "dependsOn": [{"containerName": "x", "condition": "HEALTHY"}], "dockerLabels": {"a": "b"},
        });
        let spec: ContainerDefinition = serde_json::from_value(document.clone()).unwrap();
        let back = of(&ContainerDefinition::from_response(&spec.sdk().unwrap())).without_nulls();
        assert_eq!(diff(&ContainerDefinition::RECORD, &Value::from(document), &back, &[]), vec![]);
    }

    #[test]
    fn defaults_that_ecs_adds_are_not_a_difference() {
        let port = sdk::PortMapping::builder().container_port(80).host_port(80).protocol("tcp".into()).build();
        let live = sdk::ContainerDefinition::builder().name("web").image("app:1").port_mappings(port).build();
        let desired = json!({"name": "web", "image": "app:1", "privileged": false, "essential": true, "environment": {},
            "command": [], "portMappings": [{"containerPort": 80}]});
        let live = of(&ContainerDefinition::from_response(&live)).without_nulls();
        assert_eq!(diff(&ContainerDefinition::RECORD, &Value::from(desired), &live, &[]), vec![]);
    }
}
