//! Reports of a plan with steps, holds and conditions.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use holdfast_core::address::Address;
use holdfast_core::diff::Change;
use holdfast_core::observed::{Condition, ConditionType, KindRegion, Observed, Opaque, Phase};
use holdfast_core::operation::{Mutation, Operation};
use holdfast_core::plan::hold::{Hold, Reason};
use holdfast_core::plan::{Action, Cause, Difference, Plan, Step};
use holdfast_core::schema::Tier;
use holdfast_core::value::Value;

use crate::{Detail, FailedStep, Footer, counted, json, markdown, text};

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

const FOLDED: Detail = Detail { full: false };
const ALL_OBSERVED: &BTreeMap<KindRegion, String> = &BTreeMap::new();
const UNSEARCHED: Footer<'_> = Footer { calls: 1, orphans_searched: false, unobserved: ALL_OBSERVED };
const SEARCHED: Footer<'_> = Footer { calls: 2, orphans_searched: true, unobserved: ALL_OBSERVED };

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
    .assert_eq(&plain(&text::plan(&busy(), UNSEARCHED, FOLDED)));
    expect![[r#"
        shop/prod
        Nothing to do: 3 unchanged, 2 AWS calls.
    "#]]
    .assert_eq(&plain(&text::plan(&empty(), SEARCHED, FOLDED)));
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
        | `Subscription/x` | ActionRequired | PendingConfirmation | confirm the &#124; subscription |

        3 unchanged, 1 AWS call. Orphans of kinds and regions that the document does not have were not searched for; `--prune` searches for them.
    "#]].assert_eq(&markdown::plan(&busy(), UNSEARCHED, FOLDED));
    expect![[r#"
        ### `shop/prod`: nothing to do

        3 unchanged, 2 AWS calls.
    "#]]
    .assert_eq(&markdown::plan(&empty(), SEARCHED, FOLDED));
    let held = Plan { holds: busy().holds, ..empty() };
    assert!(markdown::plan(&held, SEARCHED, FOLDED).starts_with("### `shop/prod`: **1** held\n"));
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
    "#]].assert_eq(&plain(&text::drift(&busy(), 1, FOLDED)));
    expect![[r#"
        shop/prod
        No drift. 2 AWS calls.
    "#]]
    .assert_eq(&plain(&text::drift(&empty(), 2, FOLDED)));
}

/// A live resource with an id and a name.
fn observed(id: &str, name: &str) -> Observed {
    Observed {
        region: "us-east-1".to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        spec: Value::Map(BTreeMap::new()),
        status: Value::Map(BTreeMap::new()),
        phase: Phase::Ready,
        conditions: vec![],
        tags: BTreeMap::new(),
        scheduled: BTreeSet::new(),
        bound: false,
        opaque: Opaque::default(),
    }
}

#[test]
fn live_resources_have_their_holds_and_conditions() {
    let observed = Observed { conditions: vec![condition("Service/web").1], ..observed("web-1", "web") };
    expect![[r#"
        Service/web  Ready     web-1
                     held: DriftIgnored: the policy is `warn`
                     ActionRequired PendingConfirmation: confirm the | subscription
    "#]]
    .assert_eq(&plain(&text::resources([(&address("Service/web"), &observed)], &busy())));
}

#[test]
fn creates_show_fields_and_long_lists_are_folded() {
    let field = |path: &str, to: &str| change(path, Value::Null, to.into());
    let fields = [field("cidrBlock", "10.0.0.0/24"), field("zone", "us-east-1a"), field("note", &"long ".repeat(40))];
    let many = (0..14).map(|n| step(&format!("Vpc/v{n}"), Action::Update, Cause::Edit, &[field("tags.a", "b")]));
    let steps = [step("Subnet/a", Action::Create, Cause::Edit, &fields)].into_iter().chain(many).collect();
    let plan = Plan { steps, ..empty() };
    expect![[r#"
        shop/prod
          + create  network    Subnet/a
              cidrBlock: 10.0.0.0/24, zone: us-east-1a, … and 1 more
          ~ update  network    Vpc/{v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, … and 4 more}  edit
              tags.a: (none) → b
        1 to create, 14 to update, 3 unchanged, 2 AWS calls.
        Long lists and values are folded; `--full` shows them.
    "#]]
    .assert_eq(&plain(&text::plan(&plan, SEARCHED, FOLDED)));
    let full = text::plan(&plan, SEARCHED, Detail { full: true });
    assert!(!full.contains("folded") && full.contains("v13}") && full.contains(&"long ".repeat(39)), "{full}");
}

#[test]
fn a_held_change_is_shown_with_its_values() {
    let forced = Change { immutable: true, ..change("cidrBlock", "10.0.0.0/16".into(), "10.1.0.0/16".into()) };
    let plan = Plan {
        holds: vec![hold("Vpc/a", Reason::ReplaceNotAllowed, "`cidrBlock` forces a replacement")],
        differences: vec![Difference {
            address: address("Vpc/a"),
            tier: Tier::Network,
            cause: Cause::Edit,
            changes: vec![forced],
        }],
        ..empty()
    };
    expect![[r#"
        shop/prod
          ! held    Vpc/a  ReplaceNotAllowed: `cidrBlock` forces a replacement
              cidrBlock: 10.0.0.0/16 → 10.1.0.0/16  (forces a replacement)
        1 held, 3 unchanged, 2 AWS calls.
    "#]]
    .assert_eq(&plain(&text::plan(&plan, SEARCHED, FOLDED)));
}

#[test]
fn failures_are_listed_with_their_causes() {
    let (vpc, queue) = (address("Vpc/a"), address("Queue/b"));
    let failed = [
        FailedStep { action: Action::Update, address: &vpc, error: "ec2.ModifyVpc: denied\n::error::" },
        FailedStep { action: Action::Create, address: &queue, error: "sqs.CreateQueue: a | b (Denied)" },
    ];
    expect![[r#"
        2 steps failed:
          ✗ update Vpc/a: ec2.ModifyVpc: denied\n::error::
          ✗ create Queue/b: sqs.CreateQueue: a | b (Denied)
    "#]]
    .assert_eq(&plain(&text::failures(&failed)));
    expect![[r#"

        | failed | resource | cause |
        |---|---|---|
        | update | `Vpc/a` | ec2.ModifyVpc: denied&#92;n::error:: |
        | create | `Queue/b` | sqs.CreateQueue: a &#124; b (Denied) |
    "#]]
    .assert_eq(&markdown::failures(&failed));
    assert!(text::failures(&[]).is_empty() && markdown::failures(&[]).is_empty());
}

#[test]
fn a_deletion_in_json_names_its_live_resource() {
    let mutation = Mutation::Delete { live: Box::new(observed("subnet-1", "shop-prod-a")) };
    let operation = Some(Operation { kind: "Subnet", region: "us-east-1".to_owned(), mutation });
    let deletion = Step { operation, ..step("Subnet/a", Action::Delete, Cause::Edit, &[]) };
    let plan = Plan { steps: vec![deletion, step("Subnet/b", Action::Create, Cause::Edit, &[])], ..empty() };
    let steps = &json::plan(&plan, SEARCHED)["steps"];
    expect![[r#"{"id":"subnet-1","name":"shop-prod-a","region":"us-east-1"}"#]]
        .assert_eq(&steps[0]["live"].to_string());
    assert!(steps[1].get("live").is_none());
}

#[test]
fn a_kind_that_cannot_be_observed_is_named() {
    let kind_region = KindRegion { kind: "Cluster", region: "eu-west-1".to_owned() };
    let unobserved = BTreeMap::from([(kind_region, "ecs.ListClusters: denied".to_owned())]);
    let footer = Footer { unobserved: &unobserved, ..SEARCHED };
    expect![[r#"
        shop/prod
          ? unknown Cluster in eu-west-1 could not be observed: ecs.ListClusters: denied
        Nothing to do: 3 unchanged, 2 AWS calls.
    "#]]
    .assert_eq(&plain(&text::plan(&empty(), footer, FOLDED)));
    let markdown = markdown::plan(&empty(), footer, FOLDED);
    assert!(markdown.contains("| `Cluster in eu-west-1` | ecs.ListClusters: denied |"), "{markdown}");
    expect![[r#"[{"kind":"Cluster","region":"eu-west-1","error":"ecs.ListClusters: denied"}]"#]]
        .assert_eq(&json::plan(&empty(), footer)["observationFailures"].to_string());
}

#[test]
fn one_is_singular() {
    assert_eq!(counted(1_usize, "resource"), "1 resource");
    assert_eq!(counted(0_u64, "resource"), "0 resources");
    assert_eq!(counted(2_u64, "AWS call"), "2 AWS calls");
}
