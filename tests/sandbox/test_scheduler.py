"""EventBridge Scheduler behaves as its API Reference documents it."""
from conftest import refused

TARGET = {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/r"}


def schedule(aws, **more):
    asked = {"Name": "s", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET, **more}
    return aws("scheduler").create_schedule(**asked)["ScheduleArn"]


def test_create_schedule_is_idempotent_with_a_client_token(aws):
    """CreateSchedule: the client token ensures idempotency. Without it a second request gives ConflictException."""
    assert schedule(aws, ClientToken="t") == schedule(aws, ClientToken="t")
    refused("ConflictException", schedule, aws)
    aws("scheduler").delete_schedule(Name="s")
    schedule(aws, ClientToken="t")


def test_update_schedule_overrides_all_values(aws):
    """UpdateSchedule uses all values, including empty ones. The parts of RetryPolicy have their own defaults."""
    scheduler = aws("scheduler")
    schedule(aws, Description="d", ActionAfterCompletion="DELETE")
    target = {**TARGET, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    scheduler.update_schedule(Name="s", ScheduleExpression="rate(2 hours)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
    shown = scheduler.get_schedule(Name="s")
    assert (shown.get("Description"), shown["ActionAfterCompletion"], shown["State"]) == (None, "NONE", "ENABLED")
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 3}
