//! Things that are in an account before Holdfast is: certificates that a document looks up, and what is foreign.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Stage;

/// An issued certificate for a domain: asked for, and proved by the record that ACM wants in a zone.
///
/// # Errors
/// When the sandbox refuses, or does not issue it.
pub fn certificate(stage: &Stage, domain: &str) -> anyhow::Result<()> {
    certificate_in(stage, crate::REGION, domain)
}

/// The same in another region.
///
/// # Errors
/// When the sandbox refuses, or does not issue it.
pub fn certificate_in(stage: &Stage, region: &str, domain: &str) -> anyhow::Result<()> {
    let call = |service: &str, operation: &str, asked: Value| stage.outside.call_in(region, service, operation, asked);
    let asked = call("acm", "request_certificate", json!({ "DomainName": domain, "ValidationMethod": "DNS" }))?;
    let arn = json!({ "CertificateArn": asked["CertificateArn"] });
    let record = &call("acm", "describe_certificate", arn.clone())?["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"];
    let zone = call("route53", "create_hosted_zone", json!({ "Name": domain, "CallerReference": domain }))?;
    let set = json!({ "Name": record["Name"], "Type": record["Type"], "TTL": 60, "ResourceRecords": [{ "Value": record["Value"] }] });
    let batch = json!({ "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": set }] });
    call(
        "route53",
        "change_resource_record_sets",
        json!({ "HostedZoneId": zone["HostedZone"]["Id"], "ChangeBatch": batch }),
    )?;
    let status = &call("acm", "describe_certificate", arn)?["Certificate"]["Status"];
    anyhow::ensure!(status == "ISSUED", "the sandbox left the certificate {status}");
    Ok(())
}

/// The operations that list what may be foreign: more of that means more pages of these and nothing else.
pub const LISTS: &[&str] = &[
    "acm.ListCertificates",
    "application-autoscaling.DescribeScalableTargets",
    "application-autoscaling.DescribeScalingPolicies",
    "ecr.DescribeRepositories",
    "elasticloadbalancing.DescribeLoadBalancers",
    "elasticloadbalancing.DescribeTargetGroups",
    "iam.GetAccountAuthorizationDetails",
    "iam.ListRoles",
    "logs.DescribeLogGroups",
    "monitoring.DescribeAlarms",
    "sns.ListSubscriptions",
    "sns.ListTopics",
];

