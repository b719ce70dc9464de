//! Schedule: runs a task, or calls another service, at set times.

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{self as sdk};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::mark;
use holdfast_base::names::Key;
use holdfast_base::tagging::Tags;
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{Claim, CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::scheduler;
use super::target::ScheduleTarget;

/// The longest description (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>).
const DESCRIPTION: usize = 512;

/// A schedule of EventBridge Scheduler. Schedules have no tags; the end of its description says whose it is.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    /// When: `rate(15 minutes)`, `cron(30 4 * * ? *)` with its six fields, or once `at(2030-01-01T00:00:00)`
    /// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>).
    schedule_expression: String,
    /// The time zone of the expression, as in `Europe/Berlin`, which decides about daylight saving time.
    #[serde(default = "utc")]
    schedule_expression_timezone: String,
    /// Whether it may run somewhat later, to spread load.
    #[serde(default)]
    flexible_time_window: FlexibleTimeWindow,
    /// `ENABLED`, or `DISABLED` for one that does nothing.
    #[serde(default = "enabled")]
    state: String,
    /// What it runs.
    target: ScheduleTarget,
    /// What it is for. The mark of its owner takes up to about 150 of the 512 characters.
    description: Option<String>,
    /// Its group, which has to be there. AWS's default is `default`.
    #[spec(immutable)]
    #[serde(default = "default_group")]
    group_name: String,
    /// From when on, as in `2030-01-01T00:00:00Z`. AWS refuses one that is long past.
    start_date: Option<String>,
    /// Until when, in the same form.
    end_date: Option<String>,
    /// The key that encrypts it; `null` for the service's own.
    kms_key: Option<Ref<Key, Arn>>,
    /// `NONE`, or `DELETE` for one that goes after its last run, and that the document then must not name any more.
    action_after_completion: Option<Always<String>>,
}

fn utc() -> String {
    "UTC".into()
}

fn enabled() -> String {
    "ENABLED".into()
}

fn default_group() -> String {
    "default".into()
}

/// Whether a schedule may run somewhat later.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlexibleTimeWindow {
    /// `OFF`, or `FLEXIBLE` for any moment of the window.
    mode: String,
    /// With `FLEXIBLE`: the window's length, 1 to 1440.
    maximum_window_in_minutes: Option<i32>,
}

impl Default for FlexibleTimeWindow {
    fn default() -> Self {
        FlexibleTimeWindow { mode: "OFF".into(), maximum_window_in_minutes: None }
    }
}

