"""ECS: services that deploy, run tasks, register targets and reach a steady state over time."""
import copy
import json
import time

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs.exceptions import ClusterNotFoundException, ECSException, EcsClientException, InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service, ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends
from moto.moto_api._internal import mock_random

import knobs
from mends import computed, core, mend
from mends.ecs import at_most
from mends.ecs_tasks import halt, launch, missing_image, targets, tasks_of

# UpdateService documents for each parameter whether it "triggers a new service deployment".
DEPLOYS = {"taskDefinition", "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "serviceConnectConfiguration",
           "volumeConfigurations"}
PLAIN = {  # The parameter of CreateService and UpdateService -> (attribute, AWS's default).
    "capacityProviderStrategy": ("capacity_provider_strategy", []), "placementConstraints": ("placement_constraints", []),
    "placementStrategy": ("placement_strategy", []), "enableExecuteCommand": ("enable_execute_command", False),
    "enableECSManagedTags": ("enable_ecs_managed_tags", False), "propagateTags": ("propagate_tags", "NONE"),
    "availabilityZoneRebalancing": ("availability_zone_rebalancing", "ENABLED"), "platformVersion": ("platform_version", "LATEST"),
    "healthCheckGracePeriodSeconds": ("health_check_grace_period_seconds", None), "serviceRegistries": ("service_registries", []),
    "loadBalancers": ("load_balancers", []), "networkConfiguration": ("network_configuration", None),
}
DEPLOYMENT = {"maximumPercent": 200, "minimumHealthyPercent": 100, "deploymentCircuitBreaker": {"enable": False, "rollback": False},
              "strategy": "ROLLING", "bakeTimeInMinutes": 0}


# ---- deployments

def say(service, message):
    """Service.events: "the most recent 100 events are displayed", newest first."""
    service.events.insert(0, {"id": str(mock_random.uuid4()), "createdAt": utcnow(), "message": f"(service {service.name}) {message}"})
    del service.events[100:]


def deploy(service, why=""):
    """Starts a new PRIMARY deployment. The previous one remains ACTIVE until the new one is complete."""
    for old in service.deployments:
        old["status"] = "ACTIVE"
    name = f"ecs-svc/{mock_random.randint(10**18, 10**19)}"
    service.deployments.insert(0, {
        "id": name, "status": "PRIMARY", "taskDefinition": service.task_definition, "desiredCount": service.desired_count,
        "pendingCount": service.desired_count, "runningCount": 0, "failedTasks": 0, "createdAt": utcnow(), "updatedAt": utcnow(),
        "launchType": service.launch_type, "capacityProviderStrategy": service.capacity_provider_strategy or None,
        "platformVersion": "1.4.0", "platformFamily": "Linux", "networkConfiguration": service.network_configuration or None,
        "rolloutState": "IN_PROGRESS", "rolloutStateReason": why or f"ECS deployment {name} in progress.", "began": time.monotonic(),
    })


