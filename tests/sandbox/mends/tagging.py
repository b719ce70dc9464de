"""Resource Groups Tagging API: resource types that moto omits from GetResources."""
import re

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.budgets.models import budgets_backends
from moto.cloudtrail.models import cloudtrail_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core import resource_tagging
from moto.core.resource_tagging import TaggedResource
from moto.ec2.models import EC2Backend
from moto.ecr.models import ECRBackend
from moto.elbv2.models import ELBv2Backend
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.opensearch.models import opensearch_backends
from moto.resourcegroupstaggingapi import models as api
from moto.route53.models import route53_backends
from moto.s3.models import s3_backends
from moto.wafv2.models import GLOBAL_REGION, wafv2_backends

from mends import mend


@mend(EC2Backend)
def iter_tagged_resources(moto, self):
    """GetResources returns EC2's own resource types: elastic-ip, vpc-flow-log, security-group-rule."""
    arn = f"arn:{self.partition}:ec2:{self.region_name}:{self.account_id}"
    for resource in moto():
        if resource.resource_type == "ec2:flow-logs":
            resource.resource_type, resource.arn = "ec2:vpc-flow-log", resource.arn.replace(":flow-logs/", ":vpc-flow-log/")
        yield resource
    rules = [r.id for groups in self.groups.values() for g in groups.values() for r in g.ingress_rules + g.egress_rules]
    for kind, ids in (("elastic-ip", [a.allocation_id for a in self.addresses]), ("security-group-rule", rules)):
        for resource in ids:
            yield TaggedResource(f"{arn}:{kind}/{resource}", dict(self.tags.get(resource, {})), f"ec2:{kind}")


@mend(ELBv2Backend, "iter_tagged_resources")
def of_balancers(moto, self):
    """GetResources also returns listeners. It returns a load balancer only when the load balancer has tags."""
    for resource in moto():
        yield TaggedResource(resource.arn, resource.tags, resource.resource_type)
    for balancer in self.load_balancers.values():
        for arn in balancer.listeners:
            yield TaggedResource(arn, self.tagging_service.get_tag_dict_for_resource(arn), "elasticloadbalancing:listener")


def of_repositories(self):
    for repository in self.repositories.values():
        yield TaggedResource(repository.arn, self.tagger.get_tag_dict_for_resource(repository.arn), "ecr:repository")


def of_targets(self):
    for targets in self.targets.values():
        for target in targets.values():
            yield TaggedResource(target.arn, dict(target.tags), "application-autoscaling:scalable-target")


ECRBackend.iter_tagged_resources = of_repositories
ApplicationAutoscalingBackend.iter_tagged_resources = of_targets
ApplicationAutoscalingBackend.SERVICE_NAMESPACE = "application-autoscaling"
ApplicationAutoscalingBackend.owns_arn = resource_tagging.TaggableResourcesMixin.owns_arn
plain = resource_tagging.iter_taggable_backends


def iter_taggable_backends(account, region):
    """Yields moto's backends with tags, and the backends that this module makes taggable."""
    yield from plain(account, region)
    for backends in resource_tagging.BackendDict._instances:
        if backends.backend in (ECRBackend, ApplicationAutoscalingBackend) and region in backends.get(account, {}):
            yield backends[account][region]


api.iter_taggable_backends = iter_taggable_backends


# The region in which GetResources returns global resources:
# https://github.com/cloud-custodian/cloud-custodian/pull/2729
GLOBAL = {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}


def is_here(self, resource):
    """GetResources: "resources that are located in the specified AWS Region". A bucket is in its own region, a
    distribution in one region."""
    if resource.resource_type == "s3:bucket":
        buckets = s3_backends[self.account_id][self.partition].buckets
        return buckets[resource.arn.rsplit(":", 1)[1]].region_name == self.region_name
    return not resource.resource_type.startswith("cloudfront:") or self.region_name == GLOBAL[self.partition]


def backend(self, backends, region):
    """Returns a list of the service's backend in the region, which is empty when the backend is not in use."""
    account = backends.get(self.account_id, {})
    return [account[region]] if region in account else []


def pairs(tags):
    tags = tags.values() if isinstance(tags, dict) else tags or []
    return {tag["Key"]: tag["Value"] for tag in tags}


