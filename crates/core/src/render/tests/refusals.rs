//! The errors of whole files: parameters, environments, components, and files that are not documents.

use expect_test::expect;

use super::*;

#[test]
fn values_that_aws_refuses_are_reported_at_their_places() {
    check_all(
        "
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/16 }
  Subscription/a: { endpoint: x, protocol: htps, retries: 101 }
  Subscription/b: { endpoint: x, protocol: sqs, retries: 100, topics: [ab, Ab, abcdefghi] }
  Subscription/c: { endpoint: x, topics: [] }
  Subscription/e: { endpoint: x, protocol: mqtt, retries: 7, lifecycle: { accept: [protocol] } }
  Subscription/f: { endpoint: x, protocol: mqtt, lifecycle: { accept: [protocols] } }
  Subscription/d: { endpoint: x, topics: [\"${Vpc.main.arn}\"], protocol: \"${Vpc.main.arn}\" }
",
        "",
        &[],
        expect![[r#"
            shop/stack.yaml:8:46: `protocol` must be `https` or `sqs`, but this is `htps` [did you mean `https`?]
            shop/stack.yaml:8:61: `retries` must be 0 to 100, but this is `101` [change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value]
            shop/stack.yaml:9:73: `topics` must have 1 to 2 elements, but this has 3 [change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value]
            shop/stack.yaml:9:78: an element of `topics` must match `[a-z]*`, but this is `Ab` [change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value]
            shop/stack.yaml:9:82: an element of `topics` must have 1 to 8 characters, but this has 9 [change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value]
            shop/stack.yaml:10:44: `topics` must have 1 to 2 elements, but this has 0 [change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value]
            shop/stack.yaml:12:46: `protocol` must be `https` or `sqs`, but this is `mqtt` [change the value, or name the field in `lifecycle: { accept: […] }` if AWS accepts the value]
            shop/stack.yaml:12:74: `protocols` is not a path in a Subscription: there is no field `protocols` [did you mean `protocol`?]
        "#]],
    );
}

#[test]
fn errors_of_parameters_are_reported() {
    check_all(
        "
parameters:
  image: { type: string }
  count: { type: integer, default: two }
  size: { type: string, allowed: [small, large] }
  odd: { type: strin }
  no-dashes: { type: string, default: x }
components:
  network: { from: ../lib/network.yaml, with: { cdir: 10.0.0.0/16, zones: a } }
resources:
  Service/web: { subnets: [network.private-*], environment: { IMAGE: \"${params.image}\", ODD: \"${params.odd}\" } }
",
        "parameters: { imag: x, size: lage, count: 1.5 }",
        &[NETWORK],
        expect![[r#"
            shop/environments/prod.yaml:7:15: the environment `prod` needs the parameter `image` [set it under `parameters`; it is a string]
            shop/environments/prod.yaml:7:17: the environment `prod` has no parameter `imag` [did you mean `image`?]
            shop/environments/prod.yaml:7:32: the parameter `size` must be `small` or `large` [did you mean `large`?]
            shop/environments/prod.yaml:7:45: the parameter `count` must be an integer, but this is a number
            shop/stack.yaml:8:38: the parameter `count` is an integer, but its default is a string
            shop/stack.yaml:10:18: a parameter's type must be `string`, `integer`, `number`, `boolean`, `list` or `map`, but this is `strin` [did you mean `string`?]
            shop/stack.yaml:11:5: `no-dashes` cannot be the name of a parameter [expressions read `params.<name>`: a name is a letter or `_`, then letters, digits and `_`]
            shop/stack.yaml:13:5: the component `network` needs the parameter `cidr` [give it under `with`; it is a string: The network's block]
            shop/stack.yaml:13:51: the component `network` has no parameter `cdir` [did you mean `cidr`?]
            shop/stack.yaml:13:77: the parameter `zones` must be a list, but this is a string
        "#]],
    );
    check_all(
        "parameters: { tag: { type: string } }\nresources: {}",
        "parameters: { tag: 1.2 }",
        &[],
        expect![[r#"
            shop/environments/prod.yaml:7:22: the parameter `tag` must be a string, but this is a number [put the value in quotes]
        "#]],
    );
    check_all(
        "parameters: { tag: { type: string } }\nresources: {}",
        "",
        &[],
        expect![[r#"
        shop/environments/prod.yaml: the environment `prod` needs the parameter `tag` [set it under `parameters`; it is a string]
    "#]],
    );
}

#[test]
fn errors_of_environments_are_reported() {
    let broken = "apiVersion: holdfast/v2\nkind: Environment\nmetadata: { name: dev }\nspec: { stack: store, target: { account: 12, regin: x }, patch: {} }";
    check_all(
        "resources: { Vpc/main: {cidrBlock: 10.0.0.0/16} }",
        "",
        &[("shop/environments/prod.yaml", broken)],
        expect![[r#"
            shop/environments/prod.yaml:1:13: this `apiVersion` is not supported [write `apiVersion: holdfast/v1`]
            shop/environments/prod.yaml:3:19: the file is named `prod.yaml`, but the environment is named `dev` [write `name: prod`, or rename the file]
            shop/environments/prod.yaml:4:16: the environment belongs to the stack `store`, but this is `shop` [write `stack: shop`, or move the file]
            shop/environments/prod.yaml:4:42: an account id must have 12 digits [write 12 digits in quotes: YAML reads digits without quotes as a number, which loses a leading 0]
            shop/environments/prod.yaml:4:46: unknown field `regin` in `target` [did you mean `region`?]
            shop/environments/prod.yaml:4:58: unknown field `patch` in an environment's spec [did you mean `patches`?]
        "#]],
    );
    check_all(
        "resources: { Vpc/main: {cidrBlock: 10.0.0.0/16} }",
        "patches:\n  Vpc/mian: {}\n  Vpc/main: { cidr: 1 }\n  Nothing/x: 3",
        &[],
        expect![[r#"
            shop/environments/prod.yaml:8:5: the patch of `Vpc/mian` is empty [state the fields that it changes, or remove the patch]
            shop/environments/prod.yaml:8:5: this patch is for `Vpc/mian`, which the stack does not have [did you mean `Vpc/main`?]
            shop/environments/prod.yaml:9:17: unknown field `cidr` in Vpc [did you mean `cidrBlock`?]
            shop/environments/prod.yaml:10:5: this patch is for `Nothing/x`, which the stack does not have [`holdfast render` lists the addresses]
            shop/environments/prod.yaml:10:16: the patch of `Nothing/x` must be a map, but this is a whole number
        "#]],
    );
    let files = files("resources: {}", "", &[]);
    let absent = Request { env: "prd", ..request() };
    expect![[r#"
        shop/environments/prd.yaml: there is no environment `prd` [did you mean `prod`?]
    "#]]
    .assert_eq(&show(&document(&files, &absent, &REGISTRY).map(|r| r.document)));
    let none = Request { env: "", ..request() };
    expect![[r#"
        shop/stack.yaml:3:19: this stack has no region [write `regions: { main: … }` under `spec`, or `region` in the environment's `target`]
    "#]].assert_eq(&show(&document(&files, &none, &REGISTRY).map(|r| r.document)));
}

#[test]
fn errors_of_components_are_reported() {
    check_all(
        "
components:
  absent: { from: ../lib/absent.yaml }
  a: { from: ../lib/a.yaml }
  stack: { from: ../lib/stack.yaml }
  none: { with: {} }
  pod: { from: pod.yaml }
resources:
  SecurityGroup/a: { vpc: absent.main }
",
        "",
        &[
            ("lib/a.yaml", "components: { b: { from: b.yaml } }"),
            ("lib/b.yaml", "components: { a: { from: ./a.yaml } }"),
            ("lib/stack.yaml", ""),
            ("shop/pod.yaml", "apiVersion: holdfast/v1\nkind: Stack\nmetadata: { name: x }\n"),
        ],
        expect![[r#"
            lib/b.yaml:5:28: components use each other in a cycle: lib/a.yaml → lib/b.yaml → lib/a.yaml [move the shared part into a third component]
            lib/stack.yaml:3:19: the component has neither resources nor components [declare resources under `spec.resources`, or remove the uses of the component; if the file is cut short, restore it]
            lib/stack.yaml:4:1: the file ends after `spec`, which has no value [if the file is cut short, restore it; for an empty value, write `{}`, `[]` or `null`]
            shop/pod.yaml:2:7: expected a Component, but this file is a Stack [write `kind: Component`, or use another file]
            shop/pod.yaml:3:19: the component has no `spec` [declare resources under `spec.resources`; if the file is cut short, restore it]
            shop/stack.yaml:7:21: `lib/absent.yaml` cannot be read: no such file [the path is relative to the file that it is written in]
            shop/stack.yaml:10:5: the component `none` has no `from` [add `from` with the path of the component's file, relative to this file]
        "#]],
    );
}

#[test]
fn files_that_are_not_documents_are_refused() {
    let refused = |text: &str| {
        let files = InMemoryFiles(BTreeMap::from([("shop/stack.yaml".to_owned(), text.to_owned())]));
        show(&document(&files, &Request { path: "shop", ..Request::default() }, &REGISTRY).map(|r| r.document))
    };
    let absent = document(&InMemoryFiles::default(), &request(), &REGISTRY).map(|r| r.document);
    let mut shown = show(&absent);
    let bomb = (0..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |all, n| {
        format!("{all}a{}: &a{} [{}]\n", n + 1, n + 1, vec![format!("*a{n}"); 10].join(", "))
    });
    let deep = "[".repeat(2000);
    let texts = [
        "",
        "# nothing\n",
        "- a\n- b\n",
        "just text",
        "a: 1\na: 2\n",
        "a: [1\n",
        "{{ .Values.x }}: 1",
        "a: 1\n---\nb: 2\n",
        "<<<<<<< HEAD\na: 1\n=======\n",
        "apiVersion: v1\nkind: Pod\nspce: {}\n",
        "\u{0}",
        &bomb,
        &deep,
        "apiVersion: holdfast/v1\nkind: Stack\nmetadata: { name: \"a b\" }\nspec: { resource: {}, resources: { Vcp/main: {}, Vpc: {}, main: {}, Vpc/a.b: {} } }\n",
    ];
    for text in texts {
        shown += &format!("--- {:.20}\n{}", text.escape_debug().to_string(), refused(text));
    }
    expect![[r#"
        shop: `shop` cannot be read: no such file [pass the path of a folder that contains `stack.yaml`, or of that file]
        --- 
        shop/stack.yaml: the document is empty [a document begins with `apiVersion: holdfast/v1` and `kind: Stack`; if a template generates the file, check it]
        --- # nothing\n
        shop/stack.yaml: the document is empty [a document begins with `apiVersion: holdfast/v1` and `kind: Stack`; if a template generates the file, check it]
        --- - a\n- b\n
        shop/stack.yaml:1:1: the document is a list, not a map [a document begins with `apiVersion: holdfast/v1` and `kind: Stack`]
        --- just text
        shop/stack.yaml:1:1: the document is a string, not a map [a document begins with `apiVersion: holdfast/v1` and `kind: Stack`]
        --- a: 1\na: 2\n
        shop/stack.yaml:2:1: duplicate key `a`
        --- a: [1\n
        shop/stack.yaml:1:4: this is not valid YAML: unclosed bracket '['
        --- {{ .Values.x }}: 1
        shop/stack.yaml:1:1: this is not valid YAML: expected string scalar
        --- a: 1\n---\nb: 2\n
        shop/stack.yaml:2:1: a second document begins here, but a file holds one document; move it to a file of its own
        --- <<<<<<< HEAD\na: 1\n
        shop/stack.yaml:2:2: this is not valid YAML: mapping values are not allowed in this context [the file contains the markers of a merge conflict; resolve it]
        --- apiVersion: v1\nkind
        shop/stack.yaml:1:1: `metadata` is missing [write `metadata: { name: … }`]
        shop/stack.yaml:1:1: the stack has no `spec` [declare resources under `spec.resources`]
        shop/stack.yaml:1:13: this `apiVersion` is not supported [write `apiVersion: holdfast/v1`]
        shop/stack.yaml:2:7: expected a Stack, but this file is a Pod [write `kind: Stack`, or use another file]
        shop/stack.yaml:3:1: unknown field `spce` in a document of kind Stack [did you mean `spec`?]
        --- \0
        shop/stack.yaml:1:1: this is not valid YAML: unexpected character: `\u{0}'
        --- a0: &a0 [x, x, x, x,
        shop/stack.yaml:6:10: the document is too large after its aliases are expanded
        --- [[[[[[[[[[[[[[[[[[[[
        shop/stack.yaml:1:256: this is not valid YAML: recursion limit exceeded
        --- apiVersion: holdfast
        shop/stack.yaml:3:19: `a b` cannot be the name of a Stack [a name begins with a letter or digit and consists of letters, digits, `-` and `_`]
        shop/stack.yaml:4:9: unknown field `resource` in a stack's spec [did you mean `resources`?]
        shop/stack.yaml:4:36: there is no kind `Vcp` [did you mean `Vpc`?]
        shop/stack.yaml:4:50: `Vpc` is not an address [an address is `Kind/name`: write `Vpc/main`]
        shop/stack.yaml:4:59: `main` is not an address [an address is `Kind/name`, for example `SecurityGroup/web`]
        shop/stack.yaml:4:69: `a.b` cannot be the name of a Vpc [a name begins with a letter or digit and consists of letters, digits, `-` and `_`]
    "#]].assert_eq(&shown);
}

#[test]
fn combinations_of_fields_that_aws_refuses_are_reported() {
    check(
        r#"
resources:
  Role/a: { assumeRolePolicyDocument: { Statement: [] } }
  Service/a: { subnets: [], desiredCount: 0, command: [sh, run] }
  Service/b:
    subnets: []
    cpu: 0.5
  Service/c: { subnets: [], cpu: 0.5, role: a, name: web-c }
  Service/d: { subnets: [], desiredCount: 0, command: ["${Role.a.arn}"] }
  Service/e: { name: web-e, lifecycle: { manage: observe } }
"#,
        expect![[r#"
            shop/stack.yaml:8:58: `Service/a`: `command` needs a `desiredCount` above 0
            shop/stack.yaml:9:5: `Service/b`: a service with a `cpu` of 0.5 needs a `role`
            shop/stack.yaml:12:50: `Service/c`: the name `web-c` is already in use
            shop/stack.yaml:13:58: `Service/d`: `command` needs a `desiredCount` above 0
        "#]],
    );
}
