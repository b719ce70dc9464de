//! The sandbox, the proxy and the second client, together.

use holdfast_tests::{Effect, Match, OutOfBand, Proxy, Refused, Rule, Sandbox};
use serde_json::{Value, json};

#[test]
fn calls_reach_the_sandbox_and_are_counted_on_the_way() {
    let (sandbox, proxy) = Sandbox::with_proxy().expect("a sandbox and a proxy");
    let out_of_band = OutOfBand::of(&sandbox);
    let client = OutOfBand::with(&proxy.env());

    let caller = client.call("sts", "get_caller_identity", Value::Null).expect("an identity");
    assert_eq!(caller["Account"], "123456789012");
    assert_eq!(proxy.counts_by_operation(), [("sts.GetCallerIdentity".to_owned(), 1)].into());
    assert!(proxy.mutating().is_empty());

    // One call of each protocol. The service has its signing name.
    client.call("ec2", "create_vpc", json!({ "CidrBlock": "10.0.0.0/16" })).expect("a VPC");
    client.call("ecs", "create_cluster", json!({ "clusterName": "main" })).expect("a cluster");
    let zone = json!({ "Name": "example.org", "CallerReference": "one" });
    client.call_in("us-east-1", "route53", "create_hosted_zone", zone).expect("a zone");
    client.call("s3", "list_buckets", Value::Null).expect("buckets");
    let names: Vec<String> = proxy.counts_by_operation().into_keys().collect();
    let expected = [
        "ec2.CreateVpc",
        "ecs.CreateCluster",
        "route53.POST /2013-04-01/hostedzone",
        "s3.GET /",
        "sts.GetCallerIdentity",
    ];
    assert_eq!(names, expected, "\n{}", proxy.table());
    assert_eq!(proxy.mutating().len(), 3);

    // The second client sees the same account, and the proxy does not count its calls.
    let count = proxy.count();
    let clusters = out_of_band.call("ecs", "list_clusters", Value::Null).expect("clusters");
    assert_eq!(clusters["clusterArns"].as_array().map(Vec::len), Some(1));
    assert_eq!(proxy.count(), count);

    sandbox.reset().expect("an empty sandbox");
    let clusters = out_of_band.call("ecs", "list_clusters", Value::Null).expect("clusters");
    assert_eq!(clusters["clusterArns"], json!([]));
}

#[test]
fn real_clients_parse_the_injected_errors() {
    let sandbox = Sandbox::start().expect("a sandbox");
    let proxy = Proxy::start(sandbox.endpoint()).expect("a proxy");
    let client = OutOfBand::with(&proxy.env());
    let rejected = |service: &str, operation: &str, parameters: Value| {
        let error = client.call(service, operation, parameters).expect_err("a rejection");
        error.downcast_ref::<Refused>().map_or(format!("{error:#}"), |error| error.code.clone())
    };
    proxy.add_rule(Rule::new(Match::all(), Effect::Throttle));
    for (service, operation, code) in [
        ("ec2", "describe_vpcs", "RequestLimitExceeded"),
        ("iam", "list_roles", "Throttling"),
        ("ecs", "list_clusters", "ThrottlingException"),
        ("cloudwatch", "describe_alarms", "ThrottlingException"),
        ("route53", "list_hosted_zones", "Throttling"),
        ("s3", "list_buckets", "SlowDown"),
    ] {
        assert_eq!(rejected(service, operation, Value::Null), code, "{service}");
    }

    // A create whose connection is cut before the effect creates nothing. If only the reply is lost, the cluster
    // exists.
    proxy.clear_rules();
    proxy.add_rule(Rule::new(Match::calls("ecs.CreateCluster").only(1), Effect::Cut));
    proxy.add_rule(Rule::new(Match::calls("ecs.CreateCluster").only(2), Effect::CutAfter));
    let clusters = || client.call("ecs", "list_clusters", Value::Null).expect("clusters")["clusterArns"].clone();
    let create = || rejected("ecs", "create_cluster", json!({ "clusterName": "main" }));
    assert_eq!(create(), "ConnectionClosedError");
    assert_eq!(clusters(), json!([]));
    assert_eq!(create(), "ConnectionClosedError");
    assert_eq!(clusters().as_array().map(Vec::len), Some(1));
}

#[test]
fn settings_are_accepted_and_unknown_ones_rejected() {
    let sandbox = Sandbox::start().expect("a sandbox");
    let settings = sandbox.settings(&json!({ "imagePull": "strict" })).expect("settings");
    assert_eq!(settings["imagePull"], "strict");
    let error = sandbox.settings(&json!({ "no such setting": 1 })).expect_err("unknown");
    assert!(error.to_string().contains("no such setting"), "{error}");
}

#[test]
fn a_sandbox_that_does_not_start_reports_the_cause() {
    let env = [("PYTHONHOME".to_owned(), "/nowhere".to_owned())].into();
    let error = Sandbox::start_with(&env).expect_err("no Python").to_string();
    assert!(error.contains("ended before it listened") && error.contains("/nowhere"), "{error}");
}
