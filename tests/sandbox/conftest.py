"""The fixtures of the sandbox's tests: one server for the whole run, reset before every test."""
import json
import pathlib
import subprocess
import sys
import time
import types
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = pathlib.Path(__file__).parent


class Sandbox:
    def __init__(self, endpoint):
        self.endpoint, self.clients = endpoint, {}

    def __call__(self, service, region="us-east-1"):
        if (service, region) not in self.clients:
            session = boto3.Session()
            # boto3 prefers JSON, but the Rust SDK uses CBOR.
            if service == "cloudwatch":
                loaded = session._session.get_component("data_loader").load_service_model(service, "service-2")
                loaded["metadata"].update(protocol="smithy-rpc-v2-cbor", protocols=["smithy-rpc-v2-cbor"])
            self.clients[service, region] = session.client(
                service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id="test", aws_secret_access_key="test",
                config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))
        return self.clients[service, region]

    def ask(self, what, body=None, method=None):
        """Calls one of the sandbox's own endpoints."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.endpoint}/holdfast/{what}", data, method=method or ("POST" if data else "GET"))
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def set(self, **knobs):
        return self.ask("settings", knobs)


@pytest.fixture(scope="session")
def server():
    started = time.time()
    process = subprocess.Popen([sys.executable, HERE / "server.py", "0", "--until-eof"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, text=True)
    line = process.stdout.readline()
    sandbox = Sandbox(line.split()[-1])
    sandbox.start_up = time.time() - started
    yield sandbox
    process.stdin.close()
    process.wait(10)


@pytest.fixture
def aws(server):
    server.ask("reset", method="POST")
    return server


def refused(code, call, *args, **kwargs):
    """Asserts that the call fails with AWS's error code, and returns the error message."""
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response["Error"]["Message"]


def tags(kind=None, form="Key", **pairs):
    """Returns tags in AWS's format. With a resource type, returns them in the format of EC2's TagSpecifications."""
    value = "Value" if form == "Key" else "value"
    listed = [{form: k, value: v} for k, v in pairs.items()]
    return [{"ResourceType": kind, "Tags": listed}] if kind else listed


def eventually(check, seconds=10):
    """Waits until check() is true."""
    until = time.time() + seconds
    while not (value := check()):
        assert time.time() < until, f"the condition is still false after {seconds} seconds"
        time.sleep(0.1)
    return value


@pytest.fixture
def vpc(aws):
    """A VPC with two subnets in two Availability Zones, and a security group."""
    ec2 = aws("ec2")

    made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=made, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]["SubnetId"]
               for n, zone in enumerate("ab")]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=made)["GroupId"]
    return types.SimpleNamespace(id=made, subnets=subnets, group=group)


@pytest.fixture
def ecs(aws):
    """An ECS client. A cluster named c exists."""
    aws("ecs").create_cluster(clusterName="c")
    return aws("ecs")


@pytest.fixture
def elb(aws, vpc):
    """An ELBv2 client. The VPC has an internet gateway, because an internet-facing load balancer needs one."""
    ec2 = aws("ec2")
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    return aws("elbv2")
