"""Route 53 behaves as its API Reference and Developer Guide document it."""
import pytest

from conftest import refused, tags


@pytest.fixture
def zone(aws):
    return aws("route53").create_hosted_zone(Name="example.org", CallerReference="one")["HostedZone"]["Id"]


def change(route53, zone, action, name, **more):
    record = {"Name": name, "Type": "A", **(more or {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]})}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]})


def test_hosted_zone_with_records_cannot_be_deleted(aws, zone):
    route53 = aws("route53")
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, Name="example.org", CallerReference="one")
    bare = zone.split("/")[-1]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=bare, AddTags=tags(a="b"))
    assert route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=bare)["ResourceTagSet"]["Tags"] == tags(a="b")
    listed = route53.list_hosted_zones()["HostedZones"][0]
    assert (listed["Id"], listed["Name"], listed["ResourceRecordSetCount"], listed["Config"]["PrivateZone"]) == (zone, "example.org.", 2, False)
    change(route53, zone, "CREATE", "www.example.org")
    refused("HostedZoneNotEmpty", route53.delete_hosted_zone, Id=zone)


def test_changes_must_match_existing_records(aws, zone):
    """ChangeResourceRecordSets: InvalidChangeBatch. DomainNames: an asterisk is returned as \\052."""
    route53 = aws("route53")
    change(route53, zone, "CREATE", "WWW.example.org")
    assert "already exists" in refused("InvalidChangeBatch", change, route53, zone, "CREATE", "www.example.org.")
    assert "not found" in refused("InvalidChangeBatch", change, route53, zone, "DELETE", "none.example.org")
    assert "do not match" in refused("InvalidChangeBatch", change, route53, zone, "DELETE", "www.example.org", TTL=61,
                                     ResourceRecords=[{"Value": "192.0.2.1"}])
    alias = {"HostedZoneId": "Z2P70J7EXAMPLE", "DNSName": "Lb.example.net", "EvaluateTargetHealth": True}
    change(route53, zone, "UPSERT", "*.example.org", AliasTarget=alias)
    shown = {r["Name"]: r for r in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"] if r["Type"] == "A"}
    assert set(shown) == {"www.example.org.", "\\052.example.org."}
    assert shown["\\052.example.org."]["AliasTarget"]["DNSName"] == "lb.example.net."
    change(route53, zone, "DELETE", "www.example.org")
    change(route53, zone, "DELETE", "*.example.org", AliasTarget={**alias, "DNSName": "lb.example.net."})
    route53.delete_hosted_zone(Id=zone)


def test_change_batch_makes_all_or_none_of_its_changes(aws, zone):
    """ChangeResourceRecordSets: "either makes all or none of the changes"; ResourceRecordSet: an alias has no TTL."""
    route53 = aws("route53")

    def record(action, name, kind="A", value="192.0.2.1", **more):
        return {"Action": action, "ResourceRecordSet": {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}], **more}}

    def batch(*changes):
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": list(changes)})

    change(route53, zone, "CREATE", "www.example.org")
    refused("InvalidChangeBatch", batch, record("CREATE", "a.example.org"), record("CREATE", "www.example.org"))
    refused("InvalidChangeBatch", batch, record("CREATE", "www.example.net"))
    refused("InvalidChangeBatch", batch, record("CREATE", "www.example.org", "CNAME", "a.example.org"))
    alias = {"HostedZoneId": "Z2P70J7EXAMPLE", "DNSName": "lb.example.net", "EvaluateTargetHealth": False}
    refused("InvalidInput", batch, record("UPSERT", "www.example.org", AliasTarget=alias))
    refused("InvalidInput", batch, record("CREATE", "a.example.org", SetIdentifier="one"))
    assert len(route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]) == 3
    batch(record("DELETE", "www.example.org"), record("CREATE", "www.example.org", "CNAME", "a.example.org"))
    for name in ("a.example.org", "b.example.org"):
        batch(*(record("CREATE", name, SetIdentifier=which, Weight=1) for which in ("one", "two")))
    batch(record("DELETE", "a.example.org", SetIdentifier="one", Weight=1))
    shown = {(r["Name"], r["Type"], r.get("SetIdentifier")) for r in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}
    assert shown - {("example.org.", "NS", None), ("example.org.", "SOA", None)} == {
        ("www.example.org.", "CNAME", None), ("a.example.org.", "A", "two"), ("b.example.org.", "A", "one"), ("b.example.org.", "A", "two")}


