"""Budgets: notifications and their subscribers, tags, and updates of the whole budget."""
import json

from moto.budgets.exceptions import BudgetMissingLimit, DuplicateRecordException, NotFoundException
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse
from moto.core.exceptions import JsonRESTError
from moto.core.utils import unix_time

from mends import mend

DEFAULT_TYPES = {**dict.fromkeys(("IncludeCredit", "IncludeDiscount", "IncludeOtherSubscription", "IncludeRecurring", "IncludeRefund",
                                  "IncludeSubscription", "IncludeSupport", "IncludeTax", "IncludeUpfront"), True),
                 "UseAmortized": False, "UseBlended": False}


@mend(Budget)
def __init__(moto, self, budget, notifications):
    """Budget: AWS can determine the limit (AutoAdjustData). A budget has at most ten notifications, each with at least
    one subscriber (CreateBudget)."""
    if len(notifications) > 10:
        raise JsonRESTError("CreationLimitExceededException", "You've exceeded the notification or subscriber limit.")
    adjusted = "AutoAdjustData" in budget and "BudgetLimit" not in budget
    moto({**budget, "BudgetLimit": {"Amount": "1", "Unit": "USD"}} if adjusted else budget, notifications)


@mend(Budget)
def to_dict(moto, self):
    """Spend.Amount is returned as a decimal number, for example "100.0". CostTypes is returned with all of its
    members."""
    shown = moto()
    if "BudgetLimit" in shown:
        shown["BudgetLimit"]["Amount"] = str(float(shown["BudgetLimit"]["Amount"]))
    if shown["BudgetType"] == "COST":
        shown["CostTypes"] = {**DEFAULT_TYPES, **(shown.get("CostTypes") or {})}
    return shown


def account_of(arn):
    return arn.split(":")[4], arn.split("budget/", 1)[1]


def found(response, account=None, name=None):
    account, name = account or response._get_param("AccountId"), name or response._get_param("BudgetName")
    budget = response.backend.budgets[account].get(name)
    if budget is None:
        raise NotFoundException(f"Unable to find budget: {name} - the budget doesn't exist.")
    return budget


def key(details):
    """Returns a notification's identity: its type, comparison, threshold and threshold type (PERCENTAGE by default)."""
    return (details["NotificationType"], details["ComparisonOperator"], float(details["Threshold"]), details.get("ThresholdType") or "PERCENTAGE")


def notification(response):
    requested = response._get_param("Notification")
    one = next((n for n in found(response).notifications if key(n.details) == key(requested)), None)
    if one is None:
        raise NotFoundException("Unable to find the notification.")
    return one


@mend(BudgetsResponse)
def create_budget(moto, self):
    """CreateBudget.ResourceTags: the tags of the budget."""
    answer = moto()
    found(self, name=self._get_param("Budget")["BudgetName"]).tags = {t["Key"]: t["Value"] for t in self._get_param("ResourceTags") or []}
    return answer


@mend(BudgetsResponse)
def update_budget(moto, self):
    """UpdateBudget changes everything but the name and the calculated spend. The period is kept when none is given."""
    new = self._get_param("NewBudget")
    budget = found(self, name=new["BudgetName"])
    if not {"BudgetLimit", "PlannedBudgetLimits", "AutoAdjustData"} & set(new):
        raise BudgetMissingLimit()
    budget.budget = {"TimePeriod": budget.budget["TimePeriod"], **new, "LastUpdatedTime": unix_time()}
    if "AutoAdjustData" in new and "BudgetLimit" not in new:
        budget.budget["BudgetLimit"] = {"Amount": "1", "Unit": "USD"}
    return json.dumps({})


@mend(BudgetsResponse)
def describe_notifications_for_budget(moto, self):
    """DescribeNotificationsForBudget always returns NotificationState and ThresholdType. An unknown budget gives
    NotFoundException."""
    shown = [{"ThresholdType": "PERCENTAGE", "NotificationState": "OK", **n.details} for n in found(self).notifications]
    return json.dumps({"Notifications": shown})


@mend(BudgetsResponse)
def create_notification(moto, self):
    """CreateNotification: a notification that already exists gives DuplicateRecordException."""
    requested = self._get_param("Notification")
    if any(key(n.details) == key(requested) for n in found(self).notifications):
        raise DuplicateRecordException("notification", requested["NotificationType"])
    return moto()


@mend(BudgetsResponse)
def delete_notification(moto, self):
    """DeleteNotification also deletes the notification's subscribers."""
    deleted = notification(self)
    found(self).notifications.remove(deleted)
    return json.dumps({})


@mend(BudgetsResponse)
def describe_subscribers_for_notification(moto, self):
    return json.dumps({"Subscribers": notification(self).subscribers})


@mend(BudgetsResponse)
def create_subscriber(moto, self):
    """CreateSubscriber: a subscriber that already exists gives DuplicateRecordException."""
    subscribers, new = notification(self).subscribers, self._get_param("Subscriber")
    if new in subscribers:
        raise DuplicateRecordException("subscriber", new["Address"])
    subscribers.append(new)
    return json.dumps({})


@mend(BudgetsResponse)
def delete_subscriber(moto, self):
    """DeleteSubscriber: "Deleting the last subscriber to a notification also deletes the notification"."""
    of, subscriber = notification(self), self._get_param("Subscriber")
    if subscriber not in of.subscribers:
        raise NotFoundException(f"Unable to find the subscriber {subscriber['Address']}.")
    of.subscribers.remove(subscriber)
    if not of.subscribers:
        found(self).notifications.remove(of)
    return json.dumps({})


def tags_of(response):
    return found(response, *account_of(response._get_param("ResourceARN"))).__dict__.setdefault("tags", {})


@mend(BudgetsResponse)
def list_tags_for_resource(moto, self):
    return json.dumps({"ResourceTags": [{"Key": k, "Value": v} for k, v in tags_of(self).items()]})


@mend(BudgetsResponse)
def tag_resource(moto, self):
    tags_of(self).update({t["Key"]: t["Value"] for t in self._get_param("ResourceTags")})
    return json.dumps({})


@mend(BudgetsResponse)
def untag_resource(moto, self):
    for one in self._get_param("ResourceTagKeys"):
        tags_of(self).pop(one, None)
    return json.dumps({})
