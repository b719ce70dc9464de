"""ElastiCache: subnet groups, parameter groups, tags."""
from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.core.resource_tagging import TaggedResource
from moto.core.common_models import BaseModel
from moto.elasticache.exceptions import CacheSubnetGroupNotFound, ElastiCacheException
from moto.elasticache.models import CacheSubnetGroup, ElastiCacheBackend, elasticache_backends
from moto.elasticache.responses import ElastiCacheResponse

from mends import mend

# ElastiCache User Guide, "Engine specific parameters": name -> default, for a selection of the parameters.
PARAMETERS = {"maxmemory-policy": "volatile-lru", "timeout": "0", "notify-keyspace-events": "", "slowlog-log-slower-than": "10000",
              "activedefrag": "no", "cluster-enabled": "no", "tcp-keepalive": "300"}
FAMILIES = ("redis5.0", "redis6.x", "redis7", "valkey7", "valkey8")


def refuse(code, message):
    refusal = ElastiCacheException(message)
    refusal.code = code
    return refusal


class ParameterGroup(BaseModel):
    def __init__(self, backend, name, family, description):
        self.cache_parameter_group_name, self.cache_parameter_group_family, self.description = name, family, description
        self.is_global, self.set = False, {}
        self.arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:parametergroup:{name}"

    def value(self, name):
        return self.set.get(name, "yes" if name == "cluster-enabled" and self.cache_parameter_group_name.endswith(".cluster.on") else PARAMETERS[name])


def parameter_groups(backend):
    """Returns the account's parameter groups, and AWS's own: default.<family> and default.<family>.cluster.on."""
    if "cache_parameter_groups" not in backend.__dict__:
        names = [f"default.{family}{cluster}" for family in FAMILIES for cluster in ("", ".cluster.on")]
        backend.cache_parameter_groups = {
            name: ParameterGroup(backend, name, name.removeprefix("default.").removesuffix(".cluster.on"), f"Default parameter group for {name}")
            for name in names}
        for group in backend.cache_parameter_groups.values():
            group.born = 0
    return backend.cache_parameter_groups


def parameter_group(self, name=None):
    name = (name or self._get_param("CacheParameterGroupName") or "").lower()
    if name not in parameter_groups(self.elasticache_backend):
        raise refuse("CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found.")
    return parameter_groups(self.elasticache_backend)[name]


@mend(ElastiCacheResponse)
def create_cache_parameter_group(moto, self):
    """CreateCacheParameterGroup: the name is "stored as a lowercase string"."""
    backend, name = self.elasticache_backend, self._get_param("CacheParameterGroupName").lower()
    if name in parameter_groups(backend):
        raise refuse("CacheParameterGroupAlreadyExists", f"CacheParameterGroup {name} already exists.")
    family = self._get_param("CacheParameterGroupFamily")
    if family not in FAMILIES:
        raise refuse("InvalidParameterValue", f"CacheParameterGroupFamily {family} is not a valid parameter group family.")
    made = ParameterGroup(backend, name, family, self._get_param("Description"))
    backend.cache_parameter_groups[name] = made
    backend.tagging_service.tag_resource(made.arn, self._get_param("Tags", []))
    return ActionResult({"CacheParameterGroup": made})


@mend(ElastiCacheResponse)
def describe_cache_parameter_groups(moto, self):
    if self._get_param("CacheParameterGroupName"):
        return ActionResult({"CacheParameterGroups": [parameter_group(self)]})
    return PaginatedResult({"CacheParameterGroups": list(parameter_groups(self.elasticache_backend).values())})


@mend(ElastiCacheResponse)
def describe_cache_parameters(moto, self):
    """DescribeCacheParameters: Source is user for changed parameters and system for all others."""
    group, source = parameter_group(self), self._get_param("Source")
    parameters = [{"ParameterName": name, "ParameterValue": group.value(name), "Source": "user" if name in group.set else "system",
             "DataType": "string", "IsModifiable": True} for name in PARAMETERS]
    return ActionResult({"Parameters": [p for p in parameters if source in (None, p["Source"])], "CacheNodeTypeSpecificParameters": []})


def named(self, least=1):
    """ModifyCacheParameterGroup, ResetCacheParameterGroup: "a minimum of one and a maximum of 20 parameters"."""
    group, pairs = parameter_group(self), self._get_param("ParameterNameValues", [])
    if group.cache_parameter_group_name.startswith("default."):
        raise refuse("InvalidCacheParameterGroupState", "The default cache parameter group cannot be modified.")
    if not least <= len(pairs) <= 20:
        raise refuse("InvalidParameterValue", "A maximum of 20 parameters can be modified in a single request.")
    for pair in pairs:
        if pair["ParameterName"] not in PARAMETERS:
            raise refuse("InvalidParameterValue", f"Parameter {pair['ParameterName']} does not exist in the parameter group family.")
    return group, pairs


@mend(ElastiCacheResponse)
def modify_cache_parameter_group(moto, self):
    group, pairs = named(self)
    group.set.update({pair["ParameterName"]: pair["ParameterValue"] for pair in pairs})
    return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})


