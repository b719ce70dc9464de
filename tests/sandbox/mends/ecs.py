"""ECS: clusters and task definitions."""
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs.exceptions import ECSException, EcsClientException, InvalidParameterException, TaskDefinitionNotFoundException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse

from mends import computed, mend

# ---- clusters


@mend(EC2ContainerServiceResponse)
def create_cluster(moto, self):
    """CreateCluster is idempotent: an existing cluster that is ACTIVE is returned unchanged."""
    present = self.ecs_backend.clusters.get(self._get_param("clusterName") or "default")
    if present and present.status == "ACTIVE":
        return ActionResult({"cluster": present})
    cluster = moto().result["cluster"]
    cluster.tags = cluster.tags or []
    cluster.capacity_providers = cluster.capacity_providers or []
    cluster.default_capacity_provider_strategy = cluster.default_capacity_provider_strategy or []
    return ActionResult({"cluster": cluster})


def update_settings(self):
    """UpdateCluster, UpdateClusterSettings: each given setting replaces the setting of the same name. Others are
    kept."""
    cluster = self.ecs_backend._get_cluster(self._get_param("cluster"))
    given = {s["name"]: s for s in self._get_param("settings", [])}
    cluster.settings = list({**{s["name"]: s for s in cluster.settings}, **given}.values())
    return cluster


@mend(EC2ContainerServiceResponse)
def update_cluster_settings(moto, self):
    """UpdateClusterSettings "modifies the settings to use for a cluster"."""
    return ActionResult({"cluster": update_settings(self)})


@mend(EC2ContainerServiceResponse)
def update_cluster(moto, self):
    self.params["settings"] = update_settings(self).settings
    return moto()


@mend(EC2ContainerServiceResponse)
def describe_clusters(moto, self):
    """DescribeClusters: without SETTINGS or CONFIGURATIONS in `include`, "this information isn't included"."""
    include = self._get_param("include", [])
    for word, member in (("SETTINGS", "settings"), ("CONFIGURATIONS", "configuration")):
        (self._include_in_response if word in include else self._exclude_from_response)(f"DescribeClustersResponse.clusters.Cluster.{member}")
    return moto()


@mend(EC2ContainerServiceBackend)
def list_clusters(moto, self):
    """DeleteCluster: the cluster "transitions to the INACTIVE state". It can be described for a while, but is not
    listed."""
    return [c.arn for c in self.clusters.values() if c.status == "ACTIVE"]


