//! The errors of documents: messages, locations and help.

use expect_test::expect;

use super::*;

#[test]
fn an_error_states_the_location_and_the_help() {
    let files = files("resources:\n  Vpc/main: { cidr: 10.0.0.0/16 }", "", &[]);
    let diagnostics = render_files(&files).unwrap_err();
    expect![[r#"
        shop/stack.yaml:6:5: `Vpc/main` needs `cidrBlock`; `cidrBlock` is a CIDR block: The CIDR block of addresses.
        shop/stack.yaml:6:17: unknown field `cidr` in Vpc; did you mean `cidrBlock`?"#]]
    .assert_eq(&diagnostics.to_string());
}

#[test]
fn errors_of_fields_are_reported() {
    check(
        r#"
resources:
  Vpc/a: { cidrBlock: 10.0.0.0 }
  Vpc/b: { cidrBlock: 10.0.0.0/16, instanceTenancy: dedicate, enableDnsHostnames: "yes" }
  Vpc/c: { cidrBlock: null, enableDnsHostnames: null }
  Vpc/d:
  Subnet/a: [1]
  Service/a: { subnets: {}, desiredCount: "2", cpu: x, command: run, environment: { PORT: 80 }, zzz: 1 }
  SecurityGroup/a: { vpc: { id: vpc-1 }, ingress: [{ ipProtocl: tcp }] }
  Role/a: { assumeRolePolicyDocument: { Version: x }, policies: { p: not json } }
"#,
        expect![[r#"
            shop/stack.yaml:7:25: `10.0.0.0` is not a CIDR block; an example is `10.0.0.0/16`
            shop/stack.yaml:8:55: `instanceTenancy` must be `default` or `dedicated`, but this is `dedicate` [did you mean `dedicated`?]
            shop/stack.yaml:8:85: `enableDnsHostnames` must be true or false, but this is a string [write the value without quotes]
            shop/stack.yaml:9:25: `cidrBlock` cannot be null [the field is required: write a CIDR block]
            shop/stack.yaml:10:5: `Vpc/d` needs `cidrBlock` [`cidrBlock` is a CIDR block: The CIDR block of addresses.]
            shop/stack.yaml:11:15: `Subnet/a` must be a map, but this is a list
            shop/stack.yaml:12:27: `subnets` must be a set of references to Subnet, but this is a map
            shop/stack.yaml:12:45: `desiredCount` must be a whole number, but this is a string [write the value without quotes]
            shop/stack.yaml:12:55: `cpu` must be a number, but this is a string [write the value without quotes]
            shop/stack.yaml:12:67: `command` must be a list of strings, but this is a string [put the value in brackets: `[…]`]
            shop/stack.yaml:12:93: `PORT` must be a string, but this is a whole number [put the value in quotes]
            shop/stack.yaml:12:99: unknown field `zzz` in Service [the fields of a Service are `subnets`, `role`, `upstream`, `command`, `environment`, `desiredCount` and `cpu`]
            shop/stack.yaml:13:54: `ingress` needs `ipProtocol` [`ipProtocol` is a string: The protocol.]
            shop/stack.yaml:13:56: unknown field `ipProtocl` in Rule [did you mean `ipProtocol`?]
            shop/stack.yaml:14:41: a policy document needs a `Statement`
            shop/stack.yaml:14:72: this is not valid JSON: expected ident at line 1 column 2
        "#]],
    );
}

#[test]
fn errors_of_references_are_reported() {
    check_all(
        "
components:
  network: { from: ../lib/network.yaml, with: { cidr: 10.0.0.0/16, zones: [a, b] } }
resources:
  Vpc/off: { cidrBlock: 10.0.0.0/16, when: false }
  SecurityGroup/a: { vpc: network.mian }
  SecurityGroup/b: { vpc: off }
  SecurityGroup/c: { vpc: a }
  SecurityGroup/d: { vpc: Subnet/network.private-a }
  SecurityGroup/e: { vpc: vpc-0123 }
  SecurityGroup/f: { vpc: \"*\" }
  SecurityGroup/g: { vpc: { ids: x } }
  SecurityGroup/h: { vpc: { id: 12 } }
  SecurityGroup/i: { vpc: { stack: other } }
  SecurityGroup/j: { vpc: arn:aws:x }
  Service/a: { subnets: [network.public-*, network.private, off] }
  Service/b: { subnets: [], dependsOn: [Vpc, Vcp/off, Vpc/nothing] }
",
        "",
        &[NETWORK],
        expect![[r#"
            shop/stack.yaml:10:29: there is no `Vpc/network.mian` [did you mean `network.main`?]
            shop/stack.yaml:11:29: `Vpc/off` is left out by its `when` [use the same `when` here, or remove the `when` of the other resource]
            shop/stack.yaml:12:29: `a` is a SecurityGroup, not a Vpc [the document has `Vpc/network.main`]
            shop/stack.yaml:13:29: `Subnet/network.private-a` is a Subnet, not a Vpc [write the name of a Vpc]
            shop/stack.yaml:14:29: there is no `Vpc/vpc-0123` [for a resource that no document declares, write `{ id: … }`]
            shop/stack.yaml:15:29: `vpc` takes one Vpc, but `*` can match several [name one resource; a pattern can be used only in a list]
            shop/stack.yaml:16:31: unknown field `ids` in a reference [did you mean `id`?]
            shop/stack.yaml:17:35: an identity must be a string [put the value in quotes]
            shop/stack.yaml:18:29: a reference to another stack needs a `name` [write, for example, `{ stack: shared, env: prod, name: network.main }`]
            shop/stack.yaml:19:29: `arn:aws:x` is not the name of a Vpc [for a resource that no document declares, write `{ id: arn:aws:x }`]
            shop/stack.yaml:20:28: no Subnet matches `network.public-*` [names of this kind are: network.private-a, network.private-b]
            shop/stack.yaml:20:46: `Subnet/network.private` has a `forEach`, so it is not a single resource [in a list, write `network.private-*` for all of them; or name one, as in `network.private-a`]
            shop/stack.yaml:20:63: there is no `Subnet/off` [for a resource that no document declares, write `{ id: … }`]
            shop/stack.yaml:21:43: `Vpc` is not an address; an example is `SecurityGroup/web`
            shop/stack.yaml:21:48: there is no kind `Vcp` [did you mean `Vpc`?]
            shop/stack.yaml:21:61: there is no `Vpc/nothing` [for a resource that no document declares, write `{ id: … }`]
        "#]],
    );
}

#[test]
fn errors_of_expressions_are_reported() {
    check(
        r#"
parameters: { count: { type: integer, default: 1 } }
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Vpc/my-vpc: { cidrBlock: 10.0.0.0/16 }
  Service/web:
    subnets: []
    environment:
      A: ${params.cuont}
      B: ${env.nam}
      C: ${each.key}
      D: ${Vcp.main.id}
      E: ${Vpc.mian.id}
      F: ${Vpc.main.cidr}
      G: ${Vpc.main}
      H: ${Vpc}
      I: a ${1 / 0} b
      J: ${params.count
      K: ${Vpc.my-vpc.id}
      L: ${params.count + }
      M: "${[1]}"
      N: ${Vpc.nothing.at.all}
      O: ${Vpc.main.enableDnsHostnames.first}
  Service/x: { subnets: [], when: "${Vpc.main.id == ''}" }
  Service/y: { subnets: [], when: 3, forEach: [] }
  Service/z: { subnets: [], forEach: "${Vpc.main.id}" }
"#,
        expect![[r#"
            shop/stack.yaml:13:14: there is no parameter `cuont` [did you mean `count`?]
            shop/stack.yaml:14:14: there is no `env.nam` [did you mean `name`?]
            shop/stack.yaml:15:14: `each` can be used only inside a `forEach`
            shop/stack.yaml:16:14: unknown name `Vcp` [did you mean `Vpc`?]
            shop/stack.yaml:17:14: there is no `Vpc/mian` [did you mean `main`?]
            shop/stack.yaml:18:14: a Vpc has no attribute `cidr` [did you mean `cidrBlock`?]
            shop/stack.yaml:19:14: `Vpc/main` alone has no value [add an attribute: `.id`, `.name`, `.arn`, or a field of its spec]
            shop/stack.yaml:20:14: `Vpc` alone has no value [write `Vpc.<name>.<attribute>`]
            shop/stack.yaml:21:16: this divides by zero
            shop/stack.yaml:22:12: this `${` has no closing `}` [add the `}`; for a literal `${`, write `$${`]
            shop/stack.yaml:23:14: unknown name `vpc` [write a name with a dash in brackets: `Kind["some-name"].id`]
            shop/stack.yaml:24:14: this is not a valid expression: Syntax error: mismatched input '<EOF>' expecting expression [expressions are written in CEL; for a literal `${`, write `$${`]
            shop/stack.yaml:25:12: `M` must be a string, but this is a list
            shop/stack.yaml:26:14: there is no `Vpc/nothing` [expressions can read only resources of this document]
            shop/stack.yaml:27:14: `enableDnsHostnames` is true or false, which has no `first` [remove `.first`]
            shop/stack.yaml:28:37: `when` must be known before any resource is created, but this reads a resource [use a parameter instead]
            shop/stack.yaml:30:40: `forEach` must be known before any resource is created, but this reads a resource [use a parameter instead]
        "#]],
    );
}

#[test]
fn errors_of_for_each_and_duplicates_are_reported() {
    check(
        r#"
resources:
  Vpc/a-b: { cidrBlock: 10.0.0.0/16 }
  Vpc/a: { cidrBlock: 10.0.0.0/16, forEach: [b] }
  Vpc/c: { cidrBlock: 10.0.0.0/16, forEach: [b, b] }
  Vpc/d: { cidrBlock: 10.0.0.0/16, forEach: [10.0.0.0/16] }
  Vpc/e: { cidrBlock: 10.0.0.0/16, forEach: [null] }
  Vpc/f: { cidrBlock: 10.0.0.0/16, forEach: x }
  Vpc/g: { cidrBlock: 10.0.0.0/16, forEach: "${range(1000) + range(1)}" }
  SecurityGroup/x: { vpc: c-b }
"#,
        expect![[r#"
            shop/stack.yaml:8:5: `Vpc/a-b` is declared twice [the other declaration is at shop/stack.yaml:7:5; rename one of them]
            shop/stack.yaml:9:47: `forEach` has the element `b` twice
            shop/stack.yaml:10:47: the `forEach` key `10.0.0.0/16` cannot be a part of an address [give the elements keys: a map of key to value, or maps with a `key`]
            shop/stack.yaml:11:47: an element of `forEach` is null, which has no key [use strings, maps with a `key`, or a map of key to value]
            shop/stack.yaml:12:47: `forEach` must be a list or a map, but this is a string [write `[]` for no element, or remove `forEach` for a single resource]
            shop/stack.yaml:13:47: `forEach` has more than 1000 elements
        "#]],
    );
}

#[test]
fn cycles_are_reported() {
    check(
        r#"
resources:
  Service/a: { subnets: [], upstream: b }
  Service/b: { subnets: [], environment: { C: "${Service.c.id}" } }
  Service/c: { subnets: [], dependsOn: [Service/a] }
  Service/d: { subnets: [], upstream: d }
  Service/e: { subnets: [], environment: { SELF: "${Service.e.arn}" } }
  SecurityGroup/x: { vpc: { id: vpc-1 }, ingress: [{ ipProtocol: tcp, securityGroup: y }] }
  SecurityGroup/y: { vpc: { id: vpc-1 }, ingress: [{ ipProtocol: tcp, securityGroup: x }] }
"#,
        expect![[r#"
            shop/stack.yaml:7:5: these resources depend on each other in a cycle: Service/a → Service/b → Service/c → Service/a [remove one of the references; in most cycles one field can be set on the other resource instead]
            shop/stack.yaml:10:5: `Service/d` depends on itself [a resource can refer to itself only in a field that AWS accepts after the create]
        "#]],
    );
}

#[test]
fn errors_of_keys_in_addition_to_the_spec_are_reported() {
    check(
        r#"
tags: { "aws:x": y, n: 1 }
policy: { prune: "no", drift: warm, maxDeletion: 1, maxMutations: -1 }
resources:
  Vpc/a: { cidrBlock: 10.0.0.0/16, tags: { "holdfast:x": y, a: [1], b: 2 }, region: nowhere }
  Vpc/b: { cidrBlock: 10.0.0.0/16, id: vpc-1, lifecycle: { onDelete: keep, replace: true, ignored: [x] } }
  Vpc/c: { cidrBlock: 10.0.0.0/16, lifecycle: { ignore: [cidrBlok], movedFrom: Subnet/c, protect: "yes" } }
  Vpc/d: { lifecycle: { manage: observe } }
  Vpc/e: { cidrBlock: "${Vpc.c.cidrBlock}", lifecycle: { manage: observe, adopt: vpc-1 } }
  Service/a: { subnets: [], name: a-name-that-is-much-too-long-for-a-service, dependsOn: Vpc/a }
  Subscription/a: { endpoint: x, tags: { a: b } }
"#,
        expect![[r#"
            shop/stack.yaml:6:11: the tag key `aws:x` is reserved [use a key that does not begin with `holdfast:` or `aws:`]
            shop/stack.yaml:6:26: a tag's value must be a string, but this is a whole number [put the value in quotes]
            shop/stack.yaml:7:20: `prune` must be true or false, but this is a string [write true or false, without quotes]
            shop/stack.yaml:7:33: `drift` must be `correct`, `warn` or `ignore`, but this is `warm` [did you mean `warn`?]
            shop/stack.yaml:7:39: unknown field `maxDeletion` in `policy` [did you mean `maxDeletions`?]
            shop/stack.yaml:7:69: `maxMutations` must be a whole number of at least 0
            shop/stack.yaml:9:46: the tag key `holdfast:x` is reserved [use a key that does not begin with `holdfast:` or `aws:`]
            shop/stack.yaml:9:66: a tag's value must be a string, but this is a list
            shop/stack.yaml:9:74: a tag's value must be a string, but this is a whole number [put the value in quotes]
            shop/stack.yaml:9:87: `nowhere` is neither an alias nor the name of a region [declare it under `spec.regions`]
            shop/stack.yaml:10:42: `id` names an existing resource, but this resource is managed [to observe the resource, add `lifecycle: { manage: observe }`; to adopt it, write `lifecycle: { adopt: … }`]
            shop/stack.yaml:10:72: `onDelete` must be `delete` or `retain`, but this is `keep`
            shop/stack.yaml:10:87: `replace` must be `allow` or `refuse`, but this is a boolean
            shop/stack.yaml:10:93: unknown field `ignored` in `lifecycle` [did you mean `ignore`?]
            shop/stack.yaml:11:60: `cidrBlok` is not a path in a Vpc: there is no field `cidrBlok` [did you mean `cidrBlock`?]
            shop/stack.yaml:11:82: a Subnet cannot become a Vpc [write `Vpc/…`, the address that the resource had before]
            shop/stack.yaml:11:101: `protect` must be true or false, but this is a string [write true or false, without quotes]
            shop/stack.yaml:12:5: `Vpc/d` is observed, but has nothing by which it can be found [add an `id`, a `name`, or fields that match only this resource]
            shop/stack.yaml:13:5: `Vpc/e` is only observed, so it cannot be adopted or moved [remove `adopt` and `movedFrom`, or remove `manage: observe`]
            shop/stack.yaml:13:14: `cidrBlock` reads another resource, but an observed resource is found by plain values [write the value itself, or find the resource by `id` or `tags`]
            shop/stack.yaml:14:37: the name of a Service has at most 32 characters, but this one has 42 [change `name`, or remove it: the default name is built from stack, environment and address]
            shop/stack.yaml:14:92: `dependsOn` must be a list of addresses, but this is a string [write, for example, `dependsOn: [Role/task]`]
            shop/stack.yaml:15:42: a Subscription cannot have tags [tag the resource that it belongs to]
        "#]],
    );
}
