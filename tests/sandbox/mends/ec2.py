"""EC2: tags, filters, VPCs, subnets, internet gateways, route tables."""
import functools
import ipaddress
import re
import sys

from moto.ec2 import utils
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.internet_gateways import InternetGateway
from moto.ec2.models.route_tables import Route
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses import EC2Response
from moto.ec2.responses.internet_gateways import InternetGateways
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.responses.subnets import Subnets
from moto.ec2.responses.vpcs import VPCs

from mends import computed, core, mend  # noqa: F401  core first: it wraps the method that is wrapped again here

TAGGABLE = {
    "CreateVpc": "vpc", "CreateSubnet": "subnet", "CreateInternetGateway": "internet-gateway", "AllocateAddress": "elastic-ip",
    "CreateNatGateway": "natgateway", "CreateRouteTable": "route-table", "CreateSecurityGroup": "security-group",
    "CreateFlowLogs": "vpc-flow-log", "AuthorizeSecurityGroupIngress": "security-group-rule",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
}
GONE_BY = {
    "DeleteVpc": "VpcId", "DeleteSubnet": "SubnetId", "DeleteInternetGateway": "InternetGatewayId", "DeleteRouteTable": "RouteTableId",
    "DeleteSecurityGroup": "GroupId", "ReleaseAddress": "AllocationId", "DeleteFlowLogs": "FlowLogIds",
}
CIDRS = ("CidrBlock", "DestinationCidrBlock", "DestinationIpv6CidrBlock")


def canonical(cidr):
    """Returns a CIDR block in the canonical form that EC2 stores: 100.68.0.18/18 becomes 100.68.0.0/18."""
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        return cidr


@mend(EC2Response)
def call_action(moto, self):
    """A tag specification must name the resource type that the operation creates (Using tags, "Tag specifications").

    CreateVpc, CreateSubnet and CreateRoute modify a CIDR block to its canonical form. The tags of a deleted resource
    are deleted.
    """
    action, params = self._get_action(), getattr(self, "params", {})
    for name in CIDRS:
        if params.get(name):
            params[name] = canonical(params[name])
    wrong = [s.get("ResourceType") for s in params.get("TagSpecifications") or [] if s.get("ResourceType") != TAGGABLE.get(action)]
    if action in TAGGABLE and wrong:
        error = EC2ClientError("InvalidParameterValue", f"'{wrong[0]}' is not a valid taggable resource type for this operation.")
        return self.serialized(core.ActionResult(error))
    answer = moto()
    if action in GONE_BY and int(answer[0]) < 300:
        deleted = params.get(GONE_BY[action])
        for resource in deleted if isinstance(deleted, list) else [deleted]:
            self.ec2_backend.tags.pop(resource, None)
    return answer


# ---- tags and filters

utils.EC2_PREFIX_TO_RESOURCE.update({"eipalloc": "elastic-ip", "nat": "natgateway", "fl": "vpc-flow-log"})  # DescribeTags: the values of resource-type


@mend(TaggedEC2Resource)
def get_tags(moto, self):
    """Returns the same tags as moto's method, without searching the tags of all other resources."""
    tags = self.ec2_backend.tags.get(self.id, {}) if self.id else {}
    kind = utils.EC2_PREFIX_TO_RESOURCE.get(utils.get_prefix(self.id), "") if tags else ""
    return [{"resource_id": self.id, "key": k, "value": v, "resource_type": kind} for k, v in list(tags.items())]


@functools.cache
def pattern(value):
    """Compiles a filter value: * matches any text, ? matches one character, and a backslash escapes either."""
    parts = re.findall(r"\\.|[*?]|[^*?\\]+|\\", value)
    return re.compile("".join({"*": ".*", "?": "."}.get(p) or re.escape(p[1:] if len(p) > 1 and p[0] == "\\" else p) for p in parts), re.DOTALL)


def is_filter_matching(obj, name, wanted):
    """Listing and filtering (EC2 User Guide): the values of one filter are joined by OR, and filters by AND. Values are
    case-sensitive."""
    value = obj.get_filter_value(name)
    if isinstance(value, bool):
        value = str(value).lower()
    values = [value] if isinstance(value, (str, int)) or value is None else value
    wanted = wanted if isinstance(wanted, list) else [wanted]
    return any(pattern(str(w)).fullmatch(str(v)) for v in values if v is not None for w in wanted)


utils.is_filter_matching = is_filter_matching


