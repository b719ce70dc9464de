//! Budget: a limit for costs or usage, with notifications.

mod spec;
mod wire;

use std::collections::BTreeSet;

use aws_sdk_budgets::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagCalls, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{AtMostOne, Form, Needs},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_engine::cloud::Scope;

pub(crate) use self::spec::Budget;
use self::spec::{BudgetStatus, Notification};
use super::budgets;

impl Kind for Budget {
    type Status = BudgetStatus;
    type Owner = TagOnCreate<BudgetTags, ByArn>;
    const TIER: Tier = Tier::Operations;
    const NAMING: NamingRules = NamingRules { form: (r"[^:\\]+", "has no `:` and no `\\`"), ..NamingRules::limit(100) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
        demand(AtMostOne(&["budgetLimit", "autoAdjustData"])),
        demand(Needs("budgetAdjustmentPeriod")).when(&[Is("autoAdjustType", &["HISTORICAL"])]).at("autoAdjustData"),
        // https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Subscriber.html
        demand(Form("address", r"[^@\s]+@[^@\s]+", "an e-mail address"))
            .when(&[Is("subscriptionType", &["EMAIL"])])
            .at("notifications.*.subscribers.*"),
        demand(Form("address", "arn:.+", "the ARN of a topic"))
            .when(&[Is("subscriptionType", &["SNS"])])
            .at("notifications.*.subscribers.*"),
    ];
    const GLOBAL: bool = true;

    /// DescribeBudgets returns neither notifications nor tags. Each requested budget takes one call for each of
    /// the two, and each notification takes one call for its subscribers.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = budgets(aws).describe_budgets().account_id(&scope.account).into_paginator().items().send();
        let mut listed = all(pages).await?;
        listed.retain(|budget| scope.wants(&Listed::name(&budget.budget_name)).any());
        each(listed, |budget| observe_budget(aws, scope, budget)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
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
        Ok(desired.as_live(&desired.name, status).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let account = account(live);
        if desired.changed_besides(&[Budget::NOTIFICATIONS]) {
            let budget = wire::budget(Some(live.raw()?), &live.id, &desired.spec)?;
            budgets(aws).update_budget().account_id(account).new_budget(budget).send().await?;
        }
        if desired.changed(Budget::NOTIFICATIONS) {
            let changes = wire::notification_changes(&live.spec.notifications, &desired.spec.notifications);
            for notification in changes.deleted {
                let delete = budgets(aws).delete_notification().account_id(account).budget_name(&live.id);
                delete.notification(wire::notification(notification)?).send().await.or_absent()?;
            }
            for notification in changes.created {
                let subscribers = notification.subscribers.iter().map(wire::subscriber).collect::<Result<Vec<_>>>()?;
                let create = budgets(aws).create_notification().account_id(account).budget_name(&live.id);
                create
                    .notification(wire::notification(notification)?)
                    .set_subscribers(Some(subscribers))
                    .send()
                    .await?;
            }
            for (current, desired) in changes.changed {
                // New subscribers are added first: a notification without subscribers cannot exist.
                for subscriber in desired.subscribers.difference(&current.subscribers) {
                    let create = budgets(aws).create_subscriber().account_id(account).budget_name(&live.id);
                    let create = create.notification(wire::notification(current)?);
                    create.subscriber(wire::subscriber(subscriber)?).send().await?;
                }
                for subscriber in current.subscribers.difference(&desired.subscribers) {
                    let delete = budgets(aws).delete_subscriber().account_id(account).budget_name(&live.id);
                    let delete = delete.notification(wire::notification(current)?);
                    delete.subscriber(wire::subscriber(subscriber)?).send().await.or_absent()?;
                }
            }
        }
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        budgets(aws).delete_budget().account_id(account(live)).budget_name(&live.id).send().await?;
        Ok(())
    }
}

holdfast_base::sdk_tags!(required sdk::ResourceTag);

/// The calls that set and remove tags.
pub(crate) struct BudgetTags;

impl TagCalls for BudgetTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        budgets(aws).tag_resource().resource_arn(arn).set_resource_tags(Some(sdk_tags(tags)?)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        budgets(aws).untag_resource().resource_arn(arn).set_resource_tag_keys(Some(keys)).send().await?;
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

/// Observes one budget; `None` if it no longer exists.
async fn observe_budget(aws: &Aws, scope: &Scope, budget: sdk::Budget) -> Result<Option<Live<Budget>>> {
    let (account, name) = (&scope.account, &budget.budget_name);
    let arn = arn(aws, account, name);
    let index = tagging::of_no_region(aws)?;
    let tags = tagging::tags(&index, scope, &arn, || async {
        let output = budgets(aws).list_tags_for_resource().resource_arn(&arn).send().await.or_absent()?;
        Ok(output.map(|output| from_sdk_tags(output.resource_tags())))
    });
    let notifications = async {
        let pages = budgets(aws).describe_notifications_for_budget().account_id(account).budget_name(name);
        let listed = all(pages.into_paginator().items().send()).await.or_absent()?;
        let subscribers = listed.unwrap_or_default().into_iter().map(|notification| async move {
            let pages = budgets(aws).describe_subscribers_for_notification().account_id(account).budget_name(name);
            let pages = pages.notification(notification.clone()).into_paginator().items().send();
            let listed = all(pages).await.or_absent()?;
            Ok::<_, Error>(wire::notification_from_response(&notification, &listed.unwrap_or_default()))
        });
        futures::future::try_join_all(subscribers).await
    };
    let (tags, notifications) = futures::try_join!(tags, notifications)?;
    Ok(tags.map(|tags| live(budget.clone(), arn.clone(), notifications.into_iter().collect()).tags(tags)))
}

fn live(budget: sdk::Budget, arn: String, notifications: BTreeSet<Notification>) -> Live<Budget> {
    let spec = wire::spec(&budget, notifications);
    let actual = budget.calculated_spend.as_ref().and_then(|spend| spend.actual_spend.as_ref());
    let actual_spend = actual.map(|spend| format!("{} {}", spend.amount, spend.unit));
    let name = budget.budget_name.clone();
    Live::new(name.clone(), name, spec, BudgetStatus { arn, actual_spend }).keep(budget)
}

/// Returns the account of a budget, which its ARN contains.
fn account(live: &Live<Budget>) -> &str {
    live.status.arn.split(':').nth(4).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use holdfast_core::types::ServerDefault;

    use super::spec::Spend;
    use super::*;

    #[test]
    fn the_account_of_a_budget_is_read_from_its_arn() {
        let budget = sdk::Budget::builder().budget_name("b").time_unit("MONTHLY".into()).budget_type("COST".into());
        let limit = sdk::Spend::builder().amount("100.0").unit("USD").build().expect("a limit");
        let budget = budget.budget_limit(limit).build().expect("a budget");
        let live = live(budget, "arn:aws:budgets::123456789012:budget/b".into(), BTreeSet::new());
        assert_eq!(account(&live), "123456789012");
        assert_eq!(live.spec.budget_limit, Some(ServerDefault(Spend { amount: 100.0, unit: "USD".into() })));
        assert_eq!(live.spec.cost_types, None);
    }
}
