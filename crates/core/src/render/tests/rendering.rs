//! The results of rendering.

use expect_test::expect;

use super::*;
use crate::document::{Drift, Lookup};

#[test]
fn fields_are_typed_and_defaults_filled_in() {
    check(
        r#"
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16, instanceTenancy: null }
  Service/web:
    subnets: []
    cpu: 2
    desiredCount: ${1 + 1}
    environment: { PORT: "${80}", REMOVED: null }
"#,
        expect![[r#"
            Service/web eu-west-1 {"cpu":2.0,"desiredCount":2,"environment":{"PORT":"80"},"subnets":[]}
            Vpc/main eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true,"instanceTenancy":null}
        "#]],
    );
}

#[test]
fn names_in_a_component_mean_its_own_resources_first() {
    check_all(
        "
components:
  network: { from: ../lib/network.yaml, with: { cidr: 10.0.0.0/16, zones: [a, b] } }
resources:
  SecurityGroup/web:
    vpc: network.main
    ingress: [{ ipProtocol: tcp, fromPort: 80, securityGroup: web }]
  Service/web:
    subnets: [network.private-*]
",
        "",
        &[NETWORK],
        expect![[r#"
            SecurityGroup/web eu-west-1 {"ingress":[{"fromPort":80,"ipProtocol":"tcp","securityGroup":"SecurityGroup/web.id"}],"vpc":"Vpc/network.main.id"}
            Service/web eu-west-1 {"subnets":["Subnet/network.private-a.id","Subnet/network.private-b.id"]}
            Subnet/network.private-a eu-west-1 {"availabilityZone":"eu-west-1a","cidrBlock":"10.0.0.0/24","vpc":"Vpc/network.main.id"}
            Subnet/network.private-b eu-west-1 {"availabilityZone":"eu-west-1b","cidrBlock":"10.0.1.0/24","vpc":"Vpc/network.main.id"}
            Vpc/network.main eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}

#[test]
fn a_name_in_an_expression_that_reads_a_parameter_can_mean_the_components_own_resource() {
    check_all(
        "
components:
  net: { from: ../lib/net.yaml, with: { cidr: 10.0.0.0/16 } }
",
        "",
        &[(
            "lib/net.yaml",
            "
parameters:
  cidr: { type: string, default: 10.1.0.0/16 }
resources:
  Vpc/main: { cidrBlock: \"${params.cidr}\" }
  SecurityGroup/app: { vpc: \"${params.cidr == '' ? null : 'main'}\" }
",
        )],
        expect![[r#"
            SecurityGroup/net.app eu-west-1 {"ingress":[],"vpc":"Vpc/net.main.id"}
            Vpc/net.main eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}

#[test]
fn components_can_be_repeated_by_region_and_nested() {
    check_all(
        "
regions: { main: us-east-1, eu: eu-central-1 }
components:
  site:
    from: ../lib/site.yaml
    forEach: { us: main, eu: eu }
    region: ${each.value}
    with: { cidr: 10.0.0.0/16 }
",
        "regions: { main: us-west-2 }",
        &[
            NETWORK,
            (
                "lib/site.yaml",
                "parameters: { cidr: { type: string } }\ncomponents:\n  net: { from: network.yaml, with: { cidr: \"${params.cidr}\" } }\nresources:\n  Service/web: { subnets: [net.private-a], environment: { VPC: \"${Vpc.net.main.id}\" } }",
            ),
        ],
        expect![[r#"
            Service/site-eu.web eu-central-1 {"environment":{"VPC":"${Vpc.net.main.id}"},"subnets":["Subnet/site-eu.net.private-a.id"]}
            Service/site-us.web us-west-2 {"environment":{"VPC":"${Vpc.net.main.id}"},"subnets":["Subnet/site-us.net.private-a.id"]}
            Subnet/site-eu.net.private-a eu-central-1 {"availabilityZone":"eu-central-1a","cidrBlock":"10.0.0.0/24","vpc":"Vpc/site-eu.net.main.id"}
            Subnet/site-us.net.private-a us-west-2 {"availabilityZone":"us-west-2a","cidrBlock":"10.0.0.0/24","vpc":"Vpc/site-us.net.main.id"}
            Vpc/site-eu.net.main eu-central-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
            Vpc/site-us.net.main us-west-2 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}

#[test]
fn names_passed_in_parameters_mean_the_callers_resources() {
    check_all(
        "
components:
  app: { from: ../lib/app.yaml, with: { group: web, groups: [web] } }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  SecurityGroup/web: { vpc: main }
",
        "",
        &[(
            "lib/app.yaml",
            "parameters: { group: { type: string }, groups: { type: list } }
resources:
  SecurityGroup/web:
    vpc: main
    ingress:
      - { ipProtocol: own, securityGroup: web }
      - { ipProtocol: callers, securityGroup: \"${params.group}\" }",
        )],
        expect![[r#"
            SecurityGroup/app.web eu-west-1 {"ingress":[{"ipProtocol":"own","securityGroup":"SecurityGroup/app.web.id"},{"ipProtocol":"callers","securityGroup":"SecurityGroup/web.id"}],"vpc":"Vpc/main.id"}
            SecurityGroup/web eu-west-1 {"ingress":[],"vpc":"Vpc/main.id"}
            Vpc/main eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}

#[test]
fn expressions_that_read_resources_are_deferred() {
    let files = files(
        "
components:
  app: { from: ../lib/app.yaml, with: { role: \"${Role.main.arn}\" } }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Role/main:
    assumeRolePolicyDocument:
      Version: \"2012-10-17\"
      Statement: [{ Effect: Allow, Action: sts:AssumeRole, Principal: { Service: ecs.amazonaws.com }, Condition: { x: \"${Vpc.main.id}\" } }]
",
        "",
        &[("lib/app.yaml", "parameters: { role: { type: string } }\nresources:\n  Service/web: { subnets: [], role: \"${params.role}\", environment: { R: \"role ${params.role}\", V: \"${Vpc.main.id}\" } }")],
    );
    let document = render_files(&files).unwrap();
    let shown = document.resources.values().fold(String::new(), |shown, resource| {
        let references: Vec<String> = resource.references().keys().map(ToString::to_string).collect();
        format!("{shown}{} reads {}: {:?}\n", resource.address, references.join(" "), resource.spec)
    });
    expect![[r#"
        Role/main reads Vpc/main: Map({"assumeRolePolicyDocument": Map({"Statement": List([Map({"Action": Text("sts:AssumeRole"), "Condition": Map({"x": Deferred(Deferred { source: "${Vpc.main.id}", reads: [Vpc/main], bindings: {}, component: "" })}), "Effect": Text("Allow"), "Principal": Map({"Service": Text("ecs.amazonaws.com")})})]), "Version": Text("2012-10-17")}), "policies": Map({})})
        Service/app.web reads Role/main Vpc/main: Map({"environment": Map({"R": Deferred(Deferred { source: "role ${params.role}", reads: [Role/main], bindings: {"params": Map({"role": Deferred(Deferred { source: "${Role.main.arn}", reads: [Role/main], bindings: {}, component: "" })})}, component: "app" }), "V": Deferred(Deferred { source: "${Vpc.main.id}", reads: [Vpc/main], bindings: {}, component: "app" })}), "role": Deferred(Deferred { source: "${Role.main.arn}", reads: [Role/main], bindings: {}, component: "" }), "subnets": List([])})
        Vpc/main reads : Map({"cidrBlock": Text("10.0.0.0/16"), "enableDnsHostnames": Bool(true)})
    "#]].assert_eq(&shown);
}

#[test]
fn patches_merge_maps_and_replace_everything_else() {
    check_all(
        "
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Subnet/a:
    forEach: [x, y]
    vpc: main
    cidrBlock: 10.0.0.0/24
    availabilityZone: a
  Service/web:
    subnets: [a-*]
    desiredCount: 2
    environment: { A: a, B: b, C: c }
    lifecycle: { ignore: [desiredCount] }
",
        "
patches:
  Service/web:
    desiredCount: null
    environment: { B: changed, C: null, D: d }
    lifecycle: { protect: true }
  Subnet/a-y: { availabilityZone: c }
  Subnet/a: { availabilityZone: b }
",
        &[],
        expect![[r#"
            Service/web eu-west-1 {"desiredCount":null,"environment":{"A":"a","B":"changed","D":"d"},"subnets":["Subnet/a-x.id","Subnet/a-y.id"]}
            Subnet/a-x eu-west-1 {"availabilityZone":"b","cidrBlock":"10.0.0.0/24","vpc":"Vpc/main.id"}
            Subnet/a-y eu-west-1 {"availabilityZone":"c","cidrBlock":"10.0.0.0/24","vpc":"Vpc/main.id"}
            Vpc/main eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}

#[test]
fn when_and_patches_leave_resources_out() {
    check_all(
        "
parameters: { alarms: { type: boolean, default: true } }
components:
  network: { from: ../lib/network.yaml, when: \"${!params.alarms}\", with: { cidr: 10.0.0.0/16 } }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Vpc/other: { cidrBlock: 10.1.0.0/16, when: \"${params.alarms}\" }
",
        "
parameters: { alarms: false }
patches:
  Vpc/main: { when: \"${params.alarms}\" }
",
        &[NETWORK],
        expect![[r#"
            Subnet/network.private-a eu-west-1 {"availabilityZone":"eu-west-1a","cidrBlock":"10.0.0.0/24","vpc":"Vpc/network.main.id"}
            Vpc/network.main eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}

#[test]
fn a_resources_tags_override_the_stacks_tags() {
    check(
        r#"
tags: { team: shop, env: "${env.name}" }
resources:
  Vpc/a: { cidrBlock: 10.0.0.0/16 }
  Vpc/b: { cidrBlock: 10.0.0.0/16, tags: { team: other, more: "${1}" } }
  Vpc/c: { cidrBlock: 10.0.0.0/16, tags: { team: null } }
  Vpc/d: { cidrBlock: 10.0.0.0/16, tags: {} }
  Vpc/e: { cidrBlock: 10.0.0.0/16, tags: null }
  Vpc/f: { lifecycle: { manage: observe }, tags: { Name: old } }
  Subscription/s: { endpoint: x }
"#,
        expect![[r#"
            Subscription/s eu-west-1 {"endpoint":"x"}
            Vpc/a eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true,"tags":{"env":"prod","team":"shop"}}
            Vpc/b eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true,"tags":{"env":"prod","more":"1","team":"other"}}
            Vpc/c eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true,"tags":{"env":"prod"}}
            Vpc/d eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true,"tags":{}}
            Vpc/e eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true,"tags":null}
            Vpc/f eu-west-1 {"tags":{"Name":"old"}}
        "#]],
    );
}

#[test]
fn references_to_resources_outside_of_the_document_become_ids_or_lookups() {
    let files = files(
        "
resources:
  SecurityGroup/a: { vpc: { id: vpc-0123 } }
  SecurityGroup/b: { vpc: { stack: shared, env: live, name: network.main } }
  SecurityGroup/c: { vpc: { stack: shared, name: network.main } }
  Vpc/found: { lifecycle: { manage: observe }, id: vpc-1 }
  Vpc/tagged: { lifecycle: { manage: observe }, cidrBlock: 10.0.0.0/8 }
",
        "",
        &[],
    );
    let document = render_files(&files).unwrap();
    let shown = document.resources.values().fold(String::new(), |shown, r| {
        format!("{shown}{} {:?} {} {:?}\n", r.address, r.name, r.spec.json(), r.lifecycle.lookup)
    });
    expect![[r#"
        SecurityGroup/a "shop-prod-a" {"ingress":[],"vpc":"vpc-0123"} None
        SecurityGroup/b "shop-prod-b" {"ingress":[],"vpc":"Vpc/shared-live:network.main.id"} None
        SecurityGroup/c "shop-prod-c" {"ingress":[],"vpc":"Vpc/shared-prod:network.main.id"} None
        Vpc/found "" {} Some(Id("vpc-1"))
        Vpc/shared-live:network.main "" {} Some(Owner { stack: "shared", env: "live", address: Vpc/network.main })
        Vpc/shared-prod:network.main "" {} Some(Owner { stack: "shared", env: "prod", address: Vpc/network.main })
        Vpc/tagged "" {"cidrBlock":"10.0.0.0/8"} Some(Fields)
    "#]]
    .assert_eq(&shown);
    let found = &document.resources[&Address::new("Vpc", "found")];
    assert_eq!(found.lifecycle.lookup, Some(Lookup::Id("vpc-1".into())));
}

#[test]
fn keys_in_addition_to_the_spec_are_read() {
    let files = files(
        "
policy: { prune: true, drift: warn, maxDeletions: 3 }
resources:
  Role/main:
    name: shop-role
    assumeRolePolicyDocument: { Statement: [] }
  Service/web:
    subnets: []
    region: us-east-1
    dependsOn: [Role/main, \"${['Vpc/*']}\", \"${null}\"]
    lifecycle:
      onDelete: retain
      replace: allow
      ignore: [desiredCount, environment.PORT, tags.x]
      adopt: web-old
      protect: true
      movedFrom: Service/old
      drift: ignore
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
",
        "policy: { drift: ignore, maxMutations: 7 }",
        &[],
    );
    let document = render_files(&files).unwrap();
    let web = &document.resources[&Address::new("Service", "web")];
    expect![[r#"
        "shop-prod-web" us-east-1 {Role/main, Vpc/main} Lifecycle { lookup: None, on_delete: Some(Retain), replace: true, ignore: ["desiredCount", "environment.PORT", "tags.x"], accept: [], adopt: Some("web-old"), protect: true, moved_from: Some(Service/old), drift: Some(Ignore) }
        StackPolicy { prune: true, drift: Ignore, max_deletions: 3, max_mutations: 7 }
        Target { account: Some("123456789012"), regions: {"main": "eu-west-1", "us-east-1": "us-east-1"}, role: None, external_id: None }"#]].assert_eq(&format!("{:?} {} {:?} {:?}\n{:?}\n{:?}", web.name, web.region, web.depends_on, web.lifecycle, document.policy, document.target));
    let role = &document.resources[&Address::new("Role", "main")];
    assert_eq!((role.name.as_str(), role.named, role.region.as_str()), ("shop-role", true, ""));
    assert_eq!(document.policy.drift, Drift::Ignore);
}

#[test]
fn parameters_come_from_environment_and_command_line() {
    let files = files(
        "
parameters:
  image: { type: string }
  count: { type: integer, default: 2 }
  double: { type: integer, default: \"${params.count * 2}\" }
  size: { type: string, default: small, allowed: [small, large] }
resources:
  Service/web:
    subnets: []
    desiredCount: ${params.double}
    environment: { IMAGE: \"${params.image}\", SIZE: \"${params.size}\" }
",
        "parameters: { image: \"web:1\" }",
        &[],
    );
    let set = [("image".to_owned(), "1.20".to_owned()), ("count".to_owned(), "5".to_owned())];
    let request = Request { set: &set, source: "git", ..request() };
    let rendered = document(&files, &request, &REGISTRY).unwrap();
    assert_eq!(rendered.document.source, "git");
    assert_eq!(rendered.files.into_iter().collect::<Vec<_>>(), ["shop/environments/prod.yaml", "shop/stack.yaml"]);
    expect![[r#"
        Service/web eu-west-1 {"desiredCount":10,"environment":{"IMAGE":"1.20","SIZE":"small"},"subnets":[]}
    "#]]
    .assert_eq(&show(&Ok(rendered.document)));
}

#[test]
fn environments_are_listed() {
    let files = files("resources: {}", "", &[("shop/environments/dev.yaml", ""), ("shop/environments/notes.md", "")]);
    assert_eq!(crate::load::environments(&files, "shop"), ["dev", "prod"]);
    assert_eq!(crate::load::environments(&files, "shop/stack.yaml"), ["dev", "prod"]);
}

#[test]
fn anchors_and_merge_keys_work() {
    check(
        "
resources:
  Vpc/a: &vpc { cidrBlock: 10.0.0.0/16, enableDnsHostnames: false }
  Vpc/b: { <<: *vpc, cidrBlock: 10.1.0.0/16 }
",
        expect![[r#"
            Vpc/a eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":false}
            Vpc/b eu-west-1 {"cidrBlock":"10.1.0.0/16","enableDnsHostnames":false}
        "#]],
    );
}

#[test]
fn a_known_condition_excludes_the_reads_of_one_side() {
    check(
        r#"
parameters: { certificate: { type: string, default: "" } }
resources:
  Vpc/plain: { cidrBlock: 10.0.0.0/16, when: "${params.certificate == ''}" }
  Vpc/secure: { cidrBlock: 10.1.0.0/16, when: "${params.certificate != ''}" }
  SecurityGroup/web:
    vpc: "${params.certificate == '' ? 'plain' : 'secure'}"
    ingress:
      - { ipProtocol: "${params.certificate == '' ? Vpc.plain.id : Vpc.secure.id}" }
      - { ipProtocol: "${params.certificate == '' ? 'tcp' : Vpc.secure.id}", securityGroup: "${params.certificate == '' ? null : 'x'}" }
      - { ipProtocol: none, securityGroup: { id: "${params.certificate == '' ? null : 'sg-1'}" } }
      - "${params.certificate == '' ? [] : [{'ipProtocol': 'udp'}]}"
"#,
        expect![[r#"
            SecurityGroup/web eu-west-1 {"ingress":[{"ipProtocol":"${params.certificate == '' ? Vpc.plain.id : Vpc.secure.id}"},{"ipProtocol":"tcp","securityGroup":null},{"ipProtocol":"none","securityGroup":null}],"vpc":"Vpc/plain.id"}
            Vpc/plain eu-west-1 {"cidrBlock":"10.0.0.0/16","enableDnsHostnames":true}
        "#]],
    );
}
