"""GetResources finds every kind in use by its tags (roles excepted, as the Tagging API documents)."""
from conftest import tags
from test_elbv2 import balancer, forward, listener, target_group

STACK = {"holdfast:stack": "shop"}


def test_get_resources(aws, vpc, elb):
    ec2, spec = aws("ec2"), tags(**STACK)
    ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", **STACK))
    ec2.create_vpc(CidrBlock="10.3.0.0/16", TagSpecifications=tags("vpc", **STACK))
    lb, group = balancer(elb, vpc, Tags=spec), target_group(elb, vpc, Tags=spec)
    listener(elb, lb, forward(group), Tags=spec)
    balancer(elb, vpc, "untagged")
    aws("ecr").create_repository(repositoryName="app", tags=spec)
    aws("ecs").create_cluster(clusterName="c", tags=tags(form="key", **STACK))
    aws("logs").create_log_group(logGroupName="g", tags=STACK)
    aws("sns").create_topic(Name="t", Tags=spec)
    found = aws("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "holdfast:stack", "Values": ["shop"]}])["ResourceTagMappingList"]
    kinds = sorted(":".join(f["ResourceARN"].split(":")[2:3] + f["ResourceARN"].split(":")[5:]).split("/")[0] for f in found)
    balancing = [f"elasticloadbalancing:{kind}" for kind in ("listener", "loadbalancer", "targetgroup")]
    assert kinds == ["ec2:elastic-ip", "ec2:vpc", "ecr:repository", "ecs:cluster", *balancing, "logs:log-group:g", "sns:t"]
    few = aws("resourcegroupstaggingapi").get_resources(ResourceTypeFilters=["ec2:elastic-ip", "ecr:repository"])["ResourceTagMappingList"]
    assert len(few) == 2


def test_a_page_is_counted_in_resources(aws):
    """GetResources: ResourcesPerPage is the limit, however many tags the resources have."""
    many = {f"holdfast:{i}": "x" for i in range(20)}
    for i in range(12):
        aws("logs").create_log_group(logGroupName=f"g{i}", tags=many)
    tagging = aws("resourcegroupstaggingapi")
    page = tagging.get_resources(ResourcesPerPage=10)
    assert len(page["ResourceTagMappingList"]) == 10 and page["PaginationToken"]
    assert len(tagging.get_resources(ResourcesPerPage=100)["ResourceTagMappingList"]) == 12
