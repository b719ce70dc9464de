"""Route 53: hosted zones, their records, health checks and tags."""
import copy
import uuid

from moto.core.responses import ActionResult
from moto.route53.exceptions import InvalidInput, NoSuchHealthCheck, Route53ClientError
from moto.route53.models import HealthCheck, RecordSet, Route53Backend
from moto.route53.responses import Route53

from mends import mend


@mend(Route53Backend)
def create_hosted_zone(moto, self, name, *args, caller_reference=None, **kwargs):
    """CreateHostedZone: a CallerReference that was used before gives HostedZoneAlreadyExists. Names are stored in lower
    case."""
    if any(zone.caller_reference == caller_reference for zone in self.zones.values()):
        raise Route53ClientError("HostedZoneAlreadyExists", f"A hosted zone was already created with the caller reference {caller_reference}.")
    return moto(name.lower(), *args, caller_reference=caller_reference, **kwargs)


@mend(Route53Backend)
def delete_hosted_zone(moto, self, id_):
    deleted = moto(id_)
    self.resource_tags.pop(id_.replace("/hostedzone/", ""), None)
    return deleted


def spelt(name):
    """Returns a record's name as Route 53 returns it: in lower case, with a trailing dot, and \\052 for an asterisk."""
    return name.lower().rstrip(".").replace("*", "\\052") + "."


def content(ttl, records, alias):
    alias = alias and (alias.get("HostedZoneId"), spelt(alias.get("DNSName", "")), str(alias.get("EvaluateTargetHealth")).lower())
    return (str(ttl or ""), sorted(records or []), alias or None)


ROUTINGS = ("Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation")


def wrong(action, record):
    """Returns the error message for an invalid record, or None.

    ResourceRecordSet: a record has either an alias, or a TTL and records. A set identifier and one routing policy go
    together.
    """
    where = f"Change with [Action={action}, Name={record['Name']}, Type={record['Type']}, SetIdentifier={record.get('SetIdentifier', 'null')}]"
    contents = [bool(record.get("AliasTarget")), bool(record.get("TTL") is not None and record.get("ResourceRecords"))]
    if sum(contents) != 1 or (contents[0] and (record.get("TTL") is not None or record.get("ResourceRecords"))):
        found = "none" if not any(contents) else "more than one"
        return f"Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found {found} in {where}"
    routings = sum(record.get(r) is not None and record.get(r) is not False for r in ROUTINGS)
    if routings != (1 if record.get("SetIdentifier") else 0):
        return f"Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, CidrRoutingConfig] in {where}"
    return None


@mend(Route53Backend)
def change_resource_record_sets(moto, self, zoneid, change_list):
    """ChangeResourceRecordSets makes either all changes or none.

    InvalidChangeBatch is the error for a CREATE of an existing record, a DELETE that does not match the record exactly,
    a CNAME beside other records, and a name outside the zone. DomainNames (Developer Guide): an asterisk is returned as
    \\052, and an alias's name ends with a dot.
    """
    zone, problems = self.get_hosted_zone(zoneid), []
    records = list(zone.rrsets)
    for change in change_list:
        action, record = change["Action"], copy.deepcopy(change["ResourceRecordSet"])
        record["Name"] = spelt(record["Name"])
        if wrong(action, record):
            raise InvalidInput(wrong(action, record))
        if record.get("AliasTarget"):
            record["AliasTarget"]["DNSName"] = record["AliasTarget"]["DNSName"].lower().rstrip(".") + "."
        record["ResourceRecords"] = [r["Value"] for r in record.get("ResourceRecords") or []]
        present = next((r for r in records if (spelt(r.name), r.type, r.set_identifier) ==
                        (record["Name"], record["Type"], record.get("SetIdentifier"))), None)
        what = f"resource record set [name='{record['Name']}', type='{record['Type']}']"
        base = spelt(zone.name)
        if not (record["Name"] == base or record["Name"].endswith("." + base)):
            problems.append(f"RRSet with DNS name {record['Name']} is not permitted in zone {base}")
        if action == "CREATE" and present:
            problems.append(f"Tried to create {what} but it already exists")
        if action == "DELETE":
            if not present:
                problems.append(f"Tried to delete {what} but it was not found")
            elif content(record.get("TTL"), record["ResourceRecords"], record.get("AliasTarget")) != content(present.ttl, present.records, present.alias_target):
                problems.append(f"Tried to delete {what} but the values provided do not match the current values")
            elif record["Name"] == base and record["Type"] in ("NS", "SOA"):
                problems.append(f"A HostedZone must contain at least one {record['Type']} record for the zone itself.")
            else:
                records.remove(present)
            continue
        made = RecordSet(record)
        made.cidr_routing_config = record.get("CidrRoutingConfig")
        if present in records and present is not None:
            records[records.index(present)] = made
        else:
            records.append(made)
        beside = [r for r in records if spelt(r.name) == made.name and r.type != made.type]
        if beside and "CNAME" in (made.type, *(r.type for r in beside)):
            problems.append(f"RRSet of type {made.type} with DNS name {made.name} is not permitted as it conflicts with other records with the same DNS name in zone {base}")
    if problems:
        raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(problems)}]")
    zone.rrsets = records


