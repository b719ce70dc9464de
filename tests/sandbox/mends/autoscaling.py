"""Application Auto Scaling: scalable targets and scaling policies."""
import json

from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend, FakeApplicationAutoscalingPolicy, FakeScalableTarget,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse, _build_policy, _build_target
from moto.core.exceptions import JsonRESTError

from mends import mend

SUSPENDED = {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}
KEY = ("ServiceNamespace", "ResourceId", "ScalableDimension")


def refuse(code, message):
    raise JsonRESTError(code, message)


def named(namespace, resource, dimension):
    return f"service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}"


def page(self, items, default=50):
    """Returns a page of MaxResults items and the token of the next page. moto's pages of scalable targets never end."""
    start, size = int(self._get_param("NextToken") or 0), self._get_int_param("MaxResults") or default
    return items[start:start + size], str(start + size) if start + size < len(items) else None


# ---- scalable targets

@mend(FakeScalableTarget, "__init__")
def target(moto, self, *args, **kwargs):
    """ScalableTarget.RoleARN is the service-linked role of services that support one. SuspendedState is false by
    default."""
    moto(*args, **kwargs)
    account = self.applicationautoscaling_backend.account_id
    if self.service_namespace == "ecs" or not self.role_arn:
        service = {"ecs": "ECSService"}.get(self.service_namespace, self.service_namespace.title())
        self.role_arn = (f"arn:aws:iam::{account}:role/aws-service-role/{self.service_namespace}.application-autoscaling.amazonaws.com/"
                         f"AWSServiceRoleForApplicationAutoScaling_{service}")
    self.suspended_state, self.tags = {**SUSPENDED, **(self.suspended_state or {})}, {}


@mend(FakeScalableTarget)
def update(moto, self, minimum, maximum, suspended):
    """RegisterScalableTarget: "Any parameters that you don't specify are not changed by this update request"."""
    moto(minimum, maximum, {**self.suspended_state, **(suspended or {})})


@mend(ApplicationAutoscalingBackend)
def _ecs_service_exists_for_target(moto, self, resource):
    """A service that was deleted, and is INACTIVE, does not exist."""
    _, cluster, name = resource.split("/")
    service = self.ecs_backend.services.get(f"{cluster}:{name}")
    if not service or service.status != "ACTIVE":
        refuse("ValidationException", f"ECS service doesn't exist: {resource}")
    return True


