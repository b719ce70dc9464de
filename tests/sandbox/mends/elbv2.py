"""Elastic Load Balancing v2: load balancers and target groups."""
import re

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.elbv2.exceptions import (
    DuplicateLoadBalancerName, DuplicateTargetGroupName, ELBClientError, LoadBalancerNotFoundError, SubnetNotFoundError, TooManyTagsError,
)
from moto.elbv2.models import AvailabilityZone, ELBv2Backend, FakeLoadBalancer, FakeTargetGroup, elbv2_backends
from moto.elbv2.responses import ELBV2Response

import knobs
from mends import computed, mend

LOGS = {f"{kind}.s3.{key}": default for kind in ("access_logs", "connection_logs", "health_check_logs")
        for key, default in (("enabled", "false"), ("bucket", ""), ("prefix", ""))}
SHARED = {"deletion_protection.enabled": "false", "zonal_shift.config.enabled": "false", "ipv6.deny_all_igw_traffic": "false"}
BALANCER = {  # LoadBalancerAttribute: the attributes of each type, with their defaults
    "application": {
        **SHARED, **LOGS, "load_balancing.cross_zone.enabled": "true", "idle_timeout.timeout_seconds": "60", "client_keep_alive.seconds": "3600",
        "routing.http.desync_mitigation_mode": "defensive", "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.preserve_host_header.enabled": "false", "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
        "routing.http.xff_client_port.enabled": "false", "routing.http.xff_header_processing.mode": "append", "routing.http2.enabled": "true",
        "waf.fail_open.enabled": "false"},
    "network": {
        **SHARED, **{k: v for k, v in LOGS.items() if k.startswith("access")}, "load_balancing.cross_zone.enabled": "false",
        "dns_record.client_routing_policy": "any_availability_zone", "secondary_ips.auto_assigned.per_subnet": "0"},
    "gateway": {"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false"},
}
HEALTH = {f"target_group_health.{what}.minimum_healthy_targets.{unit}": default for what in ("dns_failover", "unhealthy_state_routing")
          for unit, default in (("count", "1"), ("percentage", "off"))}
GROUP = {  # TargetGroupAttribute: the attributes of target groups by protocol, with their defaults
    "http": {
        **HEALTH, "deregistration_delay.timeout_seconds": "300", "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
        "load_balancing.algorithm.type": "round_robin", "load_balancing.algorithm.anomaly_mitigation": "off", "slow_start.duration_seconds": "0",
        "stickiness.enabled": "false", "stickiness.type": "lb_cookie", "stickiness.app_cookie.cookie_name": "",
        "stickiness.app_cookie.duration_seconds": "86400", "stickiness.lb_cookie.duration_seconds": "86400"},
    "tcp": {
        **HEALTH, "deregistration_delay.timeout_seconds": "300", "deregistration_delay.connection_termination.enabled": "false",
        "load_balancing.cross_zone.enabled": "use_load_balancer_configuration", "preserve_client_ip.enabled": "true",
        "proxy_protocol_v2.enabled": "false", "stickiness.enabled": "false", "stickiness.type": "source_ip",
        "target_health_state.unhealthy.connection_termination.enabled": "true"},
    "lambda": {"lambda.multi_value_headers.enabled": "false"},
}
FakeLoadBalancer.VALID_ATTRS = FakeLoadBalancer.VALID_ATTRS | {key for kind in BALANCER.values() for key in kind}


def refuse(code, message):
    raise ELBClientError(code, message)


# ---- load balancers

@computed(FakeLoadBalancer)
def state(self):
    """LoadBalancerState.Code: provisioning, then active."""
    return "provisioning" if knobs.pending("loadBalancer", self.born) else "active"


FakeLoadBalancer.activate = lambda self: None


@mend(FakeLoadBalancer, "__init__")
def balancer(moto, self, *args, **kwargs):
    """DescribeLoadBalancerAttributes returns every attribute of the type, not only the changed ones."""
    moto(*args, **kwargs)
    self.attrs = dict(BALANCER.get(self.type, {}))
    if self.scheme == "internal" and "ipv6.deny_all_igw_traffic" in self.attrs:
        self.attrs["ipv6.deny_all_igw_traffic"] = "true"
        self.dns_name = f"internal-{self.dns_name}"