/// Plants this many foreign resources of the kinds that are listed whole, and a fraction of that of those that
/// take the sandbox longer.
///
/// # Errors
/// When the sandbox refuses.
pub fn many(stage: &Stage, count: usize) -> anyhow::Result<()> {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let call = |service: &str, operation: &str, parameters: Value| stage.outside.call(service, operation, parameters);
    let vpc = call("ec2", "create_vpc", json!({ "CidrBlock": "10.0.0.0/16" }))?["Vpc"]["VpcId"].take();
    let mut subnets = vec![];
    for (block, zone) in [("10.0.1.0/24", "us-east-1a"), ("10.0.2.0/24", "us-east-1b")] {
        let subnet = json!({ "VpcId": vpc, "CidrBlock": block, "AvailabilityZone": zone });
        subnets.push(call("ec2", "create_subnet", subnet)?["Subnet"]["SubnetId"].take());
    }
    for i in 0..count {
        let name = format!("foreign-{i}");
        call("logs", "create_log_group", json!({ "logGroupName": format!("/{name}") }))?;
        call("iam", "create_role", json!({ "RoleName": name, "AssumeRolePolicyDocument": trust }))?;
        let topic = call("sns", "create_topic", json!({ "Name": name }))?["TopicArn"].take();
        if i % 5 == 0 {
            call("ecr", "create_repository", json!({ "repositoryName": name }))?;
            let alarm = json!({
                "AlarmName": name, "Namespace": "AWS/ECS", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 60,
                "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
            });
            call("cloudwatch", "put_metric_alarm", alarm)?;
        }
        if i % 10 == 0 {
            let endpoint = format!("arn:aws:sqs:us-east-1:123456789012:{name}");
            call("sns", "subscribe", json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": endpoint }))?;
            call(
                "acm",
                "request_certificate",
                json!({ "DomainName": format!("{name}.example.com"), "ValidationMethod": "DNS" }),
            )?;
            let group = json!({ "Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": vpc, "TargetType": "ip" });
            let group = call("elbv2", "create_target_group", group)?["TargetGroups"][0]["TargetGroupArn"].take();
            let balancer = json!({ "Name": name, "Subnets": subnets, "Scheme": "internal" });
            let balancer =
                call("elbv2", "create_load_balancer", balancer)?["LoadBalancers"][0]["LoadBalancerArn"].take();
            let forward = json!([{ "Type": "forward", "TargetGroupArn": group }]);
            let listener =
                json!({ "LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP", "DefaultActions": forward });
            call("elbv2", "create_listener", listener)?;
            // Fifty clusters, with ours, are one call to list and one to describe.
            service(stage, &format!("foreign-{}", i % 500), &name, &subnets)?;
        }
    }
    Ok(())
}

/// A foreign service, in a cluster, that autoscaling scales.
fn service(stage: &Stage, cluster: &str, name: &str, subnets: &[Value]) -> anyhow::Result<()> {
    let call = |service: &str, operation: &str, parameters: Value| stage.outside.call(service, operation, parameters);
    call("ecs", "create_cluster", json!({ "clusterName": cluster }))?;
    let container = json!([{ "name": "web", "image": "nginx", "essential": true }]);
    let definition = json!({
        "family": "foreign", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": container,
    });
    if name == "foreign-0" {
        call("ecs", "register_task_definition", definition)?;
    }
    let network = json!({ "awsvpcConfiguration": { "subnets": [subnets[0]] } });
    let service = json!({
        "cluster": cluster, "serviceName": name, "taskDefinition": "foreign", "desiredCount": 1, "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    call("ecs", "create_service", service)?;
    let target = json!({
        "ServiceNamespace": "ecs", "ResourceId": format!("service/{cluster}/{name}"), "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1, "MaxCapacity": 2,
    });
    call("application-autoscaling", "register_scalable_target", target)?;
    Ok(())
}

/// Plants foreign resources of many kinds, some with the `Name` tags that a document's own would have, and
/// returns their ids.
///
/// # Errors
/// When the sandbox refuses.
pub fn foreign(stage: &Stage, count: usize) -> anyhow::Result<Vec<String>> {
    let mut ids = vec![];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for i in 0..count / 8 {
        let ours = [
            "mashroom-staging-network-main",
            "mashroom-staging-network-public-a",
            "mashroom-staging-web-alb",
            "somebody-elses",
        ][i % 4];
        let named = |of: &str| json!([{ "ResourceType": of, "Tags": [{ "Key": "Name", "Value": ours }] }]);
        let call =
            |service: &str, operation: &str, parameters: Value| stage.outside.call(service, operation, parameters);
        let vpc = call("ec2", "create_vpc", json!({ "CidrBlock": "10.0.0.0/16", "TagSpecifications": named("vpc") }))?;
        let vpc = text(&vpc["Vpc"]["VpcId"]);
        let subnet = json!({ "VpcId": vpc, "CidrBlock": "10.0.1.0/24", "TagSpecifications": named("subnet") });
        ids.push(text(&call("ec2", "create_subnet", subnet)?["Subnet"]["SubnetId"]));
        let group = json!({ "VpcId": vpc, "GroupName": ours, "Description": "foreign" });
        ids.push(text(&call("ec2", "create_security_group", group)?["GroupId"]));
        ids.push(text(&call("ec2", "create_route_table", json!({ "VpcId": vpc }))?["RouteTable"]["RouteTableId"]));
        let gateway = json!({ "TagSpecifications": named("internet-gateway") });
        ids.push(text(&call("ec2", "create_internet_gateway", gateway)?["InternetGateway"]["InternetGatewayId"]));
        ids.push(text(&call("ec2", "allocate_address", json!({ "Domain": "vpc" }))?["AllocationId"]));
        // What has a natural name cannot have ours, or ours would be held; a neighbour's begins the same.
        let name = format!("mashroom-staging-neighbour-{i}");
        call("logs", "create_log_group", json!({ "logGroupName": format!("/{name}") }))?;
        call("ecs", "create_cluster", json!({ "clusterName": name }))?;
        ids.extend([vpc, name]);
    }
    Ok(ids)
}

/// What the foreign EC2 resources look like, to see that they stay so.
///
/// # Errors
/// When the sandbox refuses.
pub fn snapshot(stage: &Stage, ids: &[String]) -> anyhow::Result<Vec<String>> {
    let mut lines = vec![];
    let lists = [
        ("ec2", "describe_vpcs", "Vpcs"),
        ("ec2", "describe_subnets", "Subnets"),
        ("ec2", "describe_security_groups", "SecurityGroups"),
        ("ec2", "describe_route_tables", "RouteTables"),
        ("ec2", "describe_internet_gateways", "InternetGateways"),
        ("ec2", "describe_addresses", "Addresses"),
        ("logs", "describe_log_groups", "logGroups"),
        ("ecs", "list_clusters", "clusterArns"),
    ];
    for (service, operation, key) in lists {
        for item in stage.outside.call(service, operation, Value::Null)?[key].as_array().into_iter().flatten() {
            let line = item.to_string();
            if ids.iter().any(|id| line.contains(id)) {
                lines.push(line);
            }
        }
    }
    lines.sort();
    Ok(lines)
}

/// The ARNs and ids that carry the owner tags of a stack and environment, by address.
fn by_address(stage: &Stage, stack: &str, env: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |id: &str, tags: &Value, keys: (&str, &str)| {
        let get = |name: &str| {
            let pairs = tags.as_array().into_iter().flatten();
            pairs.clone().find(|t| t[keys.0] == name).and_then(|t| t[keys.1].as_str()).map(str::to_owned)
        };
        if get("holdfast:stack").as_deref() == Some(stack) && get("holdfast:env").as_deref() == Some(env) {
            found.entry(get("holdfast:address").unwrap_or_default()).or_default().push(id.to_owned());
        }
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // What EC2 has, live or not: gateways that are deleted stay listed, and are no twins.
    let gone = ["deleted", "deleting"];
    for (operation, key, id) in [
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
        ("describe_flow_logs", "FlowLogs", "FlowLogId"),
    ] {
        for item in stage.outside.call("ec2", operation, Value::Null)?[key].as_array().into_iter().flatten() {
            if !item["State"].as_str().is_some_and(|state| gone.contains(&state)) {
                add(&text(&item[id]), &item["Tags"], ("Key", "Value"));
            }
        }
    }
    for role in
        stage.outside.call("iam", "get_account_authorization_details", json!({ "Filter": ["Role"] }))?["RoleDetailList"]
            .as_array()
            .into_iter()
            .flatten()
    {
        add(&text(&role["Arn"]), &role["Tags"], ("Key", "Value"));
    }
    for (operation, key, id) in [
        ("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        ("describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ] {
        for item in stage.outside.call("elbv2", operation, Value::Null)?[key].as_array().into_iter().flatten() {
            let arn = text(&item[id]);
            let tags = stage.outside.call("elbv2", "describe_tags", json!({ "ResourceArns": [arn] }))?;
            add(&arn, &tags["TagDescriptions"][0]["Tags"], ("Key", "Value"));
        }
    }
    Ok(found)
}

/// The addresses behind which more than one live resource stands.
///
/// # Errors
/// When the sandbox refuses.
pub fn twins(stage: &Stage, stack: &str, env: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    Ok(by_address(stage, stack, env)?.into_iter().filter(|(_, ids)| ids.len() > 1).collect())
}

/// The addresses behind which anything live stands.
///
/// # Errors
/// When the sandbox refuses.
pub fn owned(stage: &Stage, stack: &str, env: &str) -> anyhow::Result<Vec<String>> {
    Ok(by_address(stage, stack, env)?.into_keys().collect())
}
