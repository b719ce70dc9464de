//! Schedule: runs an ECS task, or calls another service, at set times.

mod start_date;
mod target;

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{self as sdk};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Key;
use holdfast_base::owner::{EmbeddedMarker, Marked};
use holdfast_base::owner_marker;
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{AtMostOne, Excludes, Needs},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::scheduler;
use start_date::StartDate;
use target::ScheduleTarget;

/// The maximum length of a description
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>).
const DESCRIPTION: usize = 512;

/// A schedule of EventBridge Scheduler. Schedules have no tags, so an owner marker at the end of the description names
/// the owner.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    /// When the target runs: `rate(15 minutes)`, `cron(30 4 * * ? *)` with six fields, or once
    /// `at(2030-01-01T00:00:00)` (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>).
    #[spec(
        length = 1..=256,
        pattern = r"rate\([0-9]+ +(minutes?|hours?|days?)\)|cron\( *[^ ]+( +[^ ]+){5} *\)|at\([0-9T:-]+\)"
    )]
    schedule_expression: String,
    /// The time zone of the expression, as in `Europe/Berlin`. It determines daylight saving time.
    #[spec(length = 1..=50)]
    #[serde(default = "utc")]
    schedule_expression_timezone: String,
    /// The flexible time window: whether the target may run somewhat later, to spread load.
    #[serde(default)]
    flexible_time_window: FlexibleTimeWindow,
    /// The state: `DISABLED` is for a schedule that does not run its target.
    #[spec(one_of = sdk::ScheduleState)]
    #[serde(default = "enabled")]
    state: String,
    /// The target that the schedule runs.
    target: ScheduleTarget,
    /// The description. Up to about 150 of its 512 characters are needed for the owner marker.
    description: Option<String>,
    /// The schedule group, which must exist. AWS's default is `default`.
    #[spec(immutable, length = 1..=64, pattern = "[0-9a-zA-Z_.-]+")]
    #[serde(default = "default_group")]
    group_name: String,
    /// The start of the schedule, as in `2030-01-01T00:00:00Z`. A date that has passed means no start: AWS refuses it, so
    /// Holdfast leaves it out of later changes.
    start_date: Option<StartDate>,
    /// The end of the schedule, in the form of `startDate`.
    end_date: Option<String>,
    /// The KMS key that encrypts the schedule; `null` for the service's own key.
    kms_key: Option<Ref<Key, Arn>>,
    /// The action after the last run: `NONE`, or `DELETE` to delete the schedule. The document must not name a deleted
    /// schedule any more.
    #[spec(one_of = sdk::ActionAfterCompletion)]
    action_after_completion: Option<ServerDefault<String>>,
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

/// The flexible time window: whether a schedule may run somewhat later.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FlexibleTimeWindow {
    /// The mode: `OFF`, or `FLEXIBLE` for any moment in the window.
    #[spec(one_of = sdk::FlexibleTimeWindowMode)]
    mode: String,
    /// For `FLEXIBLE`: the length of the window in minutes.
    #[spec(range = 1..=1440)]
    maximum_window_in_minutes: Option<i32>,
}

impl Default for FlexibleTimeWindow {
    fn default() -> Self {
        FlexibleTimeWindow { mode: "OFF".into(), maximum_window_in_minutes: None }
    }
}

/// The status of a Schedule: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleStatus {
    /// The schedule's ARN.
    arn: String,
}

/// Sets all fields in a CreateSchedule or UpdateSchedule call.
macro_rules! schedule {
    ($call:expr, $spec:expr, $live_target:expr, $owner:expr) => {{
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
        } = $spec;
        $call
            .group_name(group_name)
            .schedule_expression(schedule_expression)
            .schedule_expression_timezone(schedule_expression_timezone)
            .flexible_time_window(window(flexible_time_window)?)
            .state(state.as_str().into())
            .target(target.sdk($live_target)?)
            .description(marked(description.as_deref(), $owner)?)
            .set_start_date(start_date.as_ref().and_then(StartDate::to_come))
            .set_end_date(date(Schedule::END_DATE.name(), end_date.as_ref())?)
            .set_kms_key_arn(kms_key.clone().map(String::from))
            .set_action_after_completion(action_after_completion.as_deref().map(|action| action.as_str().into()))
    }};
}

