"""EC2: VPC endpoints and VPC peering connections."""
import ipaddress
import time

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.vpc_peering_connections import VPCPeeringConnection
from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint
from moto.ec2.responses.vpc_peering_connections import VPCPeeringConnections
from moto.ec2.responses.vpcs import VPCs
from moto.ec2.utils import generate_route_id, generic_filter, random_private_ip

import knobs
from mends import computed, mend
from mends.ec2 import GONE_BY, TAGGABLE

TAGGABLE.update({"CreateVpcEndpoint": "vpc-endpoint", "CreateVpcPeeringConnection": "vpc-peering-connection"})
GONE_BY.update({"DeleteVpcEndpoints": "VpcEndpointIds"})
for pending in (knobs.DEFAULTS["pending"], knobs.settings["pending"]):
    pending.update({"vpcEndpoint": 0, "vpcPeering": 0})

# ---- endpoints


def refuse(code, message):
    raise EC2ClientError(code, message)


@computed(VPCEndPoint)
def state(self):
    """VpcEndpoint.State is `pending` until the endpoint is usable. An interface endpoint takes some minutes."""
    stored = self.__dict__.get("_state")
    return "pending" if stored == "available" and knobs.pending("vpcEndpoint", self.born) else stored


@mend(VPCEndPoint)
def get_filter_value(moto, self, name, method=None):
    known = {"vpc-endpoint-id": self.id, "vpc-id": self.vpc_id, "service-name": self.service_name, "vpc-endpoint-type": self.vpc_endpoint_type,
             "vpc-endpoint-state": self.state}
    return known[name] if name in known else TaggedEC2Resource.get_filter_value(self, name, method)


def route(endpoint, table):
    """Creates a gateway endpoint's own route: from the service's prefix list to the endpoint."""
    backend = endpoint.ec2_backend
    if generate_route_id(table, endpoint.destination_prefix_list_id) in backend.get_route_table(table)._routes:
        refuse("RouteAlreadyExists", f"route table {table} already has a route with destination-prefix-list-id {endpoint.destination_prefix_list_id}")
    backend.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=endpoint.destination_prefix_list_id)


def unroute(endpoint, table):
    table = endpoint.ec2_backend.route_tables.get(table)
    if table:
        table._routes.pop(generate_route_id(table.id, endpoint.destination_prefix_list_id), None)


@mend(VPCs)
def create_vpc_endpoint(moto, self):
    """CreateVpcEndpoint: the type's "Default: Gateway". PrivateDnsEnabled of a gateway endpoint is false.

    Security groups: "if this parameter is not specified, we use the default security group for the VPC". A VPC has one
    private DNS name for each service.
    """
    kind = self.params.setdefault("VpcEndpointType", "Gateway")
    backend, vpc, service = self.ec2_backend, self._get_param("VpcId"), self._get_param("ServiceName")
    existing = [e for e in backend.vpc_end_points.values() if e.vpc_id == vpc and e.service_name == service and e.state != "deleted"]
    if kind == "Interface":
        if self._get_param("PrivateDnsEnabled") is None:
            self.params["PrivateDnsEnabled"] = True
        if self._get_bool_param("PrivateDnsEnabled") and any(e.private_dns_enabled for e in existing):
            refuse("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain for the service")
        self.params.setdefault("SecurityGroupIds", [g.id for g in backend.groups[vpc].values() if g.is_default])
    else:
        self.params["PrivateDnsEnabled"] = False
        if {t for e in existing for t in e.route_table_ids} & set(self._get_param("RouteTableIds", [])):
            refuse("RouteAlreadyExists", f"a route table already has a route to {service}")
    made = moto().result["VpcEndpoint"]
    made.born, made.ip_address_type = time.monotonic(), self._get_param("IpAddressType") or "ipv4"
    made.dns_options = {"DnsRecordIpType": "ipv4" if kind == "Interface" else "service-defined", **(self._get_param("DnsOptions") or {})}
    return ActionResult({"VpcEndpoint": made})


@mend(VPCs)
def modify_vpc_endpoint(moto, self):
    """ModifyVpcEndpoint: "(Gateway endpoint) the IDs of the route tables to associate".

    The endpoint's routes are created and deleted with the association. PrivateDnsEnabled, IpAddressType, DnsOptions and
    ResetPolicy can change too.
    """
    endpoint = self.ec2_backend.describe_vpc_endpoints([self._get_param("VpcEndpointId")])[0]
    for table in set(self._get_param("AddRouteTableIds", [])) - set(endpoint.route_table_ids):
        route(endpoint, table)
    for table in self._get_param("RemoveRouteTableIds", []):
        unroute(endpoint, table)
    for subnet in set(self._get_param("AddSubnetIds", [])) - set(endpoint.subnet_ids):
        endpoint.network_interface_ids.append(self.ec2_backend.create_network_interface(self.ec2_backend.get_subnet(subnet), random_private_ip()).id)
    for subnet in self._get_param("RemoveSubnetIds", []):
        removed = [i for i in endpoint.network_interface_ids if self.ec2_backend.enis[i].subnet.id == subnet]
        endpoint.network_interface_ids = [i for i in endpoint.network_interface_ids if i not in removed]
        for interface in removed:
            self.ec2_backend.enis.pop(interface)
    if (private := self._get_param("PrivateDnsEnabled")) is not None:
        endpoint.private_dns_enabled = self._get_bool_param("PrivateDnsEnabled") if isinstance(private, str) else private
    endpoint.ip_address_type = self._get_param("IpAddressType") or endpoint.ip_address_type
    endpoint.dns_options = {**endpoint.dns_options, **(self._get_param("DnsOptions") or {})}
    return moto()


