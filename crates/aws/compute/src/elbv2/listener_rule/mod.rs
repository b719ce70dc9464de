//! ListenerRule: conditions and actions for some requests of a listener.

mod condition;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_base::try_join_all::try_join_all;
use holdfast_core::Spec;
use holdfast_core::observed::tag as owner;
use holdfast_core::schema::relation::{
    Condition::{Is, IsNot},
    Demand::{AnyOf, AtMostOne, Excludes, Items, Needs},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, Named as _, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::action::RuleAction;
use super::listener::{Listener, listeners_of};
use super::load_balancer::{LoadBalancer, load_balancers};
use super::{Elbv2Tags, add_tags, elbv2, name_of, read_tags, sdk_tags};
use condition::RuleCondition;

/// A listener rule: its actions apply to requests that meet all its conditions. Rules are evaluated in the order of
/// their priorities, the lowest number first. The listener's default actions come last. A blue/green deployment of a
/// `Service` changes the weights of its rule: state `lifecycle: { ignore: [actions] }` on that rule.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerRule {
    /// The listener of the rule.
    #[spec(immutable)]
    listener: Ref<Listener>,
    /// The priority, unique among the rules of the listener. Two rules of one document can swap their priorities.
    #[spec(range = 1..=50000)]
    priority: i32,
    /// The conditions of the rule. A request must meet all of them.
    conditions: BTreeSet<RuleCondition>,
    /// The actions for a request. The last one must be a `forward`, a `redirect` or a `fixed-response`.
    actions: Vec<RuleAction>,
}

/// The status of a ListenerRule: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerRuleStatus {
    /// The rule's ARN; also its id.
    arn: String,
}

