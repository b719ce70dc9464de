"""The inventory leaves out what AWS creates on its own. tests/tests/kinds.rs checks that it counts every kind."""


def test_an_account_that_was_only_read_has_no_resources(aws):
    for service, call in (("ec2", "describe_vpcs"), ("iam", "list_policies"), ("kms", "list_aliases"), ("rds", "describe_db_parameter_groups"),
                          ("elasticache", "describe_cache_parameter_groups"), ("cloudfront", "list_cache_policies"), ("events", "list_rules")):
        getattr(aws(service), call)()
    aws("ssm").get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    found = aws.ask("resources")
    assert len(found) > 60
    assert {kind: ids for kind, ids in found.items() if ids} == {}


def test_resources_that_aws_creates_with_another_resource_are_left_out(aws, vpc):
    aws("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    found = {kind: len(ids) for kind, ids in aws.ask("resources").items() if ids}
    assert found == {"HostedZone": 1, "SecurityGroup": 1, "Subnet": 2, "Vpc": 1}


def test_a_resource_that_is_being_deleted_is_left_out(aws):
    kms = aws("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert aws.ask("resources")["Key"] == [f"us-east-1 {key}"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert aws.ask("resources")["Key"] == []
