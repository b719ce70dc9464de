//! What documents are refused for, where, and with which way out.

use expect_test::expect;

use super::*;

#[test]
fn an_error_shows_the_line_and_the_way_out() {
    let files = files("resources:\n  Vpc/main: { cidr: 10.0.0.0/16 }", "", &[]);
    let diagnostics = render_files(&files).unwrap_err();
    expect![[r#"
        error: `Vpc/main` needs `cidrBlock`
         --> shop/stack.yaml:6:5
          |
        6 |     Vpc/main: { cidr: 10.0.0.0/16 }
          |     ^^^^^^^^
          |
          = help: `cidrBlock` is a CIDR block: The block of addresses.

        error: unknown field `cidr` in Vpc
         --> shop/stack.yaml:6:17
          |
        6 |     Vpc/main: { cidr: 10.0.0.0/16 }
          |                 ^^^^
          |
          = help: did you mean `cidrBlock`?"#]]
    .assert_eq(&diagnostics.render(false));
    assert!(diagnostics.render(true).contains('\u{1b}'));
    expect![[r#"[{"file":"shop/stack.yaml","line":6,"column":5,"message":"`Vpc/main` needs `cidrBlock`","label":"","help":"`cidrBlock` is a CIDR block: The block of addresses."},{"file":"shop/stack.yaml","line":6,"column":17,"message":"unknown field `cidr` in Vpc","label":"","help":"did you mean `cidrBlock`?"}]"#]].assert_eq(&diagnostics.json().to_string());
}

#[test]
fn fields() {
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
            shop/stack.yaml:7:25: `10.0.0.0` is not a CIDR block; one looks like `10.0.0.0/16`
            shop/stack.yaml:8:55: `dedicate` is none of `default` and `dedicated` [did you mean `dedicated`?]
            shop/stack.yaml:8:85: `enableDnsHostnames` is true or false, and this is a string [write it without quotes]
            shop/stack.yaml:9:25: `cidrBlock` cannot be null [it is a CIDR block, and has to be said]
            shop/stack.yaml:10:5: `Vpc/d` needs `cidrBlock` [`cidrBlock` is a CIDR block: The block of addresses.]
            shop/stack.yaml:11:15: `Subnet/a` is a map, and this is a list
            shop/stack.yaml:12:27: `subnets` is a set of: a reference to a Subnet, and this is a map
            shop/stack.yaml:12:45: `desiredCount` is a whole number, and this is a string [write it without quotes]
            shop/stack.yaml:12:55: `cpu` is a number, and this is a string [write it without quotes]
            shop/stack.yaml:12:67: `command` is a list of: a string, and this is a string [put it in brackets: `[…]`]
            shop/stack.yaml:12:93: `PORT` is a string, and this is a whole number [put it in quotes]
            shop/stack.yaml:12:99: unknown field `zzz` in Service [a Service has `subnets`, `role`, `upstream`, `command`, `environment`, `desiredCount` and `cpu`]
            shop/stack.yaml:13:54: `ingress` needs `ipProtocol` [`ipProtocol` is a string: The protocol.]
            shop/stack.yaml:13:56: unknown field `ipProtocl` in Rule [did you mean `ipProtocol`?]
            shop/stack.yaml:14:41: a policy document needs a `Statement`
            shop/stack.yaml:14:72: this is not JSON: expected ident at line 1 column 2
        "#]],
    );
}

#[test]
fn references() {
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
            shop/stack.yaml:11:29: `Vpc/off` is left out by its `when` [leave this out by the same condition, or declare the other one always]
            shop/stack.yaml:12:29: `a` is a SecurityGroup, and this takes a Vpc [there is `Vpc/network.main`]
            shop/stack.yaml:13:29: `Subnet/network.private-a` is a Subnet, and this takes a Vpc
            shop/stack.yaml:14:29: there is no `Vpc/vpc-0123` [write `{ id: … }` for something that no document declares]
            shop/stack.yaml:15:29: `vpc` takes one Vpc, and `*` may be several [name one; patterns go into lists]
            shop/stack.yaml:16:31: unknown field `ids` in a reference [did you mean `id`?]
            shop/stack.yaml:17:35: an identity is a string [put it in quotes]
            shop/stack.yaml:18:29: a reference to another stack needs `name` [as in `{ stack: shared, env: prod, name: network.main }`]
            shop/stack.yaml:19:29: `arn:aws:x` is not the name of a Vpc [write `{ id: arn:aws:x }` for something that no document declares]
            shop/stack.yaml:20:28: no Subnet fits `network.public-*` [there are network.private-a, network.private-b]
            shop/stack.yaml:20:46: `Subnet/network.private` has a `forEach` and is not one resource [write `network.private-*` for all of them in a list, or one of them: `network.private-a`]
            shop/stack.yaml:20:63: there is no `Subnet/off` [write `{ id: … }` for something that no document declares]
            shop/stack.yaml:21:43: `Vpc` is not an address; one looks like `SecurityGroup/web`
            shop/stack.yaml:21:48: there is no kind `Vcp` [did you mean `Vpc`?]
            shop/stack.yaml:21:61: there is no `Vpc/nothing` [write `{ id: … }` for something that no document declares]
        "#]],
    );
}

#[test]
fn expressions() {
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
  Service/x: { subnets: [], when: "${Vpc.main.id == ''}" }
  Service/y: { subnets: [], when: 3, forEach: [] }
  Service/z: { subnets: [], forEach: "${Vpc.main.id}" }
"#,
        expect![[r#"
            shop/stack.yaml:13:14: there is no parameter `cuont` [did you mean `count`?]
            shop/stack.yaml:14:14: there is no `env.nam` [did you mean `name`?]
            shop/stack.yaml:15:14: `each` is known only where there is a `forEach`
            shop/stack.yaml:16:14: there is no `Vcp` [did you mean `Vpc`?]
            shop/stack.yaml:17:14: there is no `Vpc/mian` [did you mean `main`?]
            shop/stack.yaml:18:14: a Vpc has no attribute `cidr` [did you mean `cidrBlock`?]
            shop/stack.yaml:19:14: `Vpc/main` alone is no value [say which attribute: `.id`, `.name`, `.arn`, or a field of its spec]
            shop/stack.yaml:20:14: `Vpc` alone reads nothing [write `Vpc.<name>.<attribute>`]
            shop/stack.yaml:21:16: this divides by zero
            shop/stack.yaml:22:12: this `${` has no `}` [close it, or write `$${` for a `${` that is no expression]
            shop/stack.yaml:23:14: there is no `vpc` [a name with a dash goes in brackets: `Kind["some-name"].id`]
            shop/stack.yaml:24:14: this is no expression: Syntax error: mismatched input '<EOF>' expecting expression [expressions are CEL; write `$${` for a `${` that is no expression]
            shop/stack.yaml:25:12: `M` is a string, and this is a list
            shop/stack.yaml:26:14: there is no `Vpc/nothing` [expressions read resources of this document only]
            shop/stack.yaml:27:37: `when` has to be known before anything is made, and this reads a resource [decide by a parameter]
            shop/stack.yaml:29:40: `forEach` has to be known before anything is made, and this reads a resource [go through a parameter]
        "#]],
    );
}

#[test]
fn for_each_and_duplicates() {
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
            shop/stack.yaml:8:5: `Vpc/a-b` is declared twice [the other one is at shop/stack.yaml:7:5; rename one of them]
            shop/stack.yaml:9:47: `forEach` has `b` twice
            shop/stack.yaml:10:47: `10.0.0.0/16` cannot be a part of an address [give the elements keys: a map of key to value, or maps with a `key`]
            shop/stack.yaml:11:47: an element of `forEach` is null, which names nothing [use strings, maps with a `key`, or a map]
            shop/stack.yaml:12:47: `forEach` is a list or a map, and this is a string
            shop/stack.yaml:13:47: `forEach` has more than 1000 elements
        "#]],
    );
}

#[test]
fn cycles() {
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
            shop/stack.yaml:7:5: these need each other to be made: Service/a → Service/b → Service/c → Service/a [cut one link: most cycles go through a field that can be left to the other side]
            shop/stack.yaml:10:5: `Service/d` needs itself to be made [a reference to itself has to be one that AWS takes after the create]
        "#]],
    );
}

#[test]
fn words_beside_the_spec() {
    check(
        r#"
tags: { "aws:x": y, n: 1 }
policy: { prune: "no", drift: men, maxDeletion: 1, maxMutations: -1 }
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
            shop/stack.yaml:6:11: the tag `aws:x` is not yours to give [keys that begin with `holdfast:` and `aws:` are taken]
            shop/stack.yaml:6:26: a tag's value is a string, and this is a whole number [put it in quotes]
            shop/stack.yaml:7:20: `prune` is true or false, and this is a string [write true or false, without quotes]
            shop/stack.yaml:7:33: `men` is none of `mend`, `alert` and `observe` [did you mean `mend`?]
            shop/stack.yaml:7:38: unknown field `maxDeletion` in `policy` [did you mean `maxDeletions`?]
            shop/stack.yaml:7:68: `maxMutations` is a whole number of at least 0
            shop/stack.yaml:9:46: the tag `holdfast:x` is not yours to give [keys that begin with `holdfast:` and `aws:` are taken]
            shop/stack.yaml:9:66: a tag's value is a string, and this is a list
            shop/stack.yaml:9:74: a tag's value is a string, and this is a whole number [put it in quotes]
            shop/stack.yaml:9:87: there is no region `nowhere` [declare it under `spec.regions`]
            shop/stack.yaml:10:42: `id` names something that is there already [write `lifecycle: { manage: observe }` to look it up, or `lifecycle: { adopt: … }` to take it over]
            shop/stack.yaml:10:72: `keep` is none of `delete` and `retain`
            shop/stack.yaml:10:87: `replace` is one of `allow` and `refuse`, and this is a boolean
            shop/stack.yaml:10:93: unknown field `ignored` in `lifecycle` [did you mean `ignore`?]
            shop/stack.yaml:11:60: `cidrBlok` is no path in a Vpc: there is no `cidrBlok` [did you mean `cidrBlock`?]
            shop/stack.yaml:11:82: a Subnet cannot become a Vpc [write `Vpc/…`, the address it had before]
            shop/stack.yaml:11:101: `protect` is true or false, and this is a string [write true or false, without quotes]
            shop/stack.yaml:12:5: nothing says how `Vpc/d` is found [give it an `id`, a `name`, or fields that only it has]
            shop/stack.yaml:13:5: `Vpc/e` is only observed: there is nothing to adopt or to move
            shop/stack.yaml:13:14: `cidrBlock` reads another resource, and a lookup goes by plain values [write the value itself, or look it up by `id` or `tags`]
            shop/stack.yaml:14:37: the name of a Service has at most 32 characters, and this has 42 [without `name` it is made from stack, environment and address]
            shop/stack.yaml:14:92: `dependsOn` is a list of addresses, and this is a string [as in `dependsOn: [Role/task]`]
            shop/stack.yaml:15:42: a Subscription has no tags [tag what it belongs to]
        "#]],
    );
}