def test_hosted_zone_has_at_most_ten_tags(aws, zone):
    """ChangeTagsForResource: "You can add a maximum of 10 tags to a health check or a hosted zone"."""
    route53, bare = aws("route53"), zone.split("/")[-1]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=bare, AddTags=tags(**{f"t{n}": "v" for n in range(9)}))
    refused("InvalidInput", route53.change_tags_for_resource, ResourceType="hostedzone", ResourceId=bare, AddTags=tags(a="b", c="d"))
    assert len(route53.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[bare])["ResourceTagSets"][0]["Tags"]) == 9
    refused("NoSuchHostedZone", route53.list_tags_for_resources, ResourceType="hostedzone", ResourceIds=["ZNONE"])


def test_update_increments_the_version_of_a_health_check(aws):
    """CreateHealthCheck, UpdateHealthCheck: caller references, versions, omitted values and reset values."""
    route53 = aws("route53")
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": "www.example.org", "ResourcePath": "/h"}
    made = route53.create_health_check(CallerReference="c", HealthCheckConfig=config)["HealthCheck"]
    assert made["HealthCheckVersion"] == 1 and made["HealthCheckConfig"]["Port"] == 443 and made["HealthCheckConfig"]["RequestInterval"] == 30
    assert route53.create_health_check(CallerReference="c", HealthCheckConfig=config)["HealthCheck"]["Id"] == made["Id"]
    refused("HealthCheckAlreadyExists", route53.create_health_check, CallerReference="c", HealthCheckConfig={**config, "Port": 8443})
    regions = ["us-east-1", "us-west-1", "eu-west-1"]
    route53.update_health_check(HealthCheckId=made["Id"], HealthCheckVersion=1, Regions=regions, FailureThreshold=5)
    refused("HealthCheckVersionMismatch", route53.update_health_check, HealthCheckId=made["Id"], HealthCheckVersion=1, Inverted=True)
    route53.update_health_check(HealthCheckId=made["Id"], Inverted=True, ResetElements=["ResourcePath"])
    shown = route53.list_health_checks()["HealthChecks"][0]
    assert shown["HealthCheckVersion"] == 3 and shown["CallerReference"] == "c"
    shown = shown["HealthCheckConfig"]
    assert (shown["Regions"], shown["FailureThreshold"], shown["Inverted"], "ResourcePath" in shown) == (regions, 5, True, False)
    alarm = {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": {"Name": "a", "Region": "us-east-1"}, "InsufficientDataHealthStatus": "Healthy"}
    follower = route53.create_health_check(CallerReference="d", HealthCheckConfig=alarm)["HealthCheck"]["HealthCheckConfig"]
    assert follower["AlarmIdentifier"]["Name"] == "a" and "Port" not in follower
    route53.delete_health_check(HealthCheckId=made["Id"])
    refused("NoSuchHealthCheck", route53.delete_health_check, HealthCheckId=made["Id"])
    refused("HealthCheckAlreadyExists", route53.create_health_check, CallerReference="c", HealthCheckConfig=config)


def test_last_vpc_of_a_private_zone_cannot_be_disassociated(aws, vpc):
    """GetHostedZone returns the VPCs of a private zone, and the delegation set of a public one. The last VPC cannot be
    disassociated."""
    route53, ids = aws("route53"), [vpc.id, aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]]
    vpcs = [{"VPCId": one, "VPCRegion": "us-east-1"} for one in ids]
    made = route53.create_hosted_zone(Name="In.Example.org", CallerReference="p", VPC=vpcs[0],
                                      HostedZoneConfig={"PrivateZone": True, "Comment": "c"})["HostedZone"]
    assert made["Name"] == "in.example.org." and made["Config"]["PrivateZone"] is True
    route53.associate_vpc_with_hosted_zone(HostedZoneId=made["Id"], VPC=vpcs[1])
    shown = route53.get_hosted_zone(Id=made["Id"])
    assert "DelegationSet" not in shown and sorted(v["VPCId"] for v in shown["VPCs"]) == sorted(ids)
    route53.disassociate_vpc_from_hosted_zone(HostedZoneId=made["Id"], VPC=vpcs[0])
    refused("LastVPCAssociation", route53.disassociate_vpc_from_hosted_zone, HostedZoneId=made["Id"], VPC=vpcs[1])