@mend(VPCBackend)
def delete_vpc_endpoints(moto, self, vpce_ids=None):
    """DeleteVpcEndpoints: "deleting a gateway endpoint also deletes the endpoint routes in the route tables".

    The network interfaces of an interface endpoint are deleted with it. A deleted endpoint is no longer described.
    """
    for endpoint in (self.vpc_end_points.pop(i, None) for i in vpce_ids or []):
        if endpoint:
            for table in endpoint.route_table_ids:
                unroute(endpoint, table)
            for interface in endpoint.network_interface_ids:
                self.enis.pop(interface, None)


@mend(VPCs, "delete_vpc_endpoints")
def delete_endpoints(moto, self):
    """DeleteVpcEndpoints: an endpoint that does not exist is listed in Unsuccessful, as
    InvalidVpcEndpointId.NotFound."""
    unknown = [i for i in self._get_param("VpcEndpointIds", []) if i not in self.ec2_backend.vpc_end_points]
    moto()
    error = {"Code": "InvalidVpcEndpointId.NotFound", "Message": "The VpcEndpoint Id does not exist"}
    return ActionResult({"Unsuccessful": [{"ResourceId": i, "Error": error} for i in unknown]})


# ---- peering connections

@computed(VPCPeeringConnection)
def status(self):
    """VPC peering connection lifecycle (VPC Peering Guide): initiating-request, pending-acceptance, provisioning,
    active."""
    code = self._status.code
    if code == "pending-acceptance" and knobs.pending("vpcPeering", self.born):
        code = "initiating-request"
    if code == "active" and knobs.pending("vpcPeering", self.accepted_at):
        code = "provisioning"
    return {"Code": code, "Message": self._status.message}


@mend(VPCPeeringConnections)
def create_vpc_peering_connection(moto, self):
    """CreateVpcPeeringConnection: "the requester VPC and accepter VPC cannot have overlapping CIDR blocks [...] the
    connection has a status of failed". The status in the create's answer is initiating-request."""
    answer = moto()
    made = answer.result["VpcPeeringConnection"]
    made.born = time.monotonic()
    blocks = [ipaddress.ip_network(vpc.cidr_block) for vpc in (made.vpc, made.peer_vpc)]
    if blocks[0].overlaps(blocks[1]):
        made._status.code, made._status.message = "failed", "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"
    return answer


@mend(VPCPeeringConnections)
def accept_vpc_peering_connection(moto, self):
    answer = moto()
    answer.result["VpcPeeringConnection"].accepted_at = time.monotonic()
    return answer


def peering_filter_value(self, name, method=None):
    known = {"vpc-peering-connection-id": self.id, "requester-vpc-info.vpc-id": self.vpc.id, "accepter-vpc-info.vpc-id": self.peer_vpc.id,
             "status-code": self.status["Code"]}
    return known[name] if name in known else TaggedEC2Resource.get_filter_value(self, name, method)


VPCPeeringConnection.get_filter_value = peering_filter_value


@mend(VPCPeeringConnections)
def describe_vpc_peering_connections(moto, self):
    """DescribeVpcPeeringConnections: filters narrow the result. Tags belong to the side (account and region) that set
    them."""
    found = generic_filter(self._filters_from_querystring(), moto().result["VpcPeeringConnections"])
    ours = [p for p in found if p.ec2_backend is self.ec2_backend]
    if self._filters_from_querystring() and any(name.startswith("tag") for name in self._filters_from_querystring()):
        return ActionResult({"VpcPeeringConnections": ours})
    theirs = [{"VpcPeeringConnectionId": p.id, "RequesterVpcInfo": p.requester_vpc_info, "AccepterVpcInfo": p.accepter_vpc_info,
               "Status": p.status, "Tags": []} for p in found if p not in ours]
    return ActionResult({"VpcPeeringConnections": [*ours, *theirs]})


@mend(VPCPeeringConnections)
def modify_vpc_peering_connection_options(moto, self):
    """ModifyVpcPeeringConnectionOptions: "If the peered VPCs are in different Regions, you must use the Region for the
    requester VPC to modify the requester VPC peering options and the Region for the accepter VPC to modify the accepter
    options". The connection must be active."""
    peering = self.ec2_backend.get_vpc_peering_connection(self._get_param("VpcPeeringConnectionId"))
    if peering.status["Code"] != "active":
        refuse("InvalidStateTransition", f"The VPC peering connection {peering.id} is not active.")
    for options, vpc in (("RequesterPeeringConnectionOptions", peering.vpc), ("AccepterPeeringConnectionOptions", peering.peer_vpc)):
        if self._get_param(options) and vpc.region != self.region:
            refuse("OperationNotPermitted", f"{options} of {peering.id} can be modified in {vpc.region} only")
    return moto()
