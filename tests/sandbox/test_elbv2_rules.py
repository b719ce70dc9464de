"""Listener rules behave as the Elastic Load Balancing API Reference documents them."""
from conftest import refused
from test_elbv2 import balancer, forward, listener, target_group


def test_rules_can_swap_their_priorities(aws, vpc, elb):
    """SetRulePriorities: the new order has no conflicts. DescribeRules returns the rules in order, the default rule
    last.

    DeleteRule: a rule that does not exist gives RuleNotFound.
    """
    group = target_group(elb, vpc)
    made = listener(elb, balancer(elb, vpc), forward(group))["ListenerArn"]

    def rule(priority):
        conditions = [{"Field": "path-pattern", "Values": [f"/{priority}"]}]
        return elb.create_rule(ListenerArn=made, Priority=priority, Conditions=conditions, Actions=forward(group))["Rules"][0]["RuleArn"]

    first, second = rule(20), rule(10)
    refused("PriorityInUse", elb.set_rule_priorities, RulePriorities=[{"RuleArn": first, "Priority": 10}])
    elb.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 10}, {"RuleArn": second, "Priority": 20}])
    shown = elb.describe_rules(ListenerArn=made)["Rules"]
    assert [(r["RuleArn"], r["Priority"]) for r in shown[:2]] == [(first, "10"), (second, "20")] and shown[-1]["IsDefault"]
    elb.delete_rule(RuleArn=first)
    refused("RuleNotFound", elb.delete_rule, RuleArn=first)
