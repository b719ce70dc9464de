"""EventBridge behaves as its API Reference documents it."""
from conftest import refused


def test_put_rule_ignores_tags_for_an_existing_rule(aws):
    """PutRule accepts tags at creation and ignores them afterwards; targets are kept. DeleteRule needs a rule without
    targets."""
    events = aws("events")
    arn = events.put_rule(Name="r", ScheduleExpression="rate(5 minutes)", Tags=[{"Key": "a", "Value": "b"}])["RuleArn"]
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])
    events.put_rule(Name="r", ScheduleExpression="rate(6 minutes)", Tags=[{"Key": "a", "Value": "other"}])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    rule = events.list_rules()["Rules"][0]
    assert (rule["ScheduleExpression"], rule["State"], rule["EventBusName"]) == ("rate(6 minutes)", "ENABLED", "default")
    refused("ValidationException", events.delete_rule, Name="r")
    events.remove_targets(Rule="r", Ids=["t"])
    events.delete_rule(Name="r")
    assert events.list_rules()["Rules"] == []
    refused("ResourceNotFoundException", events.delete_rule, Name="r", EventBusName="none")
