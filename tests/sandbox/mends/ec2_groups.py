"""EC2: security groups and their rules."""
import itertools
import sys

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    DependencyViolationError, EC2ClientError, InvalidPermissionDuplicateError, InvalidPermissionNotFoundError,
    InvalidSecurityGroupNotFoundError, InvalidSecurityGroupRuleIdNotFoundError,
)
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupBackend, SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups

from mends import computed, mend
from mends.ec2 import canonical

SOURCES = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "UserIdGroupPairs": "GroupId", "PrefixListIds": "PrefixListId"}


@mend(SecurityGroupRule, "__init__")
def made(moto, self, ec2_backend, ip_protocol, group_id, from_port, to_port, ip_range, source_group=None, prefix_list_id=None, **more):
    """IpRange.CidrIp: AWS canonicalizes IPv4 and IPv6 CIDRs. A description belongs to the rule, whatever the rule's
    source is."""
    ip_range = {k: canonical(v) if k.startswith("Cidr") else v for k, v in (ip_range or {}).items()}
    text = next((s["Description"] for s in (ip_range, source_group or {}, prefix_list_id or {}) if s.get("Description")), None)
    moto(ec2_backend, ip_protocol, group_id, from_port, to_port, ip_range, dict(source_group or {}), prefix_list_id, **more)
    self.ip_protocol = {"58": "icmpv6"}.get(self.ip_protocol, self.ip_protocol)
    self.text = text


@computed(SecurityGroupRule)
def description(self):
    return self.text


@computed(SecurityGroupRule)
def referenced_group_info(self):
    """SecurityGroupRule.ReferencedGroupInfo: the referenced group's id, owner and VPC."""
    if not self.source_group:
        return None
    group = self.ec2_backend.get_security_group_from_id(self.source_group.get("GroupId", ""))
    return {"GroupId": self.source_group.get("GroupId"), "UserId": self.source_group.get("UserId"), "VpcId": group.vpc_id if group else None}


SecurityGroupRule.security_group_rule_arn = property(
    lambda self: f"arn:aws:ec2:{self.ec2_backend.region_name}:{self.owner_id}:security-group-rule/{self.id}")


def key(rule):
    """Returns a rule's identity: everything but its description, tags and owner."""
    return (rule.ip_protocol, rule.from_port, rule.to_port, rule.ip_range.get("CidrIp"), rule.ip_range.get("CidrIpv6"),
            rule.source_group.get("GroupId"), rule.prefix_list_id)


SecurityGroupRule.__eq__ = lambda self, other: isinstance(other, SecurityGroupRule) and key(self) == key(other)
SecurityGroupRule.__hash__ = object.__hash__


@mend(SecurityGroup)
def _flattened_rules(moto, self, rules):
    """IpPermission: rules with the same protocol and ports are returned together, each source with its own
    description."""
    shown = {}
    for rule in rules:
        entry = shown.setdefault((rule.ip_protocol, rule.from_port, rule.to_port), {
            "IpProtocol": rule.ip_protocol, "FromPort": rule.from_port, "ToPort": rule.to_port, **{name: [] for name in SOURCES}})
        source = {"Description": rule.text} if rule.text else {}
        if rule.source_group:
            entry["UserIdGroupPairs"].append({"GroupId": rule.source_group.get("GroupId"), "UserId": rule.source_group.get("UserId"), **source})
        elif rule.prefix_list_id:
            entry["PrefixListIds"].append({"PrefixListId": rule.prefix_list_id, **source})
        else:
            name = "IpRanges" if "CidrIp" in rule.ip_range else "Ipv6Ranges"
            entry[name].append({SOURCES[name]: rule.ip_range.get(SOURCES[name]), **source})
    return list(shown.values())


# ---- the operations on rules

def group_of(self):
    name = self._get_param("GroupId") or self._get_param("GroupName")
    group = self.ec2_backend.get_security_group_by_name_or_id(name)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(name)
    return group


def named(self, egress):
    """Yields the rules that the request specifies by their properties. They are not part of the group yet."""
    backend, group = self.ec2_backend, group_of(self)
    for asked in self._process_rules_from_querystring():
        sources = backend._add_source_group(asked["source_groups"], None)
        yield from backend._iterate_security_rules(
            asked["ip_protocol"], group.id, asked["from_port"], asked["to_port"], asked["ip_ranges"], sources,
            asked["prefix_list_ids"] or [], is_egress=egress)


def authorize(moto, self, egress):
    """AuthorizeSecurityGroupIngress/Egress creates either all rules or none, and returns every rule that it created.

    A rule that already exists gives InvalidPermission.Duplicate, whatever its description is.
    """
    group = group_of(self)
    rules = group.egress_rules if egress else group.ingress_rules
    asked = list(named(self, egress))
    if any(rule in rules for rule in asked) or any(a == b for a, b in itertools.combinations(asked, 2)):
        raise InvalidPermissionDuplicateError()
    before = [rule.id for rule in rules]
    try:
        moto()
    except EC2ClientError:
        rules[:] = [rule for rule in rules if rule.id in before]
        raise
    return ActionResult({"Return": True, "SecurityGroupRules": [rule for rule in rules if rule.id not in before]})


