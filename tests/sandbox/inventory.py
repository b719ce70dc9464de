"""The inventory: every resource of the account, by kind, read from the state of the emulator.

The tests compare the inventories before and after a run of the product, so that they depend neither on the product's
observations nor on its tags. A resource that AWS creates on its own is left out: the default VPC, a main route table,
an AWS managed policy. A deleted resource that AWS still lists for a while is left out too.

`COUNTERS` has one entry for each kind of the product. `SIDE_EFFECTS` has resources that no kind stands for, and that a
deletion must not leave behind.
"""
from moto.backends import get_backend
from moto.secretsmanager.models import FakeSecret

import mends.cloudfront_policies
import mends.elasticache


def of(*path):
    """The keys of a dictionary of a backend; of two dictionaries, the keys of the inner ones."""

    def count(backend):
        found = getattr(backend, path[0])
        return found if len(path) == 1 else [key for inner in found.values() for key in getattr(inner, path[1])]

    return count


def unless(path, is_left_out):
    """The keys of a dictionary of a backend whose values are not left out."""
    return lambda backend: [key for key, value in getattr(backend, path).items() if not is_left_out(value)]


def nested(path, is_left_out=lambda value: False):
    """The keys of the inner dictionaries of a dictionary of a backend whose values are not left out."""
    return lambda backend: [key for inner in getattr(backend, path).values() for key, value in inner.items() if not is_left_out(value)]


def policies_of_cloudfront(kind):
    return lambda backend: [id for id, policy in mends.cloudfront_policies.of(backend, kind).items() if not policy.managed]


def record_sets(use):
    """The record sets of one use: `owner record` and `validation record` are what the product writes for its record sets
    and certificates. Route 53 creates the NS and SOA record sets of a zone."""

    def use_of(zone, record):
        if record.type in ("NS", "SOA") and record.name.strip(".") == zone.name.strip("."):
            return "zone"
        if record.name.startswith("_holdfast-"):
            return "owner record"
        return "validation record" if any(".acm-validations.aws" in str(value) for value in record.records) else "RecordSet"

    return lambda backend: [" ".join(filter(None, (zone.resource_id, record.name, record.type, record.set_identifier)))
                            for zone in backend.zones.values() for record in zone.rrsets if use_of(zone, record) == use]


def is_inactive(thing):
    return thing.status in ("INACTIVE", "DELETE_IN_PROGRESS")


def is_of_aws(resource):
    """A name that belongs to AWS: it creates these resources on its own."""
    return resource.name.startswith(("default", "aws/", "alias/aws/", "/aws/service/", "rds!", "TargetTracking-"))


