//! Budgets as AWS has them: amounts are texts, and a change sends the whole budget.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_budgets::types as sdk;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use holdfast_base::error::{Error, Result};
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::Always;
use serde::{Deserialize, Serialize};

use super::budget::{AutoAdjustData, Budget, CostTypes, Notification, Spend, Subscriber, TimePeriod};

/// A number that has an order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Threshold(pub(super) f64);

impl Typed for Threshold {
    const TYPE: Type = Type::Number;
}

impl Ord for Threshold {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Threshold {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Threshold {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Threshold {}

/// The budget that is wanted: AWS's own view with what the spec knows in its place.
#[expect(deprecated, reason = "filter expressions and metrics, which AWS prefers, say the same in another form")]
pub(super) fn budget(live: Option<&sdk::Budget>, name: &str, wanted: &Budget) -> Result<sdk::Budget> {
    let Budget {
        budget_type,
        time_unit,
        budget_limit,
        cost_filters,
        cost_types,
        time_period,
        auto_adjust_data,
        notifications: _,
    } = wanted;
    let planned = live.and_then(|live| live.planned_budget_limits.clone());
    // Beside limits by month AWS answers this month's, and takes only one of the two.
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
    if let Some(Always(Spend { amount, unit })) = limit {
        budget = budget.budget_limit(sdk::Spend::builder().amount(amount.to_string()).unit(unit).build()?);
    }
    if let Some(Always(TimePeriod { start, end })) = time_period {
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

fn time(text: Option<&Always<String>>) -> Result<Option<DateTime>> {
    let parse = |text: &Always<String>| {
        let wrong = |_| Error::terminal("Budget", format!("`{}` is not a time like 2026-01-01T00:00:00Z", text.0));
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
    let flag = |flag: &Option<Always<bool>>| flag.map(|flag| flag.0);
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

/// The spec of a budget that AWS answered.
#[expect(deprecated, reason = "filter expressions and metrics, which AWS prefers, say the same in another form")]
pub(super) fn spec(budget: &sdk::Budget, notifications: BTreeSet<Notification>) -> Budget {
    let spend =
        |spend: &sdk::Spend| Some(Always(Spend { amount: spend.amount.parse().ok()?, unit: spend.unit.clone() }));
    let text = |time: &Option<DateTime>| time.and_then(|time| time.fmt(Format::DateTime).ok()).map(Always);
    let filters = budget.cost_filters.iter().flatten();
    let filters: BTreeMap<_, _> = filters.map(|(k, v)| (k.clone(), v.iter().cloned().collect())).collect();
    let flag = |flag: Option<bool>| flag.map(Always);
    Budget {
        budget_type: budget.budget_type.as_str().to_owned(),
        time_unit: budget.time_unit.as_str().to_owned(),
        budget_limit: budget.budget_limit.as_ref().and_then(spend),
        cost_filters: Some(filters).filter(|filters| !filters.is_empty()),
        cost_types: budget.cost_types.as_ref().map(|types| {
            Always(CostTypes {
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
            .map(|period| Always(TimePeriod { start: text(&period.start), end: text(&period.end) })),
        auto_adjust_data: budget.auto_adjust_data.as_ref().map(|adjust| AutoAdjustData {
            auto_adjust_type: adjust.auto_adjust_type.as_str().to_owned(),
            budget_adjustment_period: adjust.historical_options.as_ref().map(|o| Always(o.budget_adjustment_period)),
        }),
        notifications,
    }
}

/// A notification and who gets it, as AWS answers them.
pub(super) fn told(notification: &sdk::Notification, subscribers: &[sdk::Subscriber]) -> Notification {
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

/// A notification as calls name it.
pub(super) fn notification(wanted: &Notification) -> Result<sdk::Notification> {
    let Notification { notification_type, comparison_operator, threshold, threshold_type, subscribers: _ } = wanted;
    let notification = sdk::Notification::builder()
        .notification_type(notification_type.as_str().into())
        .comparison_operator(comparison_operator.as_str().into())
        .threshold(threshold.0)
        .threshold_type(threshold_type.as_str().into());
    Ok(notification.build()?)
}

/// Who gets a notification, as calls name them.
pub(super) fn subscriber(wanted: &Subscriber) -> Result<sdk::Subscriber> {
    let Subscriber { subscription_type, address } = wanted;
    let subscriber = sdk::Subscriber::builder().subscription_type(subscription_type.as_str().into()).address(address);
    Ok(subscriber.build()?)
}

/// A notification and who gets it, as the create call takes them.
pub(super) fn with_subscribers(wanted: &Notification) -> Result<sdk::NotificationWithSubscribers> {
    let subscribers = wanted.subscribers.iter().map(subscriber).collect::<Result<Vec<_>>>()?;
    let both = sdk::NotificationWithSubscribers::builder().notification(notification(wanted)?);
    Ok(both.set_subscribers(Some(subscribers)).build()?)
}

/// What becomes of notifications.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    /// Those that go.
    pub(super) gone: Vec<&'a Notification>,
    /// Those that come.
    pub(super) new: Vec<&'a Notification>,
    /// Those that stay, as they are and as they are wanted: others get them.
    pub(super) kept: Vec<(&'a Notification, &'a Notification)>,
}

/// What becomes of the notifications that are there. One is known by everything about it but its subscribers.
pub(super) fn notifications<'a>(there: &'a BTreeSet<Notification>, wanted: &'a BTreeSet<Notification>) -> Change<'a> {
    type Key<'a> = (&'a str, &'a str, Threshold, &'a str);
    fn key(of: &Notification) -> Key<'_> {
        (&of.notification_type, &of.comparison_operator, of.threshold, &of.threshold_type)
    }
    let before: BTreeMap<Key<'a>, &'a Notification> = there.iter().map(|one| (key(one), one)).collect();
    let after: BTreeMap<Key<'a>, &'a Notification> = wanted.iter().map(|one| (key(one), one)).collect();
    let both = before.iter().filter_map(|(key, one)| Some((*one, *after.get(key)?)));
    Change {
        gone: before.iter().filter(|(key, _)| !after.contains_key(*key)).map(|(_, one)| *one).collect(),
        new: after.iter().filter(|(key, _)| !before.contains_key(*key)).map(|(_, one)| *one).collect(),
        kept: both.filter(|(there, wanted)| there != wanted).collect(),
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
    fn others_who_are_told_are_no_other_notification() {
        let there = [one(80.0, "a@example.com"), one(90.0, "a@example.com")].into();
        let wanted = [one(80.0, "b@example.com"), one(100.0, "a@example.com")].into();
        let change = notifications(&there, &wanted);
        assert_eq!(change.kept, [(&one(80.0, "a@example.com"), &one(80.0, "b@example.com"))]);
        assert_eq!((change.gone, change.new), (vec![&one(90.0, "a@example.com")], vec![&one(100.0, "a@example.com")]));
    }

    #[test]
    fn a_change_keeps_what_the_spec_does_not_know() {
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