@mend(EC2Backend)
def do_resources_exist(moto, self, resource_ids):
    """CreateTags on a resource that does not exist is refused with that resource type's own code (EC2 API, "Error
    codes")."""
    known = {
        "nat": (self.nat_gateways, "NatGatewayNotFound"), "fl": (self.flow_logs, "InvalidFlowLogId.NotFound"),
        "eipalloc": ({a.allocation_id for a in self.addresses}, "InvalidAllocationID.NotFound"),
        "sgr": ({r.id for groups in self.groups.values() for g in groups.values() for r in g.ingress_rules + g.egress_rules},
                "InvalidSecurityGroupRuleId.NotFound"),
    }
    for resource in resource_ids:
        present, code = known.get(utils.get_prefix(resource), ((resource,), ""))
        if resource not in present:
            raise EC2ClientError(code, f"The ID '{resource}' does not exist")
    return moto(resource_ids)


# ---- VPCs and subnets

def dependent(kind, resource):
    return DependencyViolationError(f"The {kind} '{resource}' has dependencies and cannot be deleted.")


@mend(VPCs)
def delete_vpc(moto, self):
    """DeleteVpc: "you must detach or delete all gateways and resources that are associated with the VPC before you can
    delete it"; otherwise the error is DependencyViolation.

    The default network ACL, the default security group and the main route table are deleted with the VPC.
    """
    vpc, backend = self._get_param("VpcId"), self.ec2_backend
    gateways = [g for g in backend.internet_gateways.values() if g.vpc and g.vpc.id == vpc]
    groups = [g for g in backend.groups.get(vpc, {}).values() if not g.is_default]
    endpoints = [e for e in backend.vpc_end_points.values() if e.vpc_id == vpc and e.state != "deleted"]
    acls = [a for a in backend.network_acls.values() if a.vpc_id == vpc]
    if gateways or groups or endpoints or any(not a.default for a in acls):
        raise dependent("vpc", vpc)
    answer = moto()
    for acl in acls:
        backend.network_acls.pop(acl.id, None)
    return answer


def subnet_users(backend, subnet):
    """Returns the network interfaces in the subnet and its load balancers, which have no network interfaces in moto."""
    users = [eni.id for eni in backend.enis.values() if eni.subnet.id == subnet]
    elb = sys.modules.get("moto.elbv2.models")
    balancers = elb.elbv2_backends[backend.account_id][backend.region_name].load_balancers.values() if elb else ()
    return users + [lb.arn for lb in balancers if subnet in [s.id for s in lb.subnets]]


@mend(Subnets)
def delete_subnet(moto, self):
    """DeleteSubnet: "you must terminate all running instances in the subnet before you can delete the subnet".

    Any network interface in the subnet gives DependencyViolation. The subnet's route table association is deleted with
    it.
    """
    subnet, backend = self._get_param("SubnetId"), self.ec2_backend
    if subnet_users(backend, subnet):
        raise dependent("subnet", subnet)
    answer = moto()
    for table in backend.route_tables.values():
        table._associations = {a: target for a, target in table._associations.items() if target != subnet}
    return answer


@mend(Subnets)
def create_subnet(moto, self):
    """CreateSubnet: AvailabilityZoneId names a zone, as AvailabilityZone does.

    Only default subnets are the default for their zone and map public addresses. For a zone that is given by its id,
    moto supports neither.
    """
    zone = self._get_param("AvailabilityZoneId")
    for candidate in RegionsAndZonesBackend.zones[self.region] if zone else ():
        if candidate.zone_id == zone:
            self.params["AvailabilityZone"], self.params["AvailabilityZoneId"] = candidate.name, None
    answer = moto()
    subnet = answer.result["Subnet"]
    subnet.default_for_az = subnet.map_public_ip_on_launch = False
    return answer


Subnet.enable_dns64 = False


@mend(Subnets)
def modify_subnet_attribute(moto, self):
    """ModifySubnetAttribute also sets PrivateDnsHostnameTypeOnLaunch, EnableResourceNameDnsAAAARecordOnLaunch and
    EnableDns64."""
    subnet = self.ec2_backend.get_subnet(self._get_param("SubnetId"))
    if kind := self._get_param("PrivateDnsHostnameTypeOnLaunch"):
        subnet.private_dns_name_options_on_launch["HostnameType"] = kind
    if (aaaa := self._get_param("EnableResourceNameDnsAAAARecordOnLaunch.Value")) is not None:
        subnet.private_dns_name_options_on_launch["EnableResourceNameDnsAAAARecord"] = aaaa
    if (dns64 := self._get_param("EnableDns64.Value")) is not None:
        subnet.enable_dns64 = dns64
    return moto()