def known(backend, resource_type, resource_id):
    existing = backend.zones if resource_type == "hostedzone" else backend.health_checks
    if resource_id not in existing:
        code = "NoSuchHostedZone" if resource_type == "hostedzone" else "NoSuchHealthCheck"
        raise Route53ClientError(code, f"No {resource_type} found with ID: {resource_id}")


@mend(Route53Backend)
def change_tags_for_resource(moto, self, resource_type, resource_id, add_tags, remove_tag_keys):
    """ChangeTagsForResource: "You can add a maximum of 10 tags to a health check or a hosted zone"."""
    known(self, resource_type, resource_id)
    keys = set(self.resource_tags[resource_id]) | {tag["Key"] for tag in add_tags or []}
    if len(keys - set(remove_tag_keys or [])) > 10:
        raise InvalidInput("A maximum of 10 tags is allowed for a resource.")
    moto(resource_type, resource_id, add_tags, remove_tag_keys)


@mend(Route53Backend)
def list_tags_for_resources(moto, self, resource_type, resource_ids):
    """ListTagsForResources accepts up to ten ids. An unknown id gives NoSuchHostedZone or NoSuchHealthCheck."""
    if len(resource_ids) > 10:
        raise InvalidInput("Member must have length less than or equal to 10")
    for resource_id in resource_ids:
        known(self, resource_type, resource_id)
    return moto(resource_type, resource_ids)


def with_defaults(asked):
    """HealthCheckConfig: omitted values have AWS's defaults."""
    secure = asked["Type"].startswith("HTTPS")
    config = {"Inverted": False, "Disabled": False}
    if asked["Type"] not in ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"):
        config.update(Port=443 if secure else 80, RequestInterval=30, FailureThreshold=3, MeasureLatency=False, EnableSNI=secure)
    return {**config, **{key: value for key, value in asked.items() if value is not None}}


HealthCheck.health_check_config = property(lambda self: self.asked)


@mend(Route53)
def create_health_check(moto, self):
    """CreateHealthCheck: the same CallerReference and settings return the existing health check.

    Other settings, or a reference of a deleted health check, give HealthCheckAlreadyExists.
    """
    reference, asked = self._get_param("CallerReference"), with_defaults(self._get_param("HealthCheckConfig"))
    used = self.backend.__dict__.setdefault("check_references", {})
    if reference in used:
        existing = self.backend.health_checks.get(used[reference])
        if existing and existing.asked == asked:
            return ActionResult({"HealthCheck": existing})
        raise Route53ClientError("HealthCheckAlreadyExists", f"A health check with the caller reference {reference} already exists.")
    made = HealthCheck(str(uuid.uuid4()), reference, {"type": asked["Type"]})
    made.asked, used[reference] = asked, made.id
    self.backend.health_checks[made.id] = made
    return ActionResult({"HealthCheck": made})


@mend(Route53)
def update_health_check(moto, self):
    """UpdateHealthCheck keeps the values that are not given, and increments HealthCheckVersion.

    A version other than the current one gives HealthCheckVersionMismatch.
    """
    check = self.backend.get_health_check(self._get_param("HealthCheckId"))
    version = self._get_param("HealthCheckVersion")
    if version and int(version) != check.health_check_version:
        raise Route53ClientError("HealthCheckVersionMismatch", f"The health check version is {check.health_check_version}.")
    for name in ("IPAddress", "Port", "ResourcePath", "FullyQualifiedDomainName", "SearchString", "FailureThreshold", "Inverted", "Disabled",
                 "HealthThreshold", "ChildHealthChecks", "EnableSNI", "Regions", "AlarmIdentifier", "InsufficientDataHealthStatus"):
        value = self._get_param(name)
        if value is not None:
            check.asked[name] = value
    for name in self._get_param("ResetElements") or []:
        check.asked.pop(name, None)
    check.health_check_version += 1
    return ActionResult({"HealthCheck": check})


@mend(Route53Backend)
def delete_health_check(moto, self, health_check_id):
    """DeleteHealthCheck: an unknown id gives NoSuchHealthCheck."""
    if health_check_id not in self.health_checks:
        raise NoSuchHealthCheck(health_check_id)
    self.resource_tags.pop(health_check_id, None)
    moto(health_check_id)
