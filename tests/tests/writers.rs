//! Several writers of one stack: two runs at the same time, and a run that is suspended for two lease times, with a
//! store in a folder and in S3.

use std::time::Duration;

use holdfast_tests::{Call, Effect, Inventory, Match, Rule, TestEnv};
use serde_json::{Value, json};

/// The bucket of the store.
const BUCKET: &str = "holdfast-state";

/// With these time-outs and the time scale of the tests, a lease lasts 9 s.
const CALL_TIMEOUT: &str = "1s";

const LIMIT: Duration = Duration::from_secs(90);

/// The kinds whose names AWS does not keep unique.
fn document(test_env: &TestEnv) -> String {
    let resources = json!({
        "Vpc/main": { "cidrBlock": "10.0.0.0/16" },
        "SecurityGroup/web": { "vpc": "main", "description": "web" },
        "InternetGateway/main": { "vpc": "main" },
        "ElasticIp/nat": {},
        "Key/main": {},
        "Subnet/a": { "vpc": "main", "cidrBlock": "10.0.1.0/24" },
    });
    test_env.stack("shop", &resources).expect("a document")
}

/// Both runs observe before either creates.
fn delay_creates(test_env: &TestEnv) {
    for operation in ["ec2.CreateVpc", "kms.CreateKey", "ec2.AllocateAddress"] {
        test_env.proxy.add_rule(Rule::new(Match::calls(operation), Effect::Delay(Duration::from_millis(700))));
    }
}

/// A store in a folder, or in a bucket that exists already.
fn store(test_env: &TestEnv, in_s3: bool) -> String {
    if in_s3 {
        test_env.out_of_band.call("s3", "create_bucket", json!({ "Bucket": BUCKET })).expect("a bucket");
        return format!("s3://{BUCKET}/state");
    }
    test_env.folder.path().join("store").to_string_lossy().into_owned()
}

fn inventory(test_env: &TestEnv) -> Inventory {
    test_env.sandbox.inventory().expect("an inventory")
}

/// Checks that the account has gained each resource of the document once, and that the next plan is empty.
fn check_one_of_each(test_env: &TestEnv, before: &Inventory, path: &str, store: &str) {
    let gained = inventory(test_env).since(before).counts();
    for kind in ["Vpc", "SecurityGroup", "InternetGateway", "ElasticIp", "Key", "Subnet"] {
        assert_eq!(gained.get(kind), Some(&1), "{kind}: {gained:?}");
    }
    let plan = test_env.run("plan", path, "test", &["--store", store]).expect("plan");
    assert_eq!(plan.code, 0, "{plan}");
}

#[test]
fn of_two_runs_with_one_store_one_creates_everything_and_the_other_names_it() {
    for in_s3 in [false, true] {
        let test_env = TestEnv::start().expect("a test environment");
        let (path, store) = (document(&test_env), store(&test_env, in_s3));
        let before = inventory(&test_env);
        delay_creates(&test_env);
        let arguments = ["reconcile", &path, "-e", "test", "--once", "--store", &store];
        let holdfast = test_env.holdfast().set("HOLDFAST_RUN_ID", "nightly-7");
        let runs = [0, 1].map(|_| holdfast.spawn(arguments).expect("a run"));
        let mut runs = runs.map(|run| run.wait(LIMIT).expect("an end"));
        runs.sort_by_key(|run| run.code);
        let [done, refused] = runs;
        assert_eq!((done.code, refused.code), (0, 1), "{done}\n{refused}");
        for part in [
            "another run is writing to shop/test: the lease is held by `holdfast reconcile --once` (process ",
            "run nightly-7) since 20",
            "nothing was changed; wait for it with `--lock-timeout 10m`",
            &format!("`holdfast unlock shop/test --confirm shop/test --store {store}`"),
        ] {
            assert!(refused.stderr.contains(part), "{part}: {refused}");
        }
        check_one_of_each(&test_env, &before, &path, &store);
        // The lease is free again.
        test_env.run("reconcile", &path, "test", &["--once", "--store", &store]).expect("reconcile").expect(0);
        let unlock = ["unlock", "shop/test", "--confirm", "shop/test", "--store", &store];
        let unlocked = test_env.holdfast().run(unlock).expect("unlock").expect(0);
        assert!(unlocked.stdout.contains("no run held it"), "{unlocked}");
    }
}

