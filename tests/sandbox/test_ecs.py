"""ECS behaves as the ECS API Reference and Developer Guide document it."""
from conftest import eventually, refused, tags

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1"


def register(ecs, family="web", image="nginx", **more):
    return ecs.register_task_definition(
        family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[{"name": "web", "image": image, "portMappings": [{"containerPort": 80}],
                               "healthCheck": {"command": ["CMD", "true"]}}], **more)["taskDefinition"]["taskDefinitionArn"]


def service(ecs, vpc, name="s", **more):
    return ecs.create_service(**{
        "cluster": "c", "serviceName": name, "taskDefinition": "web", "desiredCount": 2, "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": vpc.subnets, "securityGroups": [vpc.group]}}, **more})["service"]


def described(ecs, name="s"):
    return ecs.describe_services(cluster="c", services=[name], include=["TAGS"])["services"][0]


def balanced(aws, vpc):
    """Returns a target group, and a function that creates a listener of a load balancer for it."""
    elb = aws("elbv2")
    group = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc.id, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
    igw = aws("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws("ec2").attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    lb = elb.create_load_balancer(Name="lb", Subnets=vpc.subnets, SecurityGroups=[vpc.group])["LoadBalancers"][0]["LoadBalancerArn"]
    return group, lambda: elb.create_listener(LoadBalancerArn=lb, Protocol="HTTP", Port=80,
                                              DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])


# ---- clusters

