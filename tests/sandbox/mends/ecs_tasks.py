"""ECS: the tasks of services, with their network interfaces and targets."""
import re

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.utils import random_private_ip
from moto.ecr.models import ecr_backends
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Task
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends

import knobs
from mends import mend
from mends.ecs import at_most

NetworkInterface.private_dns_name = None  # moto sets it only when the VPC has DNS host names
Task.advance = lambda self: None  # moto advances a stopping task each time it is described


def tasks_of(service, deployment=None, desired="RUNNING"):
    found = service._backend.tasks.get(service.cluster_name, {}).values()
    return [t for t in found if t.group == f"service:{service.name}" and t.desired_status == desired
            and (deployment is None or t.started_by == deployment["id"])]


def missing_image(service, task_definition):
    """Returns the first image that an ECR repository of the sandbox does not have: its tag or digest does not exist.

    Returns None unless imagePull is strict.
    """
    if knobs.settings["imagePull"] != "strict":
        return None
    for container in service._backend.describe_task_definition(task_definition).container_definitions:
        named = re.fullmatch(r"(\d+)\.dkr\.ecr\.([\w-]+)\.amazonaws\.com/([^:@]+)(?::([^@]+))?(?:@(.+))?", container.get("image", ""))
        if named:
            account, region, repository, tag, digest = named.groups()
            present = ecr_backends[account][region].repositories.get(repository)
            images = present.images if present else []
            if present and not any(digest == i.get_image_digest() if digest else (tag or "latest") in i.image_tags for i in images):
                return container["image"]
    return None


def launch(service, deployment):
    """Starts one task of a deployment, with its network interface in one of the subnets.

    The caller registers the task's address in the target groups.
    """
    backend = service._backend
    definition, number = backend.describe_task_definition(deployment["taskDefinition"]), len(tasks_of(service))
    network = deployment["networkConfiguration"]
    if definition.network_mode == "awsvpc":
        subnets = network["awsvpcConfiguration"]["subnets"]
        turned = subnets[number % len(subnets):] + subnets[:number % len(subnets)]
        network = {"awsvpcConfiguration": {**network["awsvpcConfiguration"], "subnets": turned}}
    tags = {"TASK_DEFINITION": definition.tags, "SERVICE": service.tags}.get(service.propagate_tags, [])
    strategy = deployment["capacityProviderStrategy"]
    task = Task(backend._get_cluster(service.cluster_name), definition, None, {}, backend, f"service:{service.name}",
                launch_type=service.launch_type or "FARGATE", started_by=deployment["id"], tags=list(tags),
                networking_configuration=network, platform_version="1.4.0",
                capacity_provider_name=strategy[0]["capacityProvider"] if strategy else None)
    task.cpu, task.memory, task.platform_family, task.version = definition.cpu, definition.memory, "Linux", 1
    task.created_at = task.started_at = task.pull_started_at = task.pull_stopped_at = task.connectivity_at = utcnow()
    task.connectivity, task.health_status, task.enable_execute_command = "CONNECTED", "UNKNOWN", service.enable_execute_command
    task.stopped_reason = None
    for container in task.containers:
        container.last_status, container.task_arn, container.exitCode = "RUNNING", task.task_arn, None
    for attachment in task.attachments:
        attachment["details"] = [d for d in attachment["details"] if d["value"]]
    for eni in interfaces(task):
        address = random_private_ip(eni.subnet.cidr_block)
        eni.private_ip_address, eni.private_ip_addresses = address, [{"Primary": True, "PrivateIpAddress": address}]
        eni.description, eni.requester_managed = task.task_arn.replace(":task/", ":attachment/"), True
        next(d for d in task.attachments[0]["details"] if d["name"] == "privateIPv4Address")["value"] = address
        task.availability_zone = eni.subnet.availability_zone
    backend.tasks.setdefault(service.cluster_name, {})[task.task_arn] = task
    return task


def interfaces(task):
    ids = [d["value"] for a in task.attachments for d in a["details"] if d["name"] == "networkInterfaceId"]
    enis = ec2_backends[task._account_id][task.region_name].enis
    return [enis[i] for i in ids if i in enis]


def targets(service, task):
    """Yields (target group, target) for every load balancer of the service."""
    groups = elbv2_backends[service._account_id][service.region_name].target_groups
    for balancer in service.load_balancers:
        group = groups.get(balancer.get("targetGroupArn"))
        for eni in interfaces(task) if group else ():
            yield group, {"Id": eni.private_ip_address, "Port": balancer.get("containerPort")}


def halt(task, reason, code="ServiceSchedulerInitiated", service=None):
    """Stops a task: deregisters its targets and deletes its network interface. It can be described for a while."""
    for group, target in targets(service, task) if service else ():
        group.targets.pop(target["Id"], None)
    for eni in interfaces(task):
        ec2_backends[task._account_id][task.region_name].enis.pop(eni.id, None)
    task.last_status = task.desired_status = "STOPPED"
    task.stopped_reason, task.stop_code = reason, code
    task.stopped_at = task.stopping_at = task.execution_stopped_at = utcnow()
    for container in task.containers:
        container.last_status = "STOPPED"


# ---- ListTasks, DescribeTasks, StopTask

@mend(EC2ContainerServiceResponse)
def list_tasks(moto, self):
    """ListTasks filters by service, family, startedBy and launch type. desiredStatus is RUNNING by default."""
    backend, name = self.ecs_backend, self._get_param("serviceName")
    cluster = backend._get_cluster(self._get_param("cluster") or "default")
    filters = {"desired_status": self._get_param("desiredStatus") or "RUNNING", "started_by": self._get_param("startedBy"),
              "launch_type": self._get_param("launchType"), "group": f"service:{name.split('/')[-1]}" if name else None}
    family = self._get_param("family")
    found = [t for t in backend.tasks.get(cluster.name, {}).values()
             if all(v is None or getattr(t, k) == v for k, v in filters.items())
             and (family is None or t.task_definition_arn.split("/")[-1].split(":")[0] == family)]
    return ActionResult({"taskArns": [t.task_arn for t in found]})


@mend(EC2ContainerServiceResponse)
def describe_tasks(moto, self):
    """DescribeTasks accepts up to 100 tasks. A task that does not exist is a failure with the reason MISSING."""
    at_most(self, "tasks", 100, "Tasks")
    answer, asked = moto(), self._get_param("tasks", [])
    found = {t.task_arn for t in answer.result["tasks"]}
    answer.result["failures"] = [{"arn": a, "reason": "MISSING"} for a in asked if not any(f.endswith(a.split("/")[-1]) for f in found)]
    return answer


@mend(EC2ContainerServiceBackend)
def stop_task(moto, self, cluster_str, task_str, reason):
    """StopTask deregisters the task's target and deletes its network interface. The service starts another task."""
    tasks = self.tasks.get(self._get_cluster(cluster_str).name, {})
    task = next((t for arn, t in tasks.items() if arn.split("/")[-1] == task_str.split("/")[-1]), None)
    if task is None:
        raise InvalidParameterException("The referenced task was not found.")
    service = next((s for s in self.services.values() if task.group == f"service:{s.name}" and s.cluster_arn == task.cluster_arn), None)
    halt(task, reason or "Task stopped by user", "UserInitiated", service)
    return task