def is_of(arn, filters):
    """GetResources: "The string for each service name and resource type is the same as that embedded in a resource's
    ARN"."""
    service, resource = arn.split(":", 5)[2::3]
    return not filters or service in filters or f"{service}:{re.split('[/:]', resource)[0]}" in filters


def of_region(self):
    """Yields the regional resources that moto omits."""
    for events in backend(self, events_backends, self.region_name):
        for rule in (rule for bus in events.event_buses.values() for rule in bus.rules.values()):
            yield TaggedResource(rule.arn, events.tagger.get_tag_dict_for_resource(rule.arn), "events:rule")
    for trails in backend(self, cloudtrail_backends, self.region_name):
        for trail in trails.trails.values():
            yield TaggedResource(trail.arn, trails.tagging_service.get_tag_dict_for_resource(trail.arn), "cloudtrail:trail")
    for search in backend(self, opensearch_backends, self.region_name):
        for domain in search.domains.values():
            yield TaggedResource(domain.arn, search.tagger.get_tag_dict_for_resource(domain.arn), "es:domain")
    scopes = [self.region_name] + [GLOBAL_REGION] * (self.region_name == "us-east-1")
    for waf in (waf for scope in scopes for waf in backend(self, wafv2_backends, scope)):
        for kind, all_of_it in (("webacl", waf.wacls), ("ipset", waf.ip_sets)):
            for one in all_of_it.values():
                yield TaggedResource(one.arn, waf.tagging_service.get_tag_dict_for_resource(one.arn), f"wafv2:{kind}")


def of_no_region(self):
    """Yields the global resources that moto omits."""
    own = f"arn:{self.partition}:"
    for route53 in backend(self, route53_backends, self.partition):
        for kind, ids in (("hostedzone", route53.zones), ("healthcheck", route53.health_checks)):
            for id_ in ids:
                yield TaggedResource(f"{own}route53:::{kind}/{id_}", dict(route53.resource_tags.get(id_, {})), f"route53:{kind}")
    for iam in backend(self, iam_backends, self.partition):
        of_kind = (("policy", iam.managed_policies), ("oidc-provider", iam.open_id_providers), ("instance-profile", iam.instance_profiles))
        # AWS's managed policies, 1,500 of them, have no tags.
        for kind, one in ((kind, one) for kind, all_of_it in of_kind for one in all_of_it.values() if one.tags):
            yield TaggedResource(one.arn, pairs(one.tags), f"iam:{kind}")
    for budgets in backend(self, budgets_backends, self.partition):
        for name, budget in budgets.budgets[self.account_id].items():
            yield TaggedResource(f"{own}budgets::{self.account_id}:budget/{name}", dict(getattr(budget, "tags", {})), "budgets:budget")
    for cloudwatch in cloudwatch_backends.get(self.account_id, {}).values():
        for one in cloudwatch.dashboards.values():
            yield TaggedResource(one.arn, cloudwatch.tagger.get_tag_dict_for_resource(one.arn), "cloudwatch:dashboard")


@mend(api.ResourceGroupsTaggingAPIBackend)
def _get_resources_generator(moto, self, tag_filters=None, resource_type_filters=None, resource_arn_list=None):
    """GetResources: "The GetResources [...] operations support all resource types", but "IAM users and roles"
    (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html)."""
    for one in moto(tag_filters, None, resource_arn_list):
        if is_here(self, one) and is_of(one.arn, resource_type_filters):
            yield one
    matches = resource_tagging.make_tag_matcher(tag_filters)
    for one in [*of_region(self), *(of_no_region(self) if self.region_name == GLOBAL[self.partition] else [])]:
        asked = not resource_arn_list or one.arn in resource_arn_list
        if one.tags and asked and matches(one.tags) and is_of(one.arn, resource_type_filters):
            yield one


@mend(api.ResourceGroupsTaggingAPIBackend)
def get_resources(moto, self, *args, tags_per_page=100, **kwargs):
    """GetResources: a page holds ResourcesPerPage resources, whatever their tags, unless TagsPerPage is given.

    moto limits a page to a hundred tags when the request names no limit. A hundred is also the lowest limit that a
    request may name.
    """
    return moto(*args, tags_per_page=10**9 if tags_per_page == 100 else tags_per_page, **kwargs)
