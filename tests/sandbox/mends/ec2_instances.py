"""EC2: instances, their volumes and instance profiles."""
import functools
import gzip
import json
import pathlib
import time

import moto.ssm
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociationBackend
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.monitoring import Monitoring

import knobs
from mends import mend

for pending in (knobs.DEFAULTS["pending"], knobs.settings["pending"]):
    pending.update({"instance": 0, "instanceStop": 0})
MOVING = {"running": ("pending", 0, "instance"), "stopped": ("stopping", 64, "instanceStop"), "terminated": ("shutting-down", 32, "instanceStop")}
SIZE = 8  # The size in GiB of the root volume of Amazon Linux.


# ---- images

@functools.cache
def linux(region):
    """Returns the public parameters /aws/service/ami-amazon-linux-latest/…: parameter name -> image id."""
    file = pathlib.Path(moto.ssm.__file__).parent / f"resources/ami-amazon-linux-latest/{region}.json.gz"
    return {p["Name"]: p["Value"] for p in json.loads(gzip.decompress(file.read_bytes()))} if file.exists() else {}


@mend(AmiBackend)
def describe_images(moto, self, ami_ids=(), filters=None, *args, **kwargs):
    """The images that SSM's public parameters name exist. The root device of Amazon Linux images is /dev/xvda."""
    asked = (filters or {}).get("image-id") or []
    for image in [*(ami_ids or ()), *(asked if isinstance(asked, list) else [asked])]:
        name = next((n for n, i in linux(self.region_name).items() if i == image), None)
        if name and image not in self.amis:
            made = Ami(self, image, name=name.split("/")[-1], description="Amazon Linux", root_device_name="/dev/xvda", root_device_type="ebs",
                       architecture="arm64" if name.endswith("arm64") else "x86_64", virtualization_type="hvm")
            self.amis[image] = made
    return moto(ami_ids, filters, *args, **kwargs)


# ---- lifecycle

def told(self):
    """Instance lifecycle (EC2 User Guide): pending precedes running, stopping precedes stopped, and shutting-down
    precedes terminated."""
    name, code, knob = MOVING[self._state.name]
    return InstanceState(name, code) if knobs.pending(knob, self.__dict__.get("moved", 0)) else self._state


Instance.instance_state = property(told)
Instance.state = property(lambda self: told(self).name)
Instance.state_code = property(lambda self: told(self).code)
for name in ("start", "stop", "terminate"):
    def moves(moto, self):
        previous = moto()
        self.moved = time.monotonic()
        return previous
    mend(Instance, name)(moves)


@mend(Instance)
def terminate(moto, self):
    """TerminateInstances: network interfaces and root volumes that the launch created are deleted with the instance
    (DeleteOnTermination), and their private addresses are free again."""
    previous = moto()
    for interface in self.nics.values():
        for address in interface.private_ip_addresses:
            interface.subnet.del_subnet_ip(address["PrivateIpAddress"])
        self.ec2_backend.enis.pop(interface.id, None)
    return previous


@mend(InstanceResponse)
def run_instances(moto, self):
    """RunInstances: ImageId may be `resolve:ssm:<parameter>`. DisableApiTermination and HttpTokens are stored.

    The root volume is the image's root device, changed by the block device mapping of that name. It has gp3's default
    throughput.
    """
    image = self._get_param("ImageId") or ""
    if image.startswith("resolve:ssm:"):
        found = linux(self.region).get(image.removeprefix("resolve:ssm:"))
        if not found:
            raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        self.params["ImageId"] = image = found
    images = self.ec2_backend.describe_images(ami_ids=[image])
    mappings = self.params.setdefault("BlockDeviceMappings", [])
    root = next((m for m in mappings if m["DeviceName"] == images[0].root_device_name), None)
    if root is None:
        mappings.append(root := {"DeviceName": images[0].root_device_name})
    ebs = root.setdefault("Ebs", {})
    for key, default in (("VolumeSize", SIZE), ("VolumeType", "gp3"), ("DeleteOnTermination", True)):
        ebs.setdefault(key, default)
    answer = moto()
    for instance in answer.result.instances:
        instance.moved = time.monotonic()
        instance.disable_api_termination = bool(self._get_param("DisableApiTermination"))
        volume = self.ec2_backend.volumes[instance.block_device_mapping[images[0].root_device_name].volume_id]
        if volume.volume_type == "gp3":
            volume.throughput = ebs.get("Throughput") or 125
            volume.iops = ebs.get("Iops") or 3000
    return answer


