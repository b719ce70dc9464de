//! Resources that exist before Holdfast runs: certificates that a document looks up, and foreign resources.

use serde_json::{Value, json};

use crate::TestEnv;

/// Requests a certificate for a domain in the main region, and validates it with the DNS record that ACM asks for.
///
/// # Errors
/// Returns an error when the sandbox rejects a call or does not issue the certificate.
pub fn issued_certificate(test_env: &TestEnv, domain: &str) -> anyhow::Result<()> {
    issued_certificate_in(test_env, crate::REGION, domain)
}

/// Requests and validates a certificate in the given region.
///
/// # Errors
/// Returns an error when the sandbox rejects a call or does not issue the certificate.
pub fn issued_certificate_in(test_env: &TestEnv, region: &str, domain: &str) -> anyhow::Result<()> {
    let call = |service: &str, operation: &str, parameters: Value| {
        test_env.out_of_band.call_in(region, service, operation, parameters)
    };
    let requested = call("acm", "request_certificate", json!({ "DomainName": domain, "ValidationMethod": "DNS" }))?;
    let arn = json!({ "CertificateArn": requested["CertificateArn"] });
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
    anyhow::ensure!(status == "ISSUED", "the sandbox did not issue the certificate: its status is {status}");
    Ok(())
}

/// The operations that list foreign resources too. More foreign resources cause more pages of these operations, and no
/// other calls.
pub const LIST_OPERATIONS: &[&str] = &[
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

/// Creates `count` foreign resources of each kind that Holdfast lists completely, and fewer of the kinds that the
/// sandbox creates slowly.
///
/// # Errors
/// Returns an error when the sandbox rejects a call.
pub fn many_foreign_resources(test_env: &TestEnv, count: usize) -> anyhow::Result<()> {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let call =
        |service: &str, operation: &str, parameters: Value| test_env.out_of_band.call(service, operation, parameters);
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
            // At most fifty clusters, so that one list call and one describe call suffice.
            foreign_service(test_env, &format!("foreign-{}", i % 500), &name, &subnets)?;
        }
    }
    Ok(())
}

/// Creates a foreign ECS service with its cluster and its scalable target.
fn foreign_service(test_env: &TestEnv, cluster: &str, name: &str, subnets: &[Value]) -> anyhow::Result<()> {
    let call =
        |service: &str, operation: &str, parameters: Value| test_env.out_of_band.call(service, operation, parameters);
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

/// Creates foreign resources of many kinds, and returns their ids. Some have the same `Name` tag as a resource of the
/// document.
///
/// # Errors
/// Returns an error when the sandbox rejects a call.
pub fn foreign_resources(test_env: &TestEnv, count: usize) -> anyhow::Result<Vec<String>> {
    let mut ids = vec![];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for i in 0..count / 8 {
        let tag = [
            "mashroom-staging-network-main",
            "mashroom-staging-network-public-a",
            "mashroom-staging-web-alb",
            "foreign",
        ][i % 4];
        let named = |of: &str| json!([{ "ResourceType": of, "Tags": [{ "Key": "Name", "Value": tag }] }]);
        let call = |service: &str, operation: &str, parameters: Value| {
            test_env.out_of_band.call(service, operation, parameters)
        };
        let vpc = call("ec2", "create_vpc", json!({ "CidrBlock": "10.0.0.0/16", "TagSpecifications": named("vpc") }))?;
        let vpc = text(&vpc["Vpc"]["VpcId"]);
        let subnet = json!({ "VpcId": vpc, "CidrBlock": "10.0.1.0/24", "TagSpecifications": named("subnet") });
        ids.push(text(&call("ec2", "create_subnet", subnet)?["Subnet"]["SubnetId"]));
        let group = json!({ "VpcId": vpc, "GroupName": tag, "Description": "foreign" });
        ids.push(text(&call("ec2", "create_security_group", group)?["GroupId"]));
        ids.push(text(&call("ec2", "create_route_table", json!({ "VpcId": vpc }))?["RouteTable"]["RouteTableId"]));
        let gateway = json!({ "TagSpecifications": named("internet-gateway") });
        ids.push(text(&call("ec2", "create_internet_gateway", gateway)?["InternetGateway"]["InternetGatewayId"]));
        ids.push(text(&call("ec2", "allocate_address", json!({ "Domain": "vpc" }))?["AllocationId"]));
        // A foreign resource with the same unique name would hold ours. These names only have the same prefix.
        let name = format!("mashroom-staging-neighbour-{i}");
        call("logs", "create_log_group", json!({ "logGroupName": format!("/{name}") }))?;
        call("ecs", "create_cluster", json!({ "clusterName": name }))?;
        ids.extend([vpc, name]);
    }
    Ok(ids)
}

/// Returns the descriptions of these resources, one per line, to detect changes of them.
///
/// # Errors
/// Returns an error when the sandbox rejects a call.
pub fn snapshot(test_env: &TestEnv, ids: &[String]) -> anyhow::Result<Vec<String>> {
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
        for item in test_env.out_of_band.call(service, operation, Value::Null)?[key].as_array().into_iter().flatten() {
            let line = item.to_string();
            if ids.iter().any(|id| line.contains(id)) {
                lines.push(line);
            }
        }
    }
    lines.sort();
    Ok(lines)
}
