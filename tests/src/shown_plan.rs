//! The oracle of plans: the mutating calls of a pass are those that the text of the plan shown before it explains.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use serde_json::Value;

use crate::{Call, Run, TestEnv};

/// The signs at the beginning of the lines of steps.
const SIGNS: [&str; 6] = ["+", "~", "±", "−", "»", "«"];

/// A pass, with the plan that was shown before it.
#[derive(Debug)]
pub struct ShownPass {
    /// The text of the plan, with every field.
    pub plan: String,
    /// The pass.
    pub run: Run,
    /// The mutating calls of the pass that no step of the plan explains, by their names and requests.
    pub unexplained: Vec<String>,
}

/// Shows the plan of a document, makes a pass, and compares its mutating calls with the plan.
///
/// A call is explained if it names an address, an id or a physical name of a resource with a step in the text.
///
/// # Errors
/// Returns an error when a command does not run, or has no output.
pub fn pass_as_shown(test_env: &TestEnv, path: &str, env: &str, more: &[&str]) -> anyhow::Result<ShownPass> {
    let mut names = names(test_env, path, env)?;
    let plan = test_env.run("plan", path, env, &[&["--full"], more].concat())?;
    ensure!([0, 2].contains(&plan.code), "plan: {plan}");
    test_env.proxy.clear();
    let run = test_env.run("reconcile", path, env, &[&["--once"], more].concat())?;
    let calls = test_env.proxy.mutating();
    for (address, known) in self::names(test_env, path, env)? {
        names.entry(address).or_default().extend(known);
    }
    let shown = steps(&plan.stdout);
    let mut explaining: BTreeSet<String> = shown.values().flatten().cloned().collect();
    for address in shown.keys() {
        explaining.insert(address.clone());
        explaining.extend(names.get(address).into_iter().flatten().cloned());
    }
    let unexplained = calls.iter().filter(|call| !explaining.iter().any(|name| request(call).contains(name.as_str())));
    let unexplained = unexplained.map(|call| format!("{} {}", call.name(), request(call))).collect();
    Ok(ShownPass { plan: plan.stdout, run, unexplained })
}

/// Returns the ids and physical names of the live resources, by address.
fn names(test_env: &TestEnv, path: &str, env: &str) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let live = test_env.run("get", path, env, &["-o", "json"])?.json()?;
    let resources = live.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let of = |resource: &Value| {
        let names = ["id", "name"].iter().filter_map(|key| text(&resource[key])).collect();
        (text(&resource["address"]).unwrap_or_default(), names)
    };
    Ok(resources.map(of).collect())
}

/// Returns the addresses of the steps in the text of a plan, each with the other words of its line: the id and the name
/// of a resource that is deleted or adopted.
fn steps(plan: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut steps: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in plan.lines() {
        let mut words = line.split_whitespace();
        let is_step = line.starts_with("  ") && words.next().is_some_and(|sign| SIGNS.contains(&sign));
        let (Some(_action), Some(_tier), true) = (words.next(), words.next(), is_step) else { continue };
        let subject = words.collect::<Vec<_>>().join(" ");
        // `Kind/name`, or `Kind/{a, b}` for several.
        let (kind, rest) = subject.split_once('/').unwrap_or((&subject, ""));
        let (list, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((list, rest)) => (list, rest),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        // The last word is the cause.
        let others = rest.split_whitespace().map(|word| word.trim_matches(['(', ')'])).filter(|word| word.len() > 7);
        let others: BTreeSet<String> = others.map(str::to_owned).collect();
        for name in list.split(", ") {
            steps.entry(format!("{kind}/{name}")).or_default().extend(others.clone());
        }
    }
    steps
}

/// Returns the line and the body of a call, decoded.
fn request(call: &Call) -> String {
    let decode = |text: &str| urlencoding::decode(&text.replace('+', " ")).map_or(text.to_owned(), |t| t.into_owned());
    format!("{} {}", decode(&call.line), decode(&call.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_text_have_addresses_and_identities() {
        let plan = "shop/test\n  + create  operations Queue/a\n      visibilityTimeout: 30\n  ~ update  network    \
                    Vpc/{a, b.c}  edit\n      tags.a: (none) → b\n  − delete  operations LogGroup/old  /shop/old-group \
                    (old-group)\n  ! held    Vpc/d  Pending: x\n";
        let steps = steps(plan);
        let addresses: Vec<&str> = steps.keys().map(String::as_str).collect();
        assert_eq!(addresses, ["LogGroup/old", "Queue/a", "Vpc/a", "Vpc/b.c"]);
        assert_eq!(steps["LogGroup/old"], BTreeSet::from(["/shop/old-group".to_owned(), "old-group".to_owned()]));
    }
}
