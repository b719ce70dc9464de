"""VPC endpoints and peering connections behave as the EC2 API Reference documents them."""
from conftest import eventually, refused


def routes(ec2, table):
    return [r.get("GatewayId") for r in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"] if "DestinationPrefixListId" in r]


def test_routes_of_a_gateway_endpoint_are_created_and_deleted_with_it(aws, vpc):
    ec2 = aws("ec2")
    tables = [ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"] for _ in range(2)]
    asked = {"VpcId": vpc.id, "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": tables[:1]}
    made = ec2.create_vpc_endpoint(**asked)["VpcEndpoint"]
    endpoint = made["VpcEndpointId"]
    assert (made["VpcEndpointType"], made["PrivateDnsEnabled"], routes(ec2, tables[0])) == ("Gateway", False, [endpoint])
    refused("RouteAlreadyExists", ec2.create_vpc_endpoint, **asked)
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1])
    assert (routes(ec2, tables[0]), routes(ec2, tables[1])) == ([], [endpoint])
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"] == []
    assert routes(ec2, tables[1]) == [] and ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"][0]["Error"]["Code"] == "InvalidVpcEndpointId.NotFound"


def test_interface_endpoint_is_pending_before_it_is_available(aws, vpc):
    ec2 = aws("ec2")
    aws.set(pending={"vpcEndpoint": 0.3})
    asked = {"VpcId": vpc.id, "ServiceName": "com.amazonaws.us-east-1.ecr.api", "VpcEndpointType": "Interface", "SubnetIds": vpc.subnets[:1]}
    endpoint = ec2.create_vpc_endpoint(**asked)["VpcEndpoint"]["VpcEndpointId"]
    shown = lambda: ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-endpoint-id", "Values": [endpoint]}])["VpcEndpoints"][0]  # noqa: E731
    assert shown()["State"] == "pending" and len(shown()["Groups"]) == 1
    eventually(lambda: shown()["State"] == "available")
    refused("InvalidParameter", ec2.create_vpc_endpoint, **asked)
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=vpc.subnets[1:], PrivateDnsEnabled=False, IpAddressType="dualstack")
    assert (len(shown()["NetworkInterfaceIds"]), shown()["PrivateDnsEnabled"], shown()["IpAddressType"]) == (2, False, "dualstack")


def test_peering_options_are_modified_in_the_region_of_their_vpc(aws, vpc):
    near, far = aws("ec2"), aws("ec2", "eu-west-1")
    other = far.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    asked = {"VpcId": vpc.id, "PeerVpcId": other, "PeerRegion": "eu-west-1"}
    peering = near.create_vpc_peering_connection(**asked)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    options = {"VpcPeeringConnectionId": peering, "AccepterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}}
    refused("InvalidStateTransition", near.modify_vpc_peering_connection_options, **options)
    far.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    refused("OperationNotPermitted", near.modify_vpc_peering_connection_options, **options)
    far.modify_vpc_peering_connection_options(**options)
    found = near.describe_vpc_peering_connections(Filters=[{"Name": "vpc-peering-connection-id", "Values": [peering]}])
    assert found["VpcPeeringConnections"][0]["AccepterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"]
    overlapping = near.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    failed = near.create_vpc_peering_connection(VpcId=vpc.id, PeerVpcId=overlapping)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    found = near.describe_vpc_peering_connections(VpcPeeringConnectionIds=[failed])["VpcPeeringConnections"][0]
    assert found["Status"]["Code"] == "failed"
