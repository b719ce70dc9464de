//! VpcEndpoint: a private connection from a VPC to a service.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self as sdk, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::RouteTable;
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text, texts};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::{Absent, Is},
    Demand::{Excludes, OneOf, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Replacement, Tier};
use holdfast_core::types::{PolicyDocument, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::security_group::SecurityGroup;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{
    Ec2Tags, check_unsuccessful, describe_all, ec2, from_create_response, from_sdk_tags, tag_specification, tagged,
};

/// A VPC endpoint: a private connection from a VPC to a service of AWS or of another provider, not over the internet.
///
/// A gateway endpoint (S3 and DynamoDB, free of charge) is a route in route tables. An interface endpoint (most other
/// services, charged by the hour for each Availability Zone) has an address in subnets
/// (<https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcEndpoint {
    /// The VPC of the endpoint.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The name of the service: `com.amazonaws.<region>.s3`, `com.amazonaws.<region>.ecr.dkr`, `com.amazonaws.vpce.…`.
    #[spec(immutable)]
    service_name: String,
    /// The type of the endpoint. The other types of AWS have no `serviceName`, and are not supported
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html>).
    #[spec(immutable, one_of = ["Gateway", "Interface", "GatewayLoadBalancer"], default = "Gateway")]
    vpc_endpoint_type: Option<String>,
    /// The route tables that get the endpoint's route; gateway endpoints only. AWS manages the route, and `RouteTable`
    /// does not show it.
    route_tables: Option<BTreeSet<Ref<RouteTable>>>,
    /// The subnets in which the endpoint has an address, one for each Availability Zone; interface endpoints only.
    subnets: Option<BTreeSet<Ref<Subnet>>>,
    /// The security groups of the endpoint's network interfaces, which must allow inbound port 443; interface endpoints
    /// only. Without any, AWS uses the VPC's default security group.
    #[spec(never_null)]
    security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// Private DNS: whether the service's public name resolves to the endpoint inside the VPC; interface endpoints
    /// only. The VPC needs `enableDnsSupport` and `enableDnsHostnames`, and can have one such endpoint for each
    /// service.
    private_dns_enabled: Option<ServerDefault<bool>>,
    /// The endpoint policy: which principals may do what through the endpoint. AWS's default policy allows all
    /// principals and all actions. To return to it, state that policy.
    policy_document: Option<ServerDefault<PolicyDocument>>,
    /// The IP address type.
    #[spec(one_of = sdk::IpAddressType)]
    ip_address_type: Option<ServerDefault<String>>,
    /// The DNS options: the records of the endpoint's names.
    #[spec(never_null)]
    dns_options: Option<DnsOptions>,
}

/// The DNS options of an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DnsOptions {
    /// The type of the DNS records.
    #[spec(one_of = sdk::DnsRecordIpType)]
    dns_record_ip_type: Option<ServerDefault<String>>,
    /// Whether the private DNS name is for inbound Resolver endpoints only, so that the VPC itself uses its gateway
    /// endpoint, which must exist first; for S3.
    private_dns_only_for_inbound_resolver_endpoint: Option<ServerDefault<bool>>,
}

/// The read-only attributes of a VpcEndpoint.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VpcEndpointStatus {
    /// The DNS names of the endpoint, the regional name first. A gateway endpoint has none.
    dns_names: Vec<String>,
    /// The ids of the network interfaces.
    network_interface_ids: Vec<String>,
    /// The account that owns the endpoint.
    owner_id: Option<String>,
}

