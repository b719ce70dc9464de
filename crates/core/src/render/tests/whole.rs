//! Whole documents: files that are cut short, values that are empty by mistake, and conditions on several resources.

use expect_test::expect;

use super::kinds::RELATED;
use super::*;

fn check_related(spec: &str, expected: Expect) {
    let files = files(
        spec,
        "",
        &[("lib/a.yaml", "resources: { Service/b: { subnets: [] }, Vpc/b: { cidrBlock: 10.0.0.0/16 } }")],
    );
    expected.assert_eq(&show(&document(&files, &request(), &RELATED).map(|rendered| rendered.document)));
}

/// A stack whose component and environment matter: without either, resources leave the document.
const STACK: &str = "
parameters: { zones: { type: list, default: [] } }
components: { jobs: { from: ../lib/jobs.yaml } }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Subnet/a: { forEach: \"${params.zones}\", vpc: main, cidrBlock: 10.0.0.0/24, availabilityZone: \"${each.key}\" }
";

#[test]
fn a_file_that_is_cut_at_a_line_end_is_refused_where_the_cut_shows() {
    let whole = files(
        STACK,
        "parameters: { zones: [a] }",
        &[("lib/jobs.yaml", "resources:\n  Service/one:\n    subnets: []\n  Service/two:\n    subnets: []\n")],
    );
    let mut shown = String::new();
    for path in ["lib/jobs.yaml", "shop/environments/prod.yaml", "shop/stack.yaml"] {
        let lines: Vec<&str> = whole.0[path].lines().collect();
        for count in 0..lines.len() {
            let mut cut = whole.clone();
            cut.0.insert(path.to_owned(), lines[..count].iter().map(|line| format!("{line}\n")).collect());
            let result = render_files(&cut);
            let names = result.map(|document| document.resources.keys().map(ToString::to_string).collect::<Vec<_>>());
            let outcome = names.map_or_else(|errors| format!("{} errors", errors.len()), |names| names.join(" "));
            let _ = writeln!(shown, "{path} after `{}`: {outcome}", lines[..count].last().unwrap_or(&""));
        }
    }
    expect![[r#"
        lib/jobs.yaml after ``: 1 errors
        lib/jobs.yaml after `apiVersion: holdfast/v1`: 3 errors
        lib/jobs.yaml after `kind: Component`: 2 errors
        lib/jobs.yaml after `metadata: { name: jobs }`: 1 errors
        lib/jobs.yaml after `spec:`: 2 errors
        lib/jobs.yaml after `  resources:`: 2 errors
        lib/jobs.yaml after `    Service/one:`: 2 errors
        lib/jobs.yaml after `      subnets: []`: Service/jobs.one Subnet/a-a Vpc/main
        lib/jobs.yaml after `    Service/two:`: 2 errors
        shop/environments/prod.yaml after ``: 1 errors
        shop/environments/prod.yaml after `apiVersion: holdfast/v1`: 3 errors
        shop/environments/prod.yaml after `kind: Environment`: 2 errors
        shop/environments/prod.yaml after `metadata: { name: prod }`: 1 errors
        shop/environments/prod.yaml after `spec:`: 2 errors
        shop/environments/prod.yaml after `  stack: shop`: 1 errors
        shop/environments/prod.yaml after `  target: { account: "123456789012", region: eu-west-1 }`: Service/jobs.one Service/jobs.two Vpc/main
        shop/stack.yaml after ``: 1 errors
        shop/stack.yaml after `apiVersion: holdfast/v1`: 4 errors
        shop/stack.yaml after `kind: Stack`: 3 errors
        shop/stack.yaml after `metadata: { name: shop }`: 2 errors
        shop/stack.yaml after `spec:`: 2 errors
        shop/stack.yaml after `  `: 2 errors
        shop/stack.yaml after `  parameters: { zones: { type: list, default: [] } }`: 1 errors
        shop/stack.yaml after `  components: { jobs: { from: ../lib/jobs.yaml } }`: Service/jobs.one Service/jobs.two
        shop/stack.yaml after `  resources:`: 1 errors
        shop/stack.yaml after `    Vpc/main: { cidrBlock: 10.0.0.0/16 }`: Service/jobs.one Service/jobs.two Vpc/main
    "#]].assert_eq(&shown);
}

#[test]
fn a_file_without_a_line_end_at_its_end_is_noted() {
    let mut files = files("resources: { Vpc/main: { cidrBlock: 10.0.0.0/16 } }", "", &[]);
    assert_eq!(render_files(&files).unwrap().incomplete, None);
    let cut = files.0["shop/environments/prod.yaml"].trim_end().to_owned();
    files.0.insert("shop/environments/prod.yaml".to_owned(), cut);
    assert_eq!(render_files(&files).unwrap().incomplete.as_deref(), Some("shop/environments/prod.yaml"));
}

#[test]
fn values_that_are_empty_by_mistake_are_refused() {
    check_all(
        "
parameters: { extra: { type: boolean, default: false }, zones: { type: list, default: [{ zone: a }, { zone: b }] } }
components:
  one: { from: ../lib/one.yaml, when: }
  two: { from: ../lib/one.yaml, forEach: null }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Vpc/extra: { when: \"${params.extra}\", cidrBlock: 10.0.0.0/16 }
  Vpc/none: { when: null, cidrBlock: 10.0.0.0/16 }
  Vpc/each: { forEach: null, cidrBlock: 10.0.0.0/16 }
  Subnet/a: { forEach: \"${params.zones}\", vpc: main, cidrBlock: 10.0.0.0/24, availabilityZone: \"${each.value.zone}\" }
  Subnet/b: { forEach: [[a, b]], vpc: main, cidrBlock: 10.0.0.0/24, availabilityZone: a }
",
        "parameters: { extra: null }
patches:
  Vpc/main:
  Vpc/extra: { name: null, lifecycle:, instanceTenancy: null }",
        &[("lib/one.yaml", "resources: { Vpc/one: { cidrBlock: 10.0.0.0/16 } }")],
        expect![[r#"
            shop/environments/prod.yaml:9:5: the patch of `Vpc/main` is empty [state the fields that it changes, or remove the patch]
            shop/environments/prod.yaml:10:18: `name` is empty in the patch of `Vpc/extra` [state its value, or remove the line]
            shop/environments/prod.yaml:10:30: `lifecycle` is empty in the patch of `Vpc/extra` [state its value, or remove the line]
            shop/stack.yaml:8:39: `when` must be true or false, but this is null [write true or false, or remove the line; if the value is a parameter, give the parameter a value]
            shop/stack.yaml:9:44: `forEach` must be a list or a map, but this is null [write `[]` for no element, or remove `forEach` for a single resource]
            shop/stack.yaml:11:5: `Vpc/main` needs `cidrBlock` [`cidrBlock` is a CIDR block: The CIDR block of addresses.]
            shop/stack.yaml:12:24: `when` must be true or false, but this is null [write true or false, or remove the line; if the value is a parameter, give the parameter a value]
            shop/stack.yaml:13:23: `when` must be true or false, but this is null [write true or false, or remove the line; if the value is a parameter, give the parameter a value]
            shop/stack.yaml:14:26: `forEach` must be a list or a map, but this is null [write `[]` for no element, or remove `forEach` for a single resource]
            shop/stack.yaml:15:26: an element of `forEach` is a map, which has no key [use strings, maps with a `key`, or a map of key to value]
            shop/stack.yaml:16:26: an element of `forEach` is a list, which has no key [use strings, maps with a `key`, or a map of key to value]
        "#]],
    );
}

#[test]
fn an_argument_keeps_its_text() {
    let spec = "
parameters:
  s: { type: string, default: x }
  l: { type: list, default: [] }
resources:
  Service/a: { subnets: [], environment: { S: \"${params.s}\" }, command: \"${params.l}\" }
";
    let files = files(spec, "", &[]);
    let shown = |name: &str, text: &str| {
        let set = [(name.to_owned(), text.to_owned())];
        let request = Request { set: &set, ..request() };
        show(&document(&files, &request, &REGISTRY).map(|rendered| rendered.document))
    };
    let mut all = String::new();
    for (name, text) in [
        ("s", "a #b"),
        ("s", "'a #b'"),
        ("s", "'a' #b"),
        ("s", "@[x"),
        ("s", "1.20"),
        ("s", ""),
        ("l", "[a, 'b #c']"),
        ("l", "[a] #b"),
        ("l", "[a#b]"),
    ] {
        all += &format!("{name}={text}: {}", shown(name, text));
    }
    expect![[r#"
        s=a #b: Service/a eu-west-1 {"command":[],"environment":{"S":"a #b"},"subnets":[]}
        s='a #b': Service/a eu-west-1 {"command":[],"environment":{"S":"a #b"},"subnets":[]}
        s='a' #b: --set: `s`: YAML takes `#b` for a comment; put the value in quotes
        s=@[x: Service/a eu-west-1 {"command":[],"environment":{"S":"@[x"},"subnets":[]}
        s=1.20: Service/a eu-west-1 {"command":[],"environment":{"S":"1.20"},"subnets":[]}
        s=: Service/a eu-west-1 {"command":[],"environment":{"S":""},"subnets":[]}
        l=[a, 'b #c']: Service/a eu-west-1 {"command":["a","b #c"],"environment":{"S":"x"},"subnets":[]}
        l=[a] #b: --set: `l`: YAML takes `#b` for a comment; put the value in quotes
        l=[a#b]: Service/a eu-west-1 {"command":["a#b"],"environment":{"S":"x"},"subnets":[]}
    "#]]
    .assert_eq(&all);
}

#[test]
fn a_file_that_is_not_a_document_is_named_and_not_shown() {
    let token =
        [("shop/token.txt", "ghp_TOKEN\n"), ("shop/pod.yaml", "apiVersion: v1\nkind: Secret\ndata: { k: TOKEN }\n")];
    let spec = "components: { a: { from: token.txt }, b: { from: ./pod.yaml } }\nresources: { Vpc/main: { cidrBlock: 10.0.0.0/16 } }";
    let errors = render_files(&files(spec, "", &token)).unwrap_err();
    assert!(!errors.files().any(|file| file.contains("token") || file.contains("pod")), "the excerpts have no source");
    expect![[r#"
        shop/stack.yaml:5:28: `shop/token.txt` is not a document: it has no `apiVersion: holdfast/v1` [name a file that begins with `apiVersion: holdfast/v1`]
        shop/stack.yaml:5:52: `shop/pod.yaml` is not a document: it has no `apiVersion: holdfast/v1` [name a file that begins with `apiVersion: holdfast/v1`]
    "#]].assert_eq(&show(&Err(errors)));
}

#[test]
fn a_move_needs_an_address_that_left_the_document() {
    check(
        "
resources:
  Vpc/a: { cidrBlock: 10.0.0.0/16 }
  Vpc/b: { cidrBlock: 10.0.0.0/16, lifecycle: { movedFrom: Vpc/a } }
  Vpc/c: { cidrBlock: 10.0.0.0/16, lifecycle: { movedFrom: Vpc/x } }
  Vpc/d: { cidrBlock: 10.0.0.0/16, lifecycle: { movedFrom: Vpc/x } }
",
        expect![[r#"
            shop/stack.yaml:8:51: `movedFrom` is `Vpc/a`, which the document still declares [remove `Vpc/a` from the document, or remove `movedFrom`]
            shop/stack.yaml:10:51: `Vpc/x` moves to `Vpc/c` and to `Vpc/d` [remove one of the two `movedFrom`]
        "#]],
    );
}

#[test]
fn two_resources_of_one_identity_are_refused() {
    check_related(
        "
components: { a: { from: ../lib/a.yaml } }
resources:
  Vpc/a-b: { cidrBlock: 10.0.0.0/16 }
  Service/a-b: { subnets: [] }
  Service/x: { name: web, subnets: [] }
  Service/y: { name: web, subnets: [] }
  Service/z: { name: web, subnets: [], region: us-east-1 }
  Service/looked-up: { name: web, lifecycle: { manage: observe } }
  Subscription/one: { endpoint: \"${Service.x.arn}\", protocol: https }
  Subscription/two: { endpoint: \"${Service['x'].arn}\", protocol: https }
  Subscription/three: { endpoint: \"${Service.y.arn}\", protocol: https }
  Subscription/four: { endpoint: x, retries: 3 }
  Subscription/five: { endpoint: x, retries: 3 }
  Subscription/six: { endpoint: x, retries: 4 }
  Role/p: { name: one, assumeRolePolicyDocument: { Statement: { Effect: Allow, Action: sts:AssumeRole } } }
  Role/q: { name: one, assumeRolePolicyDocument: { Statement: [{ Action: [sts:AssumeRole], Effect: Allow }] } }
  Role/r: { name: one, assumeRolePolicyDocument: { Statement: [] } }
",
        expect![[r#"
            lib/a.yaml:5:16: `Service/a.b` and `Service/a-b` would have one name in AWS, `shop-prod-a-b` [give one of them another `name` or address; `Service/a-b` is at shop/stack.yaml:9:5]
            shop/stack.yaml:11:18: `Service/y` and `Service/x` would have one name in AWS, `web` [give one of them another `name` or address; `Service/x` is at shop/stack.yaml:10:5]
            shop/stack.yaml:15:58: `Subscription/two` has the same `endpoint` and `protocol` as `Subscription/one`: `protocol` is `https` [change one of these fields, or remove one of the two; `Subscription/one` is at shop/stack.yaml:14:5]
            shop/stack.yaml:18:39: `Subscription/five` has the same `endpoint` and `retries` as `Subscription/four`: `retries` is `3` [change one of these fields, or remove one of the two; `Subscription/four` is at shop/stack.yaml:17:5]
            shop/stack.yaml:21:15: `Role/q` and `Role/p` would have one name in AWS, `one` [give one of them another `name` or address; `Role/p` is at shop/stack.yaml:20:5]
        "#]],
    );
}

#[test]
fn places_and_blocks_that_exclude_each_other_are_refused() {
    check_related(
        "
resources:
  Vpc/a: { cidrBlock: 10.0.0.0/16 }
  Vpc/b: { cidrBlock: \"${Service.plain.arn}\" }
  Subnet/one: { vpc: a, cidrBlock: 10.0.0.0/20, availabilityZone: eu-west-1a }
  Subnet/two: { vpc: a, cidrBlock: 10.0.8.0/24, availabilityZone: eu-west-1b }
  Subnet/three: { vpc: a, cidrBlock: 10.1.0.0/24, availabilityZone: eu-west-1b }
  Subnet/four: { vpc: a, cidrBlock: 10.0.16.0/24, availabilityZone: eu-west-10b }
  Subnet/five: { vpc: a, cidrBlock: 10.0.17.0/24, availabilityZone: us-east-1a, lifecycle: { accept: [availabilityZone] } }
  Subnet/six: { vpc: b, cidrBlock: 10.0.0.0/20, availabilityZone: eu-west-1-lhr-1a }
  Subnet/seven: { vpc: { id: vpc-1 }, cidrBlock: 10.0.0.0/20, availabilityZone: eu-west-1a }
  Subnet/eight: { vpc: { id: vpc-1 }, cidrBlock: 10.0.0.0/24, availabilityZone: eu-west-1a }
  Service/plain: { subnets: [one], environment: { NAME: api } }
  Service/other: { subnets: [two, one], region: us-east-1, upstream: plain, environment: { CALLS: apl } }
  Service/same: { subnets: [\"${Subnet.one.id}\"], environment: { CALLS: apl } }
  Service/arn: { subnets: [], role: { arn: \"arn:aws:iam:eu-west-1:123456789012:role/x\" } }
  Subscription/queue: { endpoint: x, protocol: sqs }
  Subscription/there: { endpoint: y, protocol: sqs, region: us-east-1 }
",
        expect![[r#"
            shop/stack.yaml:10:27: `cidrBlock` of `Subnet/two` is 10.0.8.0/24, which overlaps 10.0.0.0/20 of `Subnet/one` [give each of them addresses of its own]
            shop/stack.yaml:11:29: `cidrBlock` of `Subnet/three` is 10.1.0.0/24, which is outside `Vpc/a` (10.0.0.0/16) [choose a block within 10.0.0.0/16]
            shop/stack.yaml:12:53: `availabilityZone` is `eu-west-10b`, which is not a zone of the region eu-west-1 [write a zone such as `eu-west-1a`, or the resource's `region`]
            shop/stack.yaml:16:41: `cidrBlock` of `Subnet/eight` is 10.0.0.0/24, which overlaps 10.0.0.0/20 of `Subnet/seven` [give each of them addresses of its own]
            shop/stack.yaml:18:62: `upstream` needs a resource of the region us-east-1, but `Service/plain` is in eu-west-1 [write `region: us-east-1` in `Service/plain`]
            shop/stack.yaml:18:94: `environment.CALLS` is `apl`, but `Service/plain` has `api` in `environment.NAME` [did you mean `api`?]
            shop/stack.yaml:19:21: `Subnet/one` is in `subnets` of `Service/plain` and of `Service/same` [AWS accepts it in one: remove it from `Service/plain` or `Service/same`]
            shop/stack.yaml:20:33: `role` needs a resource of the region us-east-1, but `arn:aws:iam:eu-west-1:123456789012:role/x` is in eu-west-1 [use a resource of the region us-east-1]
            shop/stack.yaml:21:40: `protocol: sqs` needs the region us-east-1, but `Subscription/queue` is in eu-west-1 [write `region: us-east-1` in `Subscription/queue`]
        "#]],
    );
}
