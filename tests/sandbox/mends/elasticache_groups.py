"""ElastiCache: replication groups and their nodes. Creation, changes and deletion take time."""
import time

from moto.core.responses import ActionResult, PaginatedResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.elasticache.exceptions import CacheClusterNotFound, CacheSubnetGroupNotFound, ReplicationGroupNotFound
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse
from moto.moto_api._internal import mock_random

import knobs
from mends import computed, core, mend
from mends.elasticache import each_backend, parameter_group, parameter_groups, refuse

knobs.DEFAULTS["pending"].update(replicationGroup=0, replicationGroupChange=0, replicationGroupDelete=0)
knobs.reset()

# "Supported engines and versions": AWS selects the patch version of the requested minor version.
PATCHES = {"6.0": "6.0.5", "6.2": "6.2.6", "7.0": "7.0.7", "7.1": "7.1.0", "7.2": "7.2.6", "8.0": "8.0.1", "8.1": "8.1.0"}
NEWEST = {"redis": "7.1.0", "valkey": "8.0.1"}


@computed(ReplicationGroup)
def status(self):
    """ReplicationGroup.Status: creating, available, modifying, deleting, create-failed, snapshotting."""
    if deleted := self.__dict__.get("deleted_at"):
        return "deleting" if knobs.pending("replicationGroupDelete", deleted) else "deleted"
    if knobs.pending("replicationGroup", self.born):
        return "creating"
    return "modifying" if knobs.pending("replicationGroupChange", self.__dict__.get("changed_at", 0)) else "available"


def settle():
    """Removes the replication groups whose deletion is complete."""
    for backend in each_backend():
        for name, group in list(backend.replication_groups.items()):
            if group.status == "deleted":
                del backend.replication_groups[name]
                backend.tagging_service.delete_all_tags_for_resource(group.arn)


core.ticks.append(settle)


def family(group):
    major, minor = group.engine_version.split(".")[:2]
    return f"valkey{major}" if group.engine == "valkey" else f"redis{major}" if major >= "7" else f"redis{major}.{'x' if major == '6' else minor}"


def lay_out(group):
    """NodeGroup, NodeGroupMember: shards are numbered from 0001.

    A node's id is <id>-001, or with cluster mode <id>-0001-001. Endpoints belong to the shard, or with cluster mode to
    the whole group.
    """
    cluster, name = group.cluster_enabled, group.replication_group_id
    domain = f"{name}.{group.random}.use1.cache.amazonaws.com"

    def endpoint(which):
        return {"Address": f"{which}.{domain}", "Port": group.port}

    group.node_groups, group.member_clusters = [], []
    for n, shard in enumerate(group.shards):
        names = [f"{name}-{shard}-{i:03}" if cluster else f"{name}-{i:03}" for i in range(1, group.replicas + 2)]
        members = [{"CacheClusterId": node, "CacheNodeId": "0001", "PreferredAvailabilityZone": f"us-east-1{'abc'[i % 3]}"} for i, node in enumerate(names)]
        if not cluster:
            for i, member in enumerate(members):
                member.update(ReadEndpoint=endpoint(member["CacheClusterId"]), CurrentRole="replica" if i else "primary")
        described = {"NodeGroupId": shard, "Status": "available", "NodeGroupMembers": members}
        width = 16384 // len(group.shards)
        described.update({"Slots": f"{n * width}-{16383 if n + 1 == len(group.shards) else (n + 1) * width - 1}"} if cluster else
                    {"PrimaryEndpoint": endpoint("master"), "ReaderEndpoint": endpoint("replica")})
        group.node_groups.append(described)
        group.member_clusters += names
    group.configuration_endpoint = endpoint("clustercfg") if cluster else None


@mend(ReplicationGroup, "__init__")
def begin(moto, self, *args, **asked):
    moto(*args, **asked)
    self.status = None


def default_group(backend):
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    return [g.id for groups in ec2.groups.values() for g in groups.values() if g.name == "default"][:1]