impl Kind for VpcEndpoint {
    type Status = VpcEndpointStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// A route table has one route to a service, and a VPC has one private DNS name for a service.
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
        demand(Excludes("subnets")).when(&[Is("vpcEndpointType", &["Gateway"])]),
        demand(Excludes("securityGroups")).when(&[Is("vpcEndpointType", &["Gateway"])]),
        demand(OneOf("privateDnsEnabled", &["false"])).when(&[Is("vpcEndpointType", &["Gateway"])]),
        demand(Excludes("subnets")).when(&[Absent("vpcEndpointType")]),
        demand(Excludes("securityGroups")).when(&[Absent("vpcEndpointType")]),
        demand(OneOf("privateDnsEnabled", &["false"])).when(&[Absent("vpcEndpointType")]),
        demand(Excludes("routeTables")).when(&[Is("vpcEndpointType", &["Interface", "GatewayLoadBalancer"])]),
        demand(Excludes("securityGroups")).when(&[Is("vpcEndpointType", &["GatewayLoadBalancer"])]),
        demand(ValidPolicy("policyDocument", PolicyType::Resource)),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe =
            |filters| all(ec2(aws).describe_vpc_endpoints().set_filters(filters).into_paginator().items().send());
        let endpoints: Vec<sdk::VpcEndpoint> = describe_all(scope, "vpc-endpoint-id", describe).await?;
        endpoints.iter().filter(|endpoint| state(endpoint) != "deleted").map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let VpcEndpoint {
            vpc,
            service_name,
            vpc_endpoint_type,
            route_tables,
            subnets,
            security_groups,
            private_dns_enabled,
            policy_document,
            ip_address_type,
            dns_options,
        } = &desired.spec;
        let created = ec2(aws)
            .create_vpc_endpoint()
            .client_token(&desired.token)
            .vpc_id(vpc.as_str())
            .service_name(service_name)
            .set_vpc_endpoint_type(vpc_endpoint_type.as_deref().map(Into::into))
            .set_route_table_ids(route_tables.as_ref().map(texts))
            .set_subnet_ids(subnets.as_ref().map(texts))
            .set_security_group_ids(security_groups.as_ref().map(texts))
            .set_private_dns_enabled(private_dns_enabled.map(|on| on.0))
            .set_policy_document(policy_document.as_ref().map(|policy| policy.json()))
            .set_ip_address_type(ip_address_type.as_deref().map(|kind| kind.as_str().into()))
            .set_dns_options(dns_options.as_ref().map(sdk_dns_options))
            .tag_specifications(tag_specification(ResourceType::VpcEndpoint, &desired.all_tags())?)
            .send()
            .await?;
        let endpoint = created.vpc_endpoint.ok_or_else(|| Error::incomplete("ec2.CreateVpcEndpoint", "vpcEndpoint"))?;
        Ok(from_create_response(live(&endpoint)?, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let VpcEndpoint {
            vpc: _,
            service_name: _,
            vpc_endpoint_type: _,
            route_tables,
            subnets,
            security_groups,
            private_dns_enabled,
            policy_document,
            ip_address_type,
            dns_options,
        } = &desired.spec;
        let current = &live.spec;
        let changed = |field| desired.changed(field);
        ec2(aws)
            .modify_vpc_endpoint()
            .vpc_endpoint_id(&live.id)
            .set_add_route_table_ids(difference(route_tables, &current.route_tables))
            .set_remove_route_table_ids(difference(&current.route_tables, route_tables))
            .set_add_subnet_ids(difference(subnets, &current.subnets))
            .set_remove_subnet_ids(difference(&current.subnets, subnets))
            .set_add_security_group_ids(difference(security_groups, &current.security_groups))
            .set_remove_security_group_ids(difference(&current.security_groups, security_groups))
            .set_private_dns_enabled(
                private_dns_enabled.map(|on| on.0).filter(|_| changed(VpcEndpoint::PRIVATE_DNS_ENABLED)),
            )
            .set_policy_document(
                policy_document.as_ref().map(|policy| policy.json()).filter(|_| changed(VpcEndpoint::POLICY_DOCUMENT)),
            )
            .set_ip_address_type(
                ip_address_type
                    .as_deref()
                    .map(|kind| kind.as_str().into())
                    .filter(|_| changed(VpcEndpoint::IP_ADDRESS_TYPE)),
            )
            .set_dns_options(dns_options.as_ref().map(sdk_dns_options).filter(|_| changed(VpcEndpoint::DNS_OPTIONS)))
            .send()
            .await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let response = ec2(aws).delete_vpc_endpoints().vpc_endpoint_ids(&live.id).send().await?;
        check_unsuccessful("ec2.DeleteVpcEndpoints", response.unsuccessful())
    }
}

/// Returns the ids in the first set that are not in the second; `None` and not an empty list.
fn difference<K>(of: &Option<BTreeSet<Ref<K>>>, from: &Option<BTreeSet<Ref<K>>>) -> Option<Vec<String>> {
    let is_in = |one: &Ref<K>| from.as_ref().is_some_and(|from| from.contains(one));
    let difference: Vec<String> = of.iter().flatten().filter(|one| !is_in(one)).map(ToString::to_string).collect();
    (!difference.is_empty()).then_some(difference)
}

fn sdk_dns_options(options: &DnsOptions) -> sdk::DnsOptionsSpecification {
    let DnsOptions { dns_record_ip_type, private_dns_only_for_inbound_resolver_endpoint: inbound } = options;
    sdk::DnsOptionsSpecification::builder()
        .set_dns_record_ip_type(dns_record_ip_type.as_deref().map(|kind| kind.as_str().into()))
        .set_private_dns_only_for_inbound_resolver_endpoint(inbound.map(|on| on.0))
        .build()
}

/// Returns the state in lower case: AWS returns `available` although its API model says `Available`.
fn state(endpoint: &sdk::VpcEndpoint) -> String {
    endpoint.state.as_ref().map(|state| state.as_str().to_ascii_lowercase()).unwrap_or_default()
}

fn live(endpoint: &sdk::VpcEndpoint) -> Result<Live<VpcEndpoint>> {
    let missing = |what| Error::incomplete("ec2.DescribeVpcEndpoints", what);
    let id = endpoint.vpc_endpoint_id.clone().ok_or_else(|| missing("vpcEndpointId"))?;
    let spec = VpcEndpoint {
        vpc: Ref::new(endpoint.vpc_id().unwrap_or_default()),
        service_name: endpoint.service_name.clone().ok_or_else(|| missing("serviceName"))?,
        vpc_endpoint_type: text(&endpoint.vpc_endpoint_type),
        route_tables: Some(endpoint.route_table_ids().iter().map(|id| Ref::new(id.as_str())).collect()),
        subnets: Some(endpoint.subnet_ids().iter().map(|id| Ref::new(id.as_str())).collect()),
        security_groups: Some(endpoint.groups().iter().filter_map(|g| g.group_id.clone()).map(Ref::new).collect()),
        private_dns_enabled: endpoint.private_dns_enabled.map(ServerDefault),
        policy_document: endpoint.policy_document().map(|text| ServerDefault(PolicyDocument::parse(text))),
        ip_address_type: text(&endpoint.ip_address_type).map(ServerDefault),
        dns_options: endpoint.dns_options().map(|options| DnsOptions {
            dns_record_ip_type: text(&options.dns_record_ip_type).map(ServerDefault),
            private_dns_only_for_inbound_resolver_endpoint: options
                .private_dns_only_for_inbound_resolver_endpoint
                .map(ServerDefault),
        }),
    };
    let status = VpcEndpointStatus {
        dns_names: endpoint.dns_entries().iter().filter_map(|entry| entry.dns_name.clone()).collect(),
        network_interface_ids: endpoint.network_interface_ids().to_vec(),
        owner_id: endpoint.owner_id.clone(),
    };
    let phase = match state(endpoint).as_str() {
        "pending" | "pendingacceptance" => Phase::Pending,
        "deleting" => Phase::Deleting,
        "failed" | "rejected" | "expired" => Phase::Failed,
        _ => Phase::Ready,
    };
    let live = tagged(id, from_sdk_tags(endpoint.tags()), spec, status).phase(phase);
    let error = endpoint.last_error().and_then(|error| error.message()).or(endpoint.failure_reason());
    Ok(match (phase, error) {
        (Phase::Failed, Some(message)) => live.degraded("VpcEndpointFailed", message),
        _ => live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_state_does_not_count() {
        let endpoint = |state: &str| {
            let error = sdk::LastError::builder().message("no zone has it").build();
            let endpoint = sdk::VpcEndpoint::builder().vpc_endpoint_id("vpce-1").service_name("com.amazonaws.r.s3");
            live(&endpoint.state(state.into()).last_error(error).build()).unwrap()
        };
        assert_eq!(endpoint("available").phase, Phase::Ready);
        assert_eq!(endpoint("pendingAcceptance").phase, Phase::Pending);
        assert_eq!((endpoint("Failed").phase, endpoint("failed").conditions.len()), (Phase::Failed, 1));
    }

    #[test]
    fn only_ids_that_differ_are_added_and_removed() {
        let set = |ids: &[&str]| Some(ids.iter().map(|id| Ref::<Subnet>::new(*id)).collect::<BTreeSet<_>>());
        assert_eq!(difference(&set(&["a", "b"]), &set(&["b"])), Some(vec!["a".to_owned()]));
        assert_eq!(difference(&set(&["b"]), &set(&["a", "b"])), None);
        assert_eq!(difference(&None, &set(&["a"])), None);
    }
}
