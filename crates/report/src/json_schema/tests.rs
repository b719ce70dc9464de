//! The JSON Schema accepts valid documents and refuses invalid ones.

use serde_json::json;

use super::alternatives;
use crate::tests::kinds::REGISTRY;
use holdfast_core::schema::Type;
use holdfast_core::value::Value;

/// Returns the paths at which the schema refuses a document of that kind with that spec.
fn refused(kind: &str, spec: serde_json::Value) -> Vec<String> {
    let schema = super::schema(&REGISTRY);
    let validator = jsonschema::draft202012::new(&schema).expect("the generated schema is a valid JSON Schema");
    let document = json!({ "apiVersion": "holdfast/v1", "kind": kind, "metadata": { "name": "shop" }, "spec": spec });
    let mut paths: Vec<String> =
        validator.iter_errors(&document).map(|error| error.instance_path().to_string()).collect();
    paths.dedup();
    paths
}

const NOTHING: [&str; 0] = [];

#[test]
fn valid_documents_are_accepted() {
    let stack = json!({
        "regions": { "main": "us-east-1" },
        "tags": { "team": "shop" },
        "policy": { "prune": true, "drift": "warn", "maxDeletions": 3 },
        "parameters": { "count": { "type": "integer", "default": 2, "allowed": [1, 2] } },
        "components": { "network": { "from": "../lib/network.yaml", "with": { "x": [1] }, "when": "${params.count > 1}", "forEach": ["a"] } },
        "resources": {
            "Vpc/main": { "cidrBlock": "10.0.0.0/16", "instanceTenancy": null, "enableDnsHostnames": "${true}", "tags": {} },
            "Vpc/old": { "lifecycle": { "manage": "observe" }, "id": "vpc-1" },
            "SecurityGroup/web": {
                "vpc": { "id": "vpc-1" },
                "ingress": [{ "ipProtocol": "tcp", "fromPort": "${params.count}", "securityGroup": "web" }],
                "name": "web", "region": "main", "when": false, "dependsOn": ["Vpc/main"],
                "lifecycle": { "ignore": ["ingress"], "onDelete": "retain", "replace": "allow", "protect": true },
            },
            "SecurityGroup/b": { "vpc": { "stack": "x", "name": "y" } },
            "Role/r": { "assumeRolePolicyDocument": { "Statement": [] }, "policies": { "a": "{}", "b": {} } },
            "Service/s": { "subnets": ["a-*"], "environment": { "A": "a", "B": null }, "role": { "arn": "arn:…" }, "cpu": 1.5,
                // The expression is longer than a name may be; its value is not.
                "name": "${params.first}-${params.second}-${params.third}" },
        },
    });
    assert_eq!(refused("Stack", stack), NOTHING);
    let environment = json!({
        "stack": "shop",
        "target": { "account": "123456789012", "region": "us-east-1" },
        "parameters": { "count": 1 },
        "patches": { "Service/s": { "desiredCount": 3, "lifecycle": { "protect": true } }, "Vpc/network.main": { "when": false } },
    });
    assert_eq!(refused("Environment", environment), NOTHING);
    assert_eq!(
        refused("Component", json!({ "parameters": {}, "resources": { "Vpc/main": { "cidrBlock": "${params.x}" } } })),
        NOTHING
    );
}

#[test]
fn invalid_documents_are_refused() {
    assert_eq!(refused("Stack", json!({ "resource": {} })), ["/spec"]);
    assert_eq!(refused("Stack", json!({ "resources": { "Vcp/main": {} } })), ["/spec/resources"]);
    assert_eq!(refused("Stack", json!({ "resources": { "Vpc/main": {} } })), ["/spec/resources/Vpc~1main"]);
    assert_eq!(
        refused("Stack", json!({ "resources": { "Vpc/main": { "cidrBlock": "x", "cidr": 1 } } })),
        ["/spec/resources/Vpc~1main"]
    );
    let service = |field: serde_json::Value| json!({ "resources": { "Service/s": field } });
    assert_eq!(refused("Stack", service(json!({ "subnets": "a" }))), ["/spec/resources/Service~1s/subnets"]);
    assert_eq!(
        refused("Stack", service(json!({ "subnets": [], "desiredCount": "two" }))),
        ["/spec/resources/Service~1s/desiredCount"]
    );
    assert_eq!(
        refused("Stack", service(json!({ "subnets": [], "lifecycle": { "replace": true } }))),
        ["/spec/resources/Service~1s/lifecycle/replace"]
    );
    assert_eq!(
        refused("Stack", service(json!({ "subnets": [], "name": "a-name-that-is-much-too-long-for-a-service" }))),
        ["/spec/resources/Service~1s/name"]
    );
    assert_eq!(refused("Environment", json!({ "patches": {} })), ["/spec"]);
    assert_eq!(
        refused("Stack", json!({ "resources": { "Subscription/s": { "endpoint": "x", "tags": {} } } })),
        ["/spec/resources/Subscription~1s"]
    );
    assert_eq!(refused("Pod", json!({})), ["/kind"]);
}

#[test]
fn a_canonical_type_accepts_the_json_types_of_its_function() {
    let number = |value: &Value| match value {
        Value::Integer(_) | Value::Text(_) => Ok(value.clone()),
        other => Err(format!("`{other}` is not a protocol")),
    };
    let types = |canonical| alternatives(&Type::Canonical { name: "", canonical }, &[])[0]["type"].clone();
    assert_eq!(types(number), json!(["string", "integer"]));
    assert_eq!(types(holdfast_core::canonical::cidr), json!("string"));
    assert_eq!(types(holdfast_core::canonical::policy), json!(["string", "object"]));
    assert_eq!(types(holdfast_core::canonical::json), json!(["string", "object", "array"]));
}

#[test]
fn constraints_are_part_of_the_schema_and_expressions_are_accepted() {
    let subscription = |field: &str, value: serde_json::Value| {
        let spec = json!({ "resources": { "Subscription/s": { "endpoint": "x", field: value } } });
        refused("Stack", spec)
    };
    let accepted = [
        ("protocol", json!("sqs")),
        ("protocol", json!("${params.protocol}")),
        ("protocol", json!(null)),
        ("retries", json!(100)),
        ("retries", json!("${params.retries}")),
        ("topics", json!(["ab", "12"])),
        ("topics", json!(["${params.a_topic_with_a_long_name}"])),
        ("topics", json!("${params.topics}")),
        ("weights", json!({ "a": 1, "b": 2.5, "c": null })),
    ];
    for (field, value) in accepted {
        assert_eq!(subscription(field, value.clone()), NOTHING, "{field}: {value}");
    }
    let invalid = [
        ("protocol", json!("htps")),
        ("retries", json!(101)),
        ("retries", json!(-1)),
        ("topics", json!([])),
        ("topics", json!(["a", "b", "c"])),
        ("topics", json!(["Ab"])),
        ("topics", json!(["ab12"])),
        ("topics", json!(["abcdefghi"])),
        ("weights", json!({ "a": 0 })),
        ("weights", json!({ "a": 1, "b": 1, "c": 1, "d": 1 })),
    ];
    for (field, value) in invalid {
        let expected = format!("/spec/resources/Subscription~1s/{field}");
        assert_eq!(subscription(field, value.clone()), [expected], "{field}: {value}");
    }
    let schema = super::schema(&REGISTRY);
    let protocol = &schema["$defs"]["fields.Subscription"]["properties"]["protocol"];
    assert_eq!(protocol["default"], "https");
    assert_eq!(protocol["$comment"], "AWS's default. Holdfast does not send it.");
}