def test_create_cluster_is_idempotent_and_deleted_clusters_are_inactive(aws):
    ecs = aws("ecs")
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    made = ecs.create_cluster(clusterName="one", settings=[{"name": "containerInsights", "value": "enabled"}], tags=tags(form="key", a="b"),
                              capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=strategy)["cluster"]
    again = ecs.create_cluster(clusterName="one", settings=[{"name": "containerInsights", "value": "disabled"}])["cluster"]
    assert again["clusterArn"] == made["clusterArn"] and again["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    plain = ecs.describe_clusters(clusters=["one"])["clusters"][0]
    assert "settings" not in plain or plain["settings"] == []  # DescribeClusters: "If this field is omitted, this information isn't included"
    full = ecs.describe_clusters(clusters=["one"], include=["SETTINGS", "CONFIGURATIONS", "TAGS"])["clusters"][0]
    assert full["settings"] == [{"name": "containerInsights", "value": "enabled"}] and full["tags"] == tags(form="key", a="b")
    assert full["capacityProviders"] == ["FARGATE"]
    ecs.update_cluster_settings(cluster="one", settings=[{"name": "containerInsights", "value": "enhanced"}])
    ecs.update_cluster(cluster="one", configuration={"executeCommandConfiguration": {"logging": "DEFAULT"}})
    ecs.put_cluster_capacity_providers(cluster="one", capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[])
    ecs.tag_resource(resourceArn=made["clusterArn"], tags=tags(form="key", c="d"))
    ecs.untag_resource(resourceArn=made["clusterArn"], tagKeys=["a"])
    full = ecs.describe_clusters(clusters=["one"], include=["SETTINGS", "CONFIGURATIONS", "TAGS"])["clusters"][0]
    assert full["settings"] == [{"name": "containerInsights", "value": "enhanced"}] and full["tags"] == tags(form="key", c="d")
    assert full["configuration"] == {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    assert full["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert ecs.list_tags_for_resource(resourceArn=made["clusterArn"])["tags"] == tags(form="key", c="d")
    ecs.delete_cluster(cluster="one")
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.describe_clusters(clusters=["one"])["clusters"][0]["status"] == "INACTIVE"
    assert ecs.create_cluster(clusterName="one")["cluster"]["status"] == "ACTIVE"
    assert ecs.describe_clusters(clusters=["none"])["failures"][0]["reason"] == "MISSING"


def test_cluster_with_services_cannot_be_deleted(ecs, vpc):
    """DeleteCluster: a cluster with services gives ClusterContainsServicesException."""
    register(ecs)
    service(ecs, vpc)
    refused("ClusterContainsServicesException", ecs.delete_cluster, cluster="c")
    ecs.delete_service(cluster="c", service="s", force=True)
    ecs.delete_cluster(cluster="c")
    refused("ClusterNotFoundException", service, ecs, vpc)


# ---- task definitions

def test_family_name_means_the_latest_active_revision(ecs):
    first, second = register(ecs, tags=tags(form="key", a="b")), register(ecs)
    assert ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"] == [first, second]
    assert ecs.list_task_definitions(familyPrefix="web", sort="DESC")["taskDefinitionArns"] == [second, first]
    shown = ecs.describe_task_definition(taskDefinition=first, include=["TAGS"])
    assert shown["tags"] == tags(form="key", a="b") and shown["taskDefinition"]["registeredAt"]
    container = shown["taskDefinition"]["containerDefinitions"][0]
    assert container["portMappings"] == [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert container["healthCheck"] == {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}
    assert ecs.list_tags_for_resource(resourceArn=first)["tags"] == tags(form="key", a="b")
    ecs.deregister_task_definition(taskDefinition=second)
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["taskDefinitionArn"] == first  # "the latest ACTIVE revision"
    assert ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == [second]
    ecs.deregister_task_definition(taskDefinition=first)
    assert ecs.list_task_definition_families(status="ACTIVE")["families"] == []
    assert ecs.list_task_definition_families(status="INACTIVE")["families"] == ["web"]
    refused("ClientException", ecs.describe_task_definition, taskDefinition="web")
    refused("ClientException", ecs.describe_task_definition, taskDefinition="none:1")
    refused("ClientException", ecs.register_task_definition, family="bad", requiresCompatibilities=["FARGATE"], networkMode="awsvpc",
            containerDefinitions=[{"name": "a", "image": "b", "memory": 128}])


# ---- services

def test_create_service_returns_given_values_and_defaults(ecs, vpc):
    """CreateService returns the given values, and AWS's defaults for the others."""
    task = register(ecs)
    made = service(ecs, vpc, tags=tags(form="key", a="b"), enableExecuteCommand=True, enableECSManagedTags=True, propagateTags="SERVICE",
                   deploymentConfiguration={"minimumHealthyPercent": 50, "deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    assert made["deployments"][0]["rolloutState"] == "IN_PROGRESS" and made["runningCount"] == 0
    seen = described(ecs)
    assert seen["tags"] == tags(form="key", a="b")
    assert (seen["enableExecuteCommand"], seen["enableECSManagedTags"], seen["propagateTags"]) == (True, True, "SERVICE")
    config = seen["deploymentConfiguration"]
    assert (config["maximumPercent"], config["minimumHealthyPercent"]) == (200, 50)
    assert config["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    network = seen["networkConfiguration"]["awsvpcConfiguration"]
    assert network == {"subnets": vpc.subnets, "securityGroups": [vpc.group], "assignPublicIp": "DISABLED"}
    assert (seen["launchType"], seen["platformVersion"], seen["schedulingStrategy"], seen["taskDefinition"]) == ("FARGATE", "LATEST", "REPLICA", task)
    assert "healthCheckGracePeriodSeconds" not in seen
    spot = ecs.create_service(cluster="c", serviceName="spot", taskDefinition="web", platformVersion="1.4.0",
                              capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
                              networkConfiguration={"awsvpcConfiguration": {"subnets": vpc.subnets}})["service"]
    assert "launchType" not in spot and spot["platformVersion"] == "1.4.0"
    assert spot["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE_SPOT"


def test_service_reaches_a_steady_state_and_registers_its_targets(aws, ecs, vpc):
    """Deployment.rolloutState is IN_PROGRESS, then COMPLETED. The event says "(service s) has reached a steady state.".

    The tasks are registered as targets.
    """
    register(ecs)
    group, listen = balanced(aws, vpc)
    balancer = [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}]
    message = refused("InvalidParameterException", service, ecs, vpc, loadBalancers=balancer)
    assert "does not have an associated load balancer" in message
    listen()
    service(ecs, vpc, loadBalancers=balancer, healthCheckGracePeriodSeconds=30)
    seen = described(ecs)
    assert (seen["runningCount"], seen["pendingCount"], seen["healthCheckGracePeriodSeconds"]) == (2, 0, 30)
    assert [(d["status"], d["rolloutState"], d["runningCount"]) for d in seen["deployments"]] == [("PRIMARY", "COMPLETED", 2)]
    assert seen["events"][0]["message"] == "(service s) has reached a steady state."
    health = aws("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [h["TargetHealth"]["State"] for h in health] == ["healthy", "healthy"]
    tasks = ecs.list_tasks(cluster="c", serviceName="s")["taskArns"]
    shown = ecs.describe_tasks(cluster="c", tasks=tasks + ["gone"])
    assert {t["lastStatus"] for t in shown["tasks"]} == {"RUNNING"} and shown["failures"] == [{"arn": "gone", "reason": "MISSING"}]
    assert len(shown["tasks"]) == 2 and {t["group"] for t in shown["tasks"]} == {"service:s"}
    ecs.get_waiter("services_stable").wait(cluster="c", services=["s"])
    refused("DependencyViolation", aws("ec2").delete_subnet, SubnetId=vpc.subnets[0])
    refused("DependencyViolation", aws("ec2").delete_security_group, GroupId=vpc.group)
    ecs.stop_task(cluster="c", task=tasks[0])
    assert tasks[0] not in ecs.list_tasks(cluster="c", serviceName="s")["taskArns"] and described(ecs)["runningCount"] == 2
    refused("InvalidParameterException", ecs.delete_service, cluster="c", service="s")
    aws.set(pending={"serviceDelete": 0.3})
    assert ecs.delete_service(cluster="c", service="s", force=True)["service"]["status"] == "DRAINING"
    assert ecs.list_services(cluster="c")["serviceArns"] == [] and described(ecs)["status"] == "DRAINING"
    refused("InvalidParameterException", service, ecs, vpc)
    eventually(lambda: described(ecs)["status"] == "INACTIVE")
    assert aws("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []
    refused("ServiceNotActiveException", ecs.update_service, cluster="c", service="s", desiredCount=1)
    refused("ServiceNotFoundException", ecs.update_service, cluster="c", service="none", desiredCount=1)
    assert service(ecs, vpc)["status"] == "ACTIVE"


def test_only_some_updates_trigger_a_new_service_deployment(aws, ecs, vpc):
    """UpdateService: some parameters trigger a new service deployment, the others do not."""
    register(ecs)
    service(ecs, vpc)
    first = described(ecs)["deployments"][0]["id"]
    ecs.update_service(cluster="c", service="s", desiredCount=3, enableExecuteCommand=True, deploymentConfiguration={"maximumPercent": 150})
    seen = described(ecs)
    assert (seen["runningCount"], seen["enableExecuteCommand"], seen["deploymentConfiguration"]["maximumPercent"]) == (3, True, 150)
    assert seen["deploymentConfiguration"]["minimumHealthyPercent"] == 100 and seen["deployments"][0]["id"] == first
    aws.set(pending={"service": 0.3})
    second = register(ecs)
    ecs.update_service(cluster="c", service="s", taskDefinition="web:2")
    seen = described(ecs)
    assert seen["taskDefinition"] == second and [d["status"] for d in seen["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert seen["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    eventually(lambda: len(described(ecs)["deployments"]) == 1)
    assert described(ecs)["deployments"][0]["id"] != first and described(ecs)["runningCount"] == 3
    assert len(ecs.list_tasks(cluster="c", serviceName="s", desiredStatus="STOPPED")["taskArns"]) == 3


def test_invalid_service_requests_are_refused(aws, ecs, vpc):
    register(ecs)
    one = service(ecs, vpc)
    assert service(ecs, vpc)["serviceArn"] == one["serviceArn"]
    assert "not idempotent" in refused("InvalidParameterException", service, ecs, vpc, desiredCount=5)
    refused("InvalidParameterException", ecs.describe_services, cluster="c", services=[f"s{n}" for n in range(11)])
    refused("InvalidParameterException", service, ecs, vpc, "t", healthCheckGracePeriodSeconds=10)
    instance = aws("elbv2").create_target_group(Name="i", Protocol="HTTP", Port=80, VpcId=vpc.id)["TargetGroups"][0]["TargetGroupArn"]
    for name, port in (("none", 80), ("web", 81), ("web", 80)):
        wrong = [{"targetGroupArn": instance, "containerName": name, "containerPort": port}]
        refused("InvalidParameterException", service, ecs, vpc, "t", loadBalancers=wrong)
    refused("ClientException", service, ecs, vpc, "t", taskDefinition="none:1")
    token = [service(ecs, vpc, "t", clientToken="x")["serviceArn"] for _ in range(2)]
    assert token[0] == token[1]


# ---- images

def push(aws, tag):
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"digest": "sha256:%s"}}' % tag
    aws("ecr").put_image(repositoryName="app", imageManifest=manifest, imageTag=tag)


def test_missing_image_fails_the_tasks_of_a_deployment(aws, ecs, vpc):
    """Stopped tasks error messages: CannotPullContainerError. The deployment remains IN_PROGRESS and has failed
    tasks."""
    aws.set(imagePull="strict")
    aws("ecr").create_repository(repositoryName="app")
    register(ecs, image=IMAGE)
    service(ecs, vpc)
    seen = described(ecs)
    deployment = seen["deployments"][0]
    assert (seen["runningCount"], deployment["rolloutState"]) == (0, "IN_PROGRESS") and deployment["failedTasks"] > 0
    stopped = ecs.list_tasks(cluster="c", serviceName="s", desiredStatus="STOPPED")["taskArns"]
    task = ecs.describe_tasks(cluster="c", tasks=stopped)["tasks"][0]
    assert task["stoppedReason"].startswith("CannotPullContainerError") and task["stopCode"] == "TaskFailedToStart"
    assert any("unable to consistently start tasks" in e["message"] for e in seen["events"])
    push(aws, "v1")
    assert described(ecs)["runningCount"] == 2 and described(ecs)["deployments"][0]["rolloutState"] == "COMPLETED"


def test_circuit_breaker_rolls_back_to_the_last_completed_deployment(aws, ecs, vpc):
    """DeploymentCircuitBreaker: the deployment fails and is rolled back to the last completed one."""
    aws.set(imagePull="strict")
    aws("ecr").create_repository(repositoryName="app")
    push(aws, "v1")
    good = register(ecs, image=IMAGE)
    service(ecs, vpc, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    assert described(ecs)["deployments"][0]["rolloutState"] == "COMPLETED"
    register(ecs, image=IMAGE.replace("v1", "v2"))
    ecs.update_service(cluster="c", service="s", taskDefinition="web")
    seen = described(ecs)
    assert any("deployment failed: tasks failed to start" in e["message"] for e in seen["events"])
    assert seen["taskDefinition"] == good and seen["runningCount"] == 2
    register(ecs, family="new", image=IMAGE.replace("v1", "v3"))
    service(ecs, vpc, "fresh", taskDefinition="new", deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    assert described(ecs, "fresh")["deployments"][0]["rolloutState"] == "FAILED" and described(ecs, "fresh")["deployments"][0]["failedTasks"] == 3


def test_service_reports_that_it_cannot_place_a_task(aws, ecs, vpc):
    """A service that cannot place its tasks reports it in its events, and continues when it can."""
    register(ecs)
    service(ecs, vpc, desiredCount=0, tags=tags(form="key", a="b"))
    for subnet in vpc.subnets:
        aws("ec2").delete_subnet(SubnetId=subnet)
    ecs.update_service(cluster="c", service="s", desiredCount=1)
    seen = described(ecs)
    assert seen["runningCount"] == 0 and "unable to place a task" in seen["events"][0]["message"]
    arn = seen["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=tags(form="key", c="d"))
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == tags(form="key", c="d")


def test_images_outside_ecr_are_not_checked(aws, ecs, vpc):
    aws.set(imagePull="strict")
    register(ecs, image="nginx:latest")
    service(ecs, vpc)
    assert described(ecs)["runningCount"] == 2
