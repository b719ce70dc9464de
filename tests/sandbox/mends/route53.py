"""Route 53: hosted zones and their records."""
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend

from mends import mend


@mend(Route53Backend)
def create_hosted_zone(moto, self, name, *args, caller_reference=None, **kwargs):
    """CreateHostedZone: a CallerReference that was used before is HostedZoneAlreadyExists."""
    if any(zone.caller_reference == caller_reference for zone in self.zones.values()):
        raise Route53ClientError("HostedZoneAlreadyExists", f"A hosted zone was already created with the caller reference {caller_reference}.")
    return moto(name, *args, caller_reference=caller_reference, **kwargs)


@mend(Route53Backend)
def delete_hosted_zone(moto, self, id_):
    gone = moto(id_)
    self.resource_tags.pop(id_.replace("/hostedzone/", ""), None)
    return gone


def spelt(name):
    """A record's name as Route 53 gives it back: lower case, a dot at the end, an asterisk as \\052."""
    return name.lower().rstrip(".").replace("*", "\\052") + "."


def content(ttl, records, alias):
    alias = alias and (alias.get("HostedZoneId"), spelt(alias.get("DNSName", "")), str(alias.get("EvaluateTargetHealth")).lower())
    return (str(ttl or ""), sorted(records or []), alias or None)


@mend(Route53Backend)
def change_resource_record_sets(moto, self, zoneid, change_list):
    """ChangeResourceRecordSets: all changes or none; CREATE of what exists and DELETE of what is not exactly there are
    InvalidChangeBatch. DomainNames (Developer Guide): an asterisk is given back as \\052, an alias's name ends with a dot."""
    zone, problems = self.get_hosted_zone(zoneid), []
    for change in change_list:
        wanted = change["ResourceRecordSet"]
        wanted["Name"] = spelt(wanted["Name"])
        if wanted.get("AliasTarget"):
            wanted["AliasTarget"]["DNSName"] = wanted["AliasTarget"]["DNSName"].lower().rstrip(".") + "."
        present = next((r for r in zone.rrsets if (spelt(r.name), r.type, r.set_identifier) ==
                        (wanted["Name"], wanted["Type"], wanted.get("SetIdentifier"))), None)
        what = f"resource record set [name='{wanted['Name']}', type='{wanted['Type']}']"
        if change["Action"] == "CREATE" and present:
            problems.append(f"Tried to create {what} but it already exists")
        if change["Action"] == "DELETE":
            values = [r["Value"] for r in wanted.get("ResourceRecords", [])]
            if not present:
                problems.append(f"Tried to delete {what} but it was not found")
            elif content(wanted.get("TTL"), values, wanted.get("AliasTarget")) != content(present.ttl, present.records, present.alias_target):
                problems.append(f"Tried to delete {what} but the values provided do not match the current values")
            else:
                zone.rr_changes.append({"Action": "UPSERT", "ResourceRecordSet": wanted})  # moto looks for the record in its journal
    if problems:
        raise Route53ClientError("InvalidChangeBatch", f"[{', '.join(problems)}]")
    return moto(zoneid, change_list)
