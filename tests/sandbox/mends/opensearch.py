"""OpenSearch Service: domains. Creation, changes and deletion take time."""
import copy
import time

from moto.opensearch import models
from moto.opensearch.exceptions import ResourceNotFoundException
from moto.opensearch.models import OpenSearchDomain, OpenSearchServiceBackend, opensearch_backends
from moto.core.exceptions import JsonRESTError

import knobs
from mends import computed, core, mend

knobs.DEFAULTS["pending"].update(searchDomain=0, searchDomainChange=0, searchDomainDelete=0)
knobs.reset()

# CreateDomain: the default TLS version is 1.2; the default engine version is "the latest version of OpenSearch".
models.default_domain_endpoint_options["TLSSecurityPolicy"] = "Policy-Min-TLS-1-2-2019-07"
OFF_PEAK = {"Enabled": True, "OffPeakWindow": {"WindowStartTime": {"Hours": 22, "Minutes": 0}}}
GP3 = {"Iops": 3000, "Throughput": 125}


def phase(domain):
    """Returns the phase of a domain: Creating, Active, Modifying, Deleting or `Gone`.

    Processing: true while the domain is created, changed or deleted. Deleted: true as soon as the deletion has begun.
    """
    if deleted := domain.__dict__.get("deleted_at"):
        return "Deleting" if knobs.pending("searchDomainDelete", deleted) else "Gone"
    if knobs.pending("searchDomain", domain.born):
        return "Creating"
    return "Modifying" if knobs.pending("searchDomainChange", domain.__dict__.get("changed_at", 0)) else "Active"


@computed(OpenSearchDomain)
def processing(self):
    return phase(self) != "Active"


@computed(OpenSearchDomain)
def deleted(self):
    return "deleted_at" in self.__dict__


def settle():
    """Removes the domains whose deletion is complete, and their tags."""
    for account in opensearch_backends.values():
        for backend in account.values():
            for name, domain in list(backend.domains.items()):
                if phase(domain) == "Gone":
                    del backend.domains[name]
                    backend.tagger.delete_all_tags_for_resource(domain.arn)


core.ticks.append(settle)


def ebs(options):
    """EBSOptions: gp3 has at least 3000 IOPS and 125 MiB a second. Volume types without these settings have neither."""
    options = dict(options or {"EBSEnabled": False})
    if options.get("EBSEnabled"):
        options.setdefault("VolumeType", "gp3")
        return {**GP3, **options} if options["VolumeType"] == "gp3" else options
    return options


def auto_tune(options):
    """AutoTuneOptionsOutput has State instead of DesiredState."""
    given = options or {}
    return {"State": given.get("DesiredState", "ENABLED"), "UseOffPeakWindow": given.get("UseOffPeakWindow", False)}


@mend(OpenSearchDomain, "__init__")
def begin(moto, self, *args, **given):
    given = copy.deepcopy(given)
    auto = auto_tune(given.get("auto_tune_options"))
    given["off_peak_window_options"] = {**OFF_PEAK, **(given.get("off_peak_window_options") or {})}
    given["software_update_options"] = given.get("software_update_options") or {"AutoSoftwareUpdateEnabled": False}
    given["domain_endpoint_options"] = {**models.default_domain_endpoint_options, **(given.get("domain_endpoint_options") or {})}
    given["advanced_options"] = {**models.default_advanced_options, **(given.get("advanced_options") or {})}
    moto(*args, **given)
    self.auto_tune_options = auto
    self.ebs_options = ebs(self.ebs_options)
    self.ip_address_type = "ipv4"
    self.engine_version.options = given.get("engine_version") or "OpenSearch_2.19"
    self.advanced_security_options = without_master(self.advanced_security_options)
    self.encryption_at_rest_options = key_of(self, self.encryption_at_rest_options)
    if self.vpc_options:
        self.endpoints = {"vpc": f"vpc-{self.domain_name}-0123456789.us-east-1.es.amazonaws.com"}


def without_master(options):
    """AdvancedSecurityOptions: the master user is accepted in requests and never returned."""
    complete = {"Enabled": False, "InternalUserDatabaseEnabled": False, "AnonymousAuthEnabled": False, **(options or {})}
    return {key: value for key, value in complete.items() if key != "MasterUserOptions"}


