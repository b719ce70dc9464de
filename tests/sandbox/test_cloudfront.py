"""CloudFront behaves as AWS documents distributions, origin access controls and policies."""
import copy

import pytest
from conftest import refused, tags

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def config(reference="one", **more):
    return {
        "CallerReference": reference, "Comment": "", "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [
            {"Id": "assets", "DomainName": "assets.s3.us-east-1.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}]},
        "DefaultCacheBehavior": {"TargetOriginId": "assets", "ViewerProtocolPolicy": "https-only", "CachePolicyId": OPTIMIZED}, **more}


@pytest.fixture
def cloudfront(aws):
    return aws("cloudfront")


@pytest.fixture
def dist(cloudfront):
    made = cloudfront.create_distribution_with_tags(DistributionConfigWithTags={
        "DistributionConfig": config(), "Tags": {"Items": tags(a="b")}})
    return made["Distribution"]


def control(cloudfront, name="assets"):
    made = cloudfront.create_origin_access_control(OriginAccessControlConfig={
        "Name": name, "SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3"})
    return made["OriginAccessControl"]["Id"], made["ETag"]


def test_distribution_config_is_returned_with_defaults(cloudfront, dist):
    got = cloudfront.get_distribution_config(Id=dist["Id"])["DistributionConfig"]
    origin = got["Origins"]["Items"][0]
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": ""} and origin["ConnectionAttempts"] == 3
    assert got["DefaultCacheBehavior"]["AllowedMethods"]["Items"] == ["HEAD", "GET"]
    assert got["ViewerCertificate"]["CloudFrontDefaultCertificate"] and got["PriceClass"] == "PriceClass_All"


def test_origin_access_control_of_an_origin_cannot_be_deleted(cloudfront, dist):
    id, _ = control(cloudfront)
    got = cloudfront.get_distribution_config(Id=dist["Id"])
    got["DistributionConfig"]["Origins"]["Items"][0]["OriginAccessControlId"] = id
    cloudfront.update_distribution(Id=dist["Id"], IfMatch=got["ETag"], DistributionConfig=got["DistributionConfig"])
    again = cloudfront.get_distribution_config(Id=dist["Id"])
    assert again["DistributionConfig"]["Origins"]["Items"][0]["OriginAccessControlId"] == id
    assert again["ETag"] != got["ETag"]
    version = cloudfront.get_origin_access_control_config(Id=id)["ETag"]
    refused("OriginAccessControlInUse", cloudfront.delete_origin_access_control, Id=id, IfMatch=version)


def test_update_with_a_stale_etag_is_refused(cloudfront, dist):
    got = cloudfront.get_distribution_config(Id=dist["Id"])
    update = dict(Id=dist["Id"], IfMatch=got["ETag"], DistributionConfig=got["DistributionConfig"])
    cloudfront.update_distribution(**update)
    refused("PreconditionFailed", cloudfront.update_distribution, **update)


def test_distribution_config_must_name_existing_resources(cloudfront, dist):
    create = lambda **more: refused_create(cloudfront, config("two", **more))  # noqa: E731
    behavior = config()["DefaultCacheBehavior"]
    assert create(DefaultCacheBehavior={**behavior, "TargetOriginId": "x"}) == "NoSuchOrigin"
    assert create(DefaultCacheBehavior={**behavior, "CachePolicyId": "x"}) == "NoSuchCachePolicy"
    assert create(DefaultCacheBehavior={**behavior, "MinTTL": 1}) == "InvalidArgument"
    assert create(WebACLId="x") == "InvalidWebACLId"
    assert create(Aliases={"Quantity": 1, "Items": ["a.example.com"]}) == "InvalidViewerCertificate"
    refused("DistributionAlreadyExists", cloudfront.create_distribution, DistributionConfig=config())


def refused_create(cloudfront, requested):
    with pytest.raises(cloudfront.exceptions.ClientError) as error:
        cloudfront.create_distribution(DistributionConfig=requested)
    return error.value.response["Error"]["Code"]


def test_distribution_must_be_disabled_and_deployed_before_its_deletion(aws, cloudfront, dist):
    aws.set(pending={"distribution": 60})
    got = cloudfront.get_distribution_config(Id=dist["Id"])
    refused("DistributionNotDisabled", cloudfront.delete_distribution, Id=dist["Id"], IfMatch=got["ETag"])
    changed = {**copy.deepcopy(got["DistributionConfig"]), "Enabled": False}
    etag = cloudfront.update_distribution(Id=dist["Id"], IfMatch=got["ETag"], DistributionConfig=changed)["ETag"]
    assert cloudfront.list_distributions()["DistributionList"]["Items"][0]["Status"] == "InProgress"
    refused("DistributionNotDisabled", cloudfront.delete_distribution, Id=dist["Id"], IfMatch=etag)
    aws.set(pending={"distribution": 0})
    cloudfront.delete_distribution(Id=dist["Id"], IfMatch=etag)
    refused("NoSuchDistribution", cloudfront.get_distribution, Id=dist["Id"])
    refused("NoSuchResource", cloudfront.list_tags_for_resource, Resource=dist["ARN"])


def test_tagging_api_returns_distributions_in_us_east_1_only(aws, dist):
    found = aws("resourcegroupstaggingapi").get_resources(ResourceTypeFilters=["cloudfront:distribution"])
    assert [row["ResourceARN"] for row in found["ResourceTagMappingList"]] == [dist["ARN"]]
    assert aws("resourcegroupstaggingapi", "eu-west-1").get_resources(ResourceTypeFilters=["cloudfront:distribution"])["ResourceTagMappingList"] == []


def test_origin_access_controls_have_unique_names_and_etags(cloudfront):
    id, etag = control(cloudfront)
    refused("OriginAccessControlAlreadyExists", control, cloudfront)
    changed = {**cloudfront.get_origin_access_control_config(Id=id)["OriginAccessControlConfig"], "Description": "x"}
    fresh = cloudfront.update_origin_access_control(Id=id, IfMatch=etag, OriginAccessControlConfig=changed)["ETag"]
    refused("PreconditionFailed", cloudfront.update_origin_access_control, Id=id, IfMatch=etag, OriginAccessControlConfig=changed)
    listed = cloudfront.list_origin_access_controls()["OriginAccessControlList"]["Items"]
    assert [(one["Id"], one["Description"]) for one in listed] == [(id, "x")]
    cloudfront.delete_origin_access_control(Id=id, IfMatch=fresh)


def test_cache_policies_have_unique_names_and_include_managed_ones(cloudfront):
    managed = cloudfront.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]
    names = {row["CachePolicy"]["CachePolicyConfig"]["Name"]: row["CachePolicy"]["Id"] for row in managed}
    assert names["Managed-CachingOptimized"] == OPTIMIZED
    key = {"EnableAcceptEncodingGzip": True, "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
           "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {"Quantity": 1, "Items": ["v"]}}}
    requested = {"Name": "web", "MinTTL": 1, "ParametersInCacheKeyAndForwardedToOrigin": key}
    made = cloudfront.create_cache_policy(CachePolicyConfig=requested)
    id = made["CachePolicy"]["Id"]
    assert made["CachePolicy"]["CachePolicyConfig"]["DefaultTTL"] == 86400
    refused("CachePolicyAlreadyExists", cloudfront.create_cache_policy, CachePolicyConfig=requested)
    refused("InvalidArgument", cloudfront.create_cache_policy, CachePolicyConfig={**requested, "Name": "b", "Comment": "x" * 129})
    own = cloudfront.list_cache_policies(Type="custom")["CachePolicyList"]["Items"]
    assert [row["CachePolicy"]["Id"] for row in own] == [id]
    cloudfront.delete_cache_policy(Id=id, IfMatch=made["ETag"])
    refused("NoSuchCachePolicy", cloudfront.get_cache_policy, Id=id)


def test_origin_request_and_response_headers_policies_are_returned_as_created(cloudfront):
    none = {"HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"}, "QueryStringsConfig": {"QueryStringBehavior": "all"}}
    made = cloudfront.create_origin_request_policy(OriginRequestPolicyConfig={"Name": "web", **none})["OriginRequestPolicy"]
    assert cloudfront.get_origin_request_policy(Id=made["Id"])["OriginRequestPolicy"] == made
    requested = {"Name": "web", "SecurityHeadersConfig": {"FrameOptions": {"Override": True, "FrameOption": "DENY"}}}
    made = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=requested)["ResponseHeadersPolicy"]
    assert cloudfront.get_response_headers_policy_config(Id=made["Id"])["ResponseHeadersPolicyConfig"] == {"Comment": "", **requested}