@mend(ElastiCacheResponse)
def create_replication_group(moto, self):
    """CreateReplicationGroup: the id is "stored as a lowercase string".

    The subnet group and the parameter group must exist. An AUTH token needs TLS. Encryption at rest is the default of
    Valkey. With TLS the transit encryption mode is required, unless the request says preferred.
    """
    backend, given = self.elasticache_backend, self._get_param
    self.params["ReplicationGroupId"] = given("ReplicationGroupId").lower()
    tls = self._get_bool_param("TransitEncryptionEnabled")
    if given("AuthToken") and not tls:
        raise refuse("InvalidParameterCombination", "The AUTH token can only be used with encryption in transit.")
    if (subnets := given("CacheSubnetGroupName")) and subnets not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(subnets)
    if given("CacheParameterGroupName"):
        parameter_group(self)
    if self._get_bool_param("AutomaticFailoverEnabled") and (given("NumCacheClusters") or 1) == 1 and not given("ReplicasPerNodeGroup") and \
            (given("NumNodeGroups") or 1) == 1:
        raise refuse("InvalidParameterCombination", "If AutomaticFailoverEnabled is true, the number of nodes must be at least 2.")
    answer = moto()
    group = answer.result["ReplicationGroup"]
    version = given("EngineVersion")
    group.engine_version = PATCHES.get(version, version) or NEWEST[group.engine]
    parameters = parameter_groups(backend)
    group.cache_parameter_group_name = given("CacheParameterGroupName") or f"default.{family(group)}" + (
        ".cluster.on" if (given("NumNodeGroups") or 1) > 1 or given("ClusterMode") == "enabled" else "")
    group.cluster_enabled = parameters[group.cache_parameter_group_name].value("cluster-enabled") == "yes"
    group.cluster_mode = given("ClusterMode") or ("enabled" if group.cluster_enabled else "disabled")
    group.cache_subnet_group_name = given("CacheSubnetGroupName") or "default"
    group.security_group_ids = given("SecurityGroupIds") or default_group(backend)
    group.preferred_maintenance_window = given("PreferredMaintenanceWindow") or "sun:05:00-sun:06:00"
    group.auto_minor_version_upgrade = self._get_bool_param("AutoMinorVersionUpgrade", True)
    group.at_rest_encryption_enabled = self._get_bool_param("AtRestEncryptionEnabled", group.engine == "valkey")
    group.transit_encryption_mode = (given("TransitEncryptionMode") or "required") if tls else None
    group.snapshot_window = given("SnapshotWindow") or "05:00-06:00"
    group.data_tiering = "enabled" if self._get_bool_param("DataTieringEnabled") else "disabled"
    group.topic_status = "active" if group.notification_topic_arn else None
    group.random, group.later, group.rotated = mock_random.get_random_string(6).lower(), {}, False
    group.shards = [f"{n:04}" for n in range(1, int(given("NumNodeGroups") or 1) + 1)]
    replicas = given("ReplicasPerNodeGroup")
    group.replicas = int(replicas) if replicas is not None else int(given("NumCacheClusters") or 1) - 1
    group.log_delivery_configurations = []
    deliver(group, given("LogDeliveryConfigurations", []))
    lay_out(group)
    return answer


def deliver(group, requests):
    """LogDeliveryConfigurationRequest: there is one delivery for each log type. Enabled false ends the delivery."""
    deliveries = {log["LogType"]: log for log in group.log_delivery_configurations}
    for request in requests:
        settings = {key: value for key, value in request.items() if key != "Enabled"}
        if str(request.get("Enabled", True)).lower() == "false":
            deliveries.pop(request["LogType"], None)
        else:
            deliveries[request["LogType"]] = {**settings, "Status": "active"}
    group.log_delivery_configurations = list(deliveries.values())


@mend(ElastiCacheBackend)
def describe_cache_clusters(moto, self, cache_cluster_id=None, **kwargs):
    """DescribeCacheClusters: the nodes of replication groups are clusters of one node each.

    They have fields that the replication group does not have.
    """
    nodes = []
    for group in self.replication_groups.values():
        topic = {"TopicArn": group.notification_topic_arn, "TopicStatus": group.topic_status} if group.notification_topic_arn else None
        for name in group.member_clusters:
            nodes.append({
                "CacheClusterId": name, "ReplicationGroupId": group.replication_group_id, "CacheClusterStatus": group.status,
                "CacheNodeType": group.cache_node_type, "Engine": group.engine, "EngineVersion": group.engine_version, "NumCacheNodes": 1,
                "CacheParameterGroup": {"CacheParameterGroupName": group.cache_parameter_group_name, "ParameterApplyStatus": "in-sync"},
                "CacheSubnetGroupName": group.cache_subnet_group_name, "PreferredMaintenanceWindow": group.preferred_maintenance_window,
                "SecurityGroups": [{"SecurityGroupId": g, "Status": "active"} for g in group.security_group_ids],
                "NotificationConfiguration": topic, "PendingModifiedValues": dict(group.later), "SnapshotRetentionLimit": group.snapshot_retention_limit,
                "AutoMinorVersionUpgrade": group.auto_minor_version_upgrade, "TransitEncryptionEnabled": group.transit_encryption_enabled,
                "ARN": group.arn.replace(f"replicationgroup:{group.replication_group_id}", f"cluster:{name}")})
    if cache_cluster_id is None:
        return list(self.cache_clusters.values()) + nodes
    found = [n for n in nodes if n["CacheClusterId"] == cache_cluster_id] or list(filter(None, [self.cache_clusters.get(cache_cluster_id)]))
    if not found:
        raise CacheClusterNotFound(cache_cluster_id)
    return found


