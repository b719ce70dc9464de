"""EC2: elastic IP addresses, NAT gateways, flow logs."""
import time

from moto.ec2.exceptions import EC2ClientError, InvalidFlowLogIdError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.flow_logs import FlowLogs as FlowLog, FlowLogsBackend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.responses.flow_logs import FlowLogs
from moto.ec2.responses.nat_gateways import NatGateways
from moto.ec2.utils import generic_filter, random_private_ip
from moto.core.utils import utcnow

import knobs
from mends import computed, core, mend
from mends.ec2 import each_backend

# ---- elastic IP addresses

ElasticAddress.public_ipv4_pool = "amazon"
ElasticAddress.network_border_group = property(lambda self: self.ec2_backend.region_name)


@computed(ElasticAddress)
def instance_id(self):
    """Address: an address without an association has no InstanceId, instead of an empty one."""
    return self.instance.id if self.instance else None


@computed(ElasticAddress)
def network_interface_id(self):
    return self.eni.id if self.eni else None


@mend(ElasticIPAddresses)
def allocate_address(moto, self):
    """AllocateAddress also returns PublicIpv4Pool and NetworkBorderGroup."""
    answer = moto()
    answer.result.update(PublicIpv4Pool="amazon", NetworkBorderGroup=self.region)
    return answer


@mend(ElasticIPAddresses)
def release_address(moto, self):
    """ReleaseAddress: "You must disassociate the Elastic IP address before you can release it. Otherwise, Amazon EC2
    returns an error (InvalidIPAddress.InUse)."."""
    for address in self.ec2_backend.addresses:
        named = (address.allocation_id, address.public_ip)
        if (self._get_param("AllocationId") in named or self._get_param("PublicIp") in named) and address.association_id:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
    return moto()


# ---- NAT gateways

@computed(NatGateway)
def state(self):
    """NatGateway.State: pending, failed, available, deleting, deleted."""
    if deleted := self.__dict__.get("deleted_at"):
        return "deleting" if knobs.pending("natGatewayDelete", deleted) else "deleted"
    if self.__dict__.get("failure_code"):
        return "failed"
    return "pending" if knobs.pending("natGateway", self.born) else "available"


def nat_filter_value(self, name, method=None):
    known = {"nat-gateway-id": self.id, "vpc-id": self.vpc_id, "subnet-id": self.subnet_id, "state": self.state}
    return known[name] if name in known else TaggedEC2Resource.get_filter_value(self, name, method)


NatGateway.get_filter_value = nat_filter_value


def free(nat):
    """DeleteNatGateway: "Deleting a public NAT gateway disassociates its Elastic IP address, but does not release the
    address from your account." The NAT gateway's network interface is deleted."""
    for address in nat.ec2_backend.addresses:
        if address.eni is nat._eni:
            address.eni = address.association_id = None
    nat.ec2_backend.enis.pop(nat._eni.id, None)
    for address in nat.address_set:
        address.pop("associationId", None)


def settle():
    """Disassociates the address of each NAT gateway whose deletion is complete, or whose creation failed."""
    for backend in each_backend():
        for nat in backend.nat_gateways.values():
            if nat.state in ("deleted", "failed") and nat._eni.id in backend.enis:
                free(nat)


core.ticks.append(settle)


@mend(NatGateways)
def create_nat_gateway(moto, self):
    """CreateNatGateway: the default connectivity type is public, which needs AllocationId.

    In a VPC without an internet gateway the NAT gateway is created and then fails with the FailureCode
    Gateway.NotAttached (VPC User Guide, "NAT gateway creation fails").
    """
    self.params.setdefault("ConnectivityType", "public")
    public, backend = self.params["ConnectivityType"] == "public", self.ec2_backend
    if public and not self._get_param("AllocationId"):
        raise EC2ClientError("MissingParameter", "The request must contain the parameter AllocationId")
    if public:
        backend.address_by_allocation([self._get_param("AllocationId")])
    answer = moto()
    nat = answer.result["NatGateway"]
    nat._eni.private_ip_address = random_private_ip(nat._eni.subnet.cidr_block)
    nat._eni.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": nat._eni.private_ip_address}]
    nat._eni.status, nat._eni.description = "in-use", f"Interface for NAT Gateway {nat.id}"
    nat._eni.interface_type, nat._eni.requester_managed = "nat_gateway", True
    nat._eni._group_set = []  # a NAT gateway has no security groups
    if public and not any(g.vpc and g.vpc.id == nat.vpc_id for g in backend.internet_gateways.values()):
        nat.failure_code = "Gateway.NotAttached"
        nat.failure_message = f"Network {nat.vpc_id} has no Internet gateway attached"
        free(nat)
    for address in nat.address_set:
        address.update(isPrimary=True, privateIp=nat._eni.private_ip_address, status="failed" if nat.state == "failed" else "succeeded")
    return answer


@mend(NatGatewayBackend)
def describe_nat_gateways(moto, self, filters, nat_gateway_ids):
    """DescribeNatGateways: tag and state filters narrow the result. An unknown id gives NatGatewayNotFound."""
    for requested in nat_gateway_ids or ():
        if requested not in self.nat_gateways:
            raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {requested} was not found")
    chosen = [n for n in self.nat_gateways.values() if not nat_gateway_ids or n.id in nat_gateway_ids]
    return generic_filter(filters, chosen)


@mend(NatGatewayBackend)
def delete_nat_gateway(moto, self, nat_gateway_id):
    """A deleted NAT gateway remains listed for about an hour, as deleting and then as deleted (VPC User Guide)."""
    nat = self.nat_gateways.get(nat_gateway_id)
    if not nat:
        raise EC2ClientError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
    if "deleted_at" not in nat.__dict__:
        nat.deleted_at, nat.delete_time = time.monotonic(), utcnow()
        settle()
    return nat


# ---- flow logs

@mend(FlowLogs)
def create_flow_logs(moto, self):
    """CreateFlowLogs: for CloudWatch Logs, LogDestination may name the log group by its ARN instead of LogGroupName."""
    destination = self._get_param("LogDestination") or ""
    if ":log-group:" in destination and not self._get_param("LogGroupName"):
        self.params["LogGroupName"] = destination.split(":log-group:")[1].removesuffix(":*")
    answer = moto()
    for flow_log in answer.result["FlowLogIds"]:
        made = self.ec2_backend.flow_logs[flow_log]
        made.destination_options = self._get_param("DestinationOptions")
        made.deliver_cross_account_role = self._get_param("DeliverCrossAccountRole")
    return answer


@mend(FlowLogsBackend)
def describe_flow_logs(moto, self, flow_log_ids=None, filters=None):
    """DescribeFlowLogs: an id that does not exist gives InvalidFlowLogId.NotFound (EC2 API, "Error codes")."""
    missing = [i for i in flow_log_ids or () if i not in self.flow_logs]
    if missing:
        raise InvalidFlowLogIdError(len(missing), " ".join(missing))
    return moto(flow_log_ids, filters)


@mend(FlowLog)
def get_filter_value(moto, self, name, method=None):
    """DescribeFlowLogs: the filter deliver-log-status compares the flow log's actual delivery status."""
    return self.deliver_logs_status if name == "deliver-log-status" else moto(name, method)
