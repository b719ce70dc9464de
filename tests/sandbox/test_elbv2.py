"""Elastic Load Balancing behaves as its API Reference documents it."""
from conftest import eventually, refused, tags
from test_acm import imported


def balancer(elb, vpc, name="lb", **more):
    asked = {"Name": name, "Subnets": vpc.subnets, "SecurityGroups": [vpc.group], **more}
    return elb.create_load_balancer(**asked)["LoadBalancers"][0]["LoadBalancerArn"]


def target_group(elb, vpc, name="tg", **more):
    asked = {"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": vpc.id, "TargetType": "ip", **more}
    return elb.create_target_group(**asked)["TargetGroups"][0]["TargetGroupArn"]


def forward(group):
    return [{"Type": "forward", "TargetGroupArn": group}]


def listener(elb, lb, actions, **more):
    return elb.create_listener(**{"LoadBalancerArn": lb, "Protocol": "HTTP", "Port": 80, "DefaultActions": actions, **more})["Listeners"][0]


def attributes(answer):
    return {a["Key"]: a["Value"] for a in answer["Attributes"]}


def test_create_load_balancer_is_idempotent(aws, vpc, elb):
    """CreateLoadBalancer: "multiple load balancers with the same settings, each call succeeds". Other settings give
    DuplicateLoadBalancerName."""
    lb = balancer(elb, vpc)
    assert balancer(elb, vpc) == lb
    refused("DuplicateLoadBalancerName", balancer, elb, vpc, Scheme="internal")
    shown = elb.describe_load_balancers(LoadBalancerArns=[lb])["LoadBalancers"][0]
    assert (shown["Scheme"], shown["Type"], shown["State"]["Code"], shown["IpAddressType"]) == ("internet-facing", "application", "active", "ipv4")
    assert shown["SecurityGroups"] == [vpc.group] and {z["SubnetId"] for z in shown["AvailabilityZones"]} == set(vpc.subnets)


def test_invalid_load_balancer_requests_are_refused(aws, vpc, elb):
    refused("ValidationError", balancer, elb, vpc, "x" * 33)
    refused("ValidationError", balancer, elb, vpc, "internal-x")
    refused("SubnetNotFound", balancer, elb, vpc, Subnets=[vpc.subnets[0], "subnet-0123456789abcdef0"])
    refused("ValidationError", balancer, elb, vpc, Subnets=vpc.subnets[:1])
    refused("InvalidSecurityGroup", balancer, elb, vpc, SecurityGroups=["sg-0123456789abcdef0"])
    other = aws("ec2").create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    apart = [aws("ec2").create_subnet(VpcId=other, CidrBlock=f"10.2.{n}.0/24", AvailabilityZone=z)["Subnet"]["SubnetId"]
             for n, z in enumerate(("us-east-1a", "us-east-1b"))]
    assert "no internet gateway" in refused("InvalidSubnet", balancer, elb, vpc, Subnets=apart, SecurityGroups=[])
    refused("LoadBalancerNotFound", elb.describe_load_balancers, Names=["none"])
    lb = balancer(elb, vpc)
    refused("LoadBalancerNotFound", elb.describe_load_balancers, Names=["lb", "none"])
    refused("ValidationError", elb.describe_tags, ResourceArns=[lb] * 21)


def test_load_balancer_has_all_attributes_of_its_type(aws, vpc, elb):
    """DescribeLoadBalancerAttributes returns all attributes of the type with their defaults."""
    lb = balancer(elb, vpc)
    found = attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=lb))
    assert len(found) == 23 and found["routing.http2.enabled"] == "true" and found["idle_timeout.timeout_seconds"] == "60"
    assert found["routing.http.xff_header_processing.mode"] == "append" and found["client_keep_alive.seconds"] == "3600"
    elb.modify_load_balancer_attributes(LoadBalancerArn=lb, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"},
                                                                        {"Key": "idle_timeout.timeout_seconds", "Value": "90"}])
    refused("OperationNotPermitted", elb.delete_load_balancer, LoadBalancerArn=lb)
    elb.modify_load_balancer_attributes(LoadBalancerArn=lb, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}])
    assert attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=lb))["idle_timeout.timeout_seconds"] == "90"
    elb.delete_load_balancer(LoadBalancerArn=lb)
    elb.delete_load_balancer(LoadBalancerArn=lb)  # "If the load balancer does not exist or has already been deleted, the call succeeds."


