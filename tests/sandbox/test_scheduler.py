"""EventBridge Scheduler behaves as its API Reference documents it."""
from conftest import refused

TARGET = {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/r"}


def schedule(aws, **more):
    asked = {"Name": "s", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET, **more}
    return aws("scheduler").create_schedule(**asked)["ScheduleArn"]


def test_schedule_is_made_once(aws):
    """CreateSchedule: the client token ensures idempotency; without it a second one is ConflictException."""
    assert schedule(aws, ClientToken="t") == schedule(aws, ClientToken="t")
    refused("ConflictException", schedule, aws)
    aws("scheduler").delete_schedule(Name="s")
    schedule(aws, ClientToken="t")


def test_update_overrides_everything(aws):
    """UpdateSchedule uses all values, empty ones too; RetryPolicy's parts have defaults of their own."""
    scheduler = aws("scheduler")
    schedule(aws, Description="d", ActionAfterCompletion="DELETE")
    target = {**TARGET, "RetryPolicy": {"MaximumRetryAttempts": 3}}
    scheduler.update_schedule(Name="s", ScheduleExpression="rate(2 hours)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
    shown = scheduler.get_schedule(Name="s")
    assert (shown.get("Description"), shown["ActionAfterCompletion"], shown["State"]) == (None, "NONE", "ENABLED")
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 3}