# The service, as moto names its backend, and the ids of the resources of one account and region.
COUNTERS = {
    "Alarm": ("cloudwatch", unless("alarms", lambda alarm: alarm.rule is not None or is_of_aws(alarm))),
    "Alias": ("kms", lambda kms: [name for key in kms.keys.values() for name in key.aliases if not name.startswith("alias/aws/")]),
    "BackupPlan": ("backup", unless("plans", lambda plan: plan.deletion_date)),
    "BackupSelection": ("backup", of("plans", "selections")),
    "BackupVault": ("backup", of("vaults")),
    "Bucket": ("s3", of("buckets")),
    "Budget": ("budgets", nested("budgets")),
    "CacheParameterGroup": ("elasticache", lambda cache: [name for name in mends.elasticache.parameter_groups(cache) if not name.startswith("default.")]),
    "CachePolicy": ("cloudfront", policies_of_cloudfront("CachePolicy")),
    "CacheSubnetGroup": ("elasticache", of("cache_subnet_groups")),
    "Certificate": ("acm", of("_certificates")),
    "Cluster": ("ecs", unless("clusters", is_inactive)),
    "CompositeAlarm": ("cloudwatch", unless("alarms", lambda alarm: alarm.rule is None)),
    "Dashboard": ("cloudwatch", of("dashboards")),
    "DbInstance": ("rds", of("databases")),
    "DbParameterGroup": ("rds", unless("db_parameter_groups", is_of_aws)),
    "DbProxy": ("rds", of("db_proxies")),
    "DbSubnetGroup": ("rds", of("subnet_groups")),
    "Distribution": ("cloudfront", of("distributions")),
    "ElasticIp": ("ec2", lambda ec2: [address.allocation_id for address in ec2.addresses]),
    "EventRule": ("events", lambda events: [f"{bus.name} {rule.name}" for bus in events.event_buses.values() for rule in bus.rules.values() if not rule.managed_by]),
    "FlowLog": ("ec2", of("flow_logs")),
    "HealthCheck": ("route53", of("health_checks")),
    "HostedZone": ("route53", of("zones")),
    "Instance": ("ec2", lambda ec2: [i.id for r in ec2.reservations.values() for i in r.instances if i.state != "terminated"]),
    "InstanceProfile": ("iam", of("instance_profiles")),
    "InternetGateway": ("ec2", of("internet_gateways")),
    "IpSet": ("wafv2", of("ip_sets")),
    "Key": ("kms", unless("keys", lambda key: key.key_state == "PendingDeletion" or any(name.startswith("alias/aws/") for name in key.aliases))),
    "Listener": ("elbv2", of("load_balancers", "listeners")),
    "ListenerRule": ("elbv2", lambda elb: [arn for balancer in elb.load_balancers.values() for listener in balancer.listeners.values()
                                           for arn in listener._non_default_rules]),
    "LoadBalancer": ("elbv2", of("load_balancers")),
    "LogGroup": ("logs", of("groups")),
    "MetricFilter": ("logs", lambda logs: [f"{one['logGroupName']} {one['filterName']}" for one in logs.filters.metric_filters]),
    "NatGateway": ("ec2", unless("nat_gateways", lambda nat: nat.state in ("deleting", "deleted"))),
    "OidcProvider": ("iam", of("open_id_providers")),
    "OriginAccessControl": ("cloudfront", policies_of_cloudfront("OriginAccessControl")),
    "OriginRequestPolicy": ("cloudfront", policies_of_cloudfront("OriginRequestPolicy")),
    "Parameter": ("ssm", lambda ssm: [name for name in dict.keys(ssm._parameters) if not name.startswith("/aws/service/")]),
    "Policy": ("iam", unless("managed_policies", lambda policy: policy.arn.split(":")[4] == "aws")),
    "Queue": ("sqs", of("queues")),
    "RecordSet": ("route53", record_sets("RecordSet")),
    "ReplicationGroup": ("elasticache", of("replication_groups")),
    "Repository": ("ecr", of("repositories")),
    "ResponseHeadersPolicy": ("cloudfront", policies_of_cloudfront("ResponseHeadersPolicy")),
    "Role": ("iam", unless("roles", lambda role: role.path.startswith("/aws-service-role/"))),
    "RouteTable": ("ec2", unless("route_tables", lambda table: table.main_association_id)),
    "ScalableTarget": ("applicationautoscaling", nested("targets")),
    "ScalingPolicy": ("applicationautoscaling", of("policies")),
    "Schedule": ("scheduler", of("schedule_groups", "schedules")),
    "SearchDomain": ("opensearch", unless("domains", lambda domain: "deleted_at" in domain.__dict__)),
    "Secret": ("secretsmanager", lambda store: [s.name for s in dict.values(store.secrets) if isinstance(s, FakeSecret) and not (s.deleted_date or is_of_aws(s))]),
    "SecurityGroup": ("ec2", nested("groups", lambda group: group.is_default)),
    "Service": ("ecs", unless("services", is_inactive)),
    "Subnet": ("ec2", nested("subnets", lambda subnet: subnet.default_for_az and subnet.ec2_backend.vpcs[subnet.vpc_id].is_default)),
    "Subscription": ("sns", of("subscriptions")),
    "TargetGroup": ("elbv2", of("target_groups")),
    "TaskDefinition": ("ecs", lambda ecs: [task.arn for revisions in ecs.task_definitions.values() for task in revisions.values() if not is_inactive(task)]),
    "Topic": ("sns", of("topics")),
    "Trail": ("cloudtrail", of("trails")),
    "Vpc": ("ec2", unless("vpcs", lambda vpc: vpc.is_default)),
    "VpcEndpoint": ("ec2", unless("vpc_end_points", lambda endpoint: endpoint.state in ("deleting", "deleted"))),
    # The accepter's region lists a peering of two regions too.
    "VpcPeering": ("ec2", lambda ec2: [id for id, peering in ec2.vpc_pcxs.items()
                                       if peering._status.code not in ("deleting", "deleted") and peering.vpc.id in ec2.vpcs]),
    "WebAcl": ("wafv2", of("wacls")),
}

SIDE_EFFECTS = {
    "database snapshot": ("rds", of("database_snapshots")),
    "network interface": ("ec2", of("enis")),
    "owner record": ("route53", record_sets("owner record")),
    "task": ("ecs", nested("tasks", lambda task: task.last_status == "STOPPED")),
    "validation record": ("route53", record_sets("validation record")),
    "volume": ("ec2", of("volumes")),
}


def resources():
    """Returns the ids of all resources by kind, each with its region. A kind without resources has an empty list."""
    found = {}
    for kind, (service, count) in {**COUNTERS, **SIDE_EFFECTS}.items():
        # Iterating creates no backend: a service that was never called has none.
        backends = [backend for account in get_backend(service).values() for backend in account.values()]
        found[kind] = sorted(f"{backend.region_name} {id}" for backend in backends for id in count(backend))
    return found