def fail(service, deployment, image):
    """CannotPullContainerError (Developer Guide, "Stopped tasks error messages"): the tasks of the deployment stop one
    after another.

    The circuit breaker's threshold is half the desired count, at least 3 and at most 200.
    """
    breaker = service.deployment_configuration["deploymentCircuitBreaker"]
    reason = f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {image}: not found"
    threshold = min(max(3, -(-service.desired_count // 2)), 200)
    failures = threshold if breaker["enable"] else 1 + int(time.monotonic() - deployment["began"])
    for _ in range(failures - deployment["failedTasks"]):
        task = launch(service, deployment)
        say(service, f"has started 1 tasks: (task {task.id}).")
        halt(task, reason, "TaskFailedToStart", service)
        task.started_at = None
        for container in task.containers:
            container.reason = reason
    if failures > deployment["failedTasks"]:
        say(service, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the "
                     "Amazon ECS Developer Guide.")
    deployment.update(failedTasks=failures, pendingCount=0, updatedAt=utcnow())
    if breaker["enable"]:
        deployment.update(rolloutState="FAILED", rolloutStateReason="ECS deployment circuit breaker: tasks failed to start.")
        say(service, f"(deployment {deployment['id']}) deployment failed: tasks failed to start.")
        good = next((d for d in service.deployments if d["rolloutState"] == "COMPLETED"), None)
        if breaker["rollback"] and good:
            service.task_definition = good["taskDefinition"]
            service.network_configuration = good["networkConfiguration"]
            deploy(service, f"ECS deployment circuit breaker: rolling back to deploymentId {good['id']}.")


def advance(service):
    """Emulates the work of ECS's scheduler between two requests."""
    deployment = service.deployments[0]
    if knobs.pending("service", deployment["began"]) or deployment["rolloutState"] == "FAILED":
        return
    deployment["desiredCount"] = service.desired_count
    running = tasks_of(service, deployment)
    if len(running) < service.desired_count and (image := missing_image(service, deployment["taskDefinition"])):
        return fail(service, deployment, image)
    started = [launch(service, deployment) for _ in range(service.desired_count - len(running))]
    surplus = running[service.desired_count:]
    stopped = [t for t in tasks_of(service) if t.started_by != deployment["id"]] + surplus
    registered = {}
    for task in started:
        for group, target in targets(service, task):
            group.register([target])
            registered[group.arn] = registered.get(group.arn, 0) + 1
    for task in stopped:
        halt(task, f"Scaling activity initiated by (deployment {deployment['id']})", service=service)
    deployment.update(runningCount=service.desired_count, pendingCount=0)
    if started:
        say(service, f"has started {len(started)} tasks: {' '.join(f'(task {t.id})' for t in started)}.")
    for group, count in registered.items():
        say(service, f"registered {count} targets in (target-group {group})")
    if stopped:
        say(service, f"has stopped {len(stopped)} running tasks: {' '.join(f'(task {t.id})' for t in stopped)}.")
    if deployment["rolloutState"] == "IN_PROGRESS":
        deployment.update(rolloutState="COMPLETED", rolloutStateReason=f"ECS deployment {deployment['id']} completed.", updatedAt=utcnow())
        del service.deployments[1:]
        say(service, f"(deployment {deployment['id']}) deployment completed.")
        started = started or [None]
    if started or stopped:
        say(service, "has reached a steady state.")


def scheduler():
    for account in list(ecs_backends.values()):
        for backend in list(account.values()):
            for service in list(backend.services.values()):
                if service.status == "ACTIVE":
                    try:
                        advance(service)
                    except ServiceException as wrong:
                        # For example a deleted subnet or security group: the service reports an event and tries again.
                        if wrong.message not in str(service.events[:1]):
                            say(service, f"was unable to place a task. Reason: {wrong.message}")
                elif service.status == "DRAINING" and not knobs.pending("serviceDelete", service.deleted_at):
                    service.status, service.deployments = "INACTIVE", []


core.ticks.append(scheduler)

Service.deployments = ()  # moto's __init__ reads the task counts before it sets the deployments


@computed(Service)
def running_count(self):
    return sum(d["runningCount"] if d is self.deployments[0] else len(tasks_of(self, d)) for d in self.deployments)


@computed(Service)
def pending_count(self):
    return self.deployments[0]["pendingCount"] if self.deployments else 0


@computed(Service)
def health_check_grace_period_seconds(self):
    """Service.healthCheckGracePeriodSeconds is present, 0 by default, when the service has load balancers."""
    return (self.__dict__.get("_health_check_grace_period_seconds") or 0) if self.load_balancers else None


# ---- CreateService, UpdateService, DeleteService

def check(self, definition, balancers, network, grace):
    """Raises the errors of CreateService and UpdateService.

    They concern load balancers that do not match the task definition, and awsvpc tasks without a network configuration.
    """
    groups = elbv2_backends[self.current_account][self.region].target_groups
    for balancer in balancers or []:
        arn = balancer.get("targetGroupArn")
        container = next((c for c in definition.container_definitions if c["name"] == balancer.get("containerName")), None)
        if container is None:
            raise InvalidParameterException(f"The container {balancer.get('containerName')} does not exist in the task definition.")
        if balancer.get("containerPort") not in [p.get("containerPort") for p in container["portMappings"]]:
            raise InvalidParameterException(
                f"The container {container['name']} did not have a container port {balancer.get('containerPort')} defined.")
        if arn not in groups:
            raise InvalidParameterException(f"The target group {arn} does not exist.")
        if not groups[arn].load_balancer_arns:
            raise InvalidParameterException(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")
        if definition.network_mode == "awsvpc" and groups[arn].target_type == "instance":
            raise InvalidParameterException(f"The provided target group {arn} has target type instance, which is incompatible with the "
                                            "awsvpc network mode specified in the task definition.")
    if grace and not balancers:
        raise InvalidParameterException("Health check grace period is only valid for services configured to use load balancers")
    if definition.network_mode == "awsvpc" and not network:
        raise InvalidParameterException("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if network:
        network["awsvpcConfiguration"].setdefault("securityGroups", [])
        # AwsVpcConfiguration: "The default value is DISABLED"
        network["awsvpcConfiguration"].setdefault("assignPublicIp", "DISABLED")


def active(backend, name):
    definition = backend.describe_task_definition(name)
    if definition.status != "ACTIVE":
        raise EcsClientException("TaskDefinition is inactive")
    return definition


@mend(EC2ContainerServiceResponse)
def create_service(moto, self):
    """CreateService stores all that it is given, fills in AWS's defaults, and starts a deployment.

    The same request again returns the same service. Another request with the same name fails with
    InvalidParameterException.
    """
    backend, name = self.ecs_backend, self._get_param("serviceName")
    cluster = backend._get_cluster(self._get_param("cluster") or "default")
    if cluster.status != "ACTIVE":
        raise ClusterNotFoundException()
    asked = json.dumps({k: v for k, v in self.params.items() if k != "clientToken"}, sort_keys=True, default=str)
    present = backend.services.get(f"{cluster.name}:{name}")
    if present and present.status == "DRAINING":
        raise InvalidParameterException("Unable to Start a service that is still Draining.")
    if present and present.status == "ACTIVE":
        if present.asked != asked:
            raise InvalidParameterException("Creation of service was not idempotent.")
        return ActionResult({"service": present})
    if self._get_param("launchType") and self._get_param("capacityProviderStrategy"):
        raise InvalidParameterException("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
    check(self, active(backend, self._get_param("taskDefinition")), self._get_param("loadBalancers"), self._get_param("networkConfiguration"),
          self._get_param("healthCheckGracePeriodSeconds"))
    service = moto().result["service"]
    service.asked, service.deployments = asked, []
    for parameter, (attribute, default) in PLAIN.items():
        value = self._get_param(parameter)
        setattr(service, attribute, copy.copy(default) if value is None else value)
    if not self._get_param("launchType"):
        service.capacity_provider_strategy = service.capacity_provider_strategy or cluster.default_capacity_provider_strategy or []
    if service.capacity_provider_strategy:
        service.launch_type = None
    service.deployment_configuration = {**DEPLOYMENT, **(self._get_param("deploymentConfiguration") or {})}
    service.platform_family, service.created_at = "Linux", utcnow()
    service.created_by = f"arn:aws:iam::{self.current_account}:root"
    service.role_arn = f"arn:aws:iam::{self.current_account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    deploy(service)
    return ActionResult({"service": service})


@mend(EC2ContainerServiceResponse)
def update_service(moto, self):
    """UpdateService changes only what it is given. Only forceNewDeployment, or a parameter that "triggers a new service
    deployment", starts a deployment."""
    backend = self.ecs_backend
    service = backend._get_service(self._get_param("cluster") or "default", self._get_param("service").split("/")[-1])
    if service.status != "ACTIVE":
        raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
    given = {k: v for k, v in self.params.items() if v is not None}
    definition = active(backend, given.get("taskDefinition", service.task_definition))
    check(self, definition, given.get("loadBalancers", service.load_balancers),
          given.get("networkConfiguration", service.network_configuration), given.get("healthCheckGracePeriodSeconds"))
    if "networkConfiguration" in given:
        service._validate_network(given["networkConfiguration"])
    for parameter, (attribute, _) in PLAIN.items():
        if parameter in given:
            setattr(service, attribute, given[parameter])
    if given.get("capacityProviderStrategy"):
        service.launch_type = None
    service.desired_count = given.get("desiredCount", service.desired_count)
    service.deployment_configuration = {**service.deployment_configuration, **given.get("deploymentConfiguration", {})}
    service.task_definition = definition.arn
    if given.get("forceNewDeployment") or DEPLOYS & set(given):
        deploy(service)
    return ActionResult({"service": service})


@mend(EC2ContainerServiceBackend)
def delete_service(moto, self, cluster_name, service_name, force):
    """DeleteService: "the service status moves from ACTIVE to DRAINING, and the service is no longer visible in the
    console or in the ListServices API operation [...] then to INACTIVE". A service can be described in both states."""
    service = self._get_service(cluster_name, service_name.split("/")[-1])
    if service.status == "INACTIVE":
        raise ECSException("ServiceNotFoundException", "Service not found.")
    if service.desired_count > 0 and not force:
        raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    for task in tasks_of(service):
        halt(task, f"Scaling activity initiated by (deployment {task.started_by})", service=service)
    service.desired_count, service.status, service.deleted_at = 0, "DRAINING", time.monotonic()
    for deployment in service.deployments:
        deployment.update(desiredCount=0, runningCount=0, pendingCount=0)
    return service


@mend(EC2ContainerServiceBackend)
def list_services(moto, self, cluster_str, scheduling_strategy=None, launch_type=None):
    cluster = self._get_cluster(cluster_str)
    return sorted(s.arn for s in self.services.values() if s.cluster_name == cluster.name and s.status == "ACTIVE"
                  and scheduling_strategy in (None, s.scheduling_strategy) and launch_type in (None, s.launch_type))


@mend(EC2ContainerServiceResponse)
def describe_services(moto, self):
    """DescribeServices: "you may specify up to 10 services to describe in a single operation"."""
    at_most(self, "services", 10, "Services")
    return moto()
