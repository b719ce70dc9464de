"""EC2 networks behave as the EC2 API Reference and the VPC User Guide document them."""
import json

import pytest

from conftest import eventually, refused, tags

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "vpc-flow-logs.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def gateway(ec2, vpc):
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc)
    return igw


def nat(ec2, vpc, **more):
    eip = ec2.allocate_address(Domain="vpc")["AllocationId"]
    return ec2.create_nat_gateway(SubnetId=vpc.subnets[0], AllocationId=eip, **more)["NatGateway"]["NatGatewayId"], eip


def flow_log(ec2, vpc, **more):
    return ec2.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogGroupName="flow",
                                DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow", **more)["FlowLogIds"][0]


# ---- tags and filters

SSH = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
MADE = {  # The type in tag specifications: (create function, describe call, its list, the id's field, the filter by id, the error for an unknown id).
    "vpc": (lambda e, v, t: e.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=t)["Vpc"]["VpcId"],
            "describe_vpcs", "Vpcs", "VpcId", "vpc-id", "InvalidVpcID.NotFound"),
    "subnet": (lambda e, v, t: e.create_subnet(VpcId=v.id, CidrBlock="10.0.9.0/24", TagSpecifications=t)["Subnet"]["SubnetId"],
               "describe_subnets", "Subnets", "SubnetId", "subnet-id", "InvalidSubnetID.NotFound"),
    "internet-gateway": (lambda e, v, t: e.create_internet_gateway(TagSpecifications=t)["InternetGateway"]["InternetGatewayId"],
                         "describe_internet_gateways", "InternetGateways", "InternetGatewayId", "internet-gateway-id",
                         "InvalidInternetGatewayID.NotFound"),
    "elastic-ip": (lambda e, v, t: e.allocate_address(Domain="vpc", TagSpecifications=t)["AllocationId"],
                   "describe_addresses", "Addresses", "AllocationId", "allocation-id", "InvalidAllocationID.NotFound"),
    "natgateway": (lambda e, v, t: gateway(e, v.id) and nat(e, v, TagSpecifications=t)[0],
                   "describe_nat_gateways", "NatGateways", "NatGatewayId", "nat-gateway-id", "NatGatewayNotFound"),
    "route-table": (lambda e, v, t: e.create_route_table(VpcId=v.id, TagSpecifications=t)["RouteTable"]["RouteTableId"],
                    "describe_route_tables", "RouteTables", "RouteTableId", "route-table-id", "InvalidRouteTableID.NotFound"),
    "security-group": (lambda e, v, t: e.create_security_group(GroupName="g", Description="d", VpcId=v.id, TagSpecifications=t)["GroupId"],
                       "describe_security_groups", "SecurityGroups", "GroupId", "group-id", "InvalidGroup.NotFound"),
    "vpc-flow-log": (lambda e, v, t: flow_log(e, v.id, TagSpecifications=t),
                     "describe_flow_logs", "FlowLogs", "FlowLogId", "flow-log-id", "InvalidFlowLogId.NotFound"),
    "security-group-rule": (lambda e, v, t: e.authorize_security_group_ingress(GroupId=v.group, TagSpecifications=t, IpPermissions=SSH)[
        "SecurityGroupRules"][0]["SecurityGroupRuleId"], "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId",
        "security-group-rule-id", "InvalidSecurityGroupRuleId.NotFound"),
}


