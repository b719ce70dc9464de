"""RDS: subnet groups, parameter groups, tags."""
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, PaginatedResult
from moto.rds.exceptions import (
    DBInstanceNotFoundError,
    DBParameterGroupNotFoundError,
    DBProxyNotFoundFault,
    DBSubnetGroupNotFoundError,
    RDSClientError,
)
from moto.rds.models import RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from mends import mend


def each_backend():
    """Yields every RDS backend that exists now."""
    for account in list(rds_backends.values()):
        yield from list(account.values())


# ---- subnet groups

def zones(subnets):
    """CreateDBSubnetGroup: "DB subnet groups must contain at least one subnet in at least two AZs in the Amazon Web
    Services Region."; otherwise the error is DBSubnetGroupDoesNotCoverEnoughAZs.

    All subnets must be in one VPC (InvalidSubnet).
    """
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise RDSClientError("InvalidSubnet", "The requested subnets are not all in a common VPC.")
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise RDSClientError("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement.")


@mend(RDSBackend)
def create_subnet_group(moto, self, subnet_name, description, subnets, tags):
    """CreateDBSubnetGroup: "This value is stored as a lowercase string.". An existing name gives
    DBSubnetGroupAlreadyExists."""
    name = subnet_name.lower()
    if name in self.subnet_groups:
        raise RDSClientError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    if not description:
        raise RDSClientError("InvalidParameterValue", "The parameter DBSubnetGroupDescription must be provided and must not be blank.")
    zones(subnets)
    return moto(name, description, subnets, tags)


@mend(RDSBackend)
def modify_db_subnet_group(moto, self, subnet_name, description, subnets):
    """ModifyDBSubnetGroup keeps the group; moto deletes it.

    AWS's SubnetAlreadyInUse, for a subnet that a DB instance uses, is not implemented here.
    """
    name = subnet_name.lower()
    if name not in self.subnet_groups:
        raise DBSubnetGroupNotFoundError(name)
    zones(subnets)
    group = self.subnet_groups[name]
    group.subnets = subnets
    if description:
        group.description = description
    return group


@mend(RDSBackend)
def delete_subnet_group(moto, self, subnet_name):
    """DeleteDBSubnetGroup: "The specified database subnet group must not be associated with any DB instances."; the
    error code is InvalidDBSubnetGroupStateFault."""
    name = subnet_name.lower()
    users = [d.db_instance_identifier for d in self.databases.values() if d._db_subnet_group_name == name]
    if users:
        raise RDSClientError("InvalidDBSubnetGroupStateFault", f"Cannot delete the subnet group '{name}' because at least one database "
                             f"instance: {users[0]} is still using it.")
    return moto(name)


# ---- parameter groups

# A selection of the engines' parameters: name -> (apply type, default). RDS User Guide, "Parameters on RDS for
# PostgreSQL", ….
CATALOGUE = {
    "postgres": {
        "autovacuum_analyze_scale_factor": ("dynamic", "0.05"),
        "autovacuum_naptime": ("dynamic", "15"),
        "autovacuum_vacuum_scale_factor": ("dynamic", "0.1"),
        "effective_cache_size": ("dynamic", "{DBInstanceClassMemory/16384}"),
        "idle_in_transaction_session_timeout": ("dynamic", "86400000"),
        "log_connections": ("dynamic", None),
        "log_disconnections": ("dynamic", None),
        "log_lock_waits": ("dynamic", None),
        "log_min_duration_statement": ("dynamic", "-1"),
        "log_statement": ("dynamic", None),
        "maintenance_work_mem": ("dynamic", "GREATEST({DBInstanceClassMemory*1024/63963136},65536)"),
        "max_connections": ("static", "LEAST({DBInstanceClassMemory/9531392},5000)"),
        "pg_stat_statements.track": ("dynamic", None),
        "random_page_cost": ("dynamic", None),
        "rds.force_ssl": ("dynamic", "1"),
        "rds.logical_replication": ("static", "0"),
        "shared_buffers": ("static", "{DBInstanceClassMemory/32768}"),
        "shared_preload_libraries": ("static", "pg_stat_statements"),
        "statement_timeout": ("dynamic", None),
        "track_activity_query_size": ("static", None),
        "work_mem": ("dynamic", None),
    },
    "mysql": {
        "character_set_server": ("dynamic", None),
        "innodb_buffer_pool_size": ("static", "{DBInstanceClassMemory*3/4}"),
        "long_query_time": ("dynamic", None),
        "max_connections": ("dynamic", "{DBInstanceClassMemory/12582880}"),
        "require_secure_transport": ("dynamic", "0"),
        "slow_query_log": ("dynamic", None),
    },
}
CATALOGUE["mariadb"] = CATALOGUE["mysql"]


def catalogue(group):
    """Returns the parameters of a group's family, or None for a family that the sandbox does not know."""
    return next((known for engine, known in CATALOGUE.items() if (group.family or "").startswith(engine)), None)


def wanted_group(backend, name):
    group = backend.db_parameter_groups.get((name or "").lower())
    if not group:
        raise DBParameterGroupNotFoundError(name)
    return group


