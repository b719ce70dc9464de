"""ElastiCache behaves as its API Reference documents it."""
import pytest
from conftest import eventually, refused, tags


@pytest.fixture
def cache(aws, vpc):
    aws("elasticache").create_cache_subnet_group(CacheSubnetGroupName="S", CacheSubnetGroupDescription="d", SubnetIds=vpc.subnets)
    return aws("elasticache")


def make(cache, **more):
    asked = dict(ReplicationGroupId="G", ReplicationGroupDescription="d", CacheNodeType="cache.t4g.micro", Engine="redis", CacheSubnetGroupName="s",
                 NumCacheClusters=2, AutomaticFailoverEnabled=True, EngineVersion="7.0")
    return cache.create_replication_group(**{**asked, **more})["ReplicationGroup"]


def group(cache):
    return cache.describe_replication_groups(ReplicationGroupId="g")["ReplicationGroups"][0]


def node(cache):
    return cache.describe_cache_clusters(CacheClusterId="g-001")["CacheClusters"][0]


def modify(cache, **what):
    cache.modify_replication_group(ReplicationGroupId="g", ApplyImmediately=True, **what)


def test_cache_subnet_group_in_use_cannot_be_deleted(cache, vpc):
    """The name is stored in lower case. ModifyCacheSubnetGroup. A group in use gives CacheSubnetGroupInUse."""
    arn = cache.describe_cache_subnet_groups(CacheSubnetGroupName="s")["CacheSubnetGroups"][0]["ARN"]
    cache.add_tags_to_resource(ResourceName=arn, Tags=tags(a="b"))
    made = cache.modify_cache_subnet_group(CacheSubnetGroupName="s", CacheSubnetGroupDescription="e", SubnetIds=vpc.subnets[:1])["CacheSubnetGroup"]
    assert made["CacheSubnetGroupDescription"] == "e" and [s["SubnetIdentifier"] for s in made["Subnets"]] == vpc.subnets[:1]
    make(cache)
    refused("CacheSubnetGroupInUse", cache.delete_cache_subnet_group, CacheSubnetGroupName="s")
    cache.delete_replication_group(ReplicationGroupId="g")
    cache.delete_cache_subnet_group(CacheSubnetGroupName="s")
    refused("CacheSubnetGroupNotFoundFault", cache.list_tags_for_resource, ResourceName=arn)


def test_changed_cache_parameters_can_be_listed_and_reset(aws):
    """Source=user returns the changed parameters. ResetCacheParameterGroup resets them."""
    cache, name = aws("elasticache"), dict(CacheParameterGroupName="p")
    made = cache.create_cache_parameter_group(**name, CacheParameterGroupFamily="redis7", Description="d", Tags=tags(a="b"))["CacheParameterGroup"]
    refused("CacheParameterGroupAlreadyExists", cache.create_cache_parameter_group, **name, CacheParameterGroupFamily="redis7", Description="d")
    assert cache.list_tags_for_resource(ResourceName=made["ARN"])["TagList"] == tags(a="b")

    def mine():
        return {p["ParameterName"]: p["ParameterValue"] for p in cache.describe_cache_parameters(**name, Source="user")["Parameters"]}

    assert mine() == {}
    cache.modify_cache_parameter_group(**name, ParameterNameValues=[{"ParameterName": "timeout", "ParameterValue": "60"}])
    assert mine() == {"timeout": "60"}
    cache.reset_cache_parameter_group(**name, ParameterNameValues=[{"ParameterName": "timeout"}])
    assert mine() == {}
    refused("InvalidCacheParameterGroupState", cache.modify_cache_parameter_group, CacheParameterGroupName="default.redis7",
            ParameterNameValues=[{"ParameterName": "timeout", "ParameterValue": "60"}])
    cache.delete_cache_parameter_group(**name)
    refused("CacheParameterGroupNotFound", cache.describe_cache_parameter_groups, **name)


def test_cache_clusters_have_fields_that_the_replication_group_lacks(cache, vpc):
    """DescribeCacheClusters returns the engine version with its patch, the groups and the notification topic."""
    made = make(cache, SecurityGroupIds=[vpc.group], NotificationTopicArn="arn:aws:sns:us-east-1:123456789012:t")
    assert made["MemberClusters"] == ["g-001", "g-002"] and made["NodeGroups"][0]["PrimaryEndpoint"]["Port"] == 6379
    described = node(cache)
    assert (described["EngineVersion"], described["CacheSubnetGroupName"]) == ("7.0.7", "s")
    assert described["CacheParameterGroup"]["CacheParameterGroupName"] == "default.redis7"
    assert described["SecurityGroups"] == [{"SecurityGroupId": vpc.group, "Status": "active"}]
    assert described["NotificationConfiguration"]["TopicStatus"] == "active"
    modify(cache, NotificationTopicStatus="inactive", SnapshotRetentionLimit=3, SnapshottingClusterId="g-002", SnapshotWindow="01:00-02:00")
    assert node(cache)["NotificationConfiguration"]["TopicStatus"] == "inactive"
    assert (group(cache)["SnapshotRetentionLimit"], group(cache)["SnapshotWindow"]) == (3, "01:00-02:00")
    cache.modify_replication_group(ReplicationGroupId="g", CacheNodeType="cache.m7g.large")
    assert node(cache)["PendingModifiedValues"]["CacheNodeType"] == "cache.m7g.large" and group(cache)["CacheNodeType"] == "cache.t4g.micro"


