"""CloudWatch behaves as its API Reference documents it, in the protocol of current SDKs."""
from conftest import refused, tags


def put(cloudwatch, name="cpu", **more):
    cloudwatch.put_metric_alarm(**{
        "AlarmName": name, "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60, "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2, "Threshold": 80, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
        "Dimensions": [{"Name": "ClusterName", "Value": "c"}], "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:t"], **more})


def test_requests_and_answers_are_cbor(aws):
    """Smithy RPC v2 CBOR: boto3 sends and receives CBOR."""
    cloudwatch, seen = aws("cloudwatch"), []
    cloudwatch.meta.events.register("after-call.cloudwatch", lambda http_response, **_: seen.append(http_response.headers["content-type"]))
    cloudwatch.describe_alarms()
    assert seen == ["application/cbor"]


def test_update_of_a_metric_alarm_keeps_its_state_and_tags(aws):
    """PutMetricAlarm: a new alarm is INSUFFICIENT_DATA. An update keeps the state and the tags, and overwrites the
    rest."""
    cloudwatch = aws("cloudwatch")
    put(cloudwatch, Tags=tags(a="b"), AlarmDescription="d")
    shown = cloudwatch.describe_alarms(AlarmNames=["cpu"])["MetricAlarms"][0]
    assert shown["StateValue"] == "INSUFFICIENT_DATA" and shown["Threshold"] == 80.0 and shown["ActionsEnabled"] is True
    assert (shown["Period"], shown["DatapointsToAlarm"], shown["Dimensions"]) == (60, 2, [{"Name": "ClusterName", "Value": "c"}])
    assert shown["StateUpdatedTimestamp"].tzinfo
    cloudwatch.set_alarm_state(AlarmName="cpu", StateValue="ALARM", StateReason="test")
    put(cloudwatch, Threshold=90.5, Tags=tags(a="c"))
    shown = cloudwatch.describe_alarms(AlarmNames=["cpu"])["MetricAlarms"][0]
    assert (shown["StateValue"], shown["Threshold"]) == ("ALARM", 90.5) and "AlarmDescription" not in shown
    arn = shown["AlarmArn"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags(a="b")
    cloudwatch.tag_resource(ResourceARN=arn, Tags=tags(c="d"))
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a", "none"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags(c="d")
    refused("ResourceNotFoundException", cloudwatch.list_tags_for_resource, ResourceARN=arn + "0")
    cloudwatch.delete_alarms(AlarmNames=["cpu", "none"])
    refused("ResourceNotFoundException", cloudwatch.list_tags_for_resource, ResourceARN=arn)


def test_metric_math_and_composite_alarms_are_returned_as_created(aws):
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="math", EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", Metrics=[
        {"Id": "e", "Expression": "m*2", "ReturnData": True, "Label": "twice"},
        {"Id": "m", "ReturnData": False, "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 60, "Stat": "Sum"}}])
    metrics = {m["Id"]: m for m in cloudwatch.describe_alarms(AlarmNames=["math"])["MetricAlarms"][0]["Metrics"]}
    assert metrics["e"]["Expression"] == "m*2" and metrics["m"]["MetricStat"]["Stat"] == "Sum" and metrics["m"]["ReturnData"] is False
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(math)")
    assert cloudwatch.describe_alarms(AlarmNames=["both"])["MetricAlarms"] == []
    both = cloudwatch.describe_alarms(AlarmNames=["both"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    assert both["AlarmRule"] == "ALARM(math)" and "ActionsSuppressor" not in both


def test_a_suppressor_has_two_periods(aws):
    """PutCompositeAlarm: the periods are "required only when ActionsSuppressor is specified". An update overwrites
    all fields."""
    cloudwatch = aws("cloudwatch")
    put(cloudwatch)
    suppressor = {"ActionsSuppressor": "cpu", "ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 120}
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(cpu)", **suppressor)
    shown = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    assert {field: shown[field] for field in suppressor} == suppressor
    refused("ValidationError", cloudwatch.put_composite_alarm, AlarmName="both", AlarmRule="ALARM(cpu)", ActionsSuppressor="cpu")
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="OK(cpu)")
    shown = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    assert shown["AlarmRule"] == "OK(cpu)" and "ActionsSuppressor" not in shown


def test_describe_alarms_returns_50_alarms_a_page(aws):
    """DescribeAlarms: a page has 50 alarms by default. A request has up to 100 names."""
    cloudwatch = aws("cloudwatch")
    for n in range(60):
        put(cloudwatch, f"a{n:02}")
    first = cloudwatch.describe_alarms()
    assert len(first["MetricAlarms"]) == 50 and first["NextToken"]
    assert len(cloudwatch.describe_alarms(NextToken=first["NextToken"])["MetricAlarms"]) == 10
    assert len(cloudwatch.describe_alarms(AlarmNames=[f"a{n:02}" for n in range(60)])["MetricAlarms"]) == 60
    refused("ValidationError", cloudwatch.describe_alarms, AlarmNames=[f"a{n}" for n in range(101)])


def test_put_dashboard_replaces_the_body_but_keeps_the_tags(aws):
    """PutDashboard replaces an existing dashboard without an error, and accepts tags for a new one only. The body is
    returned as it was given."""
    cloudwatch, body = aws("cloudwatch"), '{ "widgets": [] }'
    cloudwatch.put_dashboard(DashboardName="main", DashboardBody=body, Tags=tags(a="b"))
    shown = cloudwatch.get_dashboard(DashboardName="main")
    arn = shown["DashboardArn"]
    assert shown["DashboardBody"] == body and arn == "arn:aws:cloudwatch::123456789012:dashboard/main"
    cloudwatch.put_dashboard(DashboardName="main", DashboardBody='{"widgets":[],"start":"-PT3H"}', Tags=tags(a="c"))
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags(a="b")
    cloudwatch.tag_resource(ResourceARN=arn, Tags=tags(c="d"))
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags(c="d")
    assert [d["DashboardName"] for d in cloudwatch.list_dashboards()["DashboardEntries"]] == ["main"]
    refused("InvalidParameterInput", cloudwatch.put_dashboard, DashboardName="a b", DashboardBody=body)
    cloudwatch.delete_dashboards(DashboardNames=["main"])
    refused("ResourceNotFound", cloudwatch.get_dashboard, DashboardName="main")
    refused("ResourceNotFound", cloudwatch.delete_dashboards, DashboardNames=["main"])
    refused("ResourceNotFoundException", cloudwatch.tag_resource, ResourceARN=arn, Tags=tags(c="d"))