def revoke(self, egress):
    """RevokeSecurityGroupIngress/Egress: rules are named by their ids or by their properties: "you do not need to
    specify the description".

    In a non-default VPC a rule that does not match gives InvalidPermission.NotFound "and no rules are revoked".
    """
    group, ids = group_of(self), self._get_param("SecurityGroupRuleIds", [])
    rules = group.egress_rules if egress else group.ingress_rules
    for rule_id in ids:
        if rule_id not in [rule.id for rule in rules]:
            raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)
    asked = [] if ids else list(named(self, egress))
    if any(rule not in rules for rule in asked) and not self.ec2_backend.vpcs[group.vpc_id].is_default:
        raise InvalidPermissionNotFoundError()
    revoked = [rule for rule in rules if rule.id in ids or rule in asked]
    rules[:] = [rule for rule in rules if rule not in revoked]
    for rule in revoked:
        self.ec2_backend.tags.pop(rule.id, None)
    return ActionResult({"Return": True})


def describe_anew(self, egress):
    """UpdateSecurityGroupRuleDescriptionsIngress/Egress: rules are named by their ids or by IpPermissions. "you can
    remove a description for a security group rule by omitting the description parameter in the request"."""
    group = group_of(self)
    rules = group.egress_rules if egress else group.ingress_rules
    for update in self._get_param("SecurityGroupRuleDescriptions", []):
        rule = next((r for r in rules if r.id == update["SecurityGroupRuleId"]), None)
        if rule is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(update["SecurityGroupRuleId"])
        rule.text = update.get("Description") or None
    if not self._get_param("SecurityGroupRuleDescriptions"):
        for asked in named(self, egress):
            if asked not in rules:
                raise InvalidPermissionNotFoundError()
            rules[rules.index(asked)].text = asked.text
    return ActionResult({"Return": True})


@mend(SecurityGroups)
def authorize_security_group_ingress(moto, self):
    return authorize(moto, self, egress=False)


@mend(SecurityGroups)
def authorize_security_group_egress(moto, self):
    return authorize(moto, self, egress=True)


@mend(SecurityGroups)
def revoke_security_group_ingress(moto, self):
    return revoke(self, egress=False)


@mend(SecurityGroups)
def revoke_security_group_egress(moto, self):
    return revoke(self, egress=True)


@mend(SecurityGroups)
def update_security_group_rule_descriptions_ingress(moto, self):
    return describe_anew(self, egress=False)


@mend(SecurityGroups)
def update_security_group_rule_descriptions_egress(moto, self):
    return describe_anew(self, egress=True)


@mend(SecurityGroups)
def modify_security_group_rules(moto, self):
    """ModifySecurityGroupRules replaces a rule's protocol, ports, source and description as a whole."""
    group = group_of(self)
    for change in self._get_param("SecurityGroupRules", []):
        rule, requested = group.get_rule(change["SecurityGroupRuleId"]), change["SecurityGroupRule"]
        if rule is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(change["SecurityGroupRuleId"])
        other = requested.get("ReferencedGroupId")
        source = self.ec2_backend._add_source_group([{"GroupId": other}] if other else [], None)
        ranges = {new: requested[old] for old, new in (("CidrIpv4", "CidrIp"), ("CidrIpv6", "CidrIpv6")) if old in requested}
        prefix = {"PrefixListId": requested["PrefixListId"]} if "PrefixListId" in requested else None
        fresh = SecurityGroupRule(self.ec2_backend, requested.get("IpProtocol"), group.id, requested.get("FromPort"), requested.get("ToPort"),
                                  ranges, source[0] if source else None, prefix, is_egress=rule.is_egress)
        fresh.text = requested.get("Description") or None
        same = [r for r in (group.egress_rules if rule.is_egress else group.ingress_rules) if r is not rule]
        if fresh in same:
            raise InvalidPermissionDuplicateError()
        rule.__dict__.update({**fresh.__dict__, "id": rule.id, "filters": rule.filters})
    return ActionResult({"Return": True})


# ---- the groups

@mend(SecurityGroupBackend)
def create_security_group(moto, self, name, description, *args, **kwargs):
    """Default security groups (VPC User Guide): the default group allows all inbound traffic from itself."""
    group = moto(name, description, *args, **kwargs)
    if group.is_default:
        itself = {"GroupId": group.id, "UserId": self.account_id}
        group.ingress_rules.append(SecurityGroupRule(self, "-1", group.id, None, None, None, itself, is_egress=False))
    return group


def group_users(backend, group):
    """Returns the users of a group: rules of other groups, network interfaces and load balancers.

    Load balancers have no network interfaces in moto.
    """
    others = [g for groups in backend.groups.values() for g in groups.values() if g.id != group.id]
    users = [g.id for g in others if any(r.source_group.get("GroupId") == group.id for r in g.ingress_rules + g.egress_rules)]
    users += [eni.id for eni in backend.enis.values() if group.id in [g.id for g in eni.group_set]]
    elb = sys.modules.get("moto.elbv2.models")
    balancers = elb.elbv2_backends[backend.account_id][backend.region_name].load_balancers.values() if elb else ()
    return users + [lb.arn for lb in balancers if group.id in (lb.security_groups or [])]


@mend(SecurityGroups)
def delete_security_group(moto, self):
    """DeleteSecurityGroup: "If you attempt to delete a security group that is associated with an instance or network
    interface, is referenced by another security group in the same VPC [...] the operation fails with
    DependencyViolation"."""
    group = group_of(self)
    if group.is_default:
        raise EC2ClientError("CannotDelete", f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user')
    if group_users(self.ec2_backend, group):
        raise DependencyViolationError(f"resource {group.id} has a dependent object")
    return moto()
