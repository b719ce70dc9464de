"""RDS behaves as its API Reference and User Guide document it."""
import pytest
from conftest import eventually, refused, tags


@pytest.fixture
def rds(aws, vpc):
    """An RDS client. A subnet group g exists."""
    aws("rds").create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=vpc.subnets)
    return aws("rds")


def make(rds, name="d", **more):
    spec = {"Engine": "postgres", "DBInstanceClass": "db.t4g.medium", "AllocatedStorage": 20, "MasterUsername": "app",
            "ManageMasterUserPassword": True, "BackupRetentionPeriod": 1, **more}
    return rds.create_db_instance(DBInstanceIdentifier=name, **spec)["DBInstance"]


def shown(rds, name="d"):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def test_subnet_group_in_use_cannot_be_deleted(rds, vpc):
    refused("DBSubnetGroupAlreadyExists", rds.create_db_subnet_group, DBSubnetGroupName="G", DBSubnetGroupDescription="d", SubnetIds=vpc.subnets)
    one = vpc.subnets[:1]
    refused("DBSubnetGroupDoesNotCoverEnoughAZs", rds.create_db_subnet_group, DBSubnetGroupName="h", DBSubnetGroupDescription="d", SubnetIds=one)
    refused("DBSubnetGroupDoesNotCoverEnoughAZs", rds.modify_db_subnet_group, DBSubnetGroupName="g", SubnetIds=one)
    rds.modify_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="e", SubnetIds=vpc.subnets)
    group = rds.describe_db_subnet_groups(DBSubnetGroupName="g")["DBSubnetGroups"][0]
    assert group["DBSubnetGroupDescription"] == "e" and len(group["Subnets"]) == 2
    make(rds, DBSubnetGroupName="g", VpcSecurityGroupIds=[vpc.group])
    refused("InvalidDBSubnetGroupStateFault", rds.delete_db_subnet_group, DBSubnetGroupName="g")
    rds.delete_db_instance(DBInstanceIdentifier="d", SkipFinalSnapshot=True)
    rds.delete_db_subnet_group(DBSubnetGroupName="g")
    refused("DBSubnetGroupNotFoundFault", rds.modify_db_subnet_group, DBSubnetGroupName="g", SubnetIds=vpc.subnets)


def test_static_parameters_cannot_be_applied_immediately(rds):
    rds.create_db_parameter_group(DBParameterGroupName="P", DBParameterGroupFamily="postgres16", Description="d")
    parameter = {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="p", Parameters=[parameter])
    static = {"ParameterName": "max_connections", "ParameterValue": "50", "ApplyMethod": "immediate"}
    refused("InvalidParameterCombination", rds.modify_db_parameter_group, DBParameterGroupName="p", Parameters=[static])
    refused("InvalidParameterValue", rds.modify_db_parameter_group, DBParameterGroupName="p", Parameters=[{**static, "ParameterName": "x"}])
    rds.modify_db_parameter_group(DBParameterGroupName="p", Parameters=[{**static, "ApplyMethod": "pending-reboot"}])
    user = rds.describe_db_parameters(DBParameterGroupName="p", Source="user")["Parameters"]
    assert [(p["ParameterName"], p["ParameterValue"], p["ApplyType"]) for p in user] == [("max_connections", "50", "static"), ("work_mem", "8192", "dynamic")]
    assert len(rds.describe_db_parameters(DBParameterGroupName="p")["Parameters"]) > 5
    rds.reset_db_parameter_group(DBParameterGroupName="p", ResetAllParameters=False, Parameters=[{"ParameterName": "work_mem", "ApplyMethod": "immediate"}])
    assert len(rds.describe_db_parameters(DBParameterGroupName="p", Source="user")["Parameters"]) == 1
    make(rds, DBParameterGroupName="p")
    refused("InvalidDBParameterGroupState", rds.delete_db_parameter_group, DBParameterGroupName="p")
    rds.modify_db_instance(DBInstanceIdentifier="d", DBParameterGroupName="default.postgres16", ApplyImmediately=True)
    rds.delete_db_parameter_group(DBParameterGroupName="p")
    refused("DBParameterGroupNotFound", rds.describe_db_parameter_groups, DBParameterGroupName="p")
    refused("DBParameterGroupNotFound", rds.describe_db_parameters, DBParameterGroupName="p")


