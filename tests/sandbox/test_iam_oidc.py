"""OIDC providers and policy versions behave as IAM's API Reference documents them."""
import json

from conftest import refused, tags

DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})


def test_adding_a_client_id_to_an_oidc_provider_is_idempotent(aws):
    """AddClientIDToOpenIDConnectProvider is idempotent. IAM retrieves a thumbprint when none is given."""
    iam = aws("iam")
    make = {"Url": "https://token.actions.githubusercontent.com", "ClientIDList": ["sts.amazonaws.com"], "Tags": tags(a="b")}
    arn = iam.create_open_id_connect_provider(**make)["OpenIDConnectProviderArn"]
    refused("EntityAlreadyExists", iam.create_open_id_connect_provider, **make)
    for client in ("two", "two"):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client)
    for client in ("sts.amazonaws.com", "none"):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client)
    shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (shown["ClientIDList"], shown["Tags"], len(shown["ThumbprintList"][0])) == (["two"], tags(a="b"), 40)
    refused("NoSuchEntity", iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=arn + "x", ClientID="two")


def test_policy_with_versions_cannot_be_deleted(aws):
    """CreatePolicyVersion: at most five. DeletePolicy: versions must be deleted and attachments detached first."""
    iam = aws("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=DOCUMENT, Description="d", Tags=tags(a="b"))["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=DOCUMENT, SetAsDefault=True)
    refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=DOCUMENT)
    listed = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])["Policies"][0]
    assert (listed["PolicyName"], listed["DefaultVersionId"], len(listed["PolicyVersionList"])) == ("p", "v5", 5)
    shown = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (shown["Description"], shown["Tags"]) == ("d", tags(a="b"))
    refused("DeleteConflict", iam.delete_policy, PolicyArn=arn)
    for version in ("v1", "v2", "v3", "v4"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", iam.get_policy, PolicyArn=arn)