@pytest.mark.parametrize("kind", MADE)
def test_every_type_accepts_tags_at_creation_and_tag_filters(aws, vpc, kind):
    """Every type accepts tags at its creation and by CreateTags and DeleteTags. Several tag: filters together find
    it."""
    ec2 = aws("ec2")
    create, describe, listed, name, by_id, missing = MADE[kind]
    made = create(ec2, vpc, tags(kind, **{"holdfast:stack": "shop", "holdfast:env": "prod", "Name": "n"}))

    def found(**filters):
        pairs = [{"Name": k.replace("__", ":"), "Values": v if isinstance(v, list) else [v]} for k, v in filters.items()]
        argument = "Filter" if kind == "vpc-flow-log" else "Filters"
        return [x[name] for x in getattr(ec2, describe)(**{argument: pairs})[listed]]

    assert found(**{"tag:holdfast:stack": "shop", "tag:holdfast:env": "prod"}) == [made]
    assert found(**{"tag:holdfast:stack": "shop", "tag:holdfast:env": "test"}) == []
    assert found(**{"tag:holdfast:stack": ["other", "shop"], by_id: made}) == [made]
    assert found(**{"tag:holdfast:stack": "sh*", "tag-key": "holdfast:env"}) == [made]
    assert found(**{"tag:absent": "*"}) == []
    ec2.create_tags(Resources=[made], Tags=tags(more="1", Name="m"))
    ec2.delete_tags(Resources=[made], Tags=[{"Key": "holdfast:env"}])
    assert found(**{"tag:more": "1", "tag:Name": "m"}) == [made] and found(**{"tag:holdfast:env": "prod"}) == []
    seen = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made]}])["Tags"]
    assert {t["Key"]: t["Value"] for t in seen} == {"holdfast:stack": "shop", "Name": "m", "more": "1"}
    assert {t["ResourceType"] for t in seen} == {kind}
    whole = next(x for x in getattr(ec2, describe)()[listed] if x[name] == made)
    assert {t["Key"]: t["Value"] for t in whole["Tags"]} == {"holdfast:stack": "shop", "Name": "m", "more": "1"}
    refused("InvalidParameterValue", create, ec2, vpc, tags("volume", a="b"))
    refused(missing, ec2.create_tags, Resources=[made.split("-")[0] + "-0123456789abcdef0"], Tags=tags(a="b"))


def test_tags_are_deleted_with_their_resource(aws, vpc):
    ec2 = aws("ec2")
    table = ec2.create_route_table(VpcId=vpc.id, TagSpecifications=tags("route-table", a="b"))["RouteTable"]["RouteTableId"]
    ec2.delete_route_table(RouteTableId=table)
    assert ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [table]}])["Tags"] == []


# ---- VPC, subnet, internet gateway

def test_vpc_with_dependencies_cannot_be_deleted(aws, vpc):
    """DeleteVpc: "You must detach or delete all gateways and resources that are associated with the VPC"."""
    ec2 = aws("ec2")
    igw = gateway(ec2, vpc.id)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc.id)
    for subnet in vpc.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc.id)
    ec2.delete_security_group(GroupId=vpc.group)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc.id)
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=igw)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    ec2.delete_vpc(VpcId=vpc.id)
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc.id])
    assert not ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])["NetworkAcls"]
    ec2.delete_internet_gateway(InternetGatewayId=igw)


def test_cidr_blocks_are_modified_to_their_canonical_form(aws):
    """CreateVpc: "if you specify 100.68.0.18/18, we modify it to 100.68.0.0/18"."""
    assert aws("ec2").create_vpc(CidrBlock="100.68.0.18/18")["Vpc"]["CidrBlock"] == "100.68.0.0/18"


def test_subnet_attributes_can_be_modified(aws, vpc):
    """ModifySubnetAttribute: MapPublicIpOnLaunch, PrivateDnsHostnameTypeOnLaunch, and the resource name records."""
    ec2 = aws("ec2")
    plain = ec2.describe_subnets(SubnetIds=[vpc.subnets[0]])["Subnets"][0]
    assert plain["MapPublicIpOnLaunch"] is False and plain["DefaultForAz"] is False
    for change in ({"MapPublicIpOnLaunch": {"Value": True}}, {"PrivateDnsHostnameTypeOnLaunch": "resource-name"},
                   {"EnableResourceNameDnsARecordOnLaunch": {"Value": True}}, {"EnableResourceNameDnsAAAARecordOnLaunch": {"Value": True}}):
        ec2.modify_subnet_attribute(SubnetId=vpc.subnets[0], **change)
    changed = ec2.describe_subnets(SubnetIds=[vpc.subnets[0]])["Subnets"][0]
    assert changed["MapPublicIpOnLaunch"] is True
    assert changed["PrivateDnsNameOptionsOnLaunch"] == {
        "HostnameType": "resource-name", "EnableResourceNameDnsARecord": True, "EnableResourceNameDnsAAAARecord": True}
    zone = plain["AvailabilityZoneId"]
    by_zone_id = ec2.create_subnet(VpcId=vpc.id, CidrBlock="10.0.77.0/24", AvailabilityZoneId=zone)["Subnet"]
    assert by_zone_id["AvailabilityZone"] == plain["AvailabilityZone"] and by_zone_id["MapPublicIpOnLaunch"] is False