@mend(ElastiCacheResponse)
def reset_cache_parameter_group(moto, self):
    """ResetCacheParameterGroup resets the named parameters, or with ResetAllParameters all of them, to their
    defaults."""
    everything = str(self._get_param("ResetAllParameters")).lower() == "true"
    group, pairs = named(self, least=0 if everything else 1)
    for name in list(group.set) if everything else [pair["ParameterName"] for pair in pairs]:
        group.set.pop(name, None)
    return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})


@mend(ElastiCacheResponse)
def delete_cache_parameter_group(moto, self):
    """DeleteCacheParameterGroup: "You cannot delete this cache parameter group if it is associated with any clusters".
    A default group cannot be deleted either."""
    group, backend = parameter_group(self), self.elasticache_backend
    name = group.cache_parameter_group_name
    if name.startswith("default."):
        raise refuse("InvalidParameterValue", "Default cache parameter groups cannot be deleted.")
    if any(r.cache_parameter_group_name == name for r in backend.replication_groups.values()):
        raise refuse("InvalidCacheParameterGroupState", "One or more cache clusters are still members of this parameter group.")
    del backend.cache_parameter_groups[name]
    backend.tagging_service.delete_all_tags_for_resource(group.arn)
    return EmptyResult()


# ---- subnet groups

@mend(ElastiCacheResponse)
def create_cache_subnet_group(moto, self):
    """CreateCacheSubnetGroup: the name is "stored as a lowercase string"."""
    self.params["CacheSubnetGroupName"] = self._get_param("CacheSubnetGroupName").lower()
    return moto()


@mend(CacheSubnetGroup, "__init__")
def of_subnets(moto, self, *args, **kwargs):
    """Subnet.SubnetAvailabilityZone is a structure with a Name."""
    moto(*args, **kwargs)
    for subnet in self.subnets:
        zone = subnet.get("subnet_availability_zone")
        if isinstance(zone, str):
            subnet["subnet_availability_zone"] = {"Name": zone}


def subnet_group(self):
    groups, name = self.elasticache_backend.cache_subnet_groups, self._get_param("CacheSubnetGroupName").lower()
    if name not in groups:
        raise CacheSubnetGroupNotFound(name)
    return groups[name]


@mend(ElastiCacheResponse)
def modify_cache_subnet_group(moto, self):
    """ModifyCacheSubnetGroup changes the description and the subnets, each only if given."""
    group, backend = subnet_group(self), self.elasticache_backend
    if description := self._get_param("CacheSubnetGroupDescription"):
        group.cache_subnet_group_description = description
    if subnets := self._get_param("SubnetIds"):
        new = CacheSubnetGroup(backend.account_id, backend.region_name, group.cache_subnet_group_name, "", subnets, None)
        group.subnet_ids, group.subnets, group.vpc_id = subnets, new.subnets, new.vpc_id
    return ActionResult({"CacheSubnetGroup": group})


@mend(ElastiCacheResponse)
def delete_cache_subnet_group(moto, self):
    """DeleteCacheSubnetGroup: "You cannot delete a default subnet group or one that is associated with any clusters"
    (CacheSubnetGroupInUse)."""
    group, backend = subnet_group(self), self.elasticache_backend
    name = group.cache_subnet_group_name
    if any(r.cache_subnet_group_name == name for r in backend.replication_groups.values()):
        raise refuse("CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by a cache cluster.")
    del backend.cache_subnet_groups[name]
    backend.tagging_service.delete_all_tags_for_resource(group.arn)
    return EmptyResult()


# ---- tags

def taggable(self, arn):
    """The tag operations need an existing resource.

    For a replication group that is not available: "Cluster not in available state to perform tagging operations"
    (ListTagsForResource, AddTagsToResource: InvalidReplicationGroupState).
    """
    kind, name = arn.split(":")[5:7]
    backend = self
    known = {"parametergroup": parameter_groups(backend), "subnetgroup": backend.cache_subnet_groups,
             "replicationgroup": backend.replication_groups}.get(kind)
    code = {"parametergroup": "CacheParameterGroupNotFound", "subnetgroup": "CacheSubnetGroupNotFoundFault",
            "replicationgroup": "ReplicationGroupNotFoundFault"}.get(kind)
    if known is not None and name not in known:
        raise refuse(code, f"{name} not found.")
    if kind == "replicationgroup" and known[name].status != "available":
        raise refuse("InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations.")


@mend(ElastiCacheBackend)
def list_tags_for_resource(moto, self, arn):
    taggable(self, arn)
    return self.tagging_service.list_tags_for_resource(arn)


@mend(ElastiCacheBackend)
def add_tags_to_resource(moto, self, arn, tags):
    taggable(self, arn)
    moto(arn, tags)


@mend(ElastiCacheBackend)
def remove_tags_from_resource(moto, self, arn, tags):
    taggable(self, arn)
    moto(arn, tags)


@mend(ElastiCacheBackend)
def iter_tagged_resources(moto, self):
    """GetResources also returns parameter groups."""
    yield from moto()
    for group in parameter_groups(self).values():
        yield TaggedResource(group.arn, self.tagging_service.get_tag_dict_for_resource(group.arn), "elasticache:parametergroup")


def each_backend():
    return [backend for account in elasticache_backends.values() for backend in account.values()]
