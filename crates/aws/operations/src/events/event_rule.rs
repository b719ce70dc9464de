//! EventRule: an EventBridge rule, which sends matching or scheduled events to its targets.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eventbridge::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::tagging::{self, Tags};
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AnyOf, AtMostOne, Form, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::{Arn, JsonText, Ref, ServerDefault};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::target::EventTarget;
use super::{EventTags, events, from_sdk_tags, sdk_tags};
use crate::iam::role::Role;

/// An EventBridge rule with its targets.
///
/// The name has at most 64 letters, digits, hyphens, underscores and dots. EventBridge needs a permission to send
/// events to each target. For a queue, a topic or a function, its resource-based policy must allow
/// `events.amazonaws.com`. For any other target, the target's `role` must allow the call
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventRule {
    /// The event bus whose events the rule receives: `default`, which receives the events of AWS services, or the name
    /// of another event bus.
    #[spec(immutable)]
    #[serde(default = "default_bus")]
    event_bus: String,
    /// The description.
    #[spec(length = ..=512)]
    description: Option<String>,
    /// The event pattern, which selects the events
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>). A rule needs an event
    /// pattern, a schedule, or both.
    event_pattern: Option<JsonText>,
    /// The schedule, in UTC: `rate(5 minutes)` or `cron(0 12 * * ? *)`. Only on the event bus `default`. For a time
    /// zone or a single run, use the kind Schedule.
    #[spec(length = ..=256)]
    schedule_expression: Option<String>,
    /// The state. `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS` also matches CloudTrail's events of read-only API calls.
    #[spec(one_of = sdk::RuleState, default = "ENABLED")]
    state: Option<ServerDefault<String>>,
    /// The role for targets that have no role of their own.
    role: Option<Ref<Role, Arn>>,
    /// The targets, by target id. The rule has exactly these targets: Holdfast removes any other target. At most five,
    /// unless the quota was raised.
    #[serde(default)]
    targets: BTreeMap<String, EventTarget>,
}

fn default_bus() -> String {
    DEFAULT.into()
}

/// The default event bus, which every region has.
const DEFAULT: &str = "default";

/// The maximum number of targets in one call
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>).
const BATCH: usize = 10;

/// The read-only attributes of an EventRule.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventRuleStatus {
    /// The rule's ARN.
    arn: String,
}

/// The targets of a response, by target id. They keep the settings that the spec does not have.
type RawTargets = BTreeMap<String, sdk::Target>;

