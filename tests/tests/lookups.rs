//! A lookup by name makes the list calls and at most one detail call of each kind, whatever foreign resources exist.

use holdfast_tests::TestEnv;
use serde_json::{Value, json};

/// The number of foreign resources of each kind.
const FOREIGN: usize = 100;

/// The kinds, with the call that creates a foreign resource, the parameter for its name, and the other parameters.
fn kinds() -> [(&'static str, &'static str, &'static str, &'static str, Value); 4] {
    [
        ("Repository", "ecr", "create_repository", "repositoryName", json!({})),
        ("LogGroup", "logs", "create_log_group", "logGroupName", json!({})),
        ("BackupVault", "backup", "create_backup_vault", "BackupVaultName", json!({})),
        ("InstanceProfile", "iam", "create_instance_profile", "InstanceProfileName", json!({})),
    ]
}

#[test]
fn a_lookup_by_name_asks_for_the_details_of_one_resource() {
    let test_env = TestEnv::start().expect("a test environment");
    for (kind, service, operation, name, more) in kinds() {
        for i in 0..FOREIGN {
            let mut parameters = more.clone();
            parameters[name] = json!(format!("foreign-{i}"));
            test_env.out_of_band.call(service, operation, parameters).expect(kind);
        }
    }
    for (kind, ..) in kinds() {
        let looked_up = json!({ "name": "foreign-42", "lifecycle": { "manage": "observe" } });
        let path =
            test_env.stack(&format!("lookup-{}", kind.to_lowercase()), &json!({ format!("{kind}/x"): looked_up }));
        let path = path.expect("a stack");
        test_env.proxy.clear();
        let run = test_env.run("get", &path, "test", &["-o", "json"]).expect("get").expect(0);
        let found = run.json().expect("JSON");
        assert_eq!(found[0]["address"], format!("{kind}/x"), "{run}");
        let counts = test_env.proxy.counts_by_operation();
        println!("{kind}: {counts:?}");
        for (operation, count) in counts {
            let is_list =
                ["Describe", "List"].iter().any(|verb| operation.contains(verb)) && !operation.contains("Tags");
            let limit = if is_list { FOREIGN.div_ceil(50) } else { 1 };
            assert!(count <= limit, "{kind}: {count} calls of {operation}\n{}", test_env.proxy.table());
        }
    }
}
