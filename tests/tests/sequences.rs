//! Edits that AWS accepts only in one order of calls, and deletions that respect references and protections.

use holdfast_tests::{Run, TestEnv};
use serde_json::{Value, json};

/// A stack in an account of its own.
struct StackCase {
    test_env: TestEnv,
    path: String,
}

impl StackCase {
    /// Creates the resources.
    fn of(resources: &Value) -> StackCase {
        let test_env = TestEnv::start().expect("a test environment");
        let path = test_env.stack("shop", resources).expect("a stack");
        let case = StackCase { test_env, path };
        case.converges();
        case
    }

    fn run(&self, command: &str, more: &[&str]) -> Run {
        self.test_env.run(command, &self.path, "test", more).expect("a run")
    }

    fn converges(&self) {
        self.run("reconcile", &["--once"]).expect(0);
        self.run("plan", &[]).expect(0);
    }

    /// Applies an edit of the document, which converges without a refused call.
    fn edit(&self, resources: &Value) {
        self.test_env.stack("shop", resources).expect("a stack");
        self.test_env.proxy.clear();
        self.converges();
        assert_eq!(self.refused(), Vec::<String>::new());
    }

    fn destroy(&self) -> Run {
        self.test_env.proxy.clear();
        self.run("destroy", &["--confirm", "shop/test"])
    }

    /// Returns the mutating calls that AWS refused.
    fn refused(&self) -> Vec<String> {
        let mutating = self.test_env.proxy.mutating();
        let refused = mutating.into_iter().filter(|call| call.status.is_some_and(|status| status >= 400));
        refused.map(|call| call.operation).collect()
    }

    fn sent(&self, operation: &str) -> usize {
        self.test_env
            .proxy
            .counts_by_operation()
            .into_iter()
            .filter(|(of, _)| of.ends_with(operation))
            .map(|(_, n)| n)
            .sum()
    }

    fn call(&self, service: &str, operation: &str, parameters: Value) -> Value {
        self.test_env.out_of_band.call(service, operation, parameters).expect("a call")
    }
}

/// Returns the value with another value at a field of a resource; null removes the field.
fn with(resources: &Value, address: &str, fields: &Value) -> Value {
    let mut resources = resources.clone();
    for (field, value) in fields.as_object().expect("fields") {
        resources[address][field] = value.clone();
    }
    resources
}

fn database(more: &Value) -> Value {
    let resources = json!({
        "Secret/db": { "generate": { "length": 32, "excludePunctuation": true } },
        "DbInstance/main": {
            "engine": "postgres", "engineVersion": "16", "dbInstanceClass": "db.t4g.micro", "allocatedStorage": 100,
            "masterUsername": "shop", "masterUserPassword": "db",
        },
    });
    with(&resources, "DbInstance/main", more)
}

fn policy() -> Value {
    let statement = json!([{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }]);
    json!({ "Version": "2012-10-17", "Statement": statement })
}

