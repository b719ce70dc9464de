//! Rendering returns a document or errors for any files, and never panics.

use proptest::prelude::*;

use super::*;

/// Generates values of documents, valid and invalid.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("main".to_owned()),
        Just("null".to_owned()),
        Just("10.0.0.0/16".to_owned()),
        Just("\"*\"".to_owned()),
        Just("\"${params.a}\"".to_owned()),
        Just("\"${Vpc.main.id}\"".to_owned()),
        Just("\"${each.key}-${env.region}\"".to_owned()),
        Just("\"${Service.web.arn + Vpc[\\\"x\\\"].id}\"".to_owned()),
        "[a-z0-9]{0,6}",
        "\"[ -!#-\\[\\]-~]{0,12}\"",
        any::<i32>().prop_map(|n| n.to_string()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let keys = prop::sample::select(vec![
            "vpc",
            "cidrBlock",
            "ingress",
            "subnets",
            "lifecycle",
            "forEach",
            "when",
            "region",
            "tags",
            "name",
            "id",
            "dependsOn",
            "manage",
            "environment",
            "a",
            "type",
            "default",
            "from",
            "with",
            "ignore",
            "key",
            "stack",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::btree_map(keys, inner, 0..5).prop_map(|map| {
                let pairs: Vec<String> = map.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{ {} }}", pairs.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_renders_or_is_refused(text in "(?s).{0,200}") {
        let files = InMemoryFiles(BTreeMap::from([("shop/stack.yaml".to_owned(), text)]));
        if let Err(diagnostics) = document(&files, &Request { path: "shop", ..Request::default() }, &REGISTRY) {
            prop_assert!(!diagnostics.to_string().is_empty());
        }
    }

    #[test]
    fn any_yaml_renders_or_is_refused(text in "[-a-z0-9:{}\\[\\], \n\"'|>&*!#?%@$<~.]{0,200}") {
        let files = files(&text, &text, &[("lib/network.yaml", &text)]);
        if let Err(diagnostics) = document(&files, &request(), &REGISTRY) {
            prop_assert!(!diagnostics.to_string().is_empty());
        }
    }

    #[test]
    fn any_document_renders_or_is_refused(
        resources in prop::collection::vec((prop::sample::select(vec!["Vpc/main", "Service/web", "SecurityGroup/x", "Role/r", "Subscription/s", "Vcp/y"]), value()), 0..5),
        parameter in value(),
        component in value(),
        patch in value(),
    ) {
        let resources: BTreeMap<_, _> = resources.into_iter().collect();
        let lines: String = resources.iter().map(|(address, value)| format!("  {address}: {value}\n")).collect();
        let stack = format!("parameters: {{ a: {parameter} }}\ncomponents: {{ network: {component}, n: {{ from: ../lib/network.yaml, with: {component} }} }}\nresources:\n{lines}");
        let environment = format!("parameters: {{ a: {patch} }}\npatches: {{ Vpc/main: {patch} }}");
        let files = files(&stack, &environment, &[NETWORK]);
        match document(&files, &request(), &REGISTRY) {
            Ok(rendered) => prop_assert_eq!(show(&Ok(rendered.document.clone())), show(&document(&files, &request(), &REGISTRY).map(|r| r.document))),
            Err(diagnostics) => prop_assert!(!diagnostics.to_string().is_empty()),
        }
    }

    #[test]
    fn any_expression_parses_or_is_refused(code in "[-a-zA-Z0-9_.(){}\\[\\]+*/<>=!&|?:,'\"$ ]{0,60}") {
        let _ = crate::expression::Template::parse(&format!("${{{code}}}"));
    }
}

#[test]
fn large_documents_render_in_seconds() {
    let stack = "
resources:
  Vpc/main: { cidrBlock: 10.0.0.0/8 }
  Subnet/a:
    forEach: ${range(1000)}
    vpc: main
    cidrBlock: ${cidrSubnet('10.0.0.0/8', 16, each.value)}
    availabilityZone: ${env.region}${each.key}
  Service/a:
    forEach: ${range(1000)}
    subnets: [a-1*]
    environment: { VPC: \"${Vpc.main.id}\", N: \"n ${each.key}\" }
";
    let start = std::time::Instant::now();
    let document = render_files(&files(stack, "", &[])).unwrap();
    assert_eq!(document.resources.len(), 2001);
    // It takes about 2.5 s without optimisation. A quadratic algorithm takes minutes.
    assert!(start.elapsed() < std::time::Duration::from_secs(40), "took {:?}", start.elapsed());
}

/// Returns the error of a document that is too large, and checks that it is refused in seconds.
fn refused(spec: &str) -> String {
    let start = std::time::Instant::now();
    let shown = show(&render_files(&files(spec, "", &[])));
    // Without optimisation. A document that grows without bound takes all memory first.
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "took {:?}", start.elapsed());
    shown.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn parameters_that_multiply_each_other_are_refused() {
    let chain = |first: &str, ty: &str, next: &dyn Fn(usize) -> String| {
        let mut spec = format!("parameters:\n  s0: {{ type: {ty}, default: {first} }}\n");
        for n in 1..30 {
            let _ = writeln!(spec, "  s{n}: {{ type: {ty}, default: {} }}", next(n - 1));
        }
        spec + "resources: { Vpc/main: { cidrBlock: \"${params.s29}\" } }"
    };
    let template = chain("'0123456789'", "string", &|n| format!("\"{}\"", format!("${{params.s{n}}}").repeat(10)));
    let sum =
        chain("'0123456789'", "string", &|n| format!("\"${{{}}}\"", vec![format!("params.s{n}"); 10].join(" + ")));
    let list = chain("[x]", "list", &|n| format!("[{}]", vec![format!("\"${{params.s{n}}}\""); 10].join(", ")));
    let joined = chain("[x]", "list", &|n| format!("\"${{{}}}\"", vec![format!("params.s{n}"); 10].join(" + ")));
    let literal = chain("[x]", "list", &|n| format!("\"${{[{}]}}\"", vec![format!("params.s{n}"); 10].join(", ")));
    let all = [template, sum, list, joined, literal].map(|spec| refused(&spec) + "\n").concat();
    expect_test::expect![[r#"
        shop/stack.yaml:11:37: this string is longer than 262144 bytes [no field of AWS takes so long a string: shorten the parameters that it repeats]
        shop/stack.yaml:12:37: this expression takes more than 100000 steps; shorten its lists
        shop/stack.yaml:12:161: the values of this document take more than 256 MiB [shorten the texts and lists that parameters, expressions and `forEach` repeat]
        shop/stack.yaml:11:35: this expression takes more than 100000 steps; shorten its lists
        shop/stack.yaml:11:35: the result of this expression is larger than 16 MiB [shorten the parameters that it repeats]
    "#]].assert_eq(&all);
}

#[test]
fn a_large_body_in_a_long_for_each_is_refused() {
    let entries: String = (0..20_000).map(|n| format!("      K{n}: v\n")).collect();
    let spec = format!(
        "resources:\n  Service/a:\n    forEach: ${{range(1000)}}\n    subnets: []\n    environment:\n{entries}"
    );
    let shown = refused(&spec);
    assert!(shown.contains("the values of this document take more than 256 MiB"), "{shown}");
}

#[test]
fn the_steps_of_all_expressions_are_bounded() {
    let spec = "
resources:
  Service/a:
    forEach: ${range(1000)}
    subnets: []
    environment: { N: \"${join(range(1000).map(x, string(x + each.value * 2 + 1)), '')}\" }
";
    let shown = refused(spec);
    assert!(shown.contains("the expressions of this document take more than 5000000 steps"), "{shown}");
}