# ---- changes

def changeable(self):
    """Returns the group when it is available. Otherwise the error is InvalidReplicationGroupState."""
    groups, name = self.elasticache_backend.replication_groups, self._get_param("ReplicationGroupId").lower()
    if name not in groups:
        raise ReplicationGroupNotFound(name)
    if groups[name].status != "available":
        raise refuse("InvalidReplicationGroupState", "Replication group must be in available state to modify.")
    return groups[name]


def changed(group):
    group.changed_at = time.monotonic()
    return ActionResult({"ReplicationGroup": group})


PLAIN = {"ReplicationGroupDescription": "description", "PreferredMaintenanceWindow": "preferred_maintenance_window", "SnapshotWindow": "snapshot_window",
         "SecurityGroupIds": "security_group_ids", "IpDiscovery": "ip_discovery", "ClusterMode": "cluster_mode", "Engine": "engine",
         "SnapshottingClusterId": "snapshotting_cluster_id"}


@mend(ElastiCacheResponse)
def modify_replication_group(moto, self):
    """ModifyReplicationGroup changes each given parameter.

    Without ApplyImmediately the node type and the engine version change in the maintenance window. Snapshots of a group
    without cluster mode need a SnapshottingClusterId.
    """
    group, given, flag = changeable(self), self._get_param, self._get_bool_param
    if given("CacheParameterGroupName"):
        group.cache_parameter_group_name = parameter_group(self).cache_parameter_group_name
    for name, attribute in PLAIN.items():
        if given(name) is not None:
            setattr(group, attribute, given(name))
    version = given("EngineVersion")
    soon = {"CacheNodeType": given("CacheNodeType"), "EngineVersion": PATCHES.get(version, version)}
    for name, value in soon.items():
        if value and flag("ApplyImmediately"):
            setattr(group, "cache_node_type" if name == "CacheNodeType" else "engine_version", value)
            group.later.pop(name, None)
        elif value:
            group.later[name] = value
    for name, attribute in (("AutomaticFailoverEnabled", "automatic_failover"), ("MultiAZEnabled", "multi_az")):
        if flag(name) is not None:
            if flag(name) and not group.replicas:
                raise refuse("InvalidParameterCombination", f"{name} needs at least one replica.")
            setattr(group, attribute, "enabled" if flag(name) else "disabled")
    if flag("AutoMinorVersionUpgrade") is not None:
        group.auto_minor_version_upgrade = flag("AutoMinorVersionUpgrade")
    if (days := given("SnapshotRetentionLimit")) is not None:
        if int(days) and not group.cluster_enabled and not group.snapshotting_cluster_id:
            raise refuse("InvalidParameterCombination", "Snapshotting cluster must be specified to enable automatic snapshots.")
        group.snapshot_retention_limit = int(days)
        group.snapshotting_cluster_id = group.snapshotting_cluster_id if int(days) else None
    if given("NotificationTopicArn"):
        group.notification_topic_arn, group.topic_status = given("NotificationTopicArn"), "active"
    if given("NotificationTopicStatus"):
        group.topic_status = given("NotificationTopicStatus")
    deliver(group, given("LogDeliveryConfigurations", []))
    group.user_group_ids = [g for g in group.user_group_ids if g not in given("UserGroupIdsToRemove", [])] + given("UserGroupIdsToAdd", [])
    transit(group, flag("TransitEncryptionEnabled"), given("TransitEncryptionMode"))
    authenticate(group, given("AuthToken"), given("AuthTokenUpdateStrategy"))
    return changed(group)