@mend(EC2ContainerServiceBackend)
def delete_cluster(moto, self, cluster_str):
    """DeleteCluster: ClusterContainsServicesException ("You can't delete a cluster that contains services") and
    ClusterContainsTasksException."""
    cluster = self._get_cluster(cluster_str)
    if any(s.cluster_name == cluster.name and s.status in ("ACTIVE", "DRAINING") for s in self.services.values()):
        raise ECSException("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if cluster.running_tasks_count:
        raise ECSException("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    return moto(cluster_str)


def tasks_of(self):
    return [t for arn, t in BACKEND[self.arn].tasks.get(self.name, {}).items() if t.desired_status == "RUNNING"] if self.arn in BACKEND else []


# The backends by cluster ARN, because moto's cluster has no reference to its backend.
BACKEND = {}


@mend(EC2ContainerServiceBackend, "create_cluster")
def remember(moto, self, *args, **kwargs):
    cluster = moto(*args, **kwargs)
    BACKEND[cluster.arn] = self
    return cluster


@computed(Cluster)
def running_tasks_count(self):
    """Cluster.runningTasksCount: the number of tasks in the RUNNING state."""
    return len(tasks_of(self))


@computed(Cluster)
def active_services_count(self):
    """Cluster.activeServicesCount: "the number of services that are running on the cluster in an ACTIVE state"."""
    return sum(s.cluster_name == self.name and s.status == "ACTIVE" for s in BACKEND[self.arn].services.values()) if self.arn in BACKEND else 0


@computed(Cluster)
def pending_tasks_count(self):
    return 0


# ---- task definitions

@mend(EC2ContainerServiceResponse)
def register_task_definition(moto, self):
    """RegisterTaskDefinition: Fargate "requires" awsvpc, task cpu and memory.

    Defaults of containers are filled in. The tags are returned beside the task definition.
    """
    fargate = "FARGATE" in (self._get_param("requiresCompatibilities") or [])
    for name in ("cpu", "memory") if fargate else ():
        if not self._get_param(name):
            raise EcsClientException(f"Fargate requires that '{name}' be defined at the task level.")
    if fargate and self._get_param("networkMode") != "awsvpc":
        raise EcsClientException("Fargate only supports network mode ‘awsvpc’.")
    for container in self._get_param("containerDefinitions", []):
        container.setdefault("systemControls", [])
        for port in container.get("portMappings") or []:
            port.setdefault("protocol", "tcp")
            port.setdefault("hostPort", port.get("containerPort", 0) if self._get_param("networkMode") in ("awsvpc", "host") else 0)
        # HealthCheck: the defaults are an interval of 30 seconds, a timeout of 5 seconds, and 3 retries.
        if check := container.get("healthCheck"):
            container["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **check}
    made = moto().result["taskDefinition"]
    made.registered_at, made.registered_by = utcnow(), f"arn:aws:iam::{self.current_account}:root"
    return ActionResult({"taskDefinition": made, "tags": made.tags})


@mend(EC2ContainerServiceBackend)
def describe_task_definition(moto, self, task_definition_str):
    """DescribeTaskDefinition: a family name means "the latest ACTIVE revision in the family"."""
    name = task_definition_str.split("/")[-1]
    if ":" not in name:
        active = [r for r, d in self.task_definitions.get(name, {}).items() if d.status == "ACTIVE"]
        if not active:
            raise TaskDefinitionNotFoundException()
        name = f"{name}:{max(active)}"
    return moto(name)


@mend(EC2ContainerServiceBackend)
def deregister_task_definition(moto, self, task_definition_str):
    made = moto(task_definition_str)
    made.deregistered_at = utcnow()
    return made


@mend(EC2ContainerServiceResponse)
def list_task_definitions(moto, self):
    """ListTaskDefinitions: "by default (ASC), task definitions are listed lexicographically by family name and in
    ascending numerical order by revision"; DESC reverses both."""
    prefix, status = self._get_param("familyPrefix"), self._get_param("status") or "ACTIVE"
    chosen = [d for revisions in self.ecs_backend.task_definitions.values() for d in revisions.values()
              if d.status == status and (prefix is None or d.family == prefix)]
    chosen.sort(key=lambda d: (d.family, d.revision), reverse=self._get_param("sort") == "DESC")
    return ActionResult({"taskDefinitionArns": [d.arn for d in chosen]})


@mend(EC2ContainerServiceBackend)
def list_task_definition_families(moto, self, family_prefix=None, status=None):
    """ListTaskDefinitionFamilies: ACTIVE lists families with an ACTIVE revision. INACTIVE lists families without
    one."""
    for family, revisions in self.task_definitions.items():
        active = any(d.status == "ACTIVE" for d in revisions.values())
        if family.startswith(family_prefix or "") and (status in (None, "ALL") or active == (status == "ACTIVE")):
            yield family


@mend(EC2ContainerServiceResponse, "list_task_definition_families")
def list_families(moto, self):
    found = self.ecs_backend.list_task_definition_families(self._get_param("familyPrefix"), self._get_param("status"))
    return ActionResult({"families": sorted(found)})


def at_most(self, name, limit, what):
    """Several Describe calls accept a limited number of names and refuse more."""
    if len(self._get_param(name) or []) > limit:
        raise InvalidParameterException(f"{what} can not have more than {limit} elements.")


TaskDefinition.enable_fault_injection = False
