"""Elastic Load Balancing v2: listener rules."""
from moto.elbv2.exceptions import DuplicatePriorityError, PriorityInUseError, RuleNotFoundError
from moto.elbv2.models import ELBv2Backend

from mends import mend


@mend(ELBv2Backend)
def describe_rules(moto, self, listener_arn, rule_arns):
    """DescribeRules returns the rules of a listener in the order of their priorities, the default rule last (User
    Guide, "Listener rules": "Rules are evaluated in priority order")."""
    rules = moto(listener_arn, rule_arns)
    return sorted(rules, key=lambda rule: 10 ** 6 if rule.is_default else int(rule.priority))


@mend(ELBv2Backend)
def set_rule_priorities(moto, self, rule_priorities):
    """SetRulePriorities: "You can reorder the rules as long as there are no priority conflicts in the new order".

    Only the priorities after the call count, so two rules can swap their priorities.
    """
    priorities = {pair["RuleArn"]: int(pair["Priority"]) for pair in rule_priorities}
    for priority in priorities.values():
        if list(priorities.values()).count(priority) > 1:
            raise DuplicatePriorityError(priority)
    rules = [self.describe_rules(None, [arn])[0] for arn in priorities]
    for rule in rules:
        others = self.describe_rules(rule.listener_arn, None)
        if any(o.arn not in priorities and not o.is_default and int(o.priority) == priorities[rule.arn] for o in others):
            raise PriorityInUseError()
    for rule in rules:
        rule.priority = priorities[rule.arn]
    return rules


@mend(ELBv2Backend)
def delete_rule(moto, self, arn):
    """DeleteRule: a rule that does not exist gives RuleNotFound. The rule's tags are deleted with it."""
    if not self.describe_rules(None, [arn]):
        raise RuleNotFoundError("One or more rules not found")
    moto(arn)
    self.tagging_service.delete_all_tags_for_resource(arn)
