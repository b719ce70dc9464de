"""OpenSearch Service behaves as its API Reference documents it."""
import json

from conftest import eventually, refused, tags


def status(search):
    return search.describe_domain(DomainName="logs")["DomainStatus"]


def test_domain_status_has_defaults_but_not_the_master_user(aws):
    """DomainStatus: defaults are filled in, and the master user is not returned."""
    search = aws("opensearch")
    search.create_domain(DomainName="logs", EBSOptions={"EBSEnabled": True, "VolumeSize": 20}, EncryptionAtRestOptions={"Enabled": True},
                         NodeToNodeEncryptionOptions={"Enabled": True}, DomainEndpointOptions={"EnforceHTTPS": True}, TagList=tags(a="b"),
                         AdvancedSecurityOptions={"Enabled": True, "MasterUserOptions": {"MasterUserARN": "arn:aws:iam::123456789012:role/r"}})
    described = status(search)
    assert described["EBSOptions"] == {"EBSEnabled": True, "VolumeSize": 20, "VolumeType": "gp3", "Iops": 3000, "Throughput": 125}
    assert described["EncryptionAtRestOptions"]["KmsKeyId"].startswith("arn:aws:kms:") and "MasterUserOptions" not in described["AdvancedSecurityOptions"]
    assert described["DomainEndpointOptions"]["TLSSecurityPolicy"] == "Policy-Min-TLS-1-2-2019-07" and described["Endpoint"]
    assert described["AutoTuneOptions"]["State"] == "ENABLED" and described["OffPeakWindowOptions"]["Enabled"]
    assert search.list_tags(ARN=described["ARN"])["TagList"] == tags(a="b")
    refused("ResourceAlreadyExistsException", search.create_domain, DomainName="logs")
    refused("ValidationException", search.create_domain, DomainName="other", AdvancedSecurityOptions={"Enabled": True})


def test_update_domain_config_changes_only_what_is_given(aws):
    """UpdateDomainConfig changes only what is given. UpgradeDomain."""
    search = aws("opensearch")
    search.create_domain(DomainName="logs", AccessPolicies=json.dumps({"Statement": []}), EngineVersion="OpenSearch_2.17")

    def change(**what):
        search.update_domain_config(DomainName="logs", **what)
        return status(search)

    assert change(ClusterConfig={"InstanceCount": 3})["ClusterConfig"]["InstanceType"] == "t3.small.search"
    assert status(search)["AccessPolicies"] and not change(AccessPolicies="").get("AccessPolicies")
    log = {"CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:l", "Enabled": True}
    change(LogPublishingOptions={"AUDIT_LOGS": log})
    assert change(LogPublishingOptions={"INDEX_SLOW_LOGS": log})["LogPublishingOptions"]["AUDIT_LOGS"]["Enabled"]
    assert change(AutoTuneOptions={"DesiredState": "DISABLED"})["AutoTuneOptions"]["State"] == "DISABLED"
    change(NodeToNodeEncryptionOptions={"Enabled": True})
    refused("ValidationException", change, NodeToNodeEncryptionOptions={"Enabled": False})
    search.upgrade_domain(DomainName="logs", TargetVersion="OpenSearch_2.19")
    assert status(search)["EngineVersion"] == "OpenSearch_2.19"


def test_domain_cannot_be_changed_while_processing(aws):
    """Processing: meanwhile changes give ConflictException. A domain has no endpoint while it is created.

    Deleted is true until the deletion is complete.
    """
    search = aws("opensearch")
    aws.set(pending={"searchDomain": 0.3, "searchDomainChange": 0.3, "searchDomainDelete": 0.3})
    arn = search.create_domain(DomainName="logs")["DomainStatus"]["ARN"]
    assert status(search)["Processing"] and "Endpoint" not in status(search)
    refused("ConflictException", search.update_domain_config, DomainName="logs", ClusterConfig={"InstanceCount": 3})
    eventually(lambda: not status(search)["Processing"])
    search.update_domain_config(DomainName="logs", ClusterConfig={"InstanceCount": 3})
    assert status(search)["Processing"] and status(search)["Endpoint"]
    search.delete_domain(DomainName="logs")
    assert status(search)["Deleted"]
    eventually(lambda: not search.list_domain_names()["DomainNames"])
    refused("ResourceNotFoundException", search.list_tags, ARN=arn)
