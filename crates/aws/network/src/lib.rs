//! The kinds of the network: VPCs and the resources in them.

mod ec2;

holdfast_base::kinds! {
    ec2::elastic_ip::ElasticIp,
    ec2::flow_log::FlowLog,
    ec2::instance::Instance,
    ec2::internet_gateway::InternetGateway,
    ec2::nat_gateway::NatGateway,
    ec2::route_table::RouteTable,
    ec2::security_group::SecurityGroup,
    ec2::subnet::Subnet,
    ec2::vpc::Vpc,
    ec2::vpc_endpoint::VpcEndpoint,
    ec2::vpc_peering::VpcPeering,
}