def checked(group, parameters):
    """ModifyDBParameterGroup: "A maximum of 20 parameters can be modified in a single request."; "You can use the
    immediate value with dynamic parameters only.". An unknown name gives InvalidParameterValue."""
    known = catalogue(group)
    if group.name.startswith("default."):
        raise RDSClientError("InvalidDBParameterGroupState", "Default DBParameterGroup cannot be modified: " + group.name)
    if len(parameters) > 20:
        raise RDSClientError("InvalidParameterValue", "Too many parameters for modification")
    for parameter in parameters:
        name, method = parameter["ParameterName"], parameter.get("ApplyMethod")
        if known is not None and name not in known:
            raise RDSClientError("InvalidParameterValue", f"Could not find parameter with name: {name}")
        if method not in ("immediate", "pending-reboot"):
            raise RDSClientError("InvalidParameterValue", "The parameter ApplyMethod must be provided and must not be blank.")
        if known is not None and method == "immediate" and known[name][0] == "static":
            raise RDSClientError("InvalidParameterCombination", "cannot use immediate apply method for static parameter")


@mend(RDSBackend)
def create_db_parameter_group(moto, self, db_parameter_group_kwargs):
    """CreateDBParameterGroup: "This value is stored as a lowercase string."."""
    db_parameter_group_kwargs["DBParameterGroupName"] = db_parameter_group_kwargs["db_parameter_group_name"].lower()
    return moto(db_parameter_group_kwargs)


@mend(RDSBackend)
def modify_db_parameter_group(moto, self, db_parameter_group_name, db_parameter_group_parameters):
    """A changed static parameter makes the group's DB instances `pending-reboot` (RDS User Guide, "Modifying
    parameters")."""
    parameters, group = list(db_parameter_group_parameters), wanted_group(self, db_parameter_group_name)
    checked(group, parameters)
    return moto(group.name, parameters)


def reset_db_parameter_group(self):
    """ResetDBParameterGroup: "To reset specific parameters, provide a list of the following: ParameterName and
    ApplyMethod. To reset the entire DB parameter group, specify the DBParameterGroup name and ResetAllParameters
    parameters."."""
    group = wanted_group(self.backend, self.params.get("DBParameterGroupName"))
    parameters = [parameter.original_dict() for parameter in self.params.get("Parameters", [])]
    everything = self.params.get("ResetAllParameters")
    if everything is None or everything is True:
        if parameters:
            raise RDSClientError("InvalidParameterCombination", "Cannot specify both ResetAllParameters and Parameters")
        group.parameters.clear()
    else:
        checked(group, parameters)
        for parameter in parameters:
            group.parameters.pop(parameter["ParameterName"], None)
    return ActionResult({"DBParameterGroupName": group.name})


RDSResponse.reset_db_parameter_group = reset_db_parameter_group


@mend(RDSResponse)
def describe_db_parameters(moto, self):
    """DescribeDBParameters returns all of the engine's parameters.

    Source is `user`, `engine-default` or `system`. ApplyType says whether a parameter is static or dynamic.
    """
    group, rows = wanted_group(self.backend, self.params.get("DBParameterGroupName")), []
    for name in sorted({*(catalogue(group) or {}), *group.parameters}):
        kind, default = (catalogue(group) or {}).get(name, ("dynamic", None))
        stated = group.parameters.get(name)
        rows.append({"ParameterName": name, "ParameterValue": stated["ParameterValue"] if stated else default,
                     "Source": "user" if stated else ("system" if default else "engine-default"), "ApplyType": kind,
                     "DataType": "string", "IsModifiable": True, "ApplyMethod": stated["ApplyMethod"] if stated else "pending-reboot"})
    source = self.params.get("Source")
    return PaginatedResult({"Parameters": [row for row in rows if source in (None, row["Source"])]})


@mend(RDSBackend)
def describe_db_parameter_groups(moto, self, db_parameter_group_kwargs):
    """DescribeDBParameterGroups: a name that does not exist gives DBParameterGroupNotFound."""
    if name := db_parameter_group_kwargs.get("db_parameter_group_name"):
        return [wanted_group(self, name)]
    return moto(db_parameter_group_kwargs)


@mend(RDSBackend)
def delete_db_parameter_group(moto, self, db_parameter_group_name):
    """DeleteDBParameterGroup: "The DB parameter group to be deleted can't be associated with any DB instances."; the
    error code is InvalidDBParameterGroupState, also for a default group."""
    name = db_parameter_group_name.lower()
    if any(d.db_parameter_group_name == name for d in self.databases.values()) or name.startswith("default."):
        raise RDSClientError("InvalidDBParameterGroupState", f"One or more database instances are still members of this parameter group {name}, so the group cannot be deleted")
    return moto(name)


# ---- tags

NOT_FOUND = {"db": DBInstanceNotFoundError, "subgrp": DBSubnetGroupNotFoundError, "pg": DBParameterGroupNotFoundError,
             "db-proxy": DBProxyNotFoundFault}


@mend(RDSBackend)
def _get_resource_for_tagging(moto, self, arn):
    """ListTagsForResource and the other tag operations: a resource that does not exist gives the error of its type, for
    example DBInstanceNotFound."""
    resource, kind = moto(arn), arn.split(":")[5]
    if resource is None and kind in NOT_FOUND:
        raise NOT_FOUND[kind](arn.split(":")[-1])
    return resource


@mend(RDSBackend)
def iter_tagged_resources(moto, self):
    """GetResources also returns subnet groups and parameter groups."""
    yield from moto()
    for kind, resources in (("rds:subgrp", self.subnet_groups), ("rds:pg", self.db_parameter_groups)):
        for resource in resources.values():
            yield TaggedResource(arn=resource.arn, tags={t["Key"]: t["Value"] for t in resource.get_tags()}, resource_type=kind)