impl Kind for EventRule {
    type Status = EventRuleStatus;
    type Owner = TagOnCreate<EventTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules {
        form: (r"[.A-Za-z0-9_-]+", "has letters, digits and the characters `._-`"),
        ..NamingRules::limit(64)
    };
    /// PutRule treats a second create of a name as an update, so the name is observed before the create.
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
        demand(AnyOf(&["eventPattern", "scheduleExpression"])),
        demand(OneOf("eventBus", &["default"])).when(&[Stated("scheduleExpression")]),
        // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
        demand(Form(
            "scheduleExpression",
            r"rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)|cron\( *[^ ]+( +[^ ]+){5} *\)",
            "`rate(1 hour)`, `rate(5 minutes)` or `cron(…)` with six fields",
        )),
        // https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
        demand(AtMostOne(&["input", "inputPath", "inputTransformer"])).at("targets.*"),
        demand(AtMostOne(&["launchType", "capacityProviderStrategy"])).at("targets.*.ecsParameters"),
        demand(Needs("networkConfiguration"))
            .when(&[Is("launchType", &["FARGtargets.*.ecsParametersE"])])
            .at("targets.*.ecsParameters"),
    ];

    /// Each field of a pattern is a list of values, or a map of fields
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern.html>).
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        fn single(pattern: &Value) -> Option<&str> {
            let fields = pattern.map()?.iter();
            let mut wrong = fields.filter_map(|(name, value)| match value {
                Value::Map(_) => single(value),
                Value::Text(_) | Value::Bool(_) | Value::Integer(_) | Value::Number(_) | Value::Null => {
                    Some(name.as_str())
                }
                _ => None,
            });
            wrong.next()
        }
        let field = Self::EVENT_PATTERN.name();
        let wrong = spec.get(field).and_then(single);
        wrong
            .map(|name| (field, format!("`{name}` must be a list of values, as in `{name}: [value]`")))
            .into_iter()
            .collect()
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // If the tag index has all rules that the document names, their ARNs contain all the event buses.
        let is = |service: &str, resource: &str| service == "events" && resource.starts_with("rule/");
        let known = tagging::owned(aws, scope, is).await?.unwrap_or_default();
        if !known.is_empty() && known.len() >= scope.names.len() {
            let found = observe_buses(aws, scope, known.keys().map(|arn| bus_of(arn)).collect()).await?;
            let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
            if !tagging::lacks(scope, &names) {
                return Ok(found);
            }
        }
        observe_buses(aws, scope, buses(aws).await?).await
    }

    /// Creates the rule without targets. The update after the create adds them.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let output = put(aws, desired).set_tags(Some(sdk_tags(&desired.tags)?)).send().await?;
        let id = id(&desired.spec.event_bus, &desired.name);
        // "Rules are enabled by default"
        // (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html).
        let live = output.rule_arn.map(|arn| {
            let state = desired.spec.state.clone().or_else(|| Some(ServerDefault("ENABLED".into())));
            let spec = EventRule { state, targets: BTreeMap::new(), ..desired.spec.clone() };
            Live { spec, ..desired.as_live(&id, EventRuleStatus { arn }) }
        });
        Ok(desired.confirmed(&id, live))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let EventRule { targets, event_bus, .. } = &desired.spec;
        if desired.changed_besides(&[EventRule::TARGETS]) {
            put(aws, desired).send().await?;
        }
        // A rule that was just created has no stored response: its live state follows from the request.
        let updated = if live.raw.is_none() { Updated::Known } else { Updated::ObserveAgain };
        if !desired.changed(EventRule::TARGETS) {
            return Ok(updated);
        }
        let current = live.spec.targets.keys();
        remove(aws, live, current.filter(|id| !targets.contains_key(*id)).cloned().collect()).await?;
        // Without a stored response, the targets have no settings that the spec does not have.
        let raw = |id: &String| live.raw::<RawTargets>().ok()?.get(id);
        let all = targets.iter().map(|(id, target)| target.sdk(id, raw(id))).collect::<Result<Vec<_>>>()?;
        let all: Vec<_> = all.into_iter().filter(|target| raw(&target.id) != Some(target)).collect();
        for batch in all.chunks(BATCH) {
            let put = events(aws).put_targets().rule(&live.name).event_bus_name(event_bus);
            let output = put.set_targets(Some(batch.to_vec())).send().await?;
            if let Some(failed) = output.failed_entries().first() {
                let reason = failed.error_message().unwrap_or_default();
                let message = format!("{}: {reason}", failed.target_id().unwrap_or_default());
                return Err(Error::refused("eventbridge.PutTargets", failed.error_code().unwrap_or_default(), message));
            }
        }
        Ok(updated)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // AWS refuses to delete a rule that has targets.
        remove(aws, live, live.spec.targets.keys().cloned().collect()).await?;
        events(aws).delete_rule().name(&live.name).event_bus_name(&live.spec.event_bus).send().await?;
        Ok(())
    }
}

/// Observes the rules of these event buses that the scope requests.
async fn observe_buses(aws: &Aws, scope: &Scope, buses: BTreeSet<String>) -> Result<Vec<Live<EventRule>>> {
    let listed = try_join_all(buses.into_iter().map(|bus| rules(aws, bus))).await?;
    let wants = &|rule: &sdk::Rule, tags: Option<&Tags>| {
        let (id, name) = (id_of(rule), rule.name().unwrap_or_default());
        let listed = Listed::id(&id).or_id(rule.arn().unwrap_or_default()).named(name);
        scope.wants(&match tags {
            Some(tags) => listed.tags(tags),
            None => listed,
        })
    };
    let candidates = listed.into_iter().flatten().filter(|rule| wants(rule, None).any());
    each(candidates, |rule| async move {
        let arn = rule.arn.clone().ok_or_else(|| Error::incomplete("eventbridge.ListRules", "Arn"))?;
        let Some(tags) = tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await? else { return Ok(None) };
        let targets = match wants(&rule, Some(&tags)).fields() {
            true => targets(aws, &rule).await?,
            false => Some(vec![]),
        };
        Ok(targets.map(|targets| live(&rule, arn, targets).tags(tags)))
    })
    .await
}

/// Returns the event bus in the ARN of a rule: `…:rule/<bus>/<name>`, or `…:rule/<name>` for the default event bus.
fn bus_of(arn: &str) -> String {
    let path = arn.split_once(":rule/").map_or("", |(_, path)| path);
    path.rsplit_once('/').map_or(DEFAULT, |(bus, _)| bus).to_owned()
}

/// Returns the PutRule request, which creates or changes a rule. The call resets the fields that are left out.
fn put(
    aws: &Aws,
    desired: &Desired<EventRule>,
) -> aws_sdk_eventbridge::operation::put_rule::builders::PutRuleFluentBuilder {
    let EventRule { event_bus, description, event_pattern, schedule_expression, state, role, targets: _ } =
        &desired.spec;
    events(aws)
        .put_rule()
        .name(&desired.name)
        .event_bus_name(event_bus)
        .set_description(description.clone())
        .set_event_pattern(event_pattern.as_ref().map(JsonText::json))
        .set_schedule_expression(schedule_expression.clone())
        .set_state(state.as_ref().map(|state| state.as_str().into()))
        .set_role_arn(role.as_ref().map(ToString::to_string))
}