def key_of(domain, options):
    """EncryptionAtRestOptions: the key's ARN. Without a given key it is the ARN of aws/es."""
    region, account = domain.arn.split(":")[3:5]
    if (options or {}).get("Enabled"):
        return {"KmsKeyId": f"arn:aws:kms:{region}:{account}:key/aws-es", **options}
    return options or {"Enabled": False}


@mend(OpenSearchDomain)
def to_dict(moto, self):
    """DomainStatus: a domain has no endpoint while it is created. VPCOptions is a VPCDerivedInfo.

    DomainProcessingStatus is the phase as a word.
    """
    described = moto()
    described.update(DomainProcessingStatus=phase(self), IPAddressType=self.ip_address_type, SnapshotOptions={})
    if phase(self) == "Creating":
        described.pop("Endpoint", None), described.pop("Endpoints", None)
    if self.vpc_options:
        described["VPCOptions"] = {"VPCId": "vpc-0", "AvailabilityZones": [], **self.vpc_options}
    return described


@mend(OpenSearchServiceBackend)
def create_domain(moto, self, domain_name, **given):
    """CreateDomain: an existing name gives ResourceAlreadyExistsException.

    Fine-grained access control needs encryption at rest, node-to-node encryption and enforced HTTPS.
    """
    if domain_name in self.domains:
        raise JsonRESTError("ResourceAlreadyExistsException", f"Domain {domain_name} already exists")
    if (given.get("advanced_security_options") or {}).get("Enabled"):
        needed = (given.get("encryption_at_rest_options") or {}).get("Enabled"), (given.get("node_to_node_encryption_options") or {}).get("Enabled"), \
            (given.get("domain_endpoint_options") or {}).get("EnforceHTTPS")
        if not all(needed):
            raise JsonRESTError("ValidationException", "You must enable enforced HTTPS, node-to-node encryption and encryption at rest")
    return moto(domain_name=domain_name, **given)


def changeable(self, domain_name):
    if domain_name not in self.domains:
        raise ResourceNotFoundException(domain_name)
    domain = self.domains[domain_name]
    if phase(domain) != "Active":
        raise JsonRESTError("ConflictException", "A change/update is in progress. Please wait for it to complete before requesting another change.")
    return domain


@mend(OpenSearchServiceBackend)
def update_domain_config(moto, self, domain_name, **given):
    """UpdateDomainConfig changes each given part. An empty access policy removes the policy. Encryption and
    fine-grained access control can never be disabled."""
    domain = changeable(self, domain_name)
    for part in ("encryption_at_rest_options", "node_to_node_encryption_options", "advanced_security_options"):
        requested = given.get(part)
        if requested and requested.get("Enabled") is False and getattr(domain, part).get("Enabled"):
            raise JsonRESTError("ValidationException", f"{part} cannot be disabled once it is enabled.")
    merged = {"cluster_config": given.get("cluster_config") and {**domain.cluster_config, **given["cluster_config"]}}
    if given.get("ebs_options"):
        merged["ebs_options"] = ebs(given["ebs_options"])
    if given.get("auto_tune_options"):
        merged["auto_tune_options"] = auto_tune({"UseOffPeakWindow": domain.auto_tune_options.get("UseOffPeakWindow", False), **given["auto_tune_options"]})
    for part in ("domain_endpoint_options", "advanced_options", "off_peak_window_options", "software_update_options"):
        if given.get(part):
            merged[part] = {**getattr(domain, part), **given[part]}
    if given.get("log_publishing_options"):
        merged["log_publishing_options"] = {**(domain.log_publishing_options or {}), **given["log_publishing_options"]}
    if given.get("advanced_security_options"):
        merged["advanced_security_options"] = without_master({**domain.advanced_security_options, **given["advanced_security_options"]})
    if given.get("encryption_at_rest_options"):
        merged["encryption_at_rest_options"] = key_of(domain, given["encryption_at_rest_options"])
    moto(domain_name=domain_name, **{**given, **merged})
    if given.get("access_policies") == "":
        domain.access_policies = ""
    domain.changed_at = time.monotonic()
    return domain


@mend(models.OpenSearchServiceBackend)
def delete_domain(moto, self, domain_name):
    """DeleteDomain sets Deleted to true. The domain is listed until its deletion is complete."""
    if domain_name not in self.domains:
        raise ResourceNotFoundException(domain_name)
    domain = self.domains[domain_name]
    domain.__dict__.setdefault("deleted_at", time.monotonic())
    settle()
    return domain
