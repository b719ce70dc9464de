"""Application Auto Scaling behaves as its API Reference documents it."""
import pytest
from botocore.exceptions import ClientError

from conftest import refused
from test_ecs import described, register, service

KEY = {"ServiceNamespace": "ecs", "ResourceId": "service/c/s", "ScalableDimension": "ecs:service:DesiredCount"}


@pytest.fixture
def scaling(aws, ecs, vpc):
    register(ecs)
    service(ecs, vpc)
    return aws("application-autoscaling")


def track(scaling, name="cpu", value=50.0, **key):
    config = {"TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
    return scaling.put_scaling_policy(PolicyName=name, PolicyType="TargetTrackingScaling", **{**KEY, **key},
                                      TargetTrackingScalingPolicyConfiguration=config)


def test_register_scalable_target_creates_or_updates_a_target(aws, ecs, scaling):
    """RegisterScalableTarget: defaults, updates of given parameters, tags, and the capacity that is moved into the
    range."""
    refused("ValidationException", scaling.register_scalable_target, **KEY, MinCapacity=1)
    refused("ValidationException", scaling.register_scalable_target, **KEY, MinCapacity=5, MaxCapacity=1)
    refused("ValidationException", scaling.register_scalable_target, **{**KEY, "ResourceId": "service/c/none"}, MinCapacity=1, MaxCapacity=2)
    arn = scaling.register_scalable_target(**KEY, MinCapacity=3, MaxCapacity=6, Tags={"a": "b"})["ScalableTargetARN"]
    assert described(ecs)["desiredCount"] == 3
    with pytest.raises(ClientError, match="The scalable target that you tried to tag already exists"):
        scaling.register_scalable_target(**KEY, MinCapacity=3, MaxCapacity=6, Tags={"a": "b"})
    shown = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    assert shown["RoleARN"].endswith(":role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
                                     "AWSServiceRoleForApplicationAutoScaling_ECSService")
    assert set(shown["SuspendedState"].values()) == {False} and len(shown["SuspendedState"]) == 3
    scaling.register_scalable_target(**KEY, MaxCapacity=8, SuspendedState={"ScheduledScalingSuspended": True})
    shown = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[KEY["ResourceId"]])["ScalableTargets"][0]
    assert (shown["MinCapacity"], shown["MaxCapacity"], shown["ScalableTargetARN"]) == (3, 8, arn)
    assert shown["SuspendedState"] == {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": True}
    scaling.tag_resource(ResourceARN=arn, Tags={"c": "d"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"c": "d"}
    refused("ResourceNotFoundException", scaling.list_tags_for_resource, ResourceARN=arn + "0")
    refused("ValidationException", scaling.describe_scalable_targets, ServiceNamespace="ecs", ScalableDimension=KEY["ScalableDimension"])


def test_last_page_of_scalable_targets_has_no_token(ecs, vpc, scaling):
    for n in range(5):
        service(ecs, vpc, f"s{n}")
        scaling.register_scalable_target(**{**KEY, "ResourceId": f"service/c/s{n}"}, MinCapacity=1, MaxCapacity=2)
    pages = list(scaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="ecs", PaginationConfig={"PageSize": 2}))
    assert [len(p["ScalableTargets"]) for p in pages] == [2, 2, 1]


def test_scaling_policies_are_deleted_with_their_scalable_target(aws, scaling):
    """PutScalingPolicy, DescribeScalingPolicies, DeleteScalingPolicy. DeregisterScalableTarget deletes the policies."""
    refused("ObjectNotFoundException", track, scaling)
    scaling.register_scalable_target(**KEY, MinCapacity=1, MaxCapacity=6)
    made, again = track(scaling), track(scaling, value=60.0)
    assert made["PolicyARN"] == again["PolicyARN"] and len(again["Alarms"]) == 2
    steps = {"AdjustmentType": "ChangeInCapacity", "Cooldown": 60, "MetricAggregationType": "Average",
             "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}]}
    scaling.put_scaling_policy(PolicyName="step", PolicyType="StepScaling", **KEY, StepScalingPolicyConfiguration=steps)
    assert len(scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]) == 2
    one = scaling.describe_scaling_policies(ServiceNamespace="ecs", PolicyNames=["step"])["ScalingPolicies"]
    assert [p["StepScalingPolicyConfiguration"] for p in one] == [steps]
    tracked = scaling.describe_scaling_policies(**KEY, PolicyNames=["cpu"])["ScalingPolicies"][0]
    assert tracked["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60.0
    alarms = aws("cloudwatch").describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"]
    assert {a["AlarmName"] for a in alarms} == {a["AlarmName"] for a in tracked["Alarms"]}
    scaling.delete_scaling_policy(PolicyName="step", **KEY)
    refused("ObjectNotFoundException", scaling.delete_scaling_policy, PolicyName="step", **KEY)
    scaling.deregister_scalable_target(**KEY)
    refused("ObjectNotFoundException", scaling.deregister_scalable_target, **KEY)
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []
    assert aws("cloudwatch").describe_alarms()["MetricAlarms"] == []