/// What only AWS knows of a Schedule.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for Schedule {
    type Status = ScheduleStatus;
    const TIER: Tier = Tier::Compute;
    const CLAIM: Claim = Claim::Mark { key: &[] };
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Token;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = scheduler(aws).list_schedules().into_paginator().items().send();
        let listed = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        // The list tells neither when it runs nor whose it is.
        let wanted = listed.into_iter().filter_map(|schedule| {
            let (group, name) = (schedule.group_name?, schedule.name?);
            let id = id(&group, &name);
            let asked = scope.ids.contains(&id) || scope.ids.contains(&name) || !scope.lookups.is_empty();
            (asked || scope.is_candidate(&name)).then_some((group, name))
        });
        let ask = wanted.map(|(group, name)| async move {
            let told = scheduler(aws).get_schedule().group_name(&group).name(&name).send().await.or_absent()?;
            told.map(|told| live(told, &group, &name)).transpose()
        });
        Ok(try_join_all(ask).await?.into_iter().flatten().collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Schedule {
            schedule_expression,
            schedule_expression_timezone,
            flexible_time_window,
            state,
            target,
            description,
            group_name,
            start_date,
            end_date,
            kms_key,
            action_after_completion,
        } = &desired.spec;
        let create = scheduler(aws)
            .create_schedule()
            .client_token(&desired.token)
            .name(&desired.name)
            .group_name(group_name)
            .schedule_expression(schedule_expression)
            .schedule_expression_timezone(schedule_expression_timezone)
            .flexible_time_window(window(flexible_time_window)?)
            .state(state.as_str().into())
            .target(target.sdk(None)?)
            .description(mark::join::<Self>(description.as_deref().unwrap_or_default(), &desired.tags, DESCRIPTION)?)
            .set_start_date(date("startDate", start_date.as_ref())?)
            .set_end_date(date("endDate", end_date.as_ref())?)
            .set_kms_key_arn(kms_key.clone().map(String::from))
            .set_action_after_completion(action_after_completion.as_deref().map(|action| action.as_str().into()));
        let sent = create.as_input().clone();
        let made = create.send().await?;
        // GetSchedule tells what was sent.
        let told = GetScheduleOutput::builder()
            .arn(made.schedule_arn)
            .set_schedule_expression(sent.get_schedule_expression().clone())
            .set_schedule_expression_timezone(sent.get_schedule_expression_timezone().clone())
            .set_flexible_time_window(sent.get_flexible_time_window().clone())
            .set_state(sent.get_state().clone())
            .set_target(sent.get_target().clone())
            .set_description(sent.get_description().clone())
            .set_start_date(*sent.get_start_date())
            .set_end_date(*sent.get_end_date())
            .set_kms_key_arn(sent.get_kms_key_arn().clone())
            .set_action_after_completion(sent.get_action_after_completion().clone());
        let told = live(told.build(), group_name, &desired.name);
        Ok(told.map_or_else(|_| Made::unseen(id(group_name, &desired.name)), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        put(aws, live, &desired.spec, &desired.tags).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        scheduler(aws).delete_schedule().group_name(&live.spec.group_name).name(&live.name).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, Retag { set, remove }: &Retag) -> Result<()> {
        let mut tags = live.tags.clone();
        tags.extend(set.clone());
        tags.retain(|key, _| !remove.contains(key));
        put(aws, live, &live.spec, &tags).await
    }
}

/// The call replaces everything: "uses all values, including empty values, specified in the request and overrides the
/// existing schedule" (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html>).
async fn put(aws: &Aws, live: &Live<Schedule>, spec: &Schedule, tags: &Tags) -> Result<()> {
    let Schedule {
        schedule_expression,
        schedule_expression_timezone,
        flexible_time_window,
        state,
        target,
        description,
        group_name,
        start_date,
        end_date,
        kms_key,
        action_after_completion,
    } = spec;
    let there: &GetScheduleOutput = live.raw()?;
    scheduler(aws)
        .update_schedule()
        .name(&live.name)
        .group_name(group_name)
        .schedule_expression(schedule_expression)
        .schedule_expression_timezone(schedule_expression_timezone)
        .flexible_time_window(window(flexible_time_window)?)
        .state(state.as_str().into())
        .target(target.sdk(there.target())?)
        .description(mark::join::<Schedule>(description.as_deref().unwrap_or_default(), tags, DESCRIPTION)?)
        .set_start_date(date("startDate", start_date.as_ref())?)
        .set_end_date(date("endDate", end_date.as_ref())?)
        .set_kms_key_arn(kms_key.clone().map(String::from))
        .set_action_after_completion(action_after_completion.as_deref().map(|action| action.as_str().into()))
        .send()
        .await?;
    Ok(())
}

/// Names are unique within a group.
fn id(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}

fn window(window: &FlexibleTimeWindow) -> Result<sdk::FlexibleTimeWindow> {
    let FlexibleTimeWindow { mode, maximum_window_in_minutes } = window;
    // AWS refuses a length beside `OFF`, and a merged spec may still hold an old one.
    let minutes = maximum_window_in_minutes.filter(|_| mode != "OFF");
    let window = sdk::FlexibleTimeWindow::builder().mode(mode.as_str().into());
    Ok(window.set_maximum_window_in_minutes(minutes).build()?)
}

fn date(field: &str, text: Option<&String>) -> Result<Option<DateTime>> {
    let read = |text: &String| {
        let date = DateTime::from_str(text, Format::DateTimeWithOffset);
        date.map_err(|_| Error::terminal("Schedule", format!("{field}: `{text}` is not like 2030-01-01T00:00:00Z")))
    };
    text.map(read).transpose()
}

fn live(told: GetScheduleOutput, group: &str, name: &str) -> Result<Live<Schedule>> {
    let missing = |what| Error::incomplete("scheduler.GetSchedule", what);
    let (description, tags) = mark::split::<Schedule>(told.description().unwrap_or_default());
    let text = |date: Option<&DateTime>| date.and_then(|date| date.fmt(Format::DateTime).ok());
    let window = told.flexible_time_window();
    let spec = Schedule {
        schedule_expression: told.schedule_expression().ok_or_else(|| missing("scheduleExpression"))?.to_owned(),
        schedule_expression_timezone: told.schedule_expression_timezone.clone().unwrap_or_else(utc),
        flexible_time_window: window.map_or_else(FlexibleTimeWindow::default, |window| FlexibleTimeWindow {
            mode: window.mode().as_str().to_owned(),
            maximum_window_in_minutes: window.maximum_window_in_minutes,
        }),
        state: told.state().map_or_else(enabled, |state| state.as_str().to_owned()),
        target: ScheduleTarget::live(told.target().ok_or_else(|| missing("target"))?),
        description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        group_name: group.to_owned(),
        start_date: text(told.start_date()),
        end_date: text(told.end_date()),
        kms_key: told.kms_key_arn().map(Ref::from),
        action_after_completion: told.action_after_completion().map(|action| Always(action.as_str().to_owned())),
    };
    let status = ScheduleStatus { arn: told.arn.clone().ok_or_else(|| missing("arn"))? };
    Ok(Live::new(id(group, name), name, spec, status).tags(tags).keep(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_not_part_of_the_description() {
        let target = sdk::Target::builder().arn("arn:aws:ecs:r:1:cluster/c").role_arn("arn:aws:iam::1:role/r");
        let told = GetScheduleOutput::builder()
            .arn("a")
            .schedule_expression("rate(1 hour)")
            .description("Cleans up holdfast:shop/dev/clean#1.abc")
            .target(target.build().unwrap());
        let live = live(told.build(), "default", "clean").unwrap();
        assert_eq!(live.spec.description.as_deref(), Some("Cleans up"));
        assert_eq!(live.tags.get("holdfast:address").map(String::as_str), Some("Schedule/clean"));
        assert_eq!((live.id.as_str(), live.name.as_str()), ("default/clean", "clean"));
    }

    #[test]
    fn dates_are_spelt_as_they_are_answered() {
        let date = date("startDate", Some(&"2030-01-01T02:00:00+02:00".to_owned())).unwrap().unwrap();
        assert_eq!(date.fmt(Format::DateTime).unwrap(), "2030-01-01T00:00:00Z");
        assert!(super::date("startDate", Some(&"soon".to_owned())).is_err());
    }
}