@mend(InstanceResponse)
def modify_instance_attribute(moto, self):
    """ModifyInstanceAttribute: "To modify some attributes, the instance must be stopped".

    These attributes are the instance type, ebsOptimized and the user data. Otherwise the error is
    IncorrectInstanceState.
    """
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    of_stopped = [a for a in ("InstanceType", "EbsOptimized", "UserData") if self._get_param(f"{a}.Value") is not None]
    if of_stopped and instance.state != "stopped":
        raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is not in the 'stopped' state.")
    return moto()


@mend(InstanceBackend)
def start_instances(moto, self, instance_ids):
    """StartInstances: an instance that is not stopped yet gives IncorrectInstanceState."""
    for instance in self.get_multi_instances_by_id(instance_ids):
        if instance.state not in ("stopped", "running", "pending"):
            raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be started.")
    return moto(instance_ids)


@mend(InstanceBackend)
def modify_instance_metadata_options(moto, self, instance_id, http_tokens=None, hop_limit=None, http_endpoint=None, dry_run=False,
                                     http_protocol=None, metadata_tags=None):
    """ModifyInstanceMetadataOptions: "if you do not specify a parameter, the existing state is maintained"."""
    current = self.get_instance(instance_id).metadata_options
    return moto(instance_id, http_tokens or current.http_tokens, hop_limit or current.http_put_response_hop_limit, http_endpoint or current.http_endpoint,
                dry_run, http_protocol or current.http_protocol_ipv6, metadata_tags or current.instance_metadata_tags)


def monitor(self, state):
    instances = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
    for instance in instances:
        instance.monitoring_state = state
    return ActionResult({"InstanceMonitorings": [{"InstanceId": i.id, "Monitoring": {"State": state}} for i in instances]})


@mend(Monitoring)
def monitor_instances(moto, self):
    """MonitorInstances "enables detailed monitoring for a running instance"."""
    return monitor(self, "enabled")


@mend(Monitoring)
def unmonitor_instances(moto, self):
    """UnmonitorInstances "disables detailed monitoring for a running instance"."""
    return monitor(self, "disabled")


@mend(InstanceBackend)
def modify_instance_security_groups(moto, self, instance_id, new_group_id_list):
    """ModifyInstanceAttribute, Groups: also changes the groups of the instance's network interfaces."""
    instance = moto(instance_id, new_group_id_list)
    for interface in instance.nics.values():
        interface._group_set = list(instance.security_groups)
    return instance


@mend(IamInstanceProfileAssociationBackend)
def replace_iam_instance_profile_association(moto, self, association_id, iam_instance_profile_name=None, iam_instance_profile_arn=None):
    """ReplaceIamInstanceProfileAssociation: the instance shows the new profile."""
    made = moto(association_id, iam_instance_profile_name, iam_instance_profile_arn)
    made.instance.iam_instance_profile = {"Arn": made.iam_instance_profile.arn, "Id": association_id}
    return made


@mend(Volume)
def modify(moto, self, *args, **kwargs):
    """ModifyVolume: when the type becomes gp3, "the target throughput and IOPS [...] default" are those of gp3."""
    moto(*args, **kwargs)
    if self.volume_type == "gp3":
        self.iops, self.throughput = self.iops or 3000, self.throughput or 125


OWN = NetworkInterface.association


def association(self):
    """InstanceNetworkInterfaceAssociation.IpOwnerId is `amazon` for an address that is not an Elastic IP address."""
    original = OWN.fget(self)
    return {**original, "ipOwnerId": "amazon"} if original and not original.get("allocationId") else original


NetworkInterface.association = property(association)
