//! The combinations of a task definition that ECS refuses and that no relation expresses.

use std::collections::BTreeSet;

use holdfast_core::schema::ValidationError;
use holdfast_core::value::Value;

use super::container::ContainerDefinition;
use super::spec::TaskDefinition;

/// The memory in MiB that Fargate supports for a number of CPU units: the smallest, the largest, and the step.
///
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size>
const FARGATE: [(u32, u32, u32, u32); 6] = [
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

/// Returns the errors of a task definition.
pub(super) fn check(spec: &Value) -> Vec<ValidationError> {
    let mut errors = containers(spec);
    let compatibilities = list(spec, TaskDefinition::REQUIRES_COMPATIBILITIES.name());
    if compatibilities.is_empty() || compatibilities.contains(&"FARGATE".into()) {
        errors.extend(fargate(spec));
    }
    if compatibilities.contains(&"FARGATE".into()) {
        errors.extend(required_by_fargate(spec));
    }
    errors
}

fn list<'a>(spec: &'a Value, field: &str) -> &'a [Value] {
    match spec.get(field) {
        Some(Value::List(list)) => list,
        _ => &[],
    }
}

/// Refuses values that Fargate does not support. A task definition without compatibilities may run on Fargate too, as
/// far as it states sizes.
fn fargate(spec: &Value) -> Vec<ValidationError> {
    let number = |field: &str| spec.get(field).and_then(Value::text).and_then(|text| text.parse::<u32>().ok());
    let (cpu, memory) = (TaskDefinition::CPU.name(), TaskDefinition::MEMORY.name());
    let mut errors = vec![];
    if let Some(units) = number(cpu).filter(|units| *units <= 16_384) {
        let range = FARGATE.iter().find(|(known, ..)| *known == units);
        match (range, number(memory)) {
            (None, _) if units != 256 => {
                let known = "256, 512, 1024, 2048, 4096, 8192 and 16384";
                errors.push((cpu, format!("Fargate does not support {units} CPU units, but {known}")));
            }
            (None, Some(mib)) if ![512, 1024, 2048].contains(&mib) => {
                errors.push((
                    memory,
                    format!("with 256 CPU units, Fargate supports 512, 1024 and 2048 MiB, but not {mib}"),
                ));
            }
            (Some((_, min, max, step)), Some(mib)) if mib < *min || mib > *max || mib % step != 0 => {
                let rule = format!("with {units} CPU units, Fargate supports {min} to {max} MiB in steps of {step}");
                errors.push((memory, format!("{rule}, but not {mib}")));
            }
            _ => {}
        }
    }
    let field = ContainerDefinition::STOP_TIMEOUT.name();
    let containers = TaskDefinition::CONTAINER_DEFINITIONS.name();
    let timeouts = list(spec, containers).iter().filter_map(|one| one.get(field).and_then(Value::integer));
    errors.extend(
        timeouts
            .into_iter()
            .find(|seconds| *seconds > 120)
            .map(|seconds| (containers, format!("Fargate accepts a `{field}` of at most 120, but this is {seconds}"))),
    );
    errors
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html>
fn required_by_fargate(spec: &Value) -> Vec<ValidationError> {
    let mut errors = vec![];
    for field in [TaskDefinition::CPU.name(), TaskDefinition::MEMORY.name()] {
        if spec.states(field) == Some(false) {
            errors.push((TaskDefinition::REQUIRES_COMPATIBILITIES.name(), format!("FARGATE needs `{field}`")));
        }
    }
    let mode = TaskDefinition::NETWORK_MODE.name();
    if let Some(other) = spec.get(mode).and_then(Value::text).filter(|mode| *mode != "awsvpc") {
        errors.push((mode, format!("FARGATE needs `awsvpc`, but this is `{other}`")));
    }
    let containers = TaskDefinition::CONTAINER_DEFINITIONS.name();
    if list(spec, containers).iter().any(|one| one.get("privileged") == Some(&Value::Bool(true))) {
        errors.push((containers, "FARGATE supports no `privileged` containers".to_owned()));
    }
    errors
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
fn containers(spec: &Value) -> Vec<ValidationError> {
    let field = TaskDefinition::CONTAINER_DEFINITIONS.name();
    let containers = list(spec, field);
    let mut errors = vec![];
    let is_optional = |one: &Value| one.get("essential") == Some(&Value::Bool(false));
    if !containers.is_empty() && containers.iter().all(is_optional) {
        errors.push((field, "one container at least must be essential; remove `essential: false`".to_owned()));
    }
    let names: BTreeSet<&str> = containers.iter().filter_map(|one| one.get("name")?.text()).collect();
    let known = containers.iter().all(|one| one.get("name").is_some_and(|name| name.text().is_some()));
    let volumes = list(spec, TaskDefinition::VOLUMES.name());
    let volumes: BTreeSet<&str> = volumes.iter().filter_map(|volume| volume.get("name")?.text()).collect();
    let awsvpc = spec.get(TaskDefinition::NETWORK_MODE.name()).and_then(Value::text) == Some("awsvpc");
    for one in containers {
        let name = one.get("name").and_then(Value::text).unwrap_or("a container");
        for dependency in list(one, "dependsOn").iter().filter_map(|of| of.get("containerName")?.text()) {
            if known && (!names.contains(dependency) || dependency == name) {
                errors.push((
                    field,
                    format!("`{name}` depends on `{dependency}`, which is no other container of the task"),
                ));
            }
        }
        for volume in list(one, "mountPoints").iter().filter_map(|point| point.get("sourceVolume")?.text()) {
            if !volumes.contains(volume) {
                errors.push((field, format!("`{name}` mounts the volume `{volume}`, which `volumes` does not have")));
            }
        }
        for mapping in list(one, "portMappings") {
            let port = |field: &str| mapping.get(field).and_then(Value::integer);
            if let (true, Some(host), Some(container)) = (awsvpc, port("hostPort"), port("containerPort"))
                && host != container
            {
                let rule = "in the network mode `awsvpc`, a `hostPort` is the `containerPort`";
                errors.push((field, format!("{rule}, but `{name}` has {host} for {container}")));
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn errors(spec: Json) -> usize {
        check(&spec.into()).len()
    }

    #[test]
    fn fargate_supports_certain_sizes() {
        let size = |cpu: &str, memory: &str| errors(json!({ "cpu": cpu, "memory": memory }));
        for (cpu, memory) in [("256", "512"), ("512", "4096"), ("1024", "8192"), ("4096", "30720"), ("16384", "122880")]
        {
            assert_eq!(size(cpu, memory), 0, "{cpu} {memory}");
        }
        for (cpu, memory) in [("256", "4096"), ("512", "512"), ("300", "1024"), ("8192", "17408"), ("1024", "2500")] {
            assert_eq!(size(cpu, memory), 1, "{cpu} {memory}");
        }
    }

    #[test]
    fn fargate_needs_a_size_and_a_network_mode() {
        let fargate = json!({ "requiresCompatibilities": ["FARGATE"], "networkMode": "bridge" });
        assert_eq!(errors(fargate), 3);
        assert_eq!(errors(json!({ "requiresCompatibilities": ["EC2"], "networkMode": "bridge", "cpu": "300" })), 0);
    }

    #[test]
    fn containers_refer_to_what_the_task_has() {
        let one = |container: Json| errors(json!({ "networkMode": "awsvpc", "containerDefinitions": [container] }));
        assert_eq!(one(json!({ "name": "web", "portMappings": [{ "containerPort": 80, "hostPort": 80 }] })), 0);
        assert_eq!(one(json!({ "name": "web", "portMappings": [{ "containerPort": 80, "hostPort": 81 }] })), 1);
        assert_eq!(one(json!({ "name": "web", "essential": false })), 1);
        assert_eq!(one(json!({ "name": "web", "mountPoints": [{ "sourceVolume": "a" }] })), 1);
        assert_eq!(one(json!({ "name": "web", "dependsOn": [{ "containerName": "db", "condition": "START" }] })), 1);
    }
}
