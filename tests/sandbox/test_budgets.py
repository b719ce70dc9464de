"""Budgets behaves as its API Reference documents it."""
from conftest import refused

ME = "123456789012"
EMAIL = {"SubscriptionType": "EMAIL", "Address": "a@example.com"}
OTHER = {"SubscriptionType": "EMAIL", "Address": "b@example.com"}
NOTE = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0, "ThresholdType": "PERCENTAGE"}


def make(budgets, name="b"):
    budgets.create_budget(AccountId=ME, ResourceTags=[{"Key": "a", "Value": "b"}], Budget={
        "BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": "100", "Unit": "USD"},
        "CostFilters": {"TagKeyValue": ["user:team$web"]}, "CostTypes": {"IncludeCredit": False}},
        NotificationsWithSubscribers=[{"Notification": NOTE, "Subscribers": [EMAIL]}])


def test_update_budget_replaces_the_budget_but_keeps_the_period(aws):
    """CreateBudget, UpdateBudget, DescribeBudgets: amounts are decimal numbers, cost types are complete, the period is
    kept."""
    budgets = aws("budgets")
    make(budgets)
    refused("DuplicateRecordException", make, budgets)
    shown = budgets.describe_budgets(AccountId=ME)["Budgets"][0]
    assert shown["BudgetLimit"] == {"Amount": "100.0", "Unit": "USD"} and shown["CostFilters"] == {"TagKeyValue": ["user:team$web"]}
    assert (shown["CostTypes"]["IncludeCredit"], shown["CostTypes"]["IncludeTax"], len(shown["CostTypes"])) == (False, True, 11)
    new = {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "QUARTERLY", "BudgetLimit": {"Amount": "5.5", "Unit": "USD"}}
    budgets.update_budget(AccountId=ME, NewBudget=new)
    again = budgets.describe_budget(AccountId=ME, BudgetName="b")["Budget"]
    assert (again["TimeUnit"], again["BudgetLimit"]["Amount"], again["TimePeriod"]) == ("QUARTERLY", "5.5", shown["TimePeriod"])
    assert "CostFilters" not in again
    refused("InvalidParameterException", budgets.update_budget, AccountId=ME, NewBudget={k: v for k, v in new.items() if k != "BudgetLimit"})
    refused("NotFoundException", budgets.update_budget, AccountId=ME, NewBudget={**new, "BudgetName": "none"})


def test_notification_is_deleted_with_its_last_subscriber(aws):
    """DeleteSubscriber: "Deleting the last subscriber to a notification also deletes the notification"."""
    budgets, of = aws("budgets"), {"AccountId": ME, "BudgetName": "b"}
    make(budgets)
    subscribers = lambda: budgets.describe_subscribers_for_notification(**of, Notification=NOTE)["Subscribers"]  # noqa: E731
    assert subscribers() == [EMAIL]
    refused("DuplicateRecordException", budgets.create_notification, **of, Notification=NOTE, Subscribers=[EMAIL])
    budgets.create_subscriber(**of, Notification=NOTE, Subscriber=OTHER)
    budgets.delete_subscriber(**of, Notification=NOTE, Subscriber=EMAIL)
    assert subscribers() == [OTHER]
    described = budgets.describe_notifications_for_budget(**of)["Notifications"]
    assert described == [{**NOTE, "NotificationState": "OK"}]
    budgets.delete_subscriber(**of, Notification=NOTE, Subscriber=OTHER)
    assert budgets.describe_notifications_for_budget(**of)["Notifications"] == []
    refused("NotFoundException", budgets.delete_notification, **of, Notification=NOTE)


def test_tags_of_a_budget_can_be_added_and_removed(aws):
    budgets, arn = aws("budgets"), f"arn:aws:budgets::{ME}:budget/b"
    make(budgets)
    budgets.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "c", "Value": "d"}])
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["a"])
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "c", "Value": "d"}]
    refused("NotFoundException", budgets.list_tags_for_resource, ResourceARN=arn + "x")