#[test]
fn a_run_with_a_lock_timeout_waits_for_the_other_run() {
    let test_env = TestEnv::start().expect("a test environment");
    let (path, store) = (document(&test_env), store(&test_env, true));
    let before = inventory(&test_env);
    delay_creates(&test_env);
    let arguments = ["reconcile", &path, "-e", "test", "--once", "--store", &store, "--lock-timeout", "60s"];
    let runs = [0, 1].map(|_| test_env.holdfast().spawn(arguments).expect("a run"));
    let runs = runs.map(|run| run.wait(LIMIT).expect("an end").expect(0));
    let waits = |run: &holdfast_tests::Run| run.stderr.matches("waiting for the lease, which is held by").count();
    assert_eq!(runs.iter().map(waits).sum::<usize>(), 1, "{}\n{}", runs[0], runs[1]);
    check_one_of_each(&test_env, &before, &path, &store);
}

/// True when CreateVpc is the only call on its way: a suspended run sends a call that it has begun once it continues.
fn only_create_vpc(calls: &[Call]) -> bool {
    let is_on_its_way = |call: &&Call| call.duration.is_none();
    calls.iter().any(|call| call.operation == "CreateKey")
        && calls.iter().filter(is_on_its_way).map(|call| &*call.operation).eq(["CreateVpc"])
}

/// The record of the proxy has the fencing number of each mutating call: the first run makes no call once the second
/// has made one, although it continues.
#[test]
fn a_run_that_is_suspended_for_two_lease_times_makes_no_call_when_it_continues() {
    let test_env = TestEnv::start().expect("a test environment");
    let (path, store) = (document(&test_env), store(&test_env, true));
    let before = inventory(&test_env);
    let holdfast = test_env.holdfast().set("HOLDFAST_CALL_TIMEOUT", CALL_TIMEOUT);
    let arguments = ["reconcile", &path, "-e", "test", "--once", "--store", &store];
    let slow =
        test_env.proxy.add_rule(Rule::new(Match::calls("ec2.CreateVpc"), Effect::Delay(Duration::from_millis(1500))));
    let first = holdfast.spawn(arguments).expect("a run");
    test_env.proxy.wait_until(LIMIT, only_create_vpc).expect("a call");
    first.suspend().expect("a signal");
    test_env.proxy.remove_rule(slow);
    let second = holdfast.spawn(arguments.iter().copied().chain(["--lock-timeout", "60s"])).expect("a run");
    second.wait_for("waiting for the lease", LIMIT).expect("the lease is held");
    second.wait(LIMIT).expect("an end").expect(0);
    std::thread::sleep(Duration::from_secs(9));
    first.resume().expect("a signal");
    let first = first.wait(LIMIT).expect("an end").expect(1);
    assert!(first.stderr.contains("this run lost the lease and stopped before its next change"), "{first}");

    let calls = test_env.proxy.mutating();
    let fences: Vec<u64> = calls.iter().filter_map(|call| call.fence).collect();
    assert!(fences.contains(&1) && fences.contains(&2), "both runs made calls: {fences:?}");
    assert!(fences.is_sorted(), "no call of the first run comes after one of the second: {fences:?}");
    let unfenced = calls.iter().filter(|call| call.fence.is_none() && !call.line.contains(BUCKET));
    assert_eq!(unfenced.map(Call::name).collect::<Vec<_>>(), Vec::<String>::new());
    check_one_of_each(&test_env, &before, &path, &store);
}