def test_load_balancer_is_provisioning_before_active_and_uses_its_subnets_and_groups(aws, vpc, elb):
    aws.set(pending={"loadBalancer": 0.3})
    lb = balancer(elb, vpc)

    def state():
        return elb.describe_load_balancers(LoadBalancerArns=[lb])["LoadBalancers"][0]["State"]["Code"]

    assert state() == "provisioning"
    eventually(lambda: state() == "active")
    refused("DependencyViolation", aws("ec2").delete_security_group, GroupId=vpc.group)
    refused("DependencyViolation", aws("ec2").delete_subnet, SubnetId=vpc.subnets[0])
    other = aws("ec2").create_security_group(GroupName="o", Description="o", VpcId=vpc.id)["GroupId"]
    assert elb.set_security_groups(LoadBalancerArn=lb, SecurityGroups=[other])["SecurityGroupIds"] == [other]
    aws("ec2").delete_security_group(GroupId=vpc.group)


def test_network_load_balancer_has_its_own_arn_and_attributes(aws, vpc, elb):
    """The ARN of a Network Load Balancer contains net. It has its own attributes, and its tags."""
    lb = balancer(elb, vpc, "n", Type="network", SecurityGroups=[], Tags=tags(a="b"))
    assert ":loadbalancer/net/n/" in lb and elb.describe_tags(ResourceArns=[lb])["TagDescriptions"][0]["Tags"] == tags(a="b")
    assert attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=lb))["dns_record.client_routing_policy"] == "any_availability_zone"
    group = target_group(elb, vpc, Protocol="TCP")
    assert attributes(elb.describe_target_group_attributes(TargetGroupArn=group))["stickiness.type"] == "source_ip"
    made = listener(elb, lb, forward(group), Protocol="TCP")
    assert made["LoadBalancerArn"] == lb
    elb.modify_listener(ListenerArn=made["ListenerArn"], Protocol="UDP")
    assert elb.describe_listeners(LoadBalancerArn=lb)["Listeners"][0]["Protocol"] == "UDP"


def test_network_load_balancer_keeps_the_subnet_of_a_zone_while_the_zone_is_on(aws, vpc, elb):
    """ELB User Guide: the zone is disabled first, and then enabled with the other subnet. One zone is enough."""
    lb = balancer(elb, vpc, "n", Type="network", SecurityGroups=[])
    zone = aws("ec2").describe_subnets(SubnetIds=vpc.subnets[:1])["Subnets"][0]["AvailabilityZone"]
    other = aws("ec2").create_subnet(VpcId=vpc.id, CidrBlock="10.0.200.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
    refused("InvalidConfigurationRequest", elb.set_subnets, LoadBalancerArn=lb, Subnets=[other, vpc.subnets[1]])
    elb.set_subnets(LoadBalancerArn=lb, Subnets=[vpc.subnets[1]])
    elb.set_subnets(LoadBalancerArn=lb, Subnets=[other, vpc.subnets[1]])
    zones = elb.describe_load_balancers(LoadBalancerArns=[lb])["LoadBalancers"][0]["AvailabilityZones"]
    assert {zone["SubnetId"] for zone in zones} == {other, vpc.subnets[1]}


def test_target_group_in_use_cannot_be_deleted(aws, vpc, elb):
    group = target_group(elb, vpc)
    assert target_group(elb, vpc) == group
    refused("DuplicateTargetGroupName", target_group, elb, vpc, Port=81)
    shown = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert (shown["Port"], shown["HealthCheckPath"], shown["HealthCheckTimeoutSeconds"], shown["HealthyThresholdCount"]) == (80, "/", 5, 5)
    found = attributes(elb.describe_target_group_attributes(TargetGroupArn=group))
    assert found["deregistration_delay.timeout_seconds"] == "300" and found["stickiness.lb_cookie.duration_seconds"] == "86400"
    assert "waf.fail_open.enabled" not in found and len(found) == 14
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "3600"}])
    refused("ValidationError", elb.modify_target_group_attributes, TargetGroupArn=group, Attributes=[{"Key": "nonsense", "Value": "1"}])
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/h", HealthCheckIntervalSeconds=10, Matcher={"HttpCode": "200-299"})
    shown = elb.describe_target_groups(Names=["tg"])["TargetGroups"][0]
    assert (shown["HealthCheckPath"], shown["HealthCheckIntervalSeconds"], shown["Matcher"]) == ("/h", 10, {"HttpCode": "200-299"})
    lb = balancer(elb, vpc)
    assert elb.describe_target_groups(LoadBalancerArn=lb)["TargetGroups"] == [] and shown["LoadBalancerArns"] == []
    made = listener(elb, lb, forward(group))["ListenerArn"]
    assert elb.describe_target_groups(Names=["tg"])["TargetGroups"][0]["LoadBalancerArns"] == [lb]
    refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=group)
    elb.delete_listener(ListenerArn=made)
    elb.delete_target_group(TargetGroupArn=group)
    refused("TargetGroupNotFound", elb.describe_target_groups, Names=["tg"])


