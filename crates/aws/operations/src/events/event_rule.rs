//! EventRule: what is to happen when something happens, or when it is time.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eventbridge::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, JsonText, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::events;
use super::target::EventTarget;
use crate::iam::role::Role;

/// A rule of EventBridge and its targets. Its name has at most 64 letters, digits, hyphens, underscores and dots. What
/// it calls has to let `events.amazonaws.com` in: a queue, a topic or a function by its own policy, anything else by the
/// target's `role` (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventRule {
    /// The bus whose events it sees: `default`, which those of AWS's services go to, or another one's name.
    #[spec(immutable)]
    #[serde(default = "default_bus")]
    event_bus: String,
    /// What it is for: at most 512 characters.
    description: Option<String>,
    /// The events that it is for
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>). It needs this, a schedule or
    /// both.
    event_pattern: Option<JsonText>,
    /// When it runs, in UTC: `rate(5 minutes)` or `cron(0 12 * * ? *)`; on the bus `default` only. For a time zone and
    /// single runs there is Schedule.
    schedule_expression: Option<String>,
    /// `ENABLED` (AWS's default), `DISABLED`, or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`, for calls of AWS's
    /// APIs that only read.
    state: Option<Always<String>>,
    /// The role for targets that have none of their own.
    role: Option<Ref<Role, Arn>>,
    /// What happens, by the target's id: exactly these, and at most five, unless the quota was raised.
    #[serde(default)]
    targets: BTreeMap<String, EventTarget>,
}

fn default_bus() -> String {
    DEFAULT.into()
}

/// The bus that every region has.
const DEFAULT: &str = "default";

/// How many targets one call takes (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>).
const BATCH: usize = 10;

/// What only AWS knows of an EventRule.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventRuleStatus {
    /// Its ARN.
    arn: String,
}

/// The targets as AWS has them: what the spec does not know of them stays.
type Raw = BTreeMap<String, sdk::Target>;