#[test]
fn a_lease_that_a_suspended_run_holds_is_freed_by_unlock() {
    let test_env = TestEnv::start().expect("a test environment");
    let (path, store) = (document(&test_env), store(&test_env, false));
    let before = inventory(&test_env);
    let arguments = ["reconcile", &path, "-e", "test", "--once", "--store", &store];
    test_env.proxy.add_rule(Rule::new(Match::calls("ec2.CreateVpc"), Effect::Delay(Duration::from_millis(1500))));
    let first = test_env.holdfast().spawn(arguments).expect("a run");
    test_env.proxy.wait_until(LIMIT, only_create_vpc).expect("a call");
    first.suspend().expect("a signal");
    // The call takes effect although its sender is suspended.
    let has_ended = |call: &Call| call.operation == "CreateVpc" && call.duration.is_some();
    test_env.proxy.wait_until(LIMIT, |calls| calls.iter().any(has_ended)).expect("an effect");
    test_env.holdfast().run(arguments).expect("reconcile").expect(1);
    let unlock = |confirm: &[&str]| {
        let arguments = ["unlock", "shop/test", "--store", &store].into_iter().chain(confirm.iter().copied());
        test_env.holdfast().run(arguments).expect("unlock")
    };
    assert!(unlock(&[]).expect(1).stderr.contains("confirm with `--confirm shop/test`"));
    let freed = unlock(&["--confirm", "shop/test"]).expect(0);
    assert!(
        freed.stdout.contains(&format!("held by `holdfast reconcile --once` (process {} on", first.pid())),
        "{freed}"
    );
    test_env.holdfast().run(arguments).expect("reconcile").expect(0);
    first.resume().expect("a signal");
    let first = first.wait(LIMIT).expect("an end").expect(1);
    assert!(first.stderr.contains("this run lost the lease"), "{first}");
    check_one_of_each(&test_env, &before, &path, &store);
    let unknown = test_env.holdfast().run(["unlock", "other/test", "--confirm", "other/test", "--store", &store]);
    assert!(unknown.expect("unlock").expect(1).stderr.contains("has no lease of other/test"));
}

#[test]
fn the_store_that_the_environment_names_is_encrypted_and_keeps_the_history() {
    let test_env = TestEnv::start().expect("a test environment");
    let store = store(&test_env, true);
    let path = test_env.stack("shop", &json!({ "Queue/work": {}, "LogGroup/app": {} })).expect("a document");
    let environment = json!({
        "apiVersion": "holdfast/v1",
        "kind": "Environment",
        "metadata": { "name": "test" },
        "spec": { "stack": "shop", "target": { "account": "123456789012" }, "store": store },
    });
    test_env.write("shop/environments/test.yaml", &environment.to_string()).expect("an environment");
    let holdfast = test_env.holdfast().set("HOLDFAST_STORE", "");
    let run = |command: &str, more: &[&str]| {
        let arguments = [command, &path, "-e", "test"].into_iter().chain(more.iter().copied());
        holdfast.run(arguments).expect(command)
    };
    run("reconcile", &["--once"]).expect(0);
    let object = |name: &str| {
        let key = format!("state/123456789012/shop.test{name}.json");
        test_env.out_of_band.call("s3", "head_object", json!({ "Bucket": BUCKET, "Key": key })).expect("an object")
    };
    for name in ["", ".lease"] {
        assert_eq!(object(name)["ServerSideEncryption"], "AES256", "{name}");
    }
    // The passes after the first remove its intents, once their consistency windows are over. A pass without changes does
    // not write the history again.
    let rests = (0..5).any(|_| {
        let before = object("")["ETag"].clone();
        run("reconcile", &["--once"]).expect(0);
        object("")["ETag"] == before
    });
    assert!(rests, "each pass writes the history again");
    // A resource that is deleted out of band counts as missing, because the history has it.
    test_env
        .out_of_band
        .call("logs", "delete_log_group", json!({ "logGroupName": "/shop-test-app" }))
        .expect("a change");
    let plan: Value = run("plan", &["-o", "json"]).expect(2).json().expect("JSON");
    assert_eq!(plan["steps"][0]["cause"], "missing", "{plan}");
    // A bucket that does not exist is an error that names it, and nothing is changed.
    let error = run("reconcile", &["--once", "--store", "s3://no-such-bucket/a"]).expect(1);
    assert!(
        error.stderr.contains("s3://no-such-bucket/a/123456789012/shop.test.lease.json: the bucket does not"),
        "{error}"
    );
}
