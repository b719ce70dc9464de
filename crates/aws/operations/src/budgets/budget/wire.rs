//! Conversion between a budget's spec and the SDK's types: amounts are strings, and an update sends the whole budget.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_budgets::types as sdk;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_base::error::{Error, Result};
use holdfast_core::types::ServerDefault;

use super::spec::{AutoAdjustData, Budget, CostTypes, Notification, Spend, Subscriber, Threshold, TimePeriod};

/// Returns the budget to send: the live budget with the fields of the spec replaced.
#[expect(deprecated, reason = "AWS prefers filter expressions and metrics, which express the same settings")]
pub(super) fn budget(live: Option<&sdk::Budget>, name: &str, desired: &Budget) -> Result<sdk::Budget> {
    let Budget {
        budget_type,
        time_unit,
        budget_limit,
        cost_filters,
        cost_types,
        time_period,
        auto_adjust_data,
        notifications: _,
    } = desired;
    let planned = live.and_then(|live| live.planned_budget_limits.clone());
    // If there are planned limits by month, AWS also returns the current month's limit, but accepts only one of the
    // two.
    let limit = budget_limit.as_ref().filter(|_| planned.is_none());
    let filters = cost_filters.clone().unwrap_or_default();
    let filters = filters.into_iter().map(|(key, values)| (key, values.into_iter().collect())).collect();
    let mut budget = sdk::Budget::builder()
        .budget_name(name)
        .budget_type(budget_type.as_str().into())
        .time_unit(time_unit.as_str().into())
        .set_planned_budget_limits(planned)
        .set_cost_filters(Some(filters).filter(|filters: &std::collections::HashMap<_, _>| !filters.is_empty()))
        .set_cost_types(cost_types.as_ref().map(|types| sdk_types(&types.0)))
        .set_filter_expression(live.and_then(|live| live.filter_expression.clone()))
        .set_metrics(live.and_then(|live| live.metrics.clone()))
        .set_billing_view_arn(live.and_then(|live| live.billing_view_arn.clone()));
    if let Some(ServerDefault(Spend { amount, unit })) = limit {
        budget = budget.budget_limit(sdk::Spend::builder().amount(amount.to_string()).unit(unit).build()?);
    }
    if let Some(ServerDefault(TimePeriod { start, end })) = time_period {
        let period = sdk::TimePeriod::builder().set_start(time(start.as_ref())?).set_end(time(end.as_ref())?);
        budget = budget.time_period(period.build());
    }
    if let Some(AutoAdjustData { auto_adjust_type, budget_adjustment_period }) = auto_adjust_data {
        let mut adjust = sdk::AutoAdjustData::builder().auto_adjust_type(auto_adjust_type.as_str().into());
        if let Some(periods) = budget_adjustment_period {
            let options = sdk::HistoricalOptions::builder().budget_adjustment_period(periods.0);
            adjust = adjust.historical_options(options.build()?);
        }
        budget = budget.auto_adjust_data(adjust.build()?);
    }
    Ok(budget.build()?)
}

fn time(text: Option<&ServerDefault<String>>) -> Result<Option<DateTime>> {
    let parse = |text: &ServerDefault<String>| {
        let wrong =
            |_| Error::terminal("Budget", format!("`{}` is not a time; write it as in 2026-01-01T00:00:00Z", text.0));
        DateTime::from_str(&text.0, Format::DateTime).map_err(wrong)
    };
    text.map(parse).transpose()
}

fn sdk_types(types: &CostTypes) -> sdk::CostTypes {
    let CostTypes {
        include_tax,
        include_subscription,
        use_blended,
        include_refund,
        include_credit,
        include_upfront,
        include_recurring,
        include_other_subscription,
        include_support,
        include_discount,
        use_amortized,
    } = types;
    let flag = |flag: &Option<ServerDefault<bool>>| flag.map(|flag| flag.0);
    sdk::CostTypes::builder()
        .set_include_tax(flag(include_tax))
        .set_include_subscription(flag(include_subscription))
        .set_use_blended(flag(use_blended))
        .set_include_refund(flag(include_refund))
        .set_include_credit(flag(include_credit))
        .set_include_upfront(flag(include_upfront))
        .set_include_recurring(flag(include_recurring))
        .set_include_other_subscription(flag(include_other_subscription))
        .set_include_support(flag(include_support))
        .set_include_discount(flag(include_discount))
        .set_use_amortized(flag(use_amortized))
        .build()
}