impl Kind for ListenerRule {
    type Status = ListenerRuleStatus;
    type Owner = TagOnCreate<Elbv2Tags>;
    const TIER: Tier = Tier::Compute;
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteListener.html>
    const DELETED_WITH: Option<&'static str> = Some(ListenerRule::LISTENER.name());
    const NAMING: NamingRules = NamingRules::TAG;
    /// AWS refuses a second rule of the same priority.
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    /// `PriorityInUse` (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] =
        &[DocumentRelation::Unique(&[Self::LISTENER.name(), Self::PRIORITY.name()])];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html
        demand(Needs("hostHeaderConfig")).when(&[Is("field", &["host-header"])]).at("conditions.*"),
        demand(Needs("pathPatternConfig")).when(&[Is("field", &["path-pattern"])]).at("conditions.*"),
        demand(Needs("httpHeaderConfig")).when(&[Is("field", &["http-header"])]).at("conditions.*"),
        demand(Needs("httpRequestMethodConfig")).when(&[Is("field", &["http-request-method"])]).at("conditions.*"),
        demand(Needs("queryStringConfig")).when(&[Is("field", &["query-string"])]).at("conditions.*"),
        demand(Needs("sourceIpConfig")).when(&[Is("field", &["source-ip"])]).at("conditions.*"),
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html
        demand(AnyOf(&["targetGroup", "forwardConfig"])).when(&[Is("type", &["forward"])]).at("actions.*"),
        demand(AtMostOne(&["targetGroup", "forwardConfig"])).at("actions.*"),
        demand(Needs("redirectConfig")).when(&[Is("type", &["redirect"])]).at("actions.*"),
        demand(Excludes("redirectConfig")).when(&[IsNot("type", &["redirect"])]).at("actions.*"),
        demand(Needs("fixedResponseConfig")).when(&[Is("type", &["fixed-response"])]).at("actions.*"),
        demand(Excludes("fixedResponseConfig")).when(&[IsNot("type", &["fixed-response"])]).at("actions.*"),
        demand(Items("targetGroups", Some(1), Some(5))).at("actions.*.forwardConfig"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let rules = |listener: String| async move {
            let pages = elbv2(aws).describe_rules().listener_arn(&listener).into_paginator().items().send();
            let rules = all(pages).await.or_absent()?.unwrap_or_default();
            let own = rules.iter().filter(|rule| rule.is_default != Some(true));
            own.map(|rule| live(rule, &listener)).collect::<Result<Vec<_>>>()
        };
        let listeners = listeners(aws, scope).await?.into_iter();
        let mut found: Vec<_> = try_join_all(listeners.map(rules)).await?.into_iter().flatten().collect();
        add_tags(aws, scope, &mut found).await?;
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let ListenerRule { listener, priority, conditions, actions } = &desired.spec;
        let tags = desired.all_tags();
        let output = elbv2(aws)
            .create_rule()
            .listener_arn(listener.as_str())
            .priority(*priority)
            .set_conditions(Some(conditions.iter().map(RuleCondition::sdk).collect()))
            .set_actions(Some(actions.iter().map(|action| action.sdk(None)).collect()))
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let missing = || Error::incomplete("elasticloadbalancingv2.CreateRule", "rules");
        let rule = output.rules.unwrap_or_default().pop().ok_or_else(missing)?;
        let created = live(&rule, listener.as_str())?;
        Ok(Live { name: name_of(&tags), ..created }.tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let ListenerRule { listener: _, priority, conditions, actions } = &desired.spec;
        // ModifyRule keeps a part that the request leaves out.
        if desired.changed_any(&[ListenerRule::CONDITIONS, ListenerRule::ACTIONS]) {
            let mut modify = elbv2(aws).modify_rule().rule_arn(&live.id);
            if desired.changed(ListenerRule::CONDITIONS) {
                modify = modify.set_conditions(Some(conditions.iter().map(RuleCondition::sdk).collect()));
            }
            if desired.changed(ListenerRule::ACTIONS) {
                let current = &live.spec.actions;
                let actions = actions.iter().enumerate().map(|(i, action)| action.sdk(current.get(i))).collect();
                modify = modify.set_actions(Some(actions));
            }
            modify.send().await?;
        }
        if desired.changed(ListenerRule::PRIORITY) {
            let mut pairs = vec![pair(&live.id, *priority)];
            if let Some(other) = rule_with_priority(aws, live, *priority, &desired.tags).await? {
                pairs.push(pair(&other, live.spec.priority));
            }
            elbv2(aws).set_rule_priorities().set_rule_priorities(Some(pairs)).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elbv2(aws).delete_rule().rule_arn(&live.id).send().await?;
        Ok(())
    }
}

fn pair(rule: &str, priority: i32) -> sdk::RulePriorityPair {
    sdk::RulePriorityPair::builder().rule_arn(rule).priority(priority).build()
}

/// Returns the other rule with this priority, when it belongs to the same stack and environment. Both rules then swap
/// their priorities in one call, because AWS would refuse either change alone.
async fn rule_with_priority(
    aws: &Aws,
    live: &Live<ListenerRule>,
    priority: i32,
    tags: &Tags,
) -> Result<Option<String>> {
    let pages = elbv2(aws).describe_rules().listener_arn(live.spec.listener.as_str()).into_paginator().items().send();
    let rules = all(pages).await?;
    let priority = priority.to_string();
    let other =
        rules.iter().find(|rule| rule.priority.as_ref() == Some(&priority) && rule.rule_arn != Some(live.id.clone()));
    let Some(arn) = other.and_then(|rule| rule.rule_arn.clone()) else { return Ok(None) };
    let found = read_tags(aws, &Scope::default(), std::slice::from_ref(&arn)).await?.remove(&arn).unwrap_or_default();
    let same = |key: &str| found.contains_key(key) && found.get(key) == tags.get(key);
    Ok(Some(arn).filter(|_| same(owner::STACK) && same(owner::ENV)))
}

/// Returns the ARNs of the listeners whose rules the scope may request. The listeners that the document names are found
/// by their `Name` tags. Load balancers with names of ours are searched first, which costs no additional calls. The
/// others are searched only for a listener that is not found there.
async fn listeners(aws: &Aws, scope: &Scope) -> Result<BTreeSet<String>> {
    let listener_of = |rule: &String| {
        let (listener, _) = rule.rsplit_once('/')?;
        rule.contains(":listener-rule/").then(|| listener.replace(":listener-rule/", ":listener/"))
    };
    let mut found: BTreeSet<String> = scope.ids.iter().filter_map(listener_of).collect();
    let named = || scope.parents.iter().filter(|(kind, _)| *kind == Listener::KIND).map(|(_, name)| name.as_str());
    found.extend(named().filter(|name| name.starts_with("arn:")).map(str::to_owned));
    let mut missing: BTreeSet<&str> = named().filter(|name| !name.starts_with("arn:")).collect();
    let balancers = load_balancers(aws, scope).await?;
    let ours = |b: &&sdk::LoadBalancer| scope.is_parent(LoadBalancer::KIND, b.load_balancer_name().unwrap_or_default());
    let (candidates, others): (Vec<_>, Vec<_>) = balancers.iter().partition(|balancer| ours(balancer));
    for (balancers, is_candidate) in [(candidates, true), (others, false)] {
        let everything = !scope.lookups.is_empty() || missing.contains("");
        if !is_candidate && missing.is_empty() && !everything {
            break;
        }
        let requests = balancers
            .iter()
            .filter_map(|balancer| balancer.load_balancer_arn())
            .map(|arn| listeners_of(aws, scope, arn));
        let arns = try_join_all(requests).await?;
        let arns: Vec<String> = arns.iter().flat_map(|all| all.iter()).filter_map(|l| l.listener_arn.clone()).collect();
        let tags = if missing.is_empty() { BTreeMap::new() } else { read_tags(aws, scope, &arns).await? };
        for arn in arns {
            let tags = tags.get(&arn).cloned().unwrap_or_default();
            let is_named = missing.remove(name_of(&tags).as_str());
            if is_candidate || everything || is_named || scope.is_owned(&tags) {
                found.insert(arn);
            }
        }
    }
    Ok(found)
}

/// Reads a rule from a list response, which has no tags.
fn live(rule: &sdk::Rule, listener: &str) -> Result<Live<ListenerRule>> {
    let missing = |what| Error::incomplete("elasticloadbalancingv2.DescribeRules", what);
    let arn = rule.rule_arn.clone().ok_or_else(|| missing("ruleArn"))?;
    let spec = ListenerRule {
        listener: Ref::new(listener),
        priority: rule.priority().and_then(|text| text.parse().ok()).ok_or_else(|| missing("priority"))?,
        conditions: rule.conditions().iter().map(RuleCondition::from_response).collect(),
        actions: rule.actions().iter().map(RuleAction::from_response).collect(),
    };
    Ok(Live::new(arn.clone(), "", spec, ListenerRuleStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_rule_refers_to_its_listener() -> Result<()> {
        let forward = sdk::Action::builder().r#type("forward".into()).target_group_arn("t").build();
        let rule = sdk::Rule::builder().rule_arn("r").priority("10").actions(forward).build();
        let live = live(&rule, "l")?;
        assert_eq!((live.spec.listener.as_str(), live.spec.priority), ("l", 10));
        assert_eq!(live.spec.actions.len(), 1);
        assert!(super::live(&sdk::Rule::builder().rule_arn("r").priority("default").build(), "l").is_err());
        Ok(())
    }
}