def test_subnet_with_a_network_interface_cannot_be_deleted(aws, vpc):
    """DeleteSubnet: a subnet with a network interface, here of a NAT gateway, has dependencies."""
    ec2 = aws("ec2")
    gateway(ec2, vpc.id)
    made, _ = nat(ec2, vpc)
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=vpc.subnets[0])
    ec2.delete_nat_gateway(NatGatewayId=made)
    ec2.delete_subnet(SubnetId=vpc.subnets[0])


def test_internet_gateway_cannot_be_detached_while_public_addresses_are_mapped(aws, vpc):
    """A VPC has one internet gateway. DetachInternetGateway: there must be no mapped public addresses."""
    ec2 = aws("ec2")
    igw = gateway(ec2, vpc.id)
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    refused("InvalidParameterValue", ec2.attach_internet_gateway, InternetGatewayId=other, VpcId=vpc.id)
    made, _ = nat(ec2, vpc)
    refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=igw, VpcId=vpc.id)
    ec2.delete_nat_gateway(NatGatewayId=made)
    ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    assert ec2.describe_internet_gateways(InternetGatewayIds=[igw])["InternetGateways"][0]["Attachments"] == []


# ---- routes

def test_route_to_a_deleted_target_is_a_blackhole(aws, vpc):
    ec2 = aws("ec2")
    table = ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    stray = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    to_all = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    refused("InvalidParameterValue", ec2.create_route, GatewayId=stray, **to_all)
    refused("InvalidNatGatewayID.NotFound", ec2.create_route, NatGatewayId="nat-0123456789abcdef0", **to_all)
    igw = gateway(ec2, vpc.id)
    ec2.create_route(GatewayId=igw, **to_all)
    refused("RouteAlreadyExists", ec2.create_route, GatewayId=igw, **to_all)

    def routes():
        shown = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return {r["DestinationCidrBlock"]: (r.get("GatewayId") or r.get("NatGatewayId"), r["State"], r["Origin"]) for r in shown}

    assert routes() == {"10.0.0.0/16": ("local", "active", "CreateRouteTable"), "0.0.0.0/0": (igw, "active", "CreateRoute")}
    made, _ = nat(ec2, vpc)
    ec2.replace_route(NatGatewayId=made, **to_all)
    assert routes()["0.0.0.0/0"] == (made, "active", "CreateRoute")
    ec2.delete_nat_gateway(NatGatewayId=made)
    assert routes()["0.0.0.0/0"] == (made, "blackhole", "CreateRoute")  # Route.State
    ec2.delete_route(**to_all)
    refused("InvalidRoute.NotFound", ec2.delete_route, **to_all)


def test_subnet_has_one_route_table(aws, vpc):
    """AssociateRouteTable, ReplaceRouteTableAssociation, DisassociateRouteTable. The main route table cannot be
    deleted."""
    ec2 = aws("ec2")
    one, two = (ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"] for _ in range(2))
    association = ec2.associate_route_table(RouteTableId=one, SubnetId=vpc.subnets[0])["AssociationId"]
    assert ec2.associate_route_table(RouteTableId=one, SubnetId=vpc.subnets[0])["AssociationId"] == association
    refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=two, SubnetId=vpc.subnets[0])
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=one)
    moved = ec2.replace_route_table_association(AssociationId=association, RouteTableId=two)["NewAssociationId"]
    both = [{"Name": "association.subnet-id", "Values": vpc.subnets}]
    shown = ec2.describe_route_tables(Filters=both)["RouteTables"]
    assert [t["RouteTableId"] for t in shown] == [two]
    assert shown[0]["Associations"][0]["RouteTableAssociationId"] == moved and shown[0]["Associations"][0]["Main"] is False
    main = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [vpc.id]}])
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=main["RouteTables"][0]["RouteTableId"])
    ec2.delete_subnet(SubnetId=vpc.subnets[0])
    assert ec2.describe_route_tables(RouteTableIds=[two])["RouteTables"][0]["Associations"] == []