/// Removes targets. AWS does not report a target that no longer exists as a failed entry.
async fn remove(aws: &Aws, live: &Live<EventRule>, ids: Vec<String>) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        let remove = events(aws).remove_targets().rule(&live.name).event_bus_name(&live.spec.event_bus);
        let output = remove.set_ids(Some(batch.to_vec())).send().await?;
        if let Some(failed) = output.failed_entries().first() {
            let (code, message) = (failed.error_code().unwrap_or_default(), failed.error_message().unwrap_or_default());
            return Err(Error::refused("eventbridge.RemoveTargets", code, message));
        }
    }
    Ok(())
}

/// Returns the names of all event buses. The SDK has no paginator for the list calls of EventBridge.
async fn buses(aws: &Aws) -> Result<BTreeSet<String>> {
    let (mut names, mut next) = (BTreeSet::new(), None);
    loop {
        let output = events(aws).list_event_buses().set_next_token(next).send().await?;
        names.extend(output.event_buses.into_iter().flatten().filter_map(|bus| bus.name));
        next = output.next_token;
        if next.is_none() {
            return Ok(names);
        }
    }
}

async fn rules(aws: &Aws, bus: String) -> Result<Vec<sdk::Rule>> {
    let (mut rules, mut next) = (vec![], None);
    loop {
        let list = events(aws).list_rules().event_bus_name(&bus).set_next_token(next);
        let Some(output) = list.send().await.or_absent()? else { return Ok(vec![]) };
        rules.extend(output.rules.into_iter().flatten());
        next = output.next_token;
        if next.is_none() {
            return Ok(rules);
        }
    }
}

async fn targets(aws: &Aws, rule: &sdk::Rule) -> Result<Option<Vec<sdk::Target>>> {
    let (mut targets, mut next) = (vec![], None);
    loop {
        let list = events(aws).list_targets_by_rule().set_rule(rule.name.clone());
        let list = list.set_event_bus_name(rule.event_bus_name.clone()).set_next_token(next);
        let Some(output) = list.send().await.or_absent()? else { return Ok(None) };
        targets.extend(output.targets.into_iter().flatten());
        next = output.next_token;
        if next.is_none() {
            return Ok(Some(targets));
        }
    }
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = events(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    Ok(output.map(|output| from_sdk_tags(output.tags())))
}

/// Returns the id of a rule. A name is unique on its event bus only: on another event bus than `default`, the id begins
/// with the name of the event bus.
fn id(bus: &str, name: &str) -> String {
    match bus {
        DEFAULT => name.to_owned(),
        bus => format!("{bus}/{name}"),
    }
}

fn id_of(rule: &sdk::Rule) -> String {
    id(rule.event_bus_name().unwrap_or(DEFAULT), rule.name().unwrap_or_default())
}

fn live(rule: &sdk::Rule, arn: String, targets: Vec<sdk::Target>) -> Live<EventRule> {
    let spec = EventRule {
        event_bus: rule.event_bus_name().unwrap_or(DEFAULT).to_owned(),
        description: rule.description.clone().filter(|text| !text.is_empty()),
        event_pattern: rule.event_pattern().filter(|text| !text.is_empty()).map(JsonText::parse),
        schedule_expression: rule.schedule_expression.clone().filter(|text| !text.is_empty()),
        state: rule.state().map(|state| ServerDefault(state.as_str().to_owned())),
        role: rule.role_arn().map(Into::into),
        targets: targets.iter().map(|target| (target.id.clone(), EventTarget::from_response(target))).collect(),
    };
    let raw: RawTargets = targets.into_iter().map(|target| (target.id.clone(), target)).collect();
    Live::new(id_of(rule), rule.name().unwrap_or_default(), spec, EventRuleStatus { arn }).keep(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_rule_on_another_event_bus_contains_the_bus() {
        let rule = sdk::Rule::builder().name("a").event_bus_name("orders").event_pattern(r#"{"source":["x"]}"#).build();
        let live = live(&rule, "arn".into(), vec![]);
        assert_eq!((live.id.as_str(), live.name.as_str()), ("orders/a", "a"));
        assert!(live.spec.event_pattern.is_some() && live.spec.description.is_none());
        assert_eq!(bus_of("arn:aws:events:eu-west-1:1:rule/orders/a"), "orders");
        assert_eq!(bus_of("arn:aws:events:eu-west-1:1:rule/a"), "default");
        assert_eq!(id_of(&sdk::Rule::builder().name("a").event_bus_name("default").build()), "a");
    }
}