def test_replica_count_can_be_increased_and_decreased(cache):
    """IncreaseReplicaCount, DecreaseReplicaCount. Shards need cluster mode."""
    make(cache)
    cache.increase_replica_count(ReplicationGroupId="g", NewReplicaCount=3, ApplyImmediately=True)
    assert len(group(cache)["MemberClusters"]) == 4
    cache.decrease_replica_count(ReplicationGroupId="g", NewReplicaCount=1, ApplyImmediately=True)
    assert len(group(cache)["MemberClusters"]) == 2
    refused("InvalidReplicationGroupState", cache.modify_replication_group_shard_configuration, ReplicationGroupId="g", NodeGroupCount=2, ApplyImmediately=True)


def test_removal_of_shards_must_name_the_shards(cache):
    """ModifyReplicationGroupShardConfiguration: the shards to remove or to retain must be named."""
    cluster = cache.create_replication_group(ReplicationGroupId="g", ReplicationGroupDescription="d", CacheNodeType="cache.t4g.micro", Engine="valkey",
                                             NumNodeGroups=2, ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True)["ReplicationGroup"]
    assert cluster["ClusterEnabled"] and cluster["ConfigurationEndpoint"]["Address"].startswith("clustercfg.") and cluster["AtRestEncryptionEnabled"]
    scale = dict(ReplicationGroupId="g", ApplyImmediately=True)
    cache.modify_replication_group_shard_configuration(**scale, NodeGroupCount=3)
    refused("InvalidParameterValue", cache.modify_replication_group_shard_configuration, **scale, NodeGroupCount=1)
    cache.modify_replication_group_shard_configuration(**scale, NodeGroupCount=1, NodeGroupsToRetain=["0001"])
    assert group(cache)["MemberClusters"] == ["g-0001-001", "g-0001-002"]


def test_in_transit_encryption_and_auth_token_change_in_two_steps(cache):
    """TransitEncryptionMode: preferred precedes required. AuthTokenUpdateStrategy: SET follows ROTATE, and DELETE is
    for RBAC."""
    make(cache)
    refused("InvalidParameterCombination", modify, cache, TransitEncryptionEnabled=True, TransitEncryptionMode="required")
    modify(cache, TransitEncryptionEnabled=True, TransitEncryptionMode="preferred")
    modify(cache, TransitEncryptionEnabled=True, TransitEncryptionMode="required")
    assert group(cache)["TransitEncryptionMode"] == "required" and not group(cache)["AuthTokenEnabled"]
    token = dict(AuthToken="x" * 16)
    refused("InvalidParameterValue", modify, cache, **token, AuthTokenUpdateStrategy="SET")
    modify(cache, **token, AuthTokenUpdateStrategy="ROTATE")
    before = group(cache)["AuthTokenLastModifiedDate"]
    modify(cache, **token, AuthTokenUpdateStrategy="SET")
    assert group(cache)["AuthTokenLastModifiedDate"] > before
    refused("InvalidParameterCombination", modify, cache, AuthTokenUpdateStrategy="DELETE")
    modify(cache, AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=["u"])
    assert not group(cache)["AuthTokenEnabled"] and group(cache)["UserGroupIds"] == ["u"]


def test_log_type_has_one_delivery(cache):
    """LogDeliveryConfigurations: there is one delivery for each log type. Enabled false ends it."""
    log = {"LogType": "slow-log", "DestinationType": "cloudwatch-logs", "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "l"}}, "LogFormat": "json"}
    make(cache, LogDeliveryConfigurations=[log])
    assert group(cache)["LogDeliveryConfigurations"] == [{**log, "Status": "active"}]
    modify(cache, LogDeliveryConfigurations=[{"LogType": "slow-log", "Enabled": False}])
    assert group(cache)["LogDeliveryConfigurations"] == []


def test_replication_group_must_be_available_for_changes_and_tags(cache, aws):
    """The status is creating, modifying or deleting. Meanwhile changes and tag operations give
    InvalidReplicationGroupState.

    DeleteReplicationGroup creates a final snapshot.
    """
    aws.set(pending={"replicationGroup": 0.3, "replicationGroupChange": 0.3, "replicationGroupDelete": 0.3})
    arn = make(cache, Tags=tags(a="b"))["ARN"]
    assert group(cache)["Status"] == "creating"
    refused("InvalidReplicationGroupState", modify, cache, ReplicationGroupDescription="e")
    assert "tagging" in refused("InvalidReplicationGroupState", cache.list_tags_for_resource, ResourceName=arn)
    eventually(lambda: group(cache)["Status"] == "available")
    modify(cache, ReplicationGroupDescription="e")
    assert group(cache)["Status"] == "modifying"
    refused("InvalidReplicationGroupState", cache.add_tags_to_resource, ResourceName=arn, Tags=tags(a="c"))
    found = aws("resourcegroupstaggingapi").get_resources(ResourceARNList=[arn])["ResourceTagMappingList"]
    assert found[0]["Tags"] == tags(a="b")
    eventually(lambda: group(cache)["Status"] == "available")
    cache.delete_replication_group(ReplicationGroupId="g", FinalSnapshotIdentifier="last")
    assert group(cache)["Status"] == "deleting"
    eventually(lambda: not cache.describe_replication_groups()["ReplicationGroups"])
    refused("ReplicationGroupNotFoundFault", group, cache)
    assert cache.describe_snapshots(SnapshotName="last")["Snapshots"][0]["ReplicationGroupId"] == "g"