def test_db_instance_is_returned_as_requested_with_defaults(rds):
    make(rds, EngineVersion="16", StorageType="gp3", StorageEncrypted=True, EnablePerformanceInsights=True, NetworkType="IPV4", MultiAZ=True)
    make(rds, "e")
    one, other = shown(rds), shown(rds, "e")
    assert one["DbiResourceId"] != other["DbiResourceId"]
    assert (one["EngineVersion"], one["Iops"], one["StorageThroughput"], one["NetworkType"]) == ("16.4", 3000, 125, "IPV4")
    assert (one["PerformanceInsightsEnabled"], one["PerformanceInsightsRetentionPeriod"]) == (True, 7)
    assert one["KmsKeyId"].startswith("arn:aws:kms:") and one["SecondaryAvailabilityZone"] == "us-east-1b"
    assert not other["PerformanceInsightsEnabled"] and "Iops" not in other
    refused("InvalidParameterCombination", make, rds, "f", MultiAZ=True, AvailabilityZone="us-east-1a")
    refused("InvalidParameterCombination", make, rds, "f", MasterUserPassword="secret-secret", ManageMasterUserPassword=True)
    refused("InvalidParameterCombination", make, rds, "f", StorageType="gp3", Iops=4000)
    refused("DBInstanceNotFound", rds.list_tags_for_resource, ResourceName=one["DBInstanceArn"] + "x")


def test_modify_refuses_less_storage_and_older_versions(rds):
    make(rds, EngineVersion="15.8", MaxAllocatedStorage=100)
    change = lambda **of: rds.modify_db_instance(DBInstanceIdentifier="d", ApplyImmediately=True, **of)
    assert "storage" in refused("InvalidParameterCombination", change, AllocatedStorage=10)
    refused("InvalidParameterCombination", change, EngineVersion="15.4")
    refused("InvalidParameterCombination", change, EngineVersion="16")
    change(EngineVersion="16", AllowMajorVersionUpgrade=True)
    change(AllocatedStorage=30, EnablePerformanceInsights=True, PerformanceInsightsRetentionPeriod=31, DBPortNumber=5433)
    described = shown(rds)
    assert (described["EngineVersion"], described["AllocatedStorage"], described["Endpoint"]["Port"]) == ("16.4", 30, 5433)
    assert described["PerformanceInsightsRetentionPeriod"] == 31
    change(MaxAllocatedStorage=30, EnablePerformanceInsights=False)
    assert "MaxAllocatedStorage" not in shown(rds) and "PerformanceInsightsRetentionPeriod" not in shown(rds)


def test_modify_refuses_a_subnet_group_of_the_same_vpc_and_a_key_of_a_managed_password(rds, vpc):
    rds.create_db_subnet_group(DBSubnetGroupName="h", DBSubnetGroupDescription="d", SubnetIds=vpc.subnets)
    make(rds, DBSubnetGroupName="g", VpcSecurityGroupIds=[vpc.group])
    change = lambda **of: rds.modify_db_instance(DBInstanceIdentifier="d", ApplyImmediately=True, **of)
    refused("InvalidVPCNetworkStateFault", change, DBSubnetGroupName="h")
    refused("InvalidParameterCombination", change, ManageMasterUserPassword=True, MasterUserSecretKmsKeyId="alias/aws/rds")


def test_changes_are_pending_until_the_maintenance_window(rds):
    make(rds)
    rds.modify_db_instance(DBInstanceIdentifier="d", DBInstanceClass="db.t4g.large", DeletionProtection=True)
    described = shown(rds)
    assert described["DBInstanceClass"] == "db.t4g.medium" and described["DeletionProtection"]
    assert described["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.large"}
    rds.modify_db_instance(DBInstanceIdentifier="d", MultiAZ=True, ApplyImmediately=True)
    described = shown(rds)
    assert (described["DBInstanceClass"], described["MultiAZ"]) == ("db.t4g.large", True) and not described.get("PendingModifiedValues")


