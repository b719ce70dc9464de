//! The spec of a Budget: its limit, its filters and its notifications.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_budgets::types as sdk;
use holdfast_core::Spec;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::ServerDefault;
use serde::{Deserialize, Serialize};

/// A budget of AWS Budgets: a limit for costs or usage, with notifications.
///
/// Budgets are global. AWS computes the amounts of a budget up to three times a day
/// (<https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html>). Documents cannot state
/// limits that differ by period (planned budget limits) or filter expressions; Holdfast keeps those that were set out
/// of band.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Budget {
    /// The type.
    #[spec(one_of = sdk::BudgetType)]
    pub(super) budget_type: String,
    /// The length of a period, after which the amounts are reset.
    #[spec(one_of = sdk::TimeUnit)]
    pub(super) time_unit: String,
    /// The limit. A `COST` or `USAGE` budget needs a limit, unless `autoAdjustData` determines it. The limit of all
    /// other types is 100 percent.
    pub(super) budget_limit: Option<ServerDefault<Spend>>,
    /// The filters, by dimension: `Service`, `Region`, `LinkedAccount`, `TagKeyValue` (as in `user:team$web`),
    /// `CostCategory` and others. `null` to include everything.
    pub(super) cost_filters: Option<BTreeMap<String, BTreeSet<String>>>,
    /// The types of costs that are included, for `COST` budgets only. Holdfast does not change types that are not
    /// stated.
    pub(super) cost_types: Option<ServerDefault<CostTypes>>,
    /// The start and end of the budget. AWS's default is from the current period to 2087.
    pub(super) time_period: Option<ServerDefault<TimePeriod>>,
    /// The automatic adjustment of the limit by AWS. `null` for a fixed limit.
    pub(super) auto_adjust_data: Option<AutoAdjustData>,
    /// The notifications. Holdfast treats a notification that was added out of band as drift, and deletes
    /// it (<https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_CreateBudget.html>).
    #[serde(default)]
    #[spec(items = ..=10)]
    pub(super) notifications: BTreeSet<Notification>,
}

/// An amount of money or usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spend {
    /// The amount; `100` and `100.0` are equal.
    pub(super) amount: f64,
    /// The unit: `USD`, or the unit of usage, as in `GB` or `PERCENTAGE`.
    pub(super) unit: String,
}

/// The types of costs that are included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CostTypes {
    /// Whether taxes are included. AWS's default is true.
    pub(super) include_tax: Option<ServerDefault<bool>>,
    /// Whether subscriptions are included. AWS's default is true.
    pub(super) include_subscription: Option<ServerDefault<bool>>,
    /// Whether blended rates are used. AWS's default is false.
    pub(super) use_blended: Option<ServerDefault<bool>>,
    /// Whether refunds are included. Like credits, they lower the amount. AWS's default is true.
    pub(super) include_refund: Option<ServerDefault<bool>>,
    /// Whether credits are included. AWS's default is true.
    pub(super) include_credit: Option<ServerDefault<bool>>,
    /// Whether upfront costs of reservations are included. AWS's default is true.
    pub(super) include_upfront: Option<ServerDefault<bool>>,
    /// Whether recurring costs of reservations are included. AWS's default is true.
    pub(super) include_recurring: Option<ServerDefault<bool>>,
    /// Whether subscriptions other than reservations are included. AWS's default is true.
    pub(super) include_other_subscription: Option<ServerDefault<bool>>,
    /// Whether support costs are included. AWS's default is true.
    pub(super) include_support: Option<ServerDefault<bool>>,
    /// Whether discounts are included. AWS's default is true.
    pub(super) include_discount: Option<ServerDefault<bool>>,
    /// Whether upfront costs are amortized, which spreads them over their term. AWS's default is false.
    pub(super) use_amortized: Option<ServerDefault<bool>>,
}

/// The start and end of a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimePeriod {
    /// The start, as in `2026-01-01T00:00:00Z`.
    pub(super) start: Option<ServerDefault<String>>,
    /// The end. At that time AWS deletes the budget, and the next pass of Holdfast creates it again.
    pub(super) end: Option<ServerDefault<String>>,
}

/// The automatic adjustment of a limit by AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoAdjustData {
    /// The basis of the limit.
    #[spec(one_of = sdk::AutoAdjustType)]
    pub(super) auto_adjust_type: String,
    /// The number of past periods that the limit is based on; `HISTORICAL` only.
    #[spec(range = 1..=60)]
    pub(super) budget_adjustment_period: Option<ServerDefault<i32>>,
}

/// A notification: its threshold and its subscribers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["notificationType", "comparisonOperator", "threshold", "thresholdType"])]
pub(crate) struct Notification {
    /// The amount that AWS compares with the threshold: the actual or the forecasted costs or usage.
    #[serde(default = "actual")]
    #[spec(one_of = sdk::NotificationType)]
    pub(super) notification_type: String,
    /// The comparison with the threshold.
    #[serde(default = "greater_than")]
    #[spec(one_of = sdk::ComparisonOperator)]
    pub(super) comparison_operator: String,
    /// The threshold.
    pub(super) threshold: Threshold,
    /// The type of the threshold: a percentage of the limit, or an absolute value.
    #[serde(default = "percentage")]
    #[spec(one_of = sdk::ThresholdType)]
    pub(super) threshold_type: String,
    /// The subscribers: at most one topic and ten e-mail addresses.
    #[spec(items = 1..=11)]
    pub(super) subscribers: BTreeSet<Subscriber>,
}

/// A subscriber to a notification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["subscriptionType", "address"])]
pub(crate) struct Subscriber {
    /// The type of the subscriber.
    #[spec(one_of = sdk::SubscriptionType)]
    pub(super) subscription_type: String,
    /// The e-mail address, or the ARN of the topic. The topic policy must allow `budgets.amazonaws.com` to publish
    /// (<https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html>).
    pub(super) address: String,
}

fn actual() -> String {
    "ACTUAL".into()
}

fn greater_than() -> String {
    "GREATER_THAN".into()
}

fn percentage() -> String {
    "PERCENTAGE".into()
}

/// The read-only attributes of a Budget.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BudgetStatus {
    /// The budget's ARN.
    pub(super) arn: String,
    /// The costs or usage so far, with the unit, as AWS returns them.
    pub(super) actual_spend: Option<String>,
}

/// A threshold: a number with a total order.
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