impl Kind for EventRule {
    type Status = EventRuleStatus;
    const TIER: Tier = Tier::Operations;
    const NAMING: Naming = Naming::limit(64);
    /// PutRule takes a second create of a name for an update: what the name means is looked at before.
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // Where the hint knows all rules that the document names, it knows their buses, too.
        let is = |service: &str, resource: &str| service == "events" && resource.starts_with("rule/");
        let known = tagging::owned(aws, scope, is).await?.unwrap_or_default();
        if !known.is_empty() && known.len() >= scope.names.len() {
            let found = look(aws, scope, known.keys().map(|arn| bus_of(arn)).collect()).await?;
            let names: Vec<&str> = found.iter().map(|live| live.name.as_str()).collect();
            if !tagging::lacks(scope, &names) {
                return Ok(found);
            }
        }
        look(aws, scope, buses(aws).await?).await
    }

    /// Targets follow in the update.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let made = put(aws, desired).set_tags(Some(sdk_tags(&desired.tags)?)).send().await?;
        let id = id(&desired.spec.event_bus, &desired.name);
        // "Rules are enabled by default" (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html).
        let told = made.rule_arn.map(|arn| {
            let state = desired.spec.state.clone().or_else(|| Some(Always("ENABLED".into())));
            let spec = EventRule { state, targets: BTreeMap::new(), ..desired.spec.clone() };
            Live { spec, ..desired.made(&id, EventRuleStatus { arn }) }
        });
        Ok(desired.told(&id, told))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let EventRule { targets, event_bus, .. } = &desired.spec;
        if desired.changed.iter().any(|field| field != "targets" && field != "tags") {
            put(aws, desired).send().await?;
        }
        if !desired.changed("targets") {
            return Ok(());
        }
        let there = live.spec.targets.keys();
        remove(aws, live, there.filter(|id| !targets.contains_key(*id)).cloned().collect()).await?;
        // Of the targets of a rule that was made just now nothing is there that the spec does not know.
        let raw = |id: &String| live.raw::<Raw>().ok()?.get(id);
        let all = targets.iter().map(|(id, target)| target.sdk(id, raw(id))).collect::<Result<Vec<_>>>()?;
        let all: Vec<_> = all.into_iter().filter(|target| raw(&target.id) != Some(target)).collect();
        for batch in all.chunks(BATCH) {
            let put = events(aws).put_targets().rule(&live.name).event_bus_name(event_bus);
            let answer = put.set_targets(Some(batch.to_vec())).send().await?;
            if let Some(failed) = answer.failed_entries().first() {
                let told = failed.error_message().unwrap_or_default();
                let message = format!("{}: {told}", failed.target_id().unwrap_or_default());
                return Err(Error::refused("eventbridge.PutTargets", failed.error_code().unwrap_or_default(), message));
            }
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        // AWS deletes no rule that has targets.
        remove(aws, live, live.spec.targets.keys().cloned().collect()).await?;
        events(aws).delete_rule().name(&live.name).event_bus_name(&live.spec.event_bus).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        let arn = &live.status.arn;
        if !set.is_empty() {
            events(aws).tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            events(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

/// The rules of these buses that are asked for.
async fn look(aws: &Aws, scope: &Scope, buses: BTreeSet<String>) -> Result<Vec<Live<EventRule>>> {
    let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
    let listed = try_join_all(buses.into_iter().map(|bus| rules(aws, bus))).await?;
    let wanted = listed.into_iter().flatten().filter(|rule| {
        let name = rule.name().unwrap_or_default();
        by_fields || scope.is_candidate(name) || scope.ids.contains(name) || scope.ids.contains(&id_of(rule))
    });
    each(wanted, |rule| async move {
        let arn = rule.arn.clone().ok_or_else(|| Error::incomplete("eventbridge.ListRules", "Arn"))?;
        let Some(tags) = tagging::tags(aws, scope, &arn, || tags_of(aws, &arn)).await? else { return Ok(None) };
        let asked_for = by_fields || scope.is_owned(&tags) || !scope.ids.is_empty();
        let targets = match asked_for {
            true => targets(aws, &rule).await?,
            false => Some(vec![]),
        };
        Ok(targets.map(|targets| live(&rule, arn, targets).tags(tags)))
    })
    .await
}

/// The bus of a rule: `…:rule/<bus>/<name>`, or `…:rule/<name>` for the default one.
fn bus_of(arn: &str) -> String {
    let path = arn.split_once(":rule/").map_or("", |(_, path)| path);
    path.rsplit_once('/').map_or(DEFAULT, |(bus, _)| bus).to_owned()
}

/// The call that makes and changes a rule; it forgets what it is not told.
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

/// Takes targets away; one that is gone already is left out of what AWS refuses.
async fn remove(aws: &Aws, live: &Live<EventRule>, ids: Vec<String>) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        let remove = events(aws).remove_targets().rule(&live.name).event_bus_name(&live.spec.event_bus);
        let answer = remove.set_ids(Some(batch.to_vec())).send().await?;
        if let Some(failed) = answer.failed_entries().first() {
            let (code, message) = (failed.error_code().unwrap_or_default(), failed.error_message().unwrap_or_default());
            return Err(Error::refused("eventbridge.RemoveTargets", code, message));
        }
    }
    Ok(())
}

/// The names of all buses. Neither of these lists has a paginator in the SDK.
async fn buses(aws: &Aws) -> Result<BTreeSet<String>> {
    let (mut names, mut next) = (BTreeSet::new(), None);
    loop {
        let answer = events(aws).list_event_buses().set_next_token(next).send().await?;
        names.extend(answer.event_buses.into_iter().flatten().filter_map(|bus| bus.name));
        next = answer.next_token;
        if next.is_none() {
            return Ok(names);
        }
    }
}

async fn rules(aws: &Aws, bus: String) -> Result<Vec<sdk::Rule>> {
    let (mut rules, mut next) = (vec![], None);
    loop {
        let list = events(aws).list_rules().event_bus_name(&bus).set_next_token(next);
        let Some(answer) = list.send().await.or_absent()? else { return Ok(vec![]) };
        rules.extend(answer.rules.into_iter().flatten());
        next = answer.next_token;
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
        let Some(answer) = list.send().await.or_absent()? else { return Ok(None) };
        targets.extend(answer.targets.into_iter().flatten());
        next = answer.next_token;
        if next.is_none() {
            return Ok(Some(targets));
        }
    }
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = events(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    let pair = |tag: sdk::Tag| (tag.key, tag.value);
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

/// Tags as EventBridge's calls take them.
pub(super) fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<sdk::Tag>> {
    tags.iter().map(|(key, value)| Ok(sdk::Tag::builder().key(key).value(value).build()?)).collect()
}

/// A name is a bus's own: on another bus than `default` it stands after the bus's.
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
        state: rule.state().map(|state| Always(state.as_str().to_owned())),
        role: rule.role_arn().map(Into::into),
        targets: targets.iter().map(|target| (target.id.clone(), EventTarget::read(target))).collect(),
    };
    let raw: Raw = targets.into_iter().map(|target| (target.id.clone(), target)).collect();
    Live::new(id_of(rule), rule.name().unwrap_or_default(), spec, EventRuleStatus { arn }).keep(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_another_bus_has_the_bus_in_its_id() {
        let rule = sdk::Rule::builder().name("a").event_bus_name("orders").event_pattern(r#"{"source":["x"]}"#).build();
        let live = live(&rule, "arn".into(), vec![]);
        assert_eq!((live.id.as_str(), live.name.as_str()), ("orders/a", "a"));
        assert!(live.spec.event_pattern.is_some() && live.spec.description.is_none());
        assert_eq!(bus_of("arn:aws:events:eu-west-1:1:rule/orders/a"), "orders");
        assert_eq!(bus_of("arn:aws:events:eu-west-1:1:rule/a"), "default");
        assert_eq!(id_of(&sdk::Rule::builder().name("a").event_bus_name("default").build()), "a");
    }
}