/// Returns the spec of a budget in a response.
#[expect(deprecated, reason = "AWS prefers filter expressions and metrics, which express the same settings")]
pub(super) fn spec(budget: &sdk::Budget, notifications: BTreeSet<Notification>) -> Budget {
    let spend = |spend: &sdk::Spend| {
        Some(ServerDefault(Spend { amount: spend.amount.parse().ok()?, unit: spend.unit.clone() }))
    };
    let text = |time: &Option<DateTime>| time.and_then(|time| time.fmt(Format::DateTime).ok()).map(ServerDefault);
    let filters = budget.cost_filters.iter().flatten();
    let filters: BTreeMap<_, _> = filters.map(|(k, v)| (k.clone(), v.iter().cloned().collect())).collect();
    let flag = |flag: Option<bool>| flag.map(ServerDefault);
    Budget {
        budget_type: budget.budget_type.as_str().to_owned(),
        time_unit: budget.time_unit.as_str().to_owned(),
        budget_limit: budget.budget_limit.as_ref().and_then(spend),
        cost_filters: Some(filters).filter(|filters| !filters.is_empty()),
        cost_types: budget.cost_types.as_ref().map(|types| {
            ServerDefault(CostTypes {
                include_tax: flag(types.include_tax),
                include_subscription: flag(types.include_subscription),
                use_blended: flag(types.use_blended),
                include_refund: flag(types.include_refund),
                include_credit: flag(types.include_credit),
                include_upfront: flag(types.include_upfront),
                include_recurring: flag(types.include_recurring),
                include_other_subscription: flag(types.include_other_subscription),
                include_support: flag(types.include_support),
                include_discount: flag(types.include_discount),
                use_amortized: flag(types.use_amortized),
            })
        }),
        time_period: budget
            .time_period
            .as_ref()
            .map(|period| ServerDefault(TimePeriod { start: text(&period.start), end: text(&period.end) })),
        auto_adjust_data: budget.auto_adjust_data.as_ref().map(|adjust| AutoAdjustData {
            auto_adjust_type: adjust.auto_adjust_type.as_str().to_owned(),
            budget_adjustment_period: adjust
                .historical_options
                .as_ref()
                .map(|o| ServerDefault(o.budget_adjustment_period)),
        }),
        notifications,
    }
}

/// Returns a notification with its subscribers from the responses.
pub(super) fn notification_from_response(
    notification: &sdk::Notification,
    subscribers: &[sdk::Subscriber],
) -> Notification {
    let subscriber = |one: &sdk::Subscriber| Subscriber {
        subscription_type: one.subscription_type.as_str().to_owned(),
        address: one.address.clone(),
    };
    let threshold_type = notification.threshold_type.as_ref().map_or("PERCENTAGE", |kind| kind.as_str());
    Notification {
        notification_type: notification.notification_type.as_str().to_owned(),
        comparison_operator: notification.comparison_operator.as_str().to_owned(),
        threshold: Threshold(notification.threshold),
        threshold_type: threshold_type.to_owned(),
        subscribers: subscribers.iter().map(subscriber).collect(),
    }
}

/// Returns the SDK's type for a notification, by which calls identify it.
pub(super) fn notification(desired: &Notification) -> Result<sdk::Notification> {
    let Notification { notification_type, comparison_operator, threshold, threshold_type, subscribers: _ } = desired;
    let notification = sdk::Notification::builder()
        .notification_type(notification_type.as_str().into())
        .comparison_operator(comparison_operator.as_str().into())
        .threshold(threshold.0)
        .threshold_type(threshold_type.as_str().into());
    Ok(notification.build()?)
}