impl Kind for Schedule {
    type Status = ScheduleStatus;
    type Owner = EmbeddedMarker;
    const TIER: Tier = Tier::Compute;
    const NAMING: NamingRules = NamingRules {
        form: (r"[.A-Za-z0-9_-]+", "has letters, digits and the characters `._-`"),
        ..NamingRules::limit(64)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    /// A name is unique within the schedule group
    /// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] =
        &[DocumentRelation::Unique(&["name", Self::GROUP_NAME.name()])];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/scheduler/latest/APIReference/API_FlexibleTimeWindow.html
        demand(Needs("maximumWindowInMinutes")).when(&[Is("mode", &["FLEXIBLE"])]).at("flexibleTimeWindow"),
        demand(Excludes("maximumWindowInMinutes")).when(&[Is("mode", &["OFF"])]).at("flexibleTimeWindow"),
        // https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EcsParameters.html
        demand(AtMostOne(&["launchType", "capacityProviderStrategy"])).at("target.ecsParameters"),
        demand(Needs("networkConfiguration"))
            .when(&[Is("launchType", &["FARGtarget.ecsParametersE"])])
            .at("target.ecsParameters"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = scheduler(aws).list_schedules().into_paginator().items().send();
        let listed = all(pages).await?;
        // The list response has neither the expression nor the description with the owner marker.
        each(listed, |schedule| async move {
            let (group, name) = (schedule.group_name().unwrap_or_default(), schedule.name().unwrap_or_default());
            let id = id(group, name);
            if !scope.wants(&Listed::id(&id).named(name).field(Schedule::GROUP_NAME, group)).any() {
                return Ok(None);
            }
            let output = scheduler(aws).get_schedule().group_name(group).name(name).send().await.or_absent()?;
            output.map(|output| live(output, group, name)).transpose()
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let create = scheduler(aws).create_schedule().client_token(&desired.token).name(&desired.name);
        let create = schedule!(create, &desired.spec, None, &desired.tags);
        let sent = create.as_input().clone();
        let output = create.send().await?;
        let group = &desired.spec.group_name;
        // GetSchedule returns the fields of the create request.
        let created = GetScheduleOutput::builder()
            .arn(output.schedule_arn)
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
        let created = live(created.build(), group, &desired.name);
        Ok(created.map_or_else(|_| Created::unobserved(id(group, &desired.name)), Into::into))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        put(aws, live, &desired.spec, &desired.tags).await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        scheduler(aws).delete_schedule().group_name(&live.spec.group_name).name(&live.name).send().await?;
        Ok(())
    }
}

impl Marked for Schedule {
    async fn write_marker(aws: &Aws, live: &Live<Self>, owner: &Tags) -> Result<()> {
        put(aws, live, &live.spec, owner).await
    }
}

/// Updates the schedule. The call replaces every field: UpdateSchedule "uses all values, including empty values,
/// specified in the request and overrides the existing schedule"
/// (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html>).
async fn put(aws: &Aws, live: &Live<Schedule>, spec: &Schedule, owner: &Tags) -> Result<()> {
    let current: &GetScheduleOutput = live.raw()?;
    schedule!(scheduler(aws).update_schedule().name(&live.name), spec, current.target(), owner).send().await?;
    Ok(())
}

/// Returns the description with the owner marker, or without one if the tags name no owner.
fn marked(description: Option<&str>, owner: &Tags) -> Result<String> {
    let text = description.unwrap_or_default();
    match owner.contains_key(tag::STACK) {
        true => owner_marker::join::<Schedule>(text, owner, DESCRIPTION),
        false => Ok(text.to_owned()),
    }
}

/// Returns the id of a schedule. It has the group, because names are unique only within a group.
fn id(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}

fn window(window: &FlexibleTimeWindow) -> Result<sdk::FlexibleTimeWindow> {
    let FlexibleTimeWindow { mode, maximum_window_in_minutes } = window;
    // AWS refuses a length with `OFF`, and a merged spec may still have an old one.
    let minutes = maximum_window_in_minutes.filter(|_| mode != "OFF");
    let window = sdk::FlexibleTimeWindow::builder().mode(mode.as_str().into());
    Ok(window.set_maximum_window_in_minutes(minutes).build()?)
}

fn date(field: &str, text: Option<&String>) -> Result<Option<DateTime>> {
    let read = |text: &String| {
        let date = DateTime::from_str(text, Format::DateTimeWithOffset);
        date.map_err(|_| {
            Error::terminal(
                "Schedule",
                format!("{field}: `{text}` is not a date and time such as 2030-01-01T00:00:00Z"),
            )
        })
    };
    text.map(read).transpose()
}

fn live(output: GetScheduleOutput, group: &str, name: &str) -> Result<Live<Schedule>> {
    let missing = |what| Error::incomplete("scheduler.GetSchedule", what);
    let (description, tags) = owner_marker::split::<Schedule>(output.description().unwrap_or_default());
    let text = |date: Option<&DateTime>| date.and_then(|date| date.fmt(Format::DateTime).ok());
    let window = output.flexible_time_window();
    let spec = Schedule {
        schedule_expression: output.schedule_expression().ok_or_else(|| missing("scheduleExpression"))?.to_owned(),
        schedule_expression_timezone: output.schedule_expression_timezone.clone().unwrap_or_else(utc),
        flexible_time_window: window.map_or_else(FlexibleTimeWindow::default, |window| FlexibleTimeWindow {
            mode: window.mode().as_str().to_owned(),
            maximum_window_in_minutes: window.maximum_window_in_minutes,
        }),
        state: output.state().map_or_else(enabled, |state| state.as_str().to_owned()),
        target: ScheduleTarget::from_response(output.target().ok_or_else(|| missing("target"))?),
        description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        group_name: group.to_owned(),
        start_date: text(output.start_date()).map(StartDate),
        end_date: text(output.end_date()),
        kms_key: output.kms_key_arn().map(Ref::from),
        action_after_completion: output
            .action_after_completion()
            .map(|action| ServerDefault(action.as_str().to_owned())),
    };
    let status = ScheduleStatus { arn: output.arn.clone().ok_or_else(|| missing("arn"))? };
    Ok(Live::new(id(group, name), name, spec, status).tags(tags).keep(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_marker_is_not_part_of_the_description() {
        let target = sdk::Target::builder().arn("arn:aws:ecs:r:1:cluster/c").role_arn("arn:aws:iam::1:role/r");
        let response = GetScheduleOutput::builder()
            .arn("a")
            .schedule_expression("rate(1 hour)")
            .description("Cleans up holdfast:shop/dev/clean#1.abc")
            .target(target.build().unwrap());
        let live = live(response.build(), "default", "clean").unwrap();
        assert_eq!(live.spec.description.as_deref(), Some("Cleans up"));
        assert_eq!(live.tags.get("holdfast:address").map(String::as_str), Some("Schedule/clean"));
        assert_eq!((live.id.as_str(), live.name.as_str()), ("default/clean", "clean"));
    }

    #[test]
    fn dates_are_spelt_as_in_a_response() {
        let date = date("startDate", Some(&"2030-01-01T02:00:00+02:00".to_owned())).unwrap().unwrap();
        assert_eq!(date.fmt(Format::DateTime).unwrap(), "2030-01-01T00:00:00Z");
        assert!(super::date("startDate", Some(&"soon".to_owned())).is_err());
    }
}