# ---- internet gateways

def igw_filter_value(self, name, method=None):
    """DescribeInternetGateways documents these filters in addition to the tag filters."""
    known = {"internet-gateway-id": self.id, "owner-id": self.owner_id, "attachment.vpc-id": self.vpc.id if self.vpc else None,
             "attachment.state": "available" if self.vpc else None}
    return known[name] if name in known else TaggedEC2Resource.get_filter_value(self, name, method)


InternetGateway.get_filter_value = igw_filter_value
sys.modules["moto.ec2.models.internet_gateways"].filter_internet_gateways = lambda gateways, filters: utils.generic_filter(filters, gateways)


@mend(InternetGateways)
def attach_internet_gateway(moto, self):
    """A VPC has at most one internet gateway (Amazon VPC quotas). A second one gives InvalidParameterValue."""
    vpc = self._get_param("VpcId")
    if any(g.vpc and g.vpc.id == vpc and g.id != self._get_param("InternetGatewayId") for g in self.ec2_backend.internet_gateways.values()):
        raise EC2ClientError("InvalidParameterValue", f"Network {vpc} already has an internet gateway attached")
    return moto()


@mend(InternetGateways)
def detach_internet_gateway(moto, self):
    """DetachInternetGateway: "the VPC must not contain any running instances with Elastic IP addresses or public IPv4
    addresses". A mapped address (of a NAT gateway or a load balancer) gives DependencyViolation."""
    vpc, backend = self._get_param("VpcId"), self.ec2_backend
    elb = sys.modules.get("moto.elbv2.models")
    balancers = elb.elbv2_backends[backend.account_id][backend.region_name].load_balancers.values() if elb else ()
    if any(a.eni and a.eni.vpc_id == vpc for a in backend.addresses) or any(
            lb.vpc_id == vpc and lb.scheme == "internet-facing" for lb in balancers):
        raise DependencyViolationError(
            f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.")
    return moto()


# ---- route tables

@computed(Route)
def state(self):
    """Route.State: blackhole "indicates that the route's target isn't available (for example, the specified gateway
    isn't attached to the VPC, or the specified NAT instance has been terminated)"."""
    if isinstance(self.gateway, InternetGateway) and not (self.gateway.vpc and self.gateway.vpc.id == self.route_table.vpc_id):
        return "blackhole"
    return "blackhole" if self.nat_gateway and self.nat_gateway.state in ("deleted", "failed") else "active"


def check_targets(self):
    """CreateRoute and ReplaceRoute: the target must exist, and an internet gateway must be attached to the route
    table's VPC."""
    nat, gateway, backend = self._get_param("NatGatewayId"), self._get_param("GatewayId") or "", self.ec2_backend
    table = backend.get_route_table(self._get_param("RouteTableId"))
    if nat and nat not in backend.nat_gateways:
        raise EC2ClientError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat}' does not exist")
    if gateway.startswith("igw-"):
        attached = backend.get_internet_gateway(gateway).vpc
        if not attached or attached.id != table.vpc_id:
            raise EC2ClientError("InvalidParameterValue", f"route table {table.id} and network gateway {gateway} belong to different networks")


@mend(RouteTables)
def create_route(moto, self):
    check_targets(self)
    return moto()


@mend(RouteTables)
def replace_route(moto, self):
    check_targets(self)
    return moto()


@mend(RouteTables)
def associate_route_table(moto, self):
    """AssociateRouteTable: a subnet has one route table. Associating another one gives Resource.AlreadyAssociated."""
    table, subnet = self._get_param("RouteTableId"), self._get_param("SubnetId")
    for other in self.ec2_backend.route_tables.values():
        if subnet and other.id != table and subnet in other._associations.values():
            raise EC2ClientError(
                "Resource.AlreadyAssociated", f"the specified association for route table {table} conflicts with an existing association")
    return moto()


@mend(RouteTables)
def delete_route_table(moto, self):
    """DeleteRouteTable: "You can't delete the main route table"."""
    if self.ec2_backend.get_route_table(self._get_param("RouteTableId")).main_association_id:
        raise dependent("routeTable", self._get_param("RouteTableId"))
    return moto()


def each_backend():
    """Yields every EC2 backend that exists now."""
    for account in list(ec2_backends.values()):
        yield from list(account.values())