def test_create_listener_is_idempotent(aws, vpc, elb):
    """CreateListener is idempotent, or gives DuplicateListener. Action: a forward is returned as TargetGroupArn and
    ForwardConfig."""
    lb, group, other = balancer(elb, vpc), target_group(elb, vpc), target_group(elb, vpc, "two")
    made = listener(elb, lb, forward(group))
    assert listener(elb, lb, forward(group))["ListenerArn"] == made["ListenerArn"]
    refused("DuplicateListener", listener, elb, lb, forward(other))
    assert "SslPolicy" not in made and "Certificates" not in made
    single = {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}], "TargetGroupStickinessConfig": {"Enabled": False}}
    assert made["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": group, "ForwardConfig": single}]
    both = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 3}, {"TargetGroupArn": other, "Weight": 1}]}}]
    changed = elb.modify_listener(ListenerArn=made["ListenerArn"], DefaultActions=both)["Listeners"][0]["DefaultActions"][0]
    assert "TargetGroupArn" not in changed and [g["Weight"] for g in changed["ForwardConfig"]["TargetGroups"]] == [3, 1]
    redirect = listener(elb, lb, [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}], Port=81)
    assert redirect["DefaultActions"][0]["RedirectConfig"] == {
        "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301"}
    refused("DuplicateListener", elb.modify_listener, ListenerArn=redirect["ListenerArn"], Port=80)
    refused("ListenerNotFound", elb.describe_listeners, ListenerArns=[made["ListenerArn"], made["ListenerArn"] + "0"])
    refused("TargetGroupNotFound", listener, elb, lb, forward(group + "0"), Port=82)
    refused("LoadBalancerNotFound", listener, elb, lb + "0", forward(group))


def test_https_listener_needs_an_issued_certificate(aws, vpc, elb):
    lb, group, certificate = balancer(elb, vpc), target_group(elb, vpc), imported(aws)
    secure = {"Protocol": "HTTPS", "Port": 443}
    refused("ValidationError", listener, elb, lb, forward(group), **secure)
    unknown = certificate[:-12] + "0" * 12
    refused("CertificateNotFound", listener, elb, lb, forward(group), Certificates=[{"CertificateArn": unknown}], **secure)
    pending = aws("acm").request_certificate(DomainName="example.org", ValidationMethod="DNS")["CertificateArn"]
    refused("UnsupportedCertificate", listener, elb, lb, forward(group), Certificates=[{"CertificateArn": pending}], **secure)
    chosen = {"Certificates": [{"CertificateArn": certificate}], **secure}
    refused("SSLPolicyNotFound", listener, elb, lb, forward(group), SslPolicy="none", **chosen)
    made = listener(elb, lb, forward(group), SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06", **chosen)
    assert made["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06" and made["Certificates"] == [{"CertificateArn": certificate}]
    assert aws("acm").describe_certificate(CertificateArn=certificate)["Certificate"]["InUseBy"] == [lb]
    refused("ResourceInUseException", aws("acm").delete_certificate, CertificateArn=certificate)
    additional = imported(aws, "other.example.org")
    elb.add_listener_certificates(ListenerArn=made["ListenerArn"], Certificates=[{"CertificateArn": additional}])
    assert elb.describe_listeners(LoadBalancerArn=lb)["Listeners"][0]["Certificates"] == [{"CertificateArn": certificate}]
    elb.modify_listener(ListenerArn=made["ListenerArn"], Protocol="HTTP", Port=8080)
    plain = elb.describe_listeners(LoadBalancerArn=lb)["Listeners"][0]
    assert (plain["Protocol"], plain["Port"]) == ("HTTP", 8080) and "SslPolicy" not in plain and "Certificates" not in plain
    aws("acm").delete_certificate(CertificateArn=certificate)


def test_load_balancers_target_groups_and_listeners_have_tags(aws, vpc, elb):
    """Tags in every create call, AddTags, RemoveTags, DescribeTags: on load balancers, target groups and listeners."""
    spec = tags(**{"holdfast:stack": "shop"})
    lb, group = balancer(elb, vpc, Tags=spec), target_group(elb, vpc, Tags=spec)
    made = listener(elb, lb, forward(group), Tags=spec)["ListenerArn"]
    everything = [lb, group, made]
    elb.add_tags(ResourceArns=everything, Tags=tags(**{f"k{n}": "v" for n in range(20)}))
    elb.remove_tags(ResourceArns=everything, TagKeys=[f"k{n}" for n in range(1, 20)])
    for shown in elb.describe_tags(ResourceArns=everything)["TagDescriptions"]:
        assert {t["Key"]: t["Value"] for t in shown["Tags"]} == {"holdfast:stack": "shop", "k0": "v"}
    refused("LoadBalancerNotFound", elb.describe_tags, ResourceArns=[lb + "0"])
    refused("TargetGroupNotFound", elb.describe_tags, ResourceArns=[group + "0"])
    elb.delete_load_balancer(LoadBalancerArn=lb)
    refused("ListenerNotFound", elb.describe_listeners, ListenerArns=[made])