# ---- addresses and NAT gateways

def test_nat_gateway_uses_its_address_until_it_is_deleted(aws, vpc):
    """NatGateway: the described fields, the association of the address, and the listing of a deleted NAT gateway."""
    ec2 = aws("ec2")
    gateway(ec2, vpc.id)
    made, eip = nat(ec2, vpc)
    shown = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"][0]
    assert (shown["SubnetId"], shown["VpcId"], shown["ConnectivityType"], shown["State"]) == (vpc.subnets[0], vpc.id, "public", "available")
    address = ec2.describe_addresses(AllocationIds=[eip])["Addresses"][0]
    assert shown["NatGatewayAddresses"][0]["AllocationId"] == eip and shown["NatGatewayAddresses"][0]["PublicIp"] == address["PublicIp"]
    assert address["AssociationId"] == shown["NatGatewayAddresses"][0]["AssociationId"] and "InstanceId" not in address
    assert address["NetworkInterfaceId"] == shown["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    assert "in use" in refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=eip)
    refused("Resource.AlreadyAssociated", ec2.create_nat_gateway, SubnetId=vpc.subnets[1], AllocationId=eip)
    assert ec2.describe_nat_gateways(Filters=[{"Name": "state", "Values": ["pending"]}])["NatGateways"] == []
    ec2.delete_nat_gateway(NatGatewayId=made)
    deleted = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"][0]
    assert deleted["State"] == "deleted" and deleted["DeleteTime"]
    assert "AssociationId" not in ec2.describe_addresses(AllocationIds=[eip])["Addresses"][0]
    ec2.release_address(AllocationId=eip)
    refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=[eip])
    refused("NatGatewayNotFound", ec2.delete_nat_gateway, NatGatewayId="nat-0123456789abcdef0")
    refused("NatGatewayNotFound", ec2.describe_nat_gateways, NatGatewayIds=["nat-0123456789abcdef0"])


def test_nat_gateway_is_pending_before_it_is_available(aws, vpc):
    """NatGateway.State: pending, available, deleting, deleted."""
    ec2 = aws("ec2")
    gateway(ec2, vpc.id)
    aws.set(pending={"natGateway": 0.3, "natGatewayDelete": 0.3})
    made, eip = nat(ec2, vpc)

    def state():
        return ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"][0]["State"]

    assert state() == "pending"
    eventually(lambda: state() == "available")
    ec2.delete_nat_gateway(NatGatewayId=made)
    assert state() == "deleting"
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=eip)
    eventually(lambda: state() == "deleted")
    ec2.release_address(AllocationId=eip)


def test_nat_gateway_without_internet_gateway_fails(aws, vpc):
    """VPC User Guide, "NAT gateway creation fails": Network vpc-0123456789abcdef0 has no Internet gateway attached."""
    ec2 = aws("ec2")
    made, eip = nat(ec2, vpc)
    shown = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"][0]
    assert (shown["State"], shown["FailureCode"]) == ("failed", "Gateway.NotAttached")
    ec2.release_address(AllocationId=eip)


