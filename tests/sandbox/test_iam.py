"""IAM behaves as its API Reference documents it."""
import json
import urllib.parse

from conftest import refused, tags

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole", "Condition": {
        "StringEquals": {"aws:SourceAccount": "123456789012"}}}]})
INLINE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
MANAGED = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"


def make(iam, name="r", **more):
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Description="d", MaxSessionDuration=7200,
                           Tags=tags(**{"holdfast:stack": "shop"}), **more)["Role"]


def test_update_role_keeps_fields_that_are_not_given(aws):
    """CreateRole, GetRole, ListRoles: description, session duration, tags and permissions boundary. UpdateRole keeps
    fields that are not given."""
    iam = aws("iam")
    make(iam, PermissionsBoundary=BOUNDARY, Path="/app/")
    refused("EntityAlreadyExists", make, iam)
    shown = iam.get_role(RoleName="r")["Role"]
    assert (shown["Description"], shown["MaxSessionDuration"], shown["Path"]) == ("d", 7200, "/app/")
    assert shown["Tags"] == tags(**{"holdfast:stack": "shop"}) and shown["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY
    listed = iam.list_roles()["Roles"][0]
    assert (listed["Description"], listed["MaxSessionDuration"]) == ("d", 7200) and "Tags" not in listed
    iam.update_role(RoleName="r", MaxSessionDuration=3600)
    assert iam.get_role(RoleName="r")["Role"]["Description"] == "d"
    iam.tag_role(RoleName="r", Tags=tags(a="b"))
    iam.untag_role(RoleName="r", TagKeys=["holdfast:stack"])
    assert iam.list_role_tags(RoleName="r")["Tags"] == tags(a="b")
    for wrong in ("{", json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})):
        refused("MalformedPolicyDocument", iam.create_role, RoleName="bad", AssumeRolePolicyDocument=wrong)
    refused("NoSuchEntity", iam.get_role, RoleName="none")


def test_trust_policies_are_url_encoded(aws):
    """Role.AssumeRolePolicyDocument: "URL-encoded JSON", compliant with RFC 3986, in every answer."""
    iam, seen = aws("iam"), []
    make(iam)
    iam.meta.events.register("after-call.iam", lambda http_response, **_: seen.append(http_response.text))
    for call in (lambda: iam.get_role(RoleName="r"), iam.list_roles, lambda: iam.get_account_authorization_details(Filter=["Role"])):
        call()
        document = seen[-1].split("<AssumeRolePolicyDocument>")[1].split("<")[0]
        assert document.startswith("%7B") and json.loads(urllib.parse.unquote(document)) == json.loads(TRUST)


def test_role_with_policies_cannot_be_deleted(aws):
    """DeleteRole: DeleteConflict until the inline policies are deleted and the managed policies are detached."""
    iam = aws("iam")
    make(iam)
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=INLINE)
    for _ in range(2):
        iam.attach_role_policy(RoleName="r", PolicyArn=MANAGED)
    assert iam.get_policy(PolicyArn=MANAGED)["Policy"]["AttachmentCount"] == 1
    refused("DeleteConflict", iam.delete_role, RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=MANAGED)
    refused("DeleteConflict", iam.delete_role, RoleName="r")
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    iam.delete_role(RoleName="r")
    refused("NoSuchEntity", iam.attach_role_policy, RoleName="r", PolicyArn=MANAGED)


def test_account_authorization_details_are_returned_in_pages(aws):
    """GetAccountAuthorizationDetails: roles with inline policies, attached policies, tags and permissions boundary, in
    pages."""
    iam = aws("iam")
    for n in range(3):
        make(iam, f"r{n}", PermissionsBoundary=BOUNDARY)
    iam.put_role_policy(RoleName="r0", PolicyName="p", PolicyDocument=INLINE)
    iam.attach_role_policy(RoleName="r0", PolicyArn=MANAGED)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"], PaginationConfig={"PageSize": 2}))
    roles = {r["RoleName"]: r for p in pages for r in p["RoleDetailList"]}
    assert len(pages) == 2 and set(roles) == {"r0", "r1", "r2"}
    assert roles["r0"]["RolePolicyList"] == [{"PolicyName": "p", "PolicyDocument": json.loads(INLINE)}]
    assert roles["r0"]["AttachedManagedPolicies"] == [{"PolicyName": "AmazonECSTaskExecutionRolePolicy", "PolicyArn": MANAGED}]
    assert roles["r0"]["Tags"] == tags(**{"holdfast:stack": "shop"})
    assert roles["r0"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY


def test_managed_policies_exist_after_a_reset(aws):
    iam = aws("iam")
    make(iam)
    iam.attach_role_policy(RoleName="r", PolicyArn=MANAGED)
    aws.ask("reset", method="POST")
    assert iam.get_policy(PolicyArn=MANAGED)["Policy"]["AttachmentCount"] == 0
    assert iam.list_roles()["Roles"] == []


def test_get_caller_identity_returns_the_account(aws):
    assert aws("sts").get_caller_identity()["Account"] == "123456789012"
