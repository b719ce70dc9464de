"""The sandbox itself: errors in every protocol, CBOR, settings, client tokens and the start."""
import json
import os
import subprocess
import sys
import urllib.error

import botocore.exceptions
import pytest

from conftest import HERE, refused


def test_sandbox_starts_within_five_seconds(server):
    assert server.start_up < 5


@pytest.mark.parametrize("service, call, parameters", [
    ("ec2", "describe_local_gateways", {}),  # ec2 query
    ("iam", "get_organizations_access_report", {"JobId": "x" * 36}),  # query
    ("ecs", "describe_service_revisions", {"serviceRevisionArns": ["x"]}),  # json 1.1
    ("cloudwatch", "describe_anomaly_detectors", {}),  # cbor
    ("cloudcontrol", "list_resources", {"TypeName": "AWS::Logs::LogGroup"}),  # a service that moto does not have
    ("cloudfront", "list_streaming_distributions", {}),  # rest-xml
    ("backup", "list_frameworks", {}),  # rest-json
])
def test_operation_that_moto_lacks_answers_not_implemented(aws, service, call, parameters):
    """Smithy's protocols: an error carries its code. No protocol has HTML pages."""
    with pytest.raises(botocore.exceptions.ClientError) as error:
        getattr(aws(service), call)(**parameters)
    assert error.value.response["Error"]["Code"] == "NotImplemented", error.value
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    operation = aws(service).meta.method_to_api_mapping[call]
    assert operation in error.value.response["Error"]["Message"]


def test_unknown_settings_are_refused(aws):
    with pytest.raises(urllib.error.HTTPError):
        aws.set(pendign={})
    assert aws.set(staleness={"ec2": 1})["staleness"] == {"default": 0, "ec2": 1.0}
    aws.ask("reset", method="POST")
    assert aws.ask("settings")["staleness"] == {"default": 0}


def test_every_aws_call_is_in_the_call_log(aws):
    aws("ec2").describe_vpcs()
    aws("sts").get_caller_identity()
    assert aws.ask("calls") == [{"service": "ec2", "operation": "DescribeVpcs"}, {"service": "sts", "operation": "GetCallerIdentity"}]


def test_new_resource_is_not_visible_to_describe_calls_at_once(aws):
    """EC2 API Reference, "Eventual consistency": a new resource may not be visible to describe calls at once."""
    ec2, iam = aws("ec2"), aws("iam")
    aws.set(staleness={"ec2": 0.5})
    old = len(ec2.describe_vpcs()["Vpcs"])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")
    assert vpc not in [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]] and len(ec2.describe_vpcs()["Vpcs"]) <= old
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc])
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
    assert iam.get_role(RoleName="r")  # other services are not stale
    import time
    time.sleep(0.6)
    assert [v["VpcId"] for v in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]] == [vpc]
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]) == 1


def test_out_of_band_program_executes_json_lines(aws):
    """out_of_band.py executes one JSON line after another."""
    program = subprocess.Popen([sys.executable, HERE / "out_of_band.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "AWS_ENDPOINT_URL": aws.endpoint})

    def ask(**request):
        print(json.dumps(request), file=program.stdin, flush=True)
        return json.loads(program.stdout.readline())

    made = ask(service="ec2", operation="create_vpc", parameters={"CidrBlock": "10.9.0.0/16"}, region="eu-west-1")
    vpc = made["ok"]["Vpc"]["VpcId"]
    ask(service="ec2", operation="modify_vpc_attribute", parameters={"VpcId": vpc, "EnableDnsHostnames": {"Value": True}}, region="eu-west-1")
    seen = ask(service="ec2", operation="describe_vpc_attribute", parameters={"VpcId": vpc, "Attribute": "enableDnsHostnames"}, region="eu-west-1")
    assert seen["ok"]["EnableDnsHostnames"]["Value"] is True
    assert ask(service="ec2", operation="describe_vpcs", parameters={"VpcIds": ["vpc-0"]})["error"]["code"] == "InvalidVpcID.NotFound"
    assert ask(service="logs", operation="create_log_group", parameters={})["error"]["code"] == "ParamValidationError"
    aws("logs").create_log_group(logGroupName="g")
    assert ask(service="ecs", operation="list_clusters")["ok"]["clusterArns"] == []
    program.stdin.close()
    assert program.wait(10) == 0
