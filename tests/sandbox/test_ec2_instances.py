"""Instances behave as the EC2 API Reference and User Guide document them."""
import pytest

from conftest import eventually, refused

IMAGE = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"


@pytest.fixture
def run(aws, vpc):
    ec2 = aws("ec2")

    def run(**more):
        asked = {"ImageId": IMAGE, "InstanceType": "t4g.nano", "SubnetId": vpc.subnets[0], "MinCount": 1, "MaxCount": 1, **more}
        return ec2.run_instances(**{k: v for k, v in asked.items() if v})["Instances"][0]["InstanceId"]
    return run


def shown(aws, instance):
    return aws("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def test_run_instances_is_idempotent_and_resolves_ssm_parameters(aws, run):
    made = run(ClientToken="t", DisableApiTermination=True)
    assert run(ClientToken="t", DisableApiTermination=True) == made
    described = shown(aws, made)
    assert described["ImageId"].startswith("ami-") and described["RootDeviceName"] == described["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"
    refused("OperationNotPermitted", aws("ec2").terminate_instances, InstanceIds=[made])


def test_only_a_stopped_instance_can_change_its_type(aws, run):
    ec2, made = aws("ec2"), run()
    change = {"InstanceId": made, "InstanceType": {"Value": "t4g.small"}}
    refused("IncorrectInstanceState", ec2.modify_instance_attribute, **change)
    aws.set(pending={"instanceStop": 0.3})
    ec2.stop_instances(InstanceIds=[made])
    assert shown(aws, made)["State"]["Name"] == "stopping"
    refused("IncorrectInstanceState", ec2.start_instances, InstanceIds=[made])
    eventually(lambda: shown(aws, made)["State"]["Name"] == "stopped")
    ec2.modify_instance_attribute(**change)
    ec2.start_instances(InstanceIds=[made])
    assert shown(aws, made)["InstanceType"] == "t4g.small"


def test_omitted_metadata_options_are_kept(aws, run):
    ec2, made = aws("ec2"), run(MetadataOptions={"HttpTokens": "required"})
    ec2.modify_instance_metadata_options(InstanceId=made, HttpPutResponseHopLimit=2)
    options = shown(aws, made)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)


def test_monitoring_and_instance_profile_can_be_changed(aws, run):
    ec2, iam = aws("ec2"), aws("iam")
    arns = [iam.create_instance_profile(InstanceProfileName=n, Tags=[{"Key": "n", "Value": n}])["InstanceProfile"]["Arn"] for n in "ab"]
    assert iam.list_instance_profile_tags(InstanceProfileName="b")["Tags"] == [{"Key": "n", "Value": "b"}]
    made = run(IamInstanceProfile={"Arn": arns[0]})
    ec2.monitor_instances(InstanceIds=[made])
    association = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"][0]["AssociationId"]
    ec2.replace_iam_instance_profile_association(AssociationId=association, IamInstanceProfile={"Arn": arns[1]})
    described = shown(aws, made)
    assert (described["Monitoring"]["State"], described["IamInstanceProfile"]["Arn"]) == ("enabled", arns[1])


def test_network_interfaces_of_the_launch_are_deleted_with_the_instance(aws, vpc, run):
    ec2 = aws("ec2")
    made = run(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": vpc.subnets[0], "Groups": [vpc.group], "AssociatePublicIpAddress": True}], SubnetId="")
    assert shown(aws, made)["NetworkInterfaces"][0]["Association"]["IpOwnerId"] == "amazon"
    address = shown(aws, made)["PrivateIpAddress"]
    ec2.terminate_instances(InstanceIds=[made])
    other = run(PrivateIpAddress=address)
    assert shown(aws, other)["PrivateIpAddress"] == address, "the address of a terminated instance is free again"
    ec2.terminate_instances(InstanceIds=[other])
    ec2.delete_subnet(SubnetId=vpc.subnets[0])
    ec2.delete_security_group(GroupId=vpc.group)