def test_db_instance_must_be_available_for_changes(aws, rds):
    aws.set(pending={"dbInstance": 0.4, "dbInstanceModify": 0.4, "dbInstanceDelete": 0.4})
    make(rds)
    assert shown(rds)["DBInstanceStatus"] == "creating"
    refused("InvalidDBInstanceState", rds.modify_db_instance, DBInstanceIdentifier="d", MultiAZ=True, ApplyImmediately=True)
    refused("InvalidDBInstanceState", rds.delete_db_instance, DBInstanceIdentifier="d", SkipFinalSnapshot=True)
    eventually(lambda: shown(rds)["DBInstanceStatus"] == "available")
    rds.modify_db_instance(DBInstanceIdentifier="d", MultiAZ=True, ApplyImmediately=True)
    assert shown(rds)["DBInstanceStatus"] == "modifying"
    eventually(lambda: shown(rds)["DBInstanceStatus"] == "available")
    rds.delete_db_instance(DBInstanceIdentifier="d", SkipFinalSnapshot=True)
    assert shown(rds)["DBInstanceStatus"] == "deleting"
    eventually(lambda: not rds.describe_db_instances()["DBInstances"])


def test_delete_creates_a_final_snapshot(rds):
    make(rds, DeletionProtection=True)
    delete = lambda **of: rds.delete_db_instance(DBInstanceIdentifier="d", **of)
    refused("InvalidParameterCombination", delete)
    refused("InvalidParameterCombination", delete, SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier="d", DeletionProtection=False)
    delete(FinalDBSnapshotIdentifier="last")
    refused("DBInstanceNotFound", rds.describe_db_instances, DBInstanceIdentifier="d")
    assert rds.describe_db_snapshots(DBSnapshotIdentifier="last")["DBSnapshots"][0]["DBInstanceIdentifier"] == "d"


def test_read_replica_can_be_in_another_region_and_be_promoted(aws, rds):
    rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres16", Description="d")
    arn = make(rds, EngineVersion="16", DBParameterGroupName="p", BackupRetentionPeriod=0, Tags=tags(a="b"))["DBInstanceArn"]
    replicate = lambda rds, source, **of: rds.create_db_instance_read_replica(DBInstanceIdentifier="r", SourceDBInstanceIdentifier=source, **of)
    refused("InvalidDBInstanceState", replicate, rds, "d")
    rds.modify_db_instance(DBInstanceIdentifier="d", BackupRetentionPeriod=1, ApplyImmediately=True)
    refused("InvalidDBInstanceState", replicate, rds, "d")  # RDS manages the source's password
    rds.modify_db_instance(DBInstanceIdentifier="d", ManageMasterUserPassword=False, MasterUserPassword="secret-secret", ApplyImmediately=True)
    replicate(rds, "d", Tags=tags(c="d"))
    west = aws("rds", "us-west-2")
    replicate(west, arn)
    replica, remote = shown(rds, "r"), shown(west, "r")
    assert (replica["ReadReplicaSourceDBInstanceIdentifier"], remote["ReadReplicaSourceDBInstanceIdentifier"]) == ("d", arn)
    assert shown(rds)["ReadReplicaDBInstanceIdentifiers"] == ["r", remote["DBInstanceArn"]]
    assert replica["TagList"] == tags(c="d") and replica["BackupRetentionPeriod"] == 0 and replica["MasterUsername"] == "app"
    assert remote["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres16"
    refused("InvalidParameterCombination", rds.delete_db_instance, DBInstanceIdentifier="r", FinalDBSnapshotIdentifier="last")
    rds.promote_read_replica(DBInstanceIdentifier="r")
    refused("InvalidDBInstanceState", rds.promote_read_replica, DBInstanceIdentifier="r")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in shown(rds, "r") and shown(rds, "r")["BackupRetentionPeriod"] == 1
    assert shown(rds)["ReadReplicaDBInstanceIdentifiers"] == [remote["DBInstanceArn"]]
    west.delete_db_instance(DBInstanceIdentifier="r", SkipFinalSnapshot=True)
    assert shown(rds)["ReadReplicaDBInstanceIdentifiers"] == []


def test_automated_backups_are_replicated_to_another_region(aws, rds):
    arn, west = make(rds)["DBInstanceArn"], aws("rds", "us-west-2")
    west.start_db_instance_automated_backups_replication(SourceDBInstanceArn=arn)
    copies = shown(rds)["DBInstanceAutomatedBackupsReplications"][0]["DBInstanceAutomatedBackupsArn"]
    assert copies.startswith("arn:aws:rds:us-west-2:")
    described = west.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=copies)["DBInstanceAutomatedBackups"]
    assert [(of["DBInstanceArn"], of["BackupRetentionPeriod"], of["Status"]) for of in described] == [(arn, 7, "replicating")]
    refused("InvalidDBInstanceState", west.start_db_instance_automated_backups_replication, SourceDBInstanceArn=arn)
    west.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=arn)
    assert not shown(rds).get("DBInstanceAutomatedBackupsReplications")
    refused("DBInstanceAutomatedBackupNotFound", west.describe_db_instance_automated_backups, DBInstanceAutomatedBackupsArn=copies)
    make(rds, "e", StorageEncrypted=True)
    refused("InvalidParameterValue", west.start_db_instance_automated_backups_replication, SourceDBInstanceArn=shown(rds, "e")["DBInstanceArn"])