def test_client_tokens_make_creates_idempotent(aws, vpc):
    """Ensuring idempotency: the same token returns the same resource. Other parameters give
    IdempotentParameterMismatch."""
    ec2 = aws("ec2")
    gateway(ec2, vpc.id)
    eip = ec2.allocate_address(Domain="vpc")["AllocationId"]
    asked = dict(SubnetId=vpc.subnets[0], AllocationId=eip, ClientToken="token-1")
    one, two = (ec2.create_nat_gateway(**asked)["NatGateway"]["NatGatewayId"] for _ in range(2))
    assert one == two and len(ec2.describe_nat_gateways()["NatGateways"]) == 1
    refused("IdempotentParameterMismatch", ec2.create_nat_gateway, **{**asked, "SubnetId": vpc.subnets[1]})
    assert flow_log(ec2, vpc.id, ClientToken="t") == flow_log(ec2, vpc.id, ClientToken="t")
    refused("FlowLogAlreadyExists", flow_log, ec2, vpc.id, ClientToken="u")
    endpoint = dict(VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3", ClientToken="e")
    assert len({ec2.create_vpc_endpoint(**endpoint)["VpcEndpoint"]["VpcEndpointId"] for _ in range(2)}) == 1


def test_flow_log_names_its_log_group_by_name_or_arn(aws, vpc):
    ec2 = aws("ec2")
    aws("logs").create_log_group(logGroupName="flow")
    made = flow_log(ec2, vpc.id, MaxAggregationInterval=60)
    shown = ec2.describe_flow_logs(FlowLogIds=[made])["FlowLogs"][0]
    assert (shown["ResourceId"], shown["TrafficType"], shown["LogGroupName"], shown["MaxAggregationInterval"]) == (vpc.id, "ALL", "flow", 60)
    assert (shown["DeliverLogsStatus"], shown["LogDestinationType"]) == ("SUCCESS", "cloud-watch-logs")
    ec2.delete_flow_logs(FlowLogIds=[made])
    refused("InvalidFlowLogId.NotFound", ec2.describe_flow_logs, FlowLogIds=[made])
    by_arn = ec2.create_flow_logs(ResourceIds=[vpc.id], ResourceType="VPC", TrafficType="REJECT", LogDestinationType="cloud-watch-logs",
                                  LogDestination="arn:aws:logs:us-east-1:123456789012:log-group:flow",
                                  DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow")["FlowLogIds"][0]
    assert ec2.describe_flow_logs(FlowLogIds=[by_arn])["FlowLogs"][0]["DeliverLogsStatus"] == "SUCCESS"


# ---- security groups

def web(port, cidr=None, group=None, text=None):
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    source = {"Description": text} if text else {}
    return {**rule, **({"IpRanges": [{"CidrIp": cidr, **source}]} if cidr else {"UserIdGroupPairs": [{"GroupId": group, **source}]})}


def rules(ec2, group, egress=False):
    shown = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return [r for r in shown if r["IsEgress"] == egress]


def test_new_security_group_allows_all_outbound_traffic(aws, vpc):
    """A new group allows all outbound traffic. The default group allows inbound traffic from itself."""
    ec2 = aws("ec2")
    shown = ec2.describe_security_groups(GroupIds=[vpc.group])["SecurityGroups"][0]
    assert shown["IpPermissions"] == []
    assert [(p["IpProtocol"], p["IpRanges"]) for p in shown["IpPermissionsEgress"]] == [("-1", [{"CidrIp": "0.0.0.0/0"}])]
    assert "FromPort" not in shown["IpPermissionsEgress"][0]
    default = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}, {"Name": "group-name", "Values": ["default"]}])
    default = default["SecurityGroups"][0]
    assert default["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == default["GroupId"]
    refused("CannotDelete", ec2.delete_security_group, GroupId=default["GroupId"])


def test_security_group_rules_are_created_and_revoked_all_or_none(aws, vpc):
    ec2 = aws("ec2")
    other = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=vpc.id)["GroupId"]
    made = ec2.authorize_security_group_ingress(GroupId=vpc.group, IpPermissions=[
        web(80, group=other, text="from alb"), web(443, cidr="100.68.0.18/18", text="lan")])["SecurityGroupRules"]
    assert len(made) == 2 and {r["Description"] for r in made} == {"from alb", "lan"}
    by_text = {r["Description"]: r for r in rules(ec2, vpc.group)}
    assert by_text["lan"]["CidrIpv4"] == "100.68.0.0/18"  # IpRange.CidrIp: AWS canonicalizes
    assert by_text["from alb"]["ReferencedGroupInfo"]["GroupId"] == other and "CidrIpv4" not in by_text["from alb"]
    shown = ec2.describe_security_groups(GroupIds=[vpc.group])["SecurityGroups"][0]["IpPermissions"]
    pairs = [{"GroupId": other, "UserId": "123456789012", "Description": "from alb"}]
    assert [p["UserIdGroupPairs"] for p in shown if p["FromPort"] == 80] == [pairs]
    # Descriptions do not distinguish rules, and a call creates either all of its rules or none.
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=vpc.group,
            IpPermissions=[web(8080, cidr="10.0.0.0/8"), web(443, cidr="100.68.0.0/18", text="again")])
    assert len(rules(ec2, vpc.group)) == 2
    # Revoking by properties needs no description. Nothing is revoked when one rule does not match.
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_ingress, GroupId=vpc.group,
            IpPermissions=[web(80, group=other), web(81, group=other)])
    assert len(rules(ec2, vpc.group)) == 2
    ec2.revoke_security_group_ingress(GroupId=vpc.group, IpPermissions=[web(80, group=other)])
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.revoke_security_group_ingress, GroupId=vpc.group,
            SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    ec2.revoke_security_group_ingress(GroupId=vpc.group, SecurityGroupRuleIds=[by_text["lan"]["SecurityGroupRuleId"]])
    assert rules(ec2, vpc.group) == []
    everything = rules(ec2, vpc.group, egress=True)
    ec2.revoke_security_group_egress(GroupId=vpc.group, SecurityGroupRuleIds=[r["SecurityGroupRuleId"] for r in everything])
    assert rules(ec2, vpc.group, egress=True) == []


