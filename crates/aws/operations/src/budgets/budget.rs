//! Budget: a limit of costs or usage, and who is told when it is near.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_budgets::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Always;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::budgets;
use super::wire::{self, Threshold};

/// A budget. It is global; its amounts are what AWS counts up to three times a day
/// (<https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html>). Limits that differ by
/// month, and filter expressions, stay as somebody made them.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Budget {
    /// `COST`, `USAGE`, `RI_UTILIZATION`, `RI_COVERAGE`, `SAVINGS_PLANS_UTILIZATION` or `SAVINGS_PLANS_COVERAGE`.
    pub(super) budget_type: String,
    /// When it begins anew: `DAILY`, `MONTHLY`, `QUARTERLY` or `ANNUALLY`.
    pub(super) time_unit: String,
    /// The limit. Costs and usage need one, unless `autoAdjustData` finds it; the others have 100 percent.
    pub(super) budget_limit: Option<Always<Spend>>,
    /// What is counted, by dimension: `Service`, `Region`, `LinkedAccount`, `TagKeyValue` (as in `user:team$web`),
    /// `CostCategory`, … `null` for everything.
    pub(super) cost_filters: Option<BTreeMap<String, BTreeSet<String>>>,
    /// Which costs count; `COST` budgets only. What is not stated stays as it is.
    pub(super) cost_types: Option<Always<CostTypes>>,
    /// From when to when it is. AWS begins with the running period when this is not stated, and ends in 2087.
    pub(super) time_period: Option<Always<TimePeriod>>,
    /// How AWS finds out the limit by itself; `null` for a limit that stays.
    pub(super) auto_adjust_data: Option<AutoAdjustData>,
    /// Who is told and when: at most ten. One that somebody added by hand is drift and goes
    /// (<https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_CreateBudget.html>).
    #[serde(default)]
    pub(super) notifications: BTreeSet<Notification>,
}

/// An amount of money or usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spend {
    /// How much; `100` and `100.0` are the same.
    pub(super) amount: f64,
    /// `USD`, or the unit of usage, as in `GB` or `PERCENTAGE`.
    pub(super) unit: String,
}

/// Which costs count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CostTypes {
    /// Taxes; AWS's default is true.
    pub(super) include_tax: Option<Always<bool>>,
    /// Subscriptions; AWS's default is true.
    pub(super) include_subscription: Option<Always<bool>>,
    /// Blended rates; AWS's default is false.
    pub(super) use_blended: Option<Always<bool>>,
    /// Refunds; AWS's default is true. They lower the amount, as credits do.
    pub(super) include_refund: Option<Always<bool>>,
    /// Credits; AWS's default is true.
    pub(super) include_credit: Option<Always<bool>>,
    /// Upfront costs of reservations; AWS's default is true.
    pub(super) include_upfront: Option<Always<bool>>,
    /// Recurring costs of reservations; AWS's default is true.
    pub(super) include_recurring: Option<Always<bool>>,
    /// Subscriptions that are no reservations; AWS's default is true.
    pub(super) include_other_subscription: Option<Always<bool>>,
    /// Support; AWS's default is true.
    pub(super) include_support: Option<Always<bool>>,
    /// Discounts; AWS's default is true.
    pub(super) include_discount: Option<Always<bool>>,
    /// Upfront costs spread over their time; AWS's default is false.
    pub(super) use_amortized: Option<Always<bool>>,
}

/// From when to when a budget is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimePeriod {
    /// When it begins, as in `2026-01-01T00:00:00Z`.
    pub(super) start: Option<Always<String>>,
    /// When it ends: AWS then deletes it, and Holdfast makes it again.
    pub(super) end: Option<Always<String>>,
}

/// How AWS finds out a limit by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoAdjustData {
    /// `HISTORICAL` or `FORECAST`.
    pub(super) auto_adjust_type: String,
    /// How many periods it looks back at; for `HISTORICAL`.
    pub(super) budget_adjustment_period: Option<Always<i32>>,
}

