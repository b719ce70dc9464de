"""WAF: web ACLs that are returned as they were sent, capacity, associations, duplicates, and resources in use."""
import copy
import json

from moto.elbv2.models import elbv2_backends
from moto.wafv2.exceptions import WAFNonexistentItemException, WAFOptimisticLockException, WAFv2ClientError, WAFV2DuplicateItemException
from moto.wafv2.models import FakeWebACL, WAFV2Backend, wafv2_backends
from moto.wafv2.responses import WAFV2Response

from mends import mend

# "Rule statements list" and "AWS Managed Rules rule groups list" (AWS WAF Developer Guide).
UNITS = {"GeoMatchStatement": 1, "IPSetReferenceStatement": 1, "LabelMatchStatement": 1, "SizeConstraintStatement": 1, "RateBasedStatement": 2,
         "ByteMatchStatement": 2, "RegexMatchStatement": 3, "SqliMatchStatement": 20, "XssMatchStatement": 40, "RegexPatternSetReferenceStatement": 25}
GROUPS = {"AWSManagedRulesCommonRuleSet": 700, "AWSManagedRulesKnownBadInputsRuleSet": 200, "AWSManagedRulesSQLiRuleSet": 200,
          "AWSManagedRulesAmazonIpReputationList": 25, "AWSManagedRulesLinuxRuleSet": 200, "AWSManagedRulesAnonymousIpList": 50}


def refuse(code, message):
    raise WAFv2ClientError(code, message)


@mend(WAFV2DuplicateItemException, "__init__")
def duplicate(moto, self):
    """WAFDuplicateItemException is the name in the API Reference."""
    moto()
    WAFv2ClientError.__init__(self, "WAFDuplicateItemException", "AWS WAF couldn't perform the operation because some resource in your request is a duplicate of an existing one.")


def statements(tree):
    """Yields the name and content of every statement in a tree."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key.endswith("Statement") and key not in ("Statement", "ScopeDownStatement"):
                yield key, value
            yield from statements(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from statements(value)


def capacity(rules):
    """WebACL.Capacity: the sum of the capacity units of all rules."""
    return sum(GROUPS.get(body.get("Name"), 100) if name == "ManagedRuleGroupStatement" else UNITS.get(name, 0)
               for name, body in statements(rules))


def check(backend, body):
    """Raises the errors of CreateWebACL and UpdateWebACL.

    They are WAFInvalidParameterException and WAFNonexistentItemException.
    """
    rules = body.get("Rules") or []
    for what in ("Name", "Priority"):
        if len({rule[what] for rule in rules}) < len(rules):
            refuse("WAFInvalidParameterException", f"Error reason: Your statement has multiple values set for a field that requires exactly one value., field: RULE, parameter: {what}")
    for rule in rules:
        names = [name for name, _ in statements(rule["Statement"])]
        grouped = bool({"ManagedRuleGroupStatement", "RuleGroupReferenceStatement"} & set(rule["Statement"]))
        if len(rule["Statement"]) != 1 or not names:
            refuse("WAFInvalidParameterException", "Error reason: A rule must have exactly one statement., field: STATEMENT")
        if ("OverrideAction" in rule) != grouped or ("Action" in rule) == grouped:
            refuse("WAFInvalidParameterException", "Error reason: A reference in your rule statement is not valid., field: RULE_ACTION")
        if "VisibilityConfig" not in rule:
            refuse("WAFInvalidParameterException", "Error reason: VisibilityConfig is required., field: VISIBILITY_CONFIG")
        for name, statement in statements(rule):
            if name == "RateBasedStatement":
                statement.setdefault("EvaluationWindowSec", 300)
            if name == "IPSetReferenceStatement" and statement["ARN"] not in backend.ip_sets:
                raise WAFNonexistentItemException()
    if len(body.get("DefaultAction") or {}) != 1:
        refuse("WAFInvalidParameterException", "Error reason: You have used none or multiple values for a field that requires exactly one value., field: DEFAULT_ACTION")


def kept(acl, body):
    acl.body = {key: copy.deepcopy(value) for key, value in body.items() if key not in ("Scope", "Id", "LockToken", "Tags")}


def backend_of(self, scope):
    return wafv2_backends[self.current_account]["aws" if scope == "CLOUDFRONT" else self.region]


@mend(WAFV2Response)
def create_web_acl(moto, self):
    body = json.loads(self.body)
    backend = backend_of(self, body["Scope"])
    check(backend, body)
    answer = moto()
    kept(backend.wacls[json.loads(answer[2])["Summary"]["ARN"]], body)
    return answer


@mend(WAFV2Response)
def update_web_acl(moto, self):
    """UpdateWebACL replaces the web ACL's whole configuration. Omitted settings are removed."""
    body = json.loads(self.body)
    backend = backend_of(self, body["Scope"])
    acl = backend.get_web_acl(None, body["Name"], body["Id"])
    if acl.lock_token != body["LockToken"]:
        raise WAFOptimisticLockException()
    check(backend, body)
    kept(acl, body)
    acl.description = body.get("Description") or ""
    acl.lock_token = acl._generate_lock_token()
    return 200, {}, json.dumps({"NextLockToken": acl.lock_token})