@mend(ApplicationAutoScalingResponse)
def register_scalable_target(moto, self):
    """RegisterScalableTarget: a new target needs both capacities.

    Tags: "use this parameter to tag the scalable target when it is created. To tag an existing scalable target, use the
    TagResource operation"; the error message says the same. Capacity: "it changes the resource's current capacity to a
    value that is inside of this range".
    """
    backend, (namespace, resource, dimension) = self.applicationautoscaling_backend, map(self._get_param, KEY)
    low, high = self._get_int_param("MinCapacity"), self._get_int_param("MaxCapacity")
    present = backend.targets.get(dimension, {}).get(resource)
    if not present and (low is None or high is None):
        refuse("ValidationException", "A new scalable target must specify both the minimum and the maximum capacity")
    if present and self._get_param("Tags"):
        refuse("ValidationException", "The scalable target that you tried to tag already exists. To update tags on an existing "
               "scalable target, use the TagResource API.")
    low, high = present.min_capacity if low is None else low, present.max_capacity if high is None else high
    if low > high:
        refuse("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    answer = moto()
    registered = backend.targets[dimension][resource]
    if not present:
        registered.tags = dict(self._get_param("Tags") or {})
    if namespace == "ecs":
        _, cluster, name = resource.split("/")
        service = backend.ecs_backend.services[f"{cluster}:{name}"]
        service.desired_count = min(max(service.desired_count, low), high)
    return answer


@mend(ApplicationAutoScalingResponse)
def describe_scalable_targets(moto, self):
    """DescribeScalableTargets: "If you specify a scalable dimension, you must also specify a resource ID". The last
    page has no token."""
    self._validate_params()
    if self._get_param("ScalableDimension") and not self._get_param("ResourceIds"):
        refuse("ValidationException", "If you specify a scalable dimension, you must also specify a resource ID")
    if len(self._get_param("ResourceIds") or []) > 50:
        refuse("ValidationException", "Up to 50 resource IDs can be specified")
    found = self.applicationautoscaling_backend.describe_scalable_targets(
        self._get_param("ServiceNamespace"), self._get_param("ResourceIds"), self._get_param("ScalableDimension"))
    shown, token = page(self, found)
    return json.dumps({"ScalableTargets": [_build_target(t) for t in shown], "NextToken": token})


@mend(ApplicationAutoscalingBackend)
def deregister_scalable_target(moto, self, namespace, resource, dimension):
    """DeregisterScalableTarget "deletes the scaling policies and the scheduled actions that are associated with it". A
    target that is not registered gives ObjectNotFoundException."""
    if not self._scalable_target_exists(resource, dimension):
        refuse("ObjectNotFoundException", f"No scalable target found for {named(namespace, resource, dimension)}")
    for key, policy in list(self.policies.items()):
        if (policy.service_namespace, policy.resource_id, policy.scalable_dimension) == (namespace, resource, dimension):
            policy.delete_alarms(self.account_id, self.region_name)
            del self.policies[key]
    self.scheduled_actions = [a for a in self.scheduled_actions if (a.service_namespace, a.resource_id, a.scalable_dimension) !=
                              (namespace, resource, dimension)]
    return moto(namespace, resource, dimension)


# ---- tags

def tagged(self):
    arn = self._get_param("ResourceARN")
    for targets in self.applicationautoscaling_backend.targets.values():
        for candidate in targets.values():
            if candidate.arn == arn:
                return candidate.tags
    return refuse("ResourceNotFoundException", f"The scalable target {arn} was not found")


@mend(ApplicationAutoScalingResponse)
def list_tags_for_resource(moto, self):
    """ListTagsForResource, TagResource and UntagResource accept a scalable target's ARN: "you cannot tag a scaling
    policy"."""
    return json.dumps({"Tags": tagged(self)})


@mend(ApplicationAutoScalingResponse)
def tag_resource(moto, self):
    tagged(self).update(self._get_param("Tags"))
    return json.dumps({})


@mend(ApplicationAutoScalingResponse)
def untag_resource(moto, self):
    for key in self._get_param("TagKeys"):
        tagged(self).pop(key, None)
    return json.dumps({})


# ---- scaling policies

@mend(ApplicationAutoscalingBackend)
def put_scaling_policy(moto, self, policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type):
    """PutScalingPolicy: "You cannot create a scaling policy until you have registered the resource as a scalable
    target". An update keeps the policy's ARN and replaces its alarms."""
    if not self._scalable_target_exists(resource_id, scalable_dimension):
        refuse("ObjectNotFoundException", f"No scalable target registered for {named(service_namespace, resource_id, scalable_dimension)}")
    before = self.policies.get(FakeApplicationAutoscalingPolicy.formulate_key(service_namespace, resource_id, scalable_dimension, policy_name))
    if before:
        before.delete_alarms(self.account_id, self.region_name)
    policy = moto(policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type)
    if before:
        policy.policy_arn, policy.creation_time = before.policy_arn, before.creation_time
    return policy


@mend(ApplicationAutoScalingResponse)
def describe_scaling_policies(moto, self):
    """DescribeScalingPolicies: PolicyNames filters the result."""
    namespace, resource, dimension = map(self._get_param, KEY)
    names = self._get_param("PolicyNames")
    found = [p for p in self.applicationautoscaling_backend.policies.values()
             if p.service_namespace == namespace and resource in (None, p.resource_id) and dimension in (None, p.scalable_dimension)
             and (not names or p.policy_name in names)]
    shown, token = page(self, found, 10)
    return json.dumps({"ScalingPolicies": [_build_policy(p) for p in shown], "NextToken": token})


@mend(ApplicationAutoscalingBackend)
def delete_scaling_policy(moto, self, policy_name, service_namespace, resource_id, scalable_dimension):
    """DeleteScalingPolicy: a policy that does not exist gives ObjectNotFoundException."""
    key = FakeApplicationAutoscalingPolicy.formulate_key(service_namespace, resource_id, scalable_dimension, policy_name)
    if key not in self.policies:
        refuse("ObjectNotFoundException",
               f"No scaling policy found for {named(service_namespace, resource_id, scalable_dimension)}, policy name: {policy_name}")
    return moto(policy_name, service_namespace, resource_id, scalable_dimension)