def test_security_group_rule_descriptions_can_be_changed_and_removed(aws, vpc):
    """UpdateSecurityGroupRuleDescriptionsIngress names a rule by id or by properties, and removes a description that is
    omitted. ModifySecurityGroupRules."""
    ec2 = aws("ec2")
    other = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=vpc.id)["GroupId"]
    made = ec2.authorize_security_group_ingress(GroupId=vpc.group, IpPermissions=[web(80, group=other, text="d1")])["SecurityGroupRules"][0]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=vpc.group, IpPermissions=[web(80, group=other, text="d2")])
    assert rules(ec2, vpc.group)[0]["Description"] == "d2"
    by_id = {"SecurityGroupRuleId": made["SecurityGroupRuleId"]}
    ec2.update_security_group_rule_descriptions_ingress(GroupId=vpc.group, SecurityGroupRuleDescriptions=[{**by_id, "Description": "d3"}])
    assert rules(ec2, vpc.group)[0]["Description"] == "d3"
    assert ec2.describe_security_groups(GroupIds=[vpc.group])["SecurityGroups"][0]["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] == "d3"
    ec2.update_security_group_rule_descriptions_ingress(GroupId=vpc.group, IpPermissions=[web(80, group=other)])
    assert "Description" not in rules(ec2, vpc.group)[0]
    ec2.modify_security_group_rules(GroupId=vpc.group, SecurityGroupRules=[{**by_id, "SecurityGroupRule": {
        "IpProtocol": "tcp", "FromPort": 81, "ToPort": 82, "ReferencedGroupId": other, "Description": "d4"}}])
    now = rules(ec2, vpc.group)[0]
    assert (now["SecurityGroupRuleId"], now["FromPort"], now["ToPort"], now["Description"]) == (made["SecurityGroupRuleId"], 81, 82, "d4")


def test_security_group_in_use_cannot_be_deleted(aws, vpc):
    """DeleteSecurityGroup: a group that is referenced by another group, or associated with a network interface, gives
    DependencyViolation."""
    ec2 = aws("ec2")
    other = ec2.create_security_group(GroupName="alb", Description="alb", VpcId=vpc.id)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=vpc.group, IpPermissions=[web(80, group=other)])
    assert "dependent object" in refused("DependencyViolation", ec2.delete_security_group, GroupId=other)
    ec2.revoke_security_group_ingress(GroupId=vpc.group, IpPermissions=[web(80, group=other)])
    eni = ec2.create_network_interface(SubnetId=vpc.subnets[0], Groups=[other])["NetworkInterface"]["NetworkInterfaceId"]
    refused("DependencyViolation", ec2.delete_security_group, GroupId=other)
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_security_group(GroupId=other)
    refused("InvalidGroup.NotFound", ec2.describe_security_groups, GroupIds=[other])
