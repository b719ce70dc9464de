"""Resource Groups Tagging API: kinds that moto leaves out of GetResources."""
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.core import resource_tagging
from moto.core.resource_tagging import TaggedResource
from moto.ec2.models import EC2Backend
from moto.ecr.models import ECRBackend
from moto.elbv2.models import ELBv2Backend
from moto.resourcegroupstaggingapi import models as api

from mends import mend


@mend(EC2Backend)
def iter_tagged_resources(moto, self):
    """GetResources, with EC2's own resource types: elastic-ip, vpc-flow-log, security-group-rule."""
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
    """GetResources has listeners too, and a load balancer only when it has tags."""
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
    """moto's backends with tags, and those that became taggable here."""
    yield from plain(account, region)
    for backends in resource_tagging.BackendDict._instances:
        if backends.backend in (ECRBackend, ApplicationAutoscalingBackend) and region in backends.get(account, {}):
            yield backends[account][region]


api.iter_taggable_backends = iter_taggable_backends


@mend(api.ResourceGroupsTaggingAPIBackend)
def get_resources(moto, self, *args, tags_per_page=100, **kwargs):
    """A page holds ResourcesPerPage resources, whatever their tags, unless TagsPerPage is given (GetResources).

    moto counts a hundred tags where the request names no limit; a hundred is also the least that a request may name.
    """
    return moto(*args, tags_per_page=10**9 if tags_per_page == 100 else tags_per_page, **kwargs)