def test_db_proxy_has_one_target(aws, rds, vpc):
    make(rds), make(rds, "e")
    role, secret = "arn:aws:iam::123456789012:role/p", "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-abc"
    aws.set(pending={"dbProxy": 0.3})
    rds.create_db_proxy(DBProxyName="p", EngineFamily="POSTGRESQL", Auth=[{"SecretArn": secret}], RoleArn=role, VpcSubnetIds=vpc.subnets)
    described = lambda: rds.describe_db_proxies(DBProxyName="p")["DBProxies"][0]
    assert described()["Status"] == "creating"
    refused("InvalidDBProxyStateFault", rds.modify_db_proxy, DBProxyName="p", RequireTLS=True)
    eventually(lambda: described()["Status"] == "available")
    assert described()["Auth"] == [{"AuthScheme": "SECRETS", "SecretArn": secret, "IAMAuth": "DISABLED", "ClientPasswordAuthType": "POSTGRES_SCRAM_SHA_256"}]
    rds.modify_db_proxy(DBProxyName="p", RequireTLS=True, IdleClientTimeout=60, SecurityGroups=[vpc.group])
    assert (described()["RequireTLS"], described()["IdleClientTimeout"], described()["VpcSecurityGroupIds"], described()["DebugLogging"]) == (True, 60, [vpc.group], False)
    pool = {"MaxConnectionsPercent": 80, "MaxIdleConnectionsPercent": 0, "ConnectionBorrowTimeout": 5, "InitQuery": "SET x=1"}
    rds.modify_db_proxy_target_group(DBProxyName="p", TargetGroupName="default", ConnectionPoolConfig=pool)
    group = rds.describe_db_proxy_target_groups(DBProxyName="p")["TargetGroups"][0]
    assert group["ConnectionPoolConfig"] == {**pool, "SessionPinningFilters": []}
    register = lambda name: rds.register_db_proxy_targets(DBProxyName="p", TargetGroupName="default", DBInstanceIdentifiers=[name])
    refused("DBInstanceNotFound", register, "x")
    register("d")
    refused("DBProxyTargetAlreadyRegisteredFault", register, "e")
    assert [t["RdsResourceId"] for t in rds.describe_db_proxy_targets(DBProxyName="p")["Targets"]] == ["d"]
    rds.deregister_db_proxy_targets(DBProxyName="p", TargetGroupName="default", DBInstanceIdentifiers=["d"])
    refused("DBProxyTargetNotFoundFault", rds.deregister_db_proxy_targets, DBProxyName="p", DBInstanceIdentifiers=["d"])
    rds.delete_db_proxy(DBProxyName="p")
    refused("DBProxyNotFoundFault", rds.describe_db_proxy_targets, DBProxyName="p")


def test_tagging_api_returns_subnet_groups_and_parameter_groups(aws, rds, vpc):
    rds.create_db_subnet_group(DBSubnetGroupName="h", DBSubnetGroupDescription="d", SubnetIds=vpc.subnets, Tags=tags(a="b"))
    rds.create_db_parameter_group(DBParameterGroupName="p", DBParameterGroupFamily="postgres16", Description="d", Tags=tags(a="b"))
    found = aws("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "a"}])["ResourceTagMappingList"]
    assert sorted(f["ResourceARN"].split(":")[5] for f in found) == ["pg", "subgrp"]