def transit(group, enabled, mode):
    """ModifyReplicationGroup: "If you are enabling in-transit encryption for an existing cluster, you must also set
    TransitEncryptionMode to preferred".

    The mode required needs "a two-step process". Encryption can be disabled only in the mode preferred (User Guide,
    "Enabling in-transit encryption").
    """
    if enabled and not group.transit_encryption_enabled and mode != "preferred":
        raise refuse("InvalidParameterCombination", "TransitEncryptionMode must be preferred to enable in-transit encryption.")
    if enabled is False and group.transit_encryption_enabled and group.transit_encryption_mode != "preferred":
        raise refuse("InvalidParameterCombination", "TransitEncryptionMode must be preferred to disable in-transit encryption.")
    group.transit_encryption_enabled = group.transit_encryption_enabled if enabled is None else enabled
    group.transit_encryption_mode = (mode or group.transit_encryption_mode) if group.transit_encryption_enabled else None


def authenticate(group, token, strategy):
    """AuthTokenUpdateStrategy: ROTATE, SET ("allowed only after ROTATE"), DELETE ("allowed only when transitioning to
    RBAC")."""
    if token and not group.transit_encryption_enabled:
        raise refuse("InvalidParameterCombination", "The AUTH token can only be used with encryption in transit.")
    if strategy == "SET" and not group.rotated:
        raise refuse("InvalidParameterValue", "SET is allowed only after ROTATE.")
    if strategy == "DELETE" and not group.user_group_ids:
        raise refuse("InvalidParameterCombination", "DELETE is allowed only when transitioning to RBAC.")
    if token or strategy == "DELETE":
        group.rotated, group.auth_token_enabled = strategy in (None, "ROTATE"), bool(token)
        group.auth_token_last_modified_date = utcnow()


@mend(ElastiCacheResponse)
def increase_replica_count(moto, self):
    """IncreaseReplicaCount: NewReplicaCount is the number of replicas in each shard. It must be greater than the
    current number, and at most 5."""
    group, count = changeable(self), int(self._get_param("NewReplicaCount"))
    if not group.replicas < count <= 5:
        raise refuse("InvalidParameterValue", "The new replica count must be greater than the current one, and at most 5.")
    group.replicas = count
    lay_out(group)
    return changed(group)


@mend(ElastiCacheResponse)
def decrease_replica_count(moto, self):
    """DecreaseReplicaCount: the minimum is 1 with Multi-AZ, otherwise 0."""
    group, count = changeable(self), int(self._get_param("NewReplicaCount"))
    if not (1 if group.multi_az == "enabled" and not group.cluster_enabled else 0) <= count < group.replicas:
        raise refuse("InvalidParameterValue", "The new replica count must be less than the current one.")
    group.replicas = count
    lay_out(group)
    return changed(group)


@mend(ElastiCacheResponse)
def modify_replication_group_shard_configuration(moto, self):
    """ModifyReplicationGroupShardConfiguration: with fewer shards "either NodeGroupsToRemove or NodeGroupsToRetain is
    required"."""
    group, count, given = changeable(self), int(self._get_param("NodeGroupCount")), self._get_param
    if not group.cluster_enabled:
        raise refuse("InvalidReplicationGroupState", "Replication group must be cluster-mode enabled to modify its shard configuration.")
    stay = given("NodeGroupsToRetain") or [s for s in group.shards if s not in given("NodeGroupsToRemove", [])]
    if count < len(group.shards) and len(stay) != count:
        raise refuse("InvalidParameterValue", "NodeGroupsToRemove or NodeGroupsToRetain must match NodeGroupCount.")
    stay = stay if count < len(group.shards) else group.shards
    new = [s for s in (f"{n:04}" for n in range(1, 501)) if s not in stay][:count - len(stay)]
    group.shards = sorted(stay) + new
    lay_out(group)
    return changed(group)


@mend(ElastiCacheResponse)
def delete_replication_group(moto, self):
    """DeleteReplicationGroup: the group must be available. A final snapshot is created if it is named. The deletion
    takes time."""
    group, backend = changeable(self), self.elasticache_backend
    if snapshot := self._get_param("FinalSnapshotIdentifier"):
        backend.create_snapshot(snapshot, group.replication_group_id, None, None, None)
    group.deleted_at = time.monotonic()
    settle()
    return ActionResult({"ReplicationGroup": group})
