//! Tests of rendering, and of the errors of documents.

use std::fmt::Write as _;

use expect_test::Expect;

use super::*;
use crate::load::InMemoryFiles;

mod errors;
mod hostile;
pub(crate) mod kinds;
mod refusals;
mod rendering;
mod whole;

use kinds::REGISTRY;

/// Returns the files of a stack `shop` with the given `spec`, of its environment `prod`, and further files.
fn files(spec: &str, environment: &str, others: &[(&str, &str)]) -> InMemoryFiles {
    let indented = |text: &str| text.lines().fold(String::new(), |all, line| all + "  " + line + "\n");
    let mut files = BTreeMap::from([
        (
            "shop/stack.yaml".to_owned(),
            format!("apiVersion: holdfast/v1\nkind: Stack\nmetadata: {{ name: shop }}\nspec:\n{}", indented(spec)),
        ),
        (
            "shop/environments/prod.yaml".to_owned(),
            format!(
                "apiVersion: holdfast/v1\nkind: Environment\nmetadata: {{ name: prod }}\nspec:\n  stack: shop\n  target: {{ account: \"123456789012\", region: eu-west-1 }}\n{}",
                indented(environment)
            ),
        ),
    ]);
    for (path, text) in others {
        let text = match path.strip_prefix("lib/") {
            Some(name) => format!(
                "apiVersion: holdfast/v1\nkind: Component\nmetadata: {{ name: {} }}\nspec:\n{}",
                name.trim_end_matches(".yaml"),
                indented(text)
            ),
            None => (*text).to_owned(),
        };
        files.insert((*path).to_owned(), text);
    }
    InMemoryFiles(files)
}

fn request() -> Request<'static> {
    Request { path: "shop", env: "prod", ..Request::default() }
}

fn render_files(files: &InMemoryFiles) -> Result<Document, Diagnostics> {
    document(files, &request(), &REGISTRY).map(|rendered| rendered.document)
}

/// Returns the resources, one a line, or the errors.
fn show(result: &Result<Document, Diagnostics>) -> String {
    let document = match result {
        Ok(document) => document,
        Err(diagnostics) => {
            return diagnostics.iter().fold(String::new(), |mut shown, d| {
                let _ = write!(shown, "{}: {}", d.at, d.message);
                if let Some(help) = &d.help {
                    let _ = write!(shown, " [{help}]");
                }
                shown + "\n"
            });
        }
    };
    document.resources.values().fold(String::new(), |mut shown, resource| {
        let _ = writeln!(shown, "{} {} {}", resource.address, resource.region, resource.spec.json());
        shown
    })
}

fn check(spec: &str, expected: Expect) {
    check_all(spec, "", &[], expected);
}

fn check_all(spec: &str, environment: &str, others: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&show(&render_files(&files(spec, environment, others))));
}

/// A component with a network.
const NETWORK: (&str, &str) = (
    "lib/network.yaml",
    "parameters:
  cidr: { type: string, description: The network's block }
  zones: { type: list, default: [a] }
resources:
  Vpc/main: { cidrBlock: \"${params.cidr}\" }
  Subnet/private:
    forEach: ${params.zones}
    vpc: main
    cidrBlock: ${cidrSubnet(params.cidr, 8, params.zones.indexOf(each.key))}
    availabilityZone: ${env.region}${each.key}",
);

#[test]
fn the_digest_contains_the_bindings_of_nested_expressions() {
    let digest = |large: bool| {
        let given = "${Vpc.net.id == '' ? 'none' : params.large ? 'large' : 'small'}";
        let stack = format!(
            "
parameters: {{ large: {{ type: boolean, default: {large} }} }}
components:
  web: {{ from: ../lib/web.yaml, with: {{ size: \"{given}\" }} }}
resources:
  Vpc/net: {{ cidrBlock: 10.0.0.0/16 }}
"
        );
        let web = "
parameters:
  size: { type: string }
resources:
  Service/app: { subnets: [], environment: { SIZE: \"a ${params.size} one\" } }
";
        let document = render_files(&files(&stack, "", &[("lib/web.yaml", web)])).unwrap();
        crate::digest::of(&document.resources[&Address::new("Service", "web.app")])
    };
    assert_ne!(digest(true), digest(false));
    assert_eq!(digest(true), digest(true));
}