def check_balancer(self, kind, scheme, subnet_ids):
    """Checks the name, subnets and security groups as CreateLoadBalancer documents. Returns the security groups."""
    name, ec2 = self._get_param("Name"), ec2_backends[self.current_account][self.region]
    if len(name) > 32:
        refuse("ValidationError", f"The load balancer name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", name) or name.startswith("internal-"):
        refuse("ValidationError", f"The load balancer name '{name}' can only contain characters that are alphanumeric characters and hyphens(-), "
                                  "cannot begin or end with '-', and cannot begin with 'internal-'")
    known = {s.id: s for s in ec2.describe_subnets()}
    if not subnet_ids or any(s not in known for s in subnet_ids):
        raise SubnetNotFoundError()
    zones, vpc = [known[s].availability_zone for s in subnet_ids], known[subnet_ids[0]].vpc_id
    if len(set(zones)) < len(zones):
        refuse("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    if kind == "application" and len(zones) < 2:
        refuse("ValidationError", "At least two subnets in two different Availability Zones must be specified")
    if scheme == "internet-facing" and not any(g.vpc and g.vpc.id == vpc for g in ec2.internet_gateways.values()):
        refuse("InvalidSubnet", f"VPC {vpc} has no internet gateway")
    groups = self._get_param("SecurityGroups", [])
    for group in groups:
        if group not in ec2.groups.get(vpc, {}):
            refuse("InvalidSecurityGroup", "One or more security groups are invalid")
    default = ec2.get_default_security_group(vpc)
    return groups or ([default.id] if default and kind == "application" else [])


@mend(ELBV2Response)
def create_load_balancer(moto, self):
    """CreateLoadBalancer "is idempotent [...] If you attempt to create multiple load balancers with the same settings,
    each call succeeds".

    Other settings with the same name give DuplicateLoadBalancerName. An Application Load Balancer without security
    groups gets the VPC's default group.
    """
    kind, scheme = self._get_param("Type") or "application", self._get_param("Scheme") or "internet-facing"
    subnets = self._get_param("Subnets", []) or [m["SubnetId"] for m in self._get_param("SubnetMappings", [])]
    groups = check_balancer(self, kind, scheme, subnets)
    present = next((b for b in self.elbv2_backend.load_balancers.values() if b.name == self._get_param("Name")), None)
    if present:
        same = (present.type, present.scheme, {s.id for s in present.subnets}, set(present.security_groups), present.ip_address_type) == (
            kind, scheme, set(subnets), set(groups), self._get_param("IpAddressType") or "ipv4")
        if not same:
            raise DuplicateLoadBalancerName()
        return ActionResult({"LoadBalancers": [present]})
    self.params.update(Scheme=scheme, Type=kind, SecurityGroups=groups)
    answer = moto()
    made, backend = answer.result["LoadBalancers"][0], self.elbv2_backend
    # The ARN contains net or gwy; moto's ARN contains app.
    if kind != "application":
        arn = made.arn.replace("/app/", {"network": "/net/", "gateway": "/gwy/"}[kind])
        backend.tagging_service.copy_tags(made.arn, arn)
        backend.tagging_service.delete_all_tags_for_resource(made.arn)
        backend.load_balancers[arn] = backend.load_balancers.pop(made.arn)
        made.arn = arn
    return answer


@mend(ELBv2Backend)
def describe_load_balancers(moto, self, arns, names):
    """DescribeLoadBalancers: "You can specify up to 20 load balancers in a single call". An unknown one gives
    LoadBalancerNotFound."""
    if len(arns or []) > 20 or len(names or []) > 20:
        refuse("ValidationError", "Up to 20 load balancers can be described at a time")
    everything = list(self.load_balancers.values())
    for key, requested in (("arn", arns), ("name", names)):
        if requested:
            chosen = [b for b in everything if getattr(b, key) in requested]
            if len(chosen) < len(set(requested)):
                refuse("LoadBalancerNotFound", f"One or more load balancers not found: {requested}")
            return chosen
    return everything


@mend(ELBv2Backend)
def delete_load_balancer(moto, self, arn):
    """DeleteLoadBalancer: "You can't delete a load balancer if deletion protection is enabled" (OperationNotPermitted).
    Its listeners and tags are deleted with it."""
    present = self.load_balancers.get(arn)
    if present and present.attrs.get("deletion_protection.enabled") == "true":
        refuse("OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
    for listener in present.listeners if present else ():
        self.tagging_service.delete_all_tags_for_resource(listener)
    self.tagging_service.delete_all_tags_for_resource(arn)
    return moto(arn)


@mend(ELBV2Response)
def set_security_groups(moto, self):
    """SetSecurityGroups returns SecurityGroupIds."""
    moto()
    return ActionResult({"SecurityGroupIds": self._get_param("SecurityGroups", [])})


# ---- target groups

@mend(FakeTargetGroup, "__init__")
def group(moto, self, *args, **kwargs):
    """DescribeTargetGroupAttributes returns every attribute of a target group of this type."""
    moto(*args, **kwargs)
    kind = "lambda" if self.target_type == "lambda" else "http" if self.protocol in ("HTTP", "HTTPS") else "tcp"
    self.attributes = dict(GROUP[kind])
    if kind == "tcp" and self.target_type == "ip" and self.protocol in ("TCP", "TLS"):
        self.attributes["preserve_client_ip.enabled"] = "false"


@computed(FakeTargetGroup)
def load_balancer_arns(self):
    """TargetGroup.LoadBalancerArns: "the load balancer that routes traffic to this target group", as long as one
    does."""
    backend = elbv2_backends[self.account_id][self.region_name]
    return [b.arn for b in backend.load_balancers.values() for listener in b.listeners.values()
            if any(self.arn in backend._get_target_group_arns_from(a.data) for rule in listener.rules.values() for a in rule.actions)][:1]


@mend(ELBV2Response)
def create_target_group(moto, self):
    """CreateTargetGroup is idempotent: the same settings return the same group.

    Other settings with the same name give DuplicateTargetGroupName.
    """
    asked = {k: v for k, v in self.params.items() if k != "Tags"}
    present = next((g for g in self.elbv2_backend.target_groups.values() if g.name == self._get_param("Name")), None)
    if present:
        if present.asked != asked:
            raise DuplicateTargetGroupName()
        return ActionResult({"TargetGroups": [present]})
    answer = moto()
    answer.result["TargetGroups"][0].asked = asked
    return answer


@mend(ELBv2Backend)
def describe_target_groups(moto, self, load_balancer_arn, target_group_arns, names):
    """DescribeTargetGroups: for a load balancer without target groups the result is empty, not an error."""
    if load_balancer_arn and not target_group_arns and not names:
        if load_balancer_arn not in self.load_balancers:
            raise LoadBalancerNotFoundError()
        return [g for g in self.target_groups.values() if load_balancer_arn in g.load_balancer_arns]
    return moto(load_balancer_arn, target_group_arns, names)


@mend(ELBv2Backend)
def delete_target_group(moto, self, target_group_arn):
    if target_group_arn not in self.target_groups:
        # DeleteTargetGroup documents ResourceInUse as its only error: deleting a group that does not exist succeeds.
        return None
    deleted = moto(target_group_arn)
    self.tagging_service.delete_all_tags_for_resource(target_group_arn)
    return deleted


@mend(ELBv2Backend)
def modify_target_group_attributes(moto, self, target_group_arn, attributes):
    """TargetGroupAttribute: deregistration_delay.timeout_seconds is 0-3600, both inclusive.

    An unknown key is refused.
    """
    present = self.target_groups.get(target_group_arn)
    for key in attributes if present else ():
        if key not in present.attributes:
            refuse("ValidationError", f"Target group attribute key '{key}' is not recognized")
    longest = attributes.get("deregistration_delay.timeout_seconds") == "3600"
    moto(target_group_arn, {k: v for k, v in attributes.items() if not (longest and k == "deregistration_delay.timeout_seconds")})
    present.attributes.update(attributes)


# ---- tags

@mend(ELBv2Backend)
def describe_tags(moto, self, resource_arns):
    """DescribeTags accepts up to 20 resources. A resource that does not exist is refused."""
    if len(resource_arns) > 20:
        refuse("ValidationError", "Up to 20 resources can be described at a time")
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
    return moto(resource_arns)


@mend(ELBv2Backend)
def add_tags(moto, self, resource_arns, tags):
    """Quotas for tags: a resource has up to 50 tags. moto's limit is 10."""
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
        if len({**self.tagging_service.get_tag_dict_for_resource(arn), **self.tagging_service.flatten_tag_list(tags)}) > 50:
            raise TooManyTagsError()
        self.tagging_service.tag_resource(arn, tags)


@mend(ELBv2Backend)
def set_subnets(moto, self, arn, subnets, subnet_mappings):
    """SetSubnets: a Network Load Balancer may have one zone, and keeps the subnet of a zone while the zone is on.

    ELB User Guide, "Update the Availability Zones for your Network Load Balancer": to change the subnet of an enabled
    zone, the zone is disabled first, and then enabled with the other subnet.
    """
    balancer = self.load_balancers.get(arn)
    if balancer is None or balancer.type != "network":
        return moto(arn, subnets, subnet_mappings)
    zones = {subnet.availability_zone: subnet.id for subnet in balancer.subnets}
    wanted = [self.ec2_backend.get_subnet(id) for id in [*subnets, *(mapping["SubnetId"] for mapping in subnet_mappings)]]
    for subnet in wanted:
        if zones.get(subnet.availability_zone, subnet.id) != subnet.id:
            raise ELBClientError("InvalidConfigurationRequest",
                                 f"You cannot specify an additional subnet from an Availability Zone that is already associated: '{subnet.availability_zone}'.")
    if len({subnet.availability_zone for subnet in wanted}) > 1:
        return moto(arn, subnets, subnet_mappings)
    balancer.subnets = wanted
    return [AvailabilityZone(subnet) for subnet in wanted]
