"""WAF behaves as AWS documents web ACLs and IP sets."""
import pytest
from conftest import refused, tags

SEEN = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "web"}


def rule(name="geo", priority=0, **more):
    return {"Name": name, "Priority": priority, "Action": {"Block": {}}, "VisibilityConfig": SEEN,
            "Statement": {"GeoMatchStatement": {"CountryCodes": ["DE"]}}, **more}


def create(waf, name="web", scope="REGIONAL", rules=(), **more):
    return waf.create_web_acl(Name=name, Scope=scope, DefaultAction={"Allow": {}}, VisibilityConfig=SEEN, Rules=list(rules), Tags=tags(a="b"),
                              **more)["Summary"]


@pytest.fixture
def waf(aws):
    return aws("wafv2")


def got(waf, acl, scope="REGIONAL"):
    return waf.get_web_acl(Name=acl["Name"], Scope=scope, Id=acl["Id"])


def test_web_acl_is_returned_as_sent(waf):
    managed = {"Name": "common", "Priority": 1, "OverrideAction": {"None": {}}, "VisibilityConfig": SEEN,
               "Statement": {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}}}
    limited = rule("rate", 2, Statement={"RateBasedStatement": {"Limit": 100, "AggregateKeyType": "IP"}})
    acl = create(waf, rules=[rule(), managed, limited], AssociationConfig={"RequestBody": {"CLOUDFRONT": {"DefaultSizeInspectionLimit": "KB_32"}}})
    described = got(waf, acl)["WebACL"]
    assert described["Capacity"] == 703 and described["AssociationConfig"]["RequestBody"]
    assert described["Rules"][:2] == [rule(), managed]
    assert described["Rules"][2]["Statement"]["RateBasedStatement"]["EvaluationWindowSec"] == 300


def test_web_acl_name_is_unique_in_its_scope(waf):
    create(waf)
    refused("WAFDuplicateItemException", create, waf)
    create(waf, scope="CLOUDFRONT")


def test_update_replaces_the_whole_web_acl_and_needs_the_latest_lock_token(waf):
    acl = create(waf, rules=[rule()], Description="x")
    update = dict(Name="web", Scope="REGIONAL", Id=acl["Id"], DefaultAction={"Block": {}}, VisibilityConfig=SEEN)
    waf.update_web_acl(LockToken=acl["LockToken"], **update)
    refused("WAFOptimisticLockException", waf.update_web_acl, LockToken=acl["LockToken"], **update)
    described = got(waf, acl)["WebACL"]
    assert described["Rules"] == [] and "Description" not in described


def test_invalid_rules_are_refused(waf):
    refused("WAFInvalidParameterException", create, waf, rules=[rule(), rule("b")])
    refused("WAFInvalidParameterException", create, waf, rules=[rule(OverrideAction={"None": {}})])
    reference = {"IPSetReferenceStatement": {"ARN": "arn:aws:wafv2:us-east-1:123456789012:regional/ipset/no/0"}}
    refused("WAFNonexistentItemException", create, waf, rules=[rule(Statement=reference)])


def test_load_balancer_has_one_web_acl(aws, waf, elb, vpc):
    balancer = elb.create_load_balancer(Name="web", Subnets=vpc.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    one, two = create(waf, "one"), create(waf, "two")
    for acl in (one, two):
        waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=balancer)
    protects = lambda acl: waf.list_resources_for_web_acl(WebACLArn=acl["ARN"])["ResourceArns"]  # noqa: E731
    assert (protects(one), protects(two)) == ([], [balancer])
    delete = dict(Name="two", Scope="REGIONAL", Id=two["Id"], LockToken=two["LockToken"])
    refused("WAFAssociatedItemException", waf.delete_web_acl, **delete)
    waf.disassociate_web_acl(ResourceArn=balancer)
    waf.delete_web_acl(**delete)
    refused("WAFUnavailableEntityException", waf.associate_web_acl, WebACLArn=one["ARN"], ResourceArn=balancer + "0")


def test_log_destination_name_begins_with_aws_waf_logs(waf):
    acl = create(waf)
    to = lambda name: {"ResourceArn": acl["ARN"], "LogDestinationConfigs": [f"arn:aws:logs:us-east-1:123456789012:log-group:{name}"]}  # noqa: E731
    refused("WAFInvalidParameterException", waf.put_logging_configuration, LoggingConfiguration=to("other"))
    waf.put_logging_configuration(LoggingConfiguration=to("aws-waf-logs-web"))
    waf.delete_web_acl(Name="web", Scope="REGIONAL", Id=acl["Id"], LockToken=acl["LockToken"])
    refused("WAFNonexistentItemException", waf.get_logging_configuration, ResourceArn=acl["ARN"])


def test_ip_set_that_a_rule_references_cannot_be_deleted(waf):
    made = waf.create_ip_set(Name="office", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"])["Summary"]
    refused("WAFDuplicateItemException", waf.create_ip_set, Name="office", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=[])
    acl = create(waf, rules=[rule(Statement={"IPSetReferenceStatement": {"ARN": made["ARN"]}})])
    delete = dict(Name="office", Scope="REGIONAL", Id=made["Id"], LockToken=made["LockToken"])
    refused("WAFAssociatedItemException", waf.delete_ip_set, **delete)
    waf.delete_web_acl(Name="web", Scope="REGIONAL", Id=acl["Id"], LockToken=acl["LockToken"])
    waf.delete_ip_set(**delete)