/// Returns the SDK's type for a subscriber.
pub(super) fn subscriber(desired: &Subscriber) -> Result<sdk::Subscriber> {
    let Subscriber { subscription_type, address } = desired;
    let subscriber = sdk::Subscriber::builder().subscription_type(subscription_type.as_str().into()).address(address);
    Ok(subscriber.build()?)
}

/// Returns the SDK's type for a notification with its subscribers, for the create call.
pub(super) fn with_subscribers(desired: &Notification) -> Result<sdk::NotificationWithSubscribers> {
    let subscribers = desired.subscribers.iter().map(subscriber).collect::<Result<Vec<_>>>()?;
    let both = sdk::NotificationWithSubscribers::builder().notification(notification(desired)?);
    Ok(both.set_subscribers(Some(subscribers)).build()?)
}

/// The changes of the notifications of a budget.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotificationChanges<'a> {
    /// The notifications to delete.
    pub(super) deleted: Vec<&'a Notification>,
    /// The notifications to create.
    pub(super) created: Vec<&'a Notification>,
    /// The notifications whose subscribers change: the live and the desired notification.
    pub(super) changed: Vec<(&'a Notification, &'a Notification)>,
}

/// Compares the live notifications with the desired ones. All fields except the subscribers identify a notification.
pub(super) fn notification_changes<'a>(
    live: &'a BTreeSet<Notification>,
    desired: &'a BTreeSet<Notification>,
) -> NotificationChanges<'a> {
    type Identity<'a> = (&'a str, &'a str, Threshold, &'a str);
    fn identity(of: &Notification) -> Identity<'_> {
        (&of.notification_type, &of.comparison_operator, of.threshold, &of.threshold_type)
    }
    let before: BTreeMap<Identity<'a>, &'a Notification> = live.iter().map(|one| (identity(one), one)).collect();
    let after: BTreeMap<Identity<'a>, &'a Notification> = desired.iter().map(|one| (identity(one), one)).collect();
    let both = before.iter().filter_map(|(key, one)| Some((*one, *after.get(key)?)));
    NotificationChanges {
        deleted: before.iter().filter(|(key, _)| !after.contains_key(*key)).map(|(_, one)| *one).collect(),
        created: after.iter().filter(|(key, _)| !before.contains_key(*key)).map(|(_, one)| *one).collect(),
        changed: both.filter(|(live, desired)| live != desired).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(threshold: f64, address: &str) -> Notification {
        let subscriber = Subscriber { subscription_type: "EMAIL".into(), address: address.into() };
        Notification {
            notification_type: "ACTUAL".into(),
            comparison_operator: "GREATER_THAN".into(),
            threshold: Threshold(threshold),
            threshold_type: "PERCENTAGE".into(),
            subscribers: [subscriber].into(),
        }
    }

    #[test]
    fn other_subscribers_do_not_make_another_notification() {
        let live = [one(80.0, "a@example.com"), one(90.0, "a@example.com")].into();
        let desired = [one(80.0, "b@example.com"), one(100.0, "a@example.com")].into();
        let changes = notification_changes(&live, &desired);
        assert_eq!(changes.changed, [(&one(80.0, "a@example.com"), &one(80.0, "b@example.com"))]);
        assert_eq!(
            (changes.deleted, changes.created),
            (vec![&one(90.0, "a@example.com")], vec![&one(100.0, "a@example.com")])
        );
    }

    #[test]
    fn an_update_keeps_settings_that_the_spec_does_not_have() {
        let spend = sdk::Spend::builder().amount("10.00").unit("USD").build().expect("an amount");
        let live = sdk::Budget::builder()
            .budget_name("b")
            .budget_type("COST".into())
            .time_unit("MONTHLY".into())
            .budget_limit(spend.clone())
            .planned_budget_limits("1767225600", spend)
            .build()
            .expect("a budget");
        let again = budget(Some(&live), "b", &spec(&live, BTreeSet::new())).expect("a budget");
        assert_eq!(again.planned_budget_limits, live.planned_budget_limits);
        assert_eq!(again.budget_limit, None);
    }
}