/// When somebody is told, and who.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    /// `ACTUAL` or `FORECASTED` costs.
    #[serde(default = "actual")]
    pub(super) notification_type: String,
    /// `GREATER_THAN`, `LESS_THAN` or `EQUAL_TO`.
    #[serde(default = "greater_than")]
    pub(super) comparison_operator: String,
    /// The threshold.
    pub(super) threshold: Threshold,
    /// `PERCENTAGE` of the limit, or `ABSOLUTE_VALUE`.
    #[serde(default = "percentage")]
    pub(super) threshold_type: String,
    /// Who is told: one topic and ten addresses at most, one at least.
    pub(super) subscribers: BTreeSet<Subscriber>,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscriber {
    /// `EMAIL` or `SNS`.
    pub(super) subscription_type: String,
    /// The e-mail address, or the topic's ARN, whose policy has to let `budgets.amazonaws.com` publish
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

/// What only AWS knows of a Budget.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BudgetStatus {
    /// Its ARN.
    arn: String,
    /// What was spent or used so far, with its unit, as AWS says it.
    actual_spend: Option<String>,
}

impl Kind for Budget {
    type Status = BudgetStatus;
    const TIER: Tier = Tier::Operations;
    const NAMING: Naming = Naming::limit(100);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    /// The list has neither notifications nor tags: a call for each of both of what is wanted, and one for the
    /// subscribers of each notification.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = budgets(aws).describe_budgets().account_id(&scope.account).into_paginator().items().send();
        let mut all = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        all.retain(|budget| {
            let name = &budget.budget_name;
            scope.is_candidate(name) || scope.ids.contains(name) || !scope.lookups.is_empty()
        });
        each(all, |budget| look(aws, scope, budget)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let notifications =
            desired.spec.notifications.iter().map(wire::with_subscribers).collect::<Result<Vec<_>>>()?;
        let account = aws.account().ok_or_else(|| Error::incomplete("sts.GetCallerIdentity", "account"))?;
        budgets(aws)
            .create_budget()
            .account_id(&account)
            .budget(wire::budget(None, &desired.name, &desired.spec)?)
            .set_notifications_with_subscribers(Some(notifications))
            .set_resource_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let status = BudgetStatus { arn: arn(aws, &account, &desired.name), actual_spend: None };
        Ok(desired.made(&desired.name, status).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let account = account(live);
        if desired.changed.iter().any(|field| field != "notifications") {
            let budget = wire::budget(Some(live.raw()?), &live.id, &desired.spec)?;
            budgets(aws).update_budget().account_id(account).new_budget(budget).send().await?;
        }
        if desired.changed("notifications") {
            let change = wire::notifications(&live.spec.notifications, &desired.spec.notifications);
            for gone in change.gone {
                let delete = budgets(aws).delete_notification().account_id(account).budget_name(&live.id);
                delete.notification(wire::notification(gone)?).send().await.or_absent()?;
            }
            for new in change.new {
                let subscribers = new.subscribers.iter().map(wire::subscriber).collect::<Result<Vec<_>>>()?;
                let create = budgets(aws).create_notification().account_id(account).budget_name(&live.id);
                create.notification(wire::notification(new)?).set_subscribers(Some(subscribers)).send().await?;
            }
            for (there, wanted) in change.kept {
                // New ones first: a notification without subscribers cannot be.
                for one in wanted.subscribers.difference(&there.subscribers) {
                    let create = budgets(aws).create_subscriber().account_id(account).budget_name(&live.id);
                    let create = create.notification(wire::notification(there)?);
                    create.subscriber(wire::subscriber(one)?).send().await?;
                }
                for one in there.subscribers.difference(&wanted.subscribers) {
                    let delete = budgets(aws).delete_subscriber().account_id(account).budget_name(&live.id);
                    let delete = delete.notification(wire::notification(there)?);
                    delete.subscriber(wire::subscriber(one)?).send().await.or_absent()?;
                }
            }
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        budgets(aws).delete_budget().account_id(account(live)).budget_name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        let arn = &live.status.arn;
        if !set.is_empty() {
            budgets(aws).tag_resource().resource_arn(arn).set_resource_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            budgets(aws).untag_resource().resource_arn(arn).set_resource_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

fn arn(aws: &Aws, account: &str, name: &str) -> String {
    let partition = match aws.region() {
        region if region.starts_with("cn-") => "aws-cn",
        _ => "aws",
    };
    format!("arn:{partition}:budgets::{account}:budget/{name}")
}

async fn look(aws: &Aws, scope: &Scope, budget: sdk::Budget) -> Result<Option<Live<Budget>>> {
    let (account, name) = (&scope.account, &budget.budget_name);
    let arn = arn(aws, account, name);
    let there = tagging::of_no_region(aws)?;
    let tags = tagging::tags(&there, scope, &arn, || async {
        let answer = budgets(aws).list_tags_for_resource().resource_arn(&arn).send().await.or_absent()?;
        let pair = |tag: sdk::ResourceTag| (tag.key, tag.value);
        Ok(answer.map(|a| a.resource_tags.unwrap_or_default().into_iter().map(pair).collect::<Tags>()))
    });
    let told = async {
        let pages = budgets(aws).describe_notifications_for_budget().account_id(account).budget_name(name);
        let all =
            pages.into_paginator().items().send().collect::<std::result::Result<Vec<_>, _>>().await.or_absent()?;
        let subscribers = all.unwrap_or_default().into_iter().map(|notification| async move {
            let pages = budgets(aws).describe_subscribers_for_notification().account_id(account).budget_name(name);
            let pages = pages.notification(notification.clone()).into_paginator().items().send();
            let all = pages.collect::<std::result::Result<Vec<_>, _>>().await.or_absent()?;
            Ok::<_, Error>(wire::told(&notification, &all.unwrap_or_default()))
        });
        futures::future::try_join_all(subscribers).await
    };
    let (tags, told) = futures::try_join!(tags, told)?;
    Ok(tags.map(|tags| live(budget.clone(), arn.clone(), told.into_iter().collect()).tags(tags)))
}

fn live(budget: sdk::Budget, arn: String, notifications: BTreeSet<Notification>) -> Live<Budget> {
    let spec = wire::spec(&budget, notifications);
    let actual = budget.calculated_spend.as_ref().and_then(|spend| spend.actual_spend.as_ref());
    let actual_spend = actual.map(|spend| format!("{} {}", spend.amount, spend.unit));
    let name = budget.budget_name.clone();
    Live::new(name.clone(), name, spec, BudgetStatus { arn, actual_spend }).keep(budget)
}

/// The account that a budget is of, as its ARN has it.
fn account(live: &Live<Budget>) -> &str {
    live.status.arn.split(':').nth(4).unwrap_or_default()
}

fn sdk_tags(tags: &Tags) -> Result<Vec<sdk::ResourceTag>> {
    tags.iter().map(|(k, v)| Ok(sdk::ResourceTag::builder().key(k).value(v).build()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_account_stands_in_its_arn() {
        let budget = sdk::Budget::builder().budget_name("b").time_unit("MONTHLY".into()).budget_type("COST".into());
        let limit = sdk::Spend::builder().amount("100.0").unit("USD").build().expect("a limit");
        let budget = budget.budget_limit(limit).build().expect("a budget");
        let live = live(budget, "arn:aws:budgets::123456789012:budget/b".into(), BTreeSet::new());
        assert_eq!(account(&live), "123456789012");
        assert_eq!(live.spec.budget_limit, Some(Always(Spend { amount: 100.0, unit: "USD".into() })));
        assert_eq!(live.spec.cost_types, None);
    }
}