fn role(more: &Value) -> Value {
    let trusted =
        json!({ "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole" });
    let role = json!({ "r": { "assumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [trusted] } } });
    with(&role, "r", more)["r"].clone()
}

#[test]
fn a_subscription_gets_its_filter_and_its_scope_in_the_order_that_sns_accepts() {
    let subscription = |more: &Value| {
        let resources = json!({
            "Topic/t": {}, "Queue/q": {}, "Queue/dead": {},
            "Subscription/s": { "topic": "t", "protocol": "sqs", "endpoint": "${Queue.q.arn}" },
        });
        with(&resources, "Subscription/s", more)
    };
    let flat = json!({ "filterPolicyScope": "MessageAttributes", "filterPolicy": { "kind": ["a"] } });
    let nested = json!({ "filterPolicyScope": "MessageBody", "filterPolicy": { "detail": { "kind": ["a"] } } });
    let case = StackCase::of(&subscription(&flat));
    case.edit(&subscription(&nested));
    case.edit(&subscription(&flat));
    case.edit(&subscription(&json!({ "redrivePolicy": { "deadLetterTargetArn": "${Queue.dead.arn}" } })));
    case.edit(&subscription(&json!({ "redrivePolicy": null })));
}

#[test]
fn another_storage_type_gets_none_of_the_values_of_the_old_one() {
    let case = StackCase::of(&database(&json!({ "storageType": "io1", "iops": 4000 })));
    case.edit(&database(&json!({ "storageType": "gp3" })));
}

#[test]
fn a_change_of_a_stopped_database_is_held_at_once() {
    let case = StackCase::of(&database(&json!({ "storageType": "gp3" })));
    case.call("rds", "stop_db_instance", json!({ "DBInstanceIdentifier": "shop-test-main" }));
    case.run("plan", &[]).expect(0);
    let edited = database(&json!({ "storageType": "gp3", "backupRetentionPeriod": 3 }));
    case.test_env.stack("shop", &edited).expect("a stack");
    case.test_env.proxy.clear();
    let run = case.run("reconcile", &["--once", "--wait", "10m"]).expect(2);
    assert!(run.stdout.contains("Stopped: shop-test-main is stopped"), "{run}");
    assert_eq!(case.sent("ModifyDBInstance"), 0);
    case.call("rds", "start_db_instance", json!({ "DBInstanceIdentifier": "shop-test-main" }));
    case.converges();
}

#[test]
fn an_upgrade_waits_for_the_held_replacement_of_its_parameter_group() {
    let resources = |family: &str, more: &Value| {
        let mut resources = database(more);
        resources["DbParameterGroup/pg"] = json!({ "dbParameterGroupFamily": family });
        with(&resources, "DbInstance/main", &json!({ "storageType": "gp3", "dbParameterGroup": "pg" }))
    };
    let case = StackCase::of(&resources("postgres16", &json!({})));
    let upgrade = json!({ "engineVersion": "17", "allowMajorVersionUpgrade": true });
    case.test_env.stack("shop", &resources("postgres17", &upgrade)).expect("a stack");
    case.test_env.proxy.clear();
    case.run("reconcile", &["--once"]).expect(2);
    assert_eq!(case.sent("ModifyDBInstance"), 0);
    case.run("reconcile", &["--once", "--allow-replace", "DbParameterGroup/pg"]).expect(0);
    assert_eq!(case.refused(), Vec::<String>::new());
}

#[test]
fn a_daemon_service_is_created_with_a_circuit_breaker() {
    let breaker = json!({ "deploymentCircuitBreaker": { "enable": true, "rollback": true } });
    StackCase::of(&json!({
        "Cluster/main": {},
        "TaskDefinition/agent": {
            "networkMode": "bridge", "requiresCompatibilities": ["EC2"],
            "containerDefinitions": [{ "name": "agent", "image": "app:1", "memory": 128 }],
        },
        "Service/agent": {
            "cluster": "main", "taskDefinition": "agent", "launchType": "EC2", "schedulingStrategy": "DAEMON",
            "deploymentConfiguration": breaker,
        },
    }));
}

#[test]
fn a_record_set_without_a_set_identifier_has_no_routing_policy() {
    let resources = |more: &Value| {
        let record = json!({ "zone": "main", "recordName": "app.example.com", "type": "A", "records": ["192.0.2.1"] });
        let resources = json!({ "HostedZone/main": { "name": "example.com" }, "RecordSet/app": record });
        with(&resources, "RecordSet/app", more)
    };
    let case = StackCase::of(&resources(&json!({ "setIdentifier": "blue", "weight": 0 })));
    case.edit(&resources(&json!({})));
    let zones = case.call("route53", "list_hosted_zones", json!({}));
    let zone = zones["HostedZones"][0]["Id"].as_str().expect("a zone");
    let records = case.call("route53", "list_resource_record_sets", json!({ "HostedZoneId": zone }));
    assert!(!records.to_string().contains("SetIdentifier"), "{records}");
}

#[test]
fn a_policy_is_deleted_after_its_role_and_kept_with_a_protected_one() {
    let resources = |more: &Value| {
        let role = role(&json!({ "managedPolicies": ["${Policy.p.arn}"] }));
        let resources = json!({ "Policy/p": { "policyDocument": policy() }, "Role/r": role });
        with(&resources, "Role/r", more)
    };
    let case = StackCase::of(&resources(&json!({ "lifecycle": { "protect": true } })));
    case.destroy().expect(2);
    assert_eq!((case.sent("DeletePolicy"), case.sent("DeleteRole")), (0, 0));
    case.edit(&resources(&json!({})));
    case.destroy().expect(0);
    assert_eq!(case.refused(), Vec::<String>::new());
}

#[test]
fn a_load_balancer_that_aws_protects_keeps_its_listeners() {
    let resources = |protected: bool| {
        let fixed = json!([{ "type": "fixed-response", "fixedResponseConfig": { "statusCode": "404" } }]);
        json!({
            "Vpc/main": { "cidrBlock": "10.0.0.0/16" },
            "Subnet/a": { "vpc": "main", "cidrBlock": "10.0.1.0/24", "availabilityZone": "us-east-1a" },
            "Subnet/b": { "vpc": "main", "cidrBlock": "10.0.2.0/24", "availabilityZone": "us-east-1b" },
            "LoadBalancer/web": {
                "scheme": "internal", "subnets": ["a", "b"], "attributes": { "deletionProtectionEnabled": protected },
            },
            "Listener/http": { "loadBalancer": "web", "port": 80, "protocol": "HTTP", "defaultActions": fixed },
            "Queue/free": {},
        })
    };
    let case = StackCase::of(&resources(true));
    let run = case.destroy().expect(2);
    assert!(run.stdout.contains("turn off its `attributes.deletionProtectionEnabled`"), "{run}");
    assert_eq!((case.sent("DeleteListener"), case.sent("DeleteLoadBalancer"), case.sent("DeleteQueue")), (0, 0, 1));
    case.edit(&resources(false));
    case.destroy().expect(0);
}
