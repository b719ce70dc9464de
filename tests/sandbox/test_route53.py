"""Route 53 behaves as its API Reference and Developer Guide document it."""
import pytest

from conftest import refused, tags


@pytest.fixture
def zone(aws):
    return aws("route53").create_hosted_zone(Name="example.org", CallerReference="one")["HostedZone"]["Id"]


def change(route53, zone, action, name, **more):
    record = {"Name": name, "Type": "A", **(more or {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]})}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]})


def test_zone(aws, zone):
    route53 = aws("route53")
    refused("HostedZoneAlreadyExists", route53.create_hosted_zone, Name="example.org", CallerReference="one")
    bare = zone.split("/")[-1]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=bare, AddTags=tags(a="b"))
    assert route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=bare)["ResourceTagSet"]["Tags"] == tags(a="b")
    listed = route53.list_hosted_zones()["HostedZones"][0]
    assert (listed["Id"], listed["Name"], listed["ResourceRecordSetCount"], listed["Config"]["PrivateZone"]) == (zone, "example.org.", 2, False)
    change(route53, zone, "CREATE", "www.example.org")
    refused("HostedZoneNotEmpty", route53.delete_hosted_zone, Id=zone)


def test_records(aws, zone):
    """ChangeResourceRecordSets: InvalidChangeBatch; DomainNames: an asterisk comes back as \\052."""
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
