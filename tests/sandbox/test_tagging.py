"""GetResources finds every resource type in use by its tags, except roles, as the Tagging API documents."""
import json

from conftest import tags
from test_elbv2 import balancer, forward, listener, target_group

STACK = {"holdfast:stack": "shop"}


def test_get_resources_finds_resources_by_tag_and_by_type(aws, vpc, elb):
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


def test_resource_types_are_the_types_in_arns(aws, vpc):
    """GetResources: "The string for each service name and resource type is the same as that embedded in a resource's
    ARN"."""
    aws("elasticache").create_cache_subnet_group(CacheSubnetGroupName="g", CacheSubnetGroupDescription="d", SubnetIds=vpc.subnets, Tags=tags(**STACK))

    def count(*types):
        return len(aws("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "holdfast:stack"}], ResourceTypeFilters=types)["ResourceTagMappingList"])

    assert [count("elasticache:subnetgroup"), count("elasticache"), count("elasticache:cluster"), count("s3")] == [1, 1, 0, 0]


def test_resources_per_page_counts_resources_and_not_tags(aws):
    """GetResources: ResourcesPerPage is the limit, however many tags the resources have."""
    many = {f"holdfast:{i}": "x" for i in range(20)}
    for i in range(12):
        aws("logs").create_log_group(logGroupName=f"g{i}", tags=many)
    tagging = aws("resourcegroupstaggingapi")
    page = tagging.get_resources(ResourcesPerPage=10)
    assert len(page["ResourceTagMappingList"]) == 10 and page["PaginationToken"]
    assert len(tagging.get_resources(ResourcesPerPage=100)["ResourceTagMappingList"]) == 12


def test_get_resources_returns_the_resources_of_its_region(aws):
    """GetResources: "resources that are located in the specified AWS Region". Global resources are returned in
    us-east-1.

    The list of supported services: "The GetResources [...] operations support all resource types", but "IAM users and
    roles".
    """
    spec = tags(**STACK)
    for region in ("us-east-1", "eu-west-1"):
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        aws("s3", region).create_bucket(Bucket=f"b-{region}", **({"CreateBucketConfiguration": place} if place else {}))
        aws("s3", region).put_bucket_tagging(Bucket=f"b-{region}", Tagging={"TagSet": spec})
    here = "eu-west-1"
    aws("events", here).put_rule(Name="r", ScheduleExpression="rate(1 day)", Tags=spec)
    statement = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*", "Resource": f"arn:aws:s3:::b-{here}/*"}
    aws("s3", here).put_bucket_policy(Bucket=f"b-{here}", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    aws("cloudtrail", here).create_trail(Name="trail", S3BucketName=f"b-{here}", TagsList=spec)
    aws("opensearch", here).create_domain(DomainName="logs", TagList=spec)
    rules = {"DefaultAction": {"Allow": {}}, "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}}
    for region, scope in ((here, "REGIONAL"), ("us-east-1", "CLOUDFRONT")):
        aws("wafv2", region).create_web_acl(Name="acl", Scope=scope, Tags=spec, **rules)
        aws("wafv2", region).create_ip_set(Name="ips", Scope=scope, IPAddressVersion="IPV4", Addresses=[], Tags=spec)
    zone = aws("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"].rsplit("/", 1)[1]
    aws("route53").change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=spec)
    check = aws("route53").create_health_check(CallerReference="1", HealthCheckConfig={"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80})
    aws("route53").change_tags_for_resource(ResourceType="healthcheck", ResourceId=check["HealthCheck"]["Id"], AddTags=spec)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Action": "sts:AssumeRole", "Resource": "*"}]})
    own = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
    aws("iam").create_policy(PolicyName="p", PolicyDocument=own, Tags=spec)
    aws("iam").create_role(RoleName="role", AssumeRolePolicyDocument=trust.replace(', "Resource": "*"', ""), Tags=spec)
    aws("iam").create_instance_profile(InstanceProfileName="p", Tags=spec)
    aws("iam").create_open_id_connect_provider(Url="https://id.example.com", Tags=spec)
    aws("budgets").create_budget(AccountId="123456789012", ResourceTags=spec, Budget={
        "BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": "1", "Unit": "USD"}})
    aws("cloudwatch", here).put_dashboard(DashboardName="d", DashboardBody='{"widgets": []}', Tags=spec)

    def found(region):
        page = aws("resourcegroupstaggingapi", region).get_resources(TagFilters=[{"Key": "holdfast:stack", "Values": ["shop"]}])
        parts = [entry["ResourceARN"].split(":", 5) for entry in page["ResourceTagMappingList"]]
        return sorted(f"{p[2]}:{'/'.join(p[5].split('/')[:2])}" if p[2] == "wafv2" else f"{p[2]}:{p[5].split('/')[0]}" for p in parts)

    assert found(here) == ["cloudtrail:trail", "es:domain", "events:rule", "s3:b-eu-west-1", "wafv2:regional/ipset", "wafv2:regional/webacl"]
    assert found("us-east-1") == ["budgets:budget", "cloudwatch:dashboard", "iam:instance-profile", "iam:oidc-provider", "iam:policy",
                                  "route53:healthcheck", "route53:hostedzone", "s3:b-us-east-1", "wafv2:global/ipset", "wafv2:global/webacl"]
    assert found("eu-central-1") == []
