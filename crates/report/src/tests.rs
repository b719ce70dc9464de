//! Reports of a plan with steps, holds and conditions.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::observed::{Condition, ConditionType, Observed, Opaque, Phase};
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Cause, Difference, Plan, Step};
use holdfast_core::schema::Tier;
use holdfast_core::value::Value;

use crate::{Footer, counted, markdown, text};

pub(crate) mod kinds;

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn change(path: &str, from: Value, to: Value) -> Change {
    Change { path: path.to_owned(), from, to, immutable: false, unknown: None }
}

fn step(of: &str, action: Action, cause: Cause, changes: &[Change]) -> Step {
    let (address, changes) = (address(of), changes.to_vec());
    Step { address, tier: Tier::Network, action, cause, changes, after: Default::default(), operation: None }
}

fn hold(of: &str, reason: Reason, message: &str) -> Hold {
    Hold { address: address(of), reason, message: message.to_owned(), waits_for: None }
}

fn condition(of: &str) -> (Address, Condition) {
    let (reason, message) = ("PendingConfirmation".to_owned(), "confirm the | subscription".to_owned());
    (address(of), Condition { ty: ConditionType::ActionRequired, reason, message })
}

fn empty() -> Plan {
    Plan { stack: "shop".to_owned(), env: "prod".to_owned(), unchanged: 3, ..Plan::default() }
}

/// A plan with two equal updates, a create, a hold and a condition.
fn busy() -> Plan {
    let tags = [change("tags.team", Value::Null, "shop".into())];
    let list = |items: &[&str]| Value::List(items.iter().map(|item| (*item).into()).collect());
    let rules =
        [change("rules", list(&["a", "b"]), list(&["b", "c"])), change("size", Value::Integer(3), Value::Integer(2))];
    let difference = |of: &str, cause, changes: &[Change]| Difference {
        address: address(of),
        tier: Tier::Network,
        cause,
        changes: changes.to_vec(),
    };
    Plan {
        steps: vec![
            step("Vpc/a", Action::Update, Cause::Edit, &tags),
            step("Vpc/b", Action::Update, Cause::Edit, &tags),
            step("Subnet/a", Action::Create, Cause::Edit, &[]),
            step("Subnet/b", Action::Update, Cause::Drift, &rules),
        ],
        holds: vec![hold("Service/web", Reason::DriftIgnored, "the policy is `warn`")],
        differences: vec![difference("Vpc/a", Cause::Edit, &tags), difference("Subnet/b", Cause::Drift, &rules)],
        conditions: vec![condition("Subscription/x")],
        ..empty()
    }
}

const UNSEARCHED: Footer = Footer { calls: 1, orphans_searched: false };
const SEARCHED: Footer = Footer { calls: 2, orphans_searched: true };

/// Returns text without ANSI codes.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn a_plan_shows_steps_holds_conditions_and_unsearched_orphans() {
    expect![[r#"
        shop/prod
          ~ update  network    Vpc/{a, b}  edit
              tags.team: (none) → shop
          + create  network    Subnet/a
          ~ update  network    Subnet/b  drift
              rules: −a +c
              size: 3 → 2
          ! held    Service/web  DriftIgnored: the policy is `warn`
          i Subscription/x  ActionRequired PendingConfirmation: confirm the | subscription
        1 to create, 3 to update, 1 held, 3 unchanged, 1 AWS call.
        Orphans of kinds and regions that the document does not have were not searched for; `--prune` searches for them.
    "#]]
    .assert_eq(&plain(&text::plan(&busy(), UNSEARCHED)));
    expect![[r#"
        shop/prod
        Nothing to do: 3 unchanged, 2 AWS calls.
    "#]]
    .assert_eq(&plain(&text::plan(&empty(), SEARCHED)));
}

#[test]
fn a_plan_in_markdown_has_the_same_facts() {
    expect![[r#"
        ### `shop/prod`: **1** to create, **3** to update, **1** held

        | action | resource | cause | changes |
        |---|---|---|---|
        | update | `Vpc/{a, b}` | edit | `tags.team: (none) → shop` |
        | create | `Subnet/a` | edit |  |
        | update | `Subnet/b` | drift | `rules: −a +c`<br>`size: 3 → 2` |

        | held | reason | |
        |---|---|---|
        | `Service/web` | DriftIgnored | the policy is `warn` |

        | condition of | type | reason | |
        |---|---|---|---|
        | `Subscription/x` | ActionRequired | PendingConfirmation | confirm the \| subscription |

        3 unchanged, 1 AWS call. Orphans of kinds and regions that the document does not have were not searched for; `--prune` searches for them.
    "#]].assert_eq(&markdown::plan(&busy(), UNSEARCHED));
    expect![[r#"
        ### `shop/prod`: nothing to do

        3 unchanged, 2 AWS calls.
    "#]]
    .assert_eq(&markdown::plan(&empty(), SEARCHED));
    let held = Plan { holds: busy().holds, ..empty() };
    assert!(markdown::plan(&held, SEARCHED).starts_with("### `shop/prod`: **1** held\n"));
}

#[test]
fn drift_states_which_side_is_live() {
    expect![[r#"
        shop/prod
          A change is shown as `live → declared`, which is what a correction does. In a list, − is only live, and + is only declared.
          ≠ drift      Subnet/b
              rules: −a +c
              size: 3 → 2
          ! held    Service/web  DriftIgnored: the policy is `warn`
        1 resource drifted. 1 edit of the document is not applied yet. 1 AWS call.
    "#]].assert_eq(&plain(&text::drift(&busy(), 1)));
    expect![[r#"
        shop/prod
        No drift. 2 AWS calls.
    "#]]
    .assert_eq(&plain(&text::drift(&empty(), 2)));
}

#[test]
fn live_resources_have_their_holds_and_conditions() {
    let observed = Observed {
        region: "us-east-1".to_owned(),
        id: "web-1".to_owned(),
        name: "web".to_owned(),
        spec: Value::Map(BTreeMap::new()),
        status: Value::Map(BTreeMap::new()),
        phase: Phase::Ready,
        conditions: vec![condition("Service/web").1],
        tags: BTreeMap::new(),
        scheduled: BTreeSet::new(),
        bound: false,
        opaque: Opaque::default(),
    };
    expect![[r#"
        Service/web  Ready     web-1
                     held: DriftIgnored: the policy is `warn`
                     ActionRequired PendingConfirmation: confirm the | subscription
    "#]]
    .assert_eq(&plain(&text::resources([(&address("Service/web"), &observed)], &busy())));
}

#[test]
fn one_is_singular() {
    assert_eq!(counted(1_usize, "resource"), "1 resource");
    assert_eq!(counted(0_u64, "resource"), "0 resources");
    assert_eq!(counted(2_u64, "AWS call"), "2 AWS calls");
}