@mend(FakeWebACL)
def to_dict(moto, self):
    """WebACL: the configuration as it was sent, and the fields that AWS adds."""
    return {**self.body, "Id": self.id, "ARN": self.arn, "Capacity": capacity(self.body.get("Rules")), "LabelNamespace": self.label_namespace,
            "ManagedByFirewallManager": False, "RetrofittedByFirewallManager": False, "Rules": self.body.get("Rules") or []}


@mend(WAFV2Backend)
def delete_web_acl(moto, self, name, scope, _id, lock_token):
    """DeleteWebACL: a web ACL that protects a resource gives WAFAssociatedItemException. Its logging configuration and
    tags are deleted with it."""
    acl = self.get_web_acl(None, name, _id)
    if acl.lock_token == lock_token and (acl.associated_resources or used_by_distribution(self.account_id, acl.arn)):
        refuse("WAFAssociatedItemException", "AWS WAF couldn't perform the operation because your resource is being used by another resource or it's associated with another resource.")
    moto(name, scope, _id, lock_token)
    for backend in wafv2_backends[self.account_id].values():
        backend.logging_configurations.pop(acl.arn, None)
    self.tagging_service.delete_all_tags_for_resource(acl.arn)


def used_by_distribution(account, arn):
    from moto.cloudfront.models import cloudfront_backends
    return any(dist.distribution_config["WebACLId"] == arn for dist in cloudfront_backends[account]["aws"].distributions.values())


@mend(WAFV2Backend)
def associate_web_acl(moto, self, web_acl_arn, resource_arn):
    """AssociateWebACL: the resource must exist. The new web ACL replaces the resource's previous one."""
    balancers = elbv2_backends[self.account_id][self.region_name].load_balancers
    if ":loadbalancer/app/" in resource_arn and resource_arn not in balancers:
        refuse("WAFUnavailableEntityException", "AWS WAF couldn't retrieve a resource that you specified in your request.")
    if web_acl_arn not in self.wacls:
        raise WAFNonexistentItemException()
    self.disassociate_web_acl(resource_arn)
    moto(web_acl_arn, resource_arn)


@mend(WAFV2Response)
def list_resources_for_web_acl(moto, self):
    """ListResourcesForWebACL returns existing resources of one type, by default Application Load Balancers."""
    body = json.loads(self.body)
    acl = self.wafv2_backend.wacls.get(body["WebACLArn"])
    if not acl:
        raise WAFNonexistentItemException()
    balancers = elbv2_backends[self.current_account][self.region].load_balancers
    acl.associated_resources = [arn for arn in acl.associated_resources if ":loadbalancer/" not in arn or arn in balancers]
    kind = ":loadbalancer/" if body.get("ResourceType", "APPLICATION_LOAD_BALANCER") == "APPLICATION_LOAD_BALANCER" else ":apigateway:"
    return 200, {}, json.dumps({"ResourceArns": [arn for arn in acl.associated_resources if kind in arn]})


@mend(WAFV2Response)
def put_logging_configuration(moto, self):
    """PutLoggingConfiguration: there is one destination, and its name begins with aws-waf-logs-. The web ACL must
    exist."""
    config = json.loads(self.body)["LoggingConfiguration"]
    arn, destinations = config["ResourceArn"], config["LogDestinationConfigs"]
    of = backend_of(self, "CLOUDFRONT" if ":global/" in arn else "REGIONAL")
    if arn not in of.wacls:
        raise WAFNonexistentItemException()
    if len(destinations) != 1 or "aws-waf-logs-" not in destinations[0]:
        refuse("WAFInvalidParameterException", "Error reason: The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes., field: LOG_DESTINATION")
    return moto()


@mend(WAFV2Backend)
def create_ip_set(moto, self, name, scope, description, ip_address_version, addresses, tags):
    """CreateIPSet: a name that is already in use in its scope gives WAFDuplicateItemException."""
    if any(one.name == name and one.scope == scope for one in self.ip_sets.values()):
        raise WAFV2DuplicateItemException()
    return moto(name, scope, description, ip_address_version, addresses, tags)


@mend(WAFV2Backend)
def delete_ip_set(moto, self, name, scope, _id, lock_token):
    """DeleteIPSet: an IP set that a rule references gives WAFAssociatedItemException."""
    arns = [arn for arn, one in self.ip_sets.items() if one.ip_set_id == _id]
    for acl in self.wacls.values():
        if any(body.get("ARN") in arns for which, body in statements(acl.body.get("Rules")) if which == "IPSetReferenceStatement"):
            refuse("WAFAssociatedItemException", "AWS WAF couldn't perform the operation because your resource is being used by another resource or it's associated with another resource.")
    moto(name, scope, _id, lock_token)
