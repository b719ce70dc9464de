"""OpenSearch Service: requests and parameters that moto does not accept."""
import json
import time

from moto.es import urls
from moto.opensearch.responses import OpenSearchServiceResponse
from moto.opensearch.exceptions import ResourceNotFoundException

from mends import mend
from mends.opensearch import changeable

urls.url_paths["{0}/2021-01-01/opensearch/upgradeDomain$"] = OpenSearchServiceResponse.dispatch


@mend(OpenSearchServiceResponse)
def create_domain(moto, self):
    """CreateDomain stores IPAddressType too."""
    answer = json.loads(moto())
    domain = self.opensearch_backend.domains[answer["DomainStatus"]["DomainName"]]
    domain.ip_address_type = self._get_param("IPAddressType") or "ipv4"
    return json.dumps({"DomainStatus": domain.to_dict()})


@mend(OpenSearchServiceResponse)
def update_domain_config(moto, self):
    """UpdateDomainConfig: the domain's name is in the path. An access policy may be empty."""
    self.params = getattr(self, "params", {})
    name = self.path.split("/domain/")[1].split("/")[0]
    body = json.loads(self.body or "{}")
    backend = self.opensearch_backend
    changeable(backend, name)
    parts = {"cluster_config": "ClusterConfig", "ebs_options": "EBSOptions", "access_policies": "AccessPolicies", "snapshot_options": "SnapshotOptions",
             "vpc_options": "VPCOptions", "cognito_options": "CognitoOptions", "encryption_at_rest_options": "EncryptionAtRestOptions",
             "node_to_node_encryption_options": "NodeToNodeEncryptionOptions", "advanced_options": "AdvancedOptions",
             "log_publishing_options": "LogPublishingOptions", "domain_endpoint_options": "DomainEndpointOptions",
             "advanced_security_options": "AdvancedSecurityOptions", "auto_tune_options": "AutoTuneOptions",
             "off_peak_window_options": "OffPeakWindowOptions", "software_update_options": "SoftwareUpdateOptions"}
    domain = backend.update_domain_config(domain_name=name, **{ours: body.get(theirs) for ours, theirs in parts.items()})
    if body.get("IPAddressType"):
        domain.ip_address_type = body["IPAddressType"]
    return json.dumps({"DomainConfig": domain.to_config_dict()})


@mend(OpenSearchServiceResponse)
def upgrade_domain(moto, self):
    """UpgradeDomain: the target is a newer version, which the sandbox does not check. It takes as long as a change."""
    body = json.loads(self.body)
    domain = changeable(self.opensearch_backend, body["DomainName"])
    if not body.get("PerformCheckOnly"):
        domain.engine_version.options, domain.changed_at = body["TargetVersion"], time.monotonic()
    return json.dumps({"DomainName": body["DomainName"], "TargetVersion": body["TargetVersion"], "PerformCheckOnly": bool(body.get("PerformCheckOnly"))})


@mend(OpenSearchServiceResponse)
def list_tags(moto, self):
    """ListTags: a domain that does not exist gives ResourceNotFoundException."""
    name = (self._get_param("arn") or "").rsplit("/", 1)[-1]
    if name not in self.opensearch_backend.domains:
        raise ResourceNotFoundException(name)
    return moto()
