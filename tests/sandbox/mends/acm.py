"""ACM: certificates that are issued after their validation, and the resources that use a certificate."""
import hashlib
import time

from moto.acm.models import AWSCertificateManagerBackend, CertBundle, acm_backends
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.exceptions import AWSError
from moto.core.responses import EmptyResult
from moto.core.utils import utcnow
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends

import knobs
from mends import computed, core, mend

# The seconds between the creation of the CNAME record and the issuance of the certificate.
knobs.DEFAULTS["pending"]["certificate"] = 0
knobs.reset()


@computed(CertBundle)
def in_use_by(self):
    """CertificateDetail.InUseBy: the ARNs of the resources that use the certificate. In the sandbox these are load
    balancers."""
    _, _, _, region, account, _ = self.arn.split(":", 5)
    return [lb.arn for lb in elbv2_backends[account][region].load_balancers.values()
            if any(self.arn in listener.certificates for listener in lb.listeners.values())]


def record(account, domain):
    """DNS validation (ACM User Guide): there is one CNAME record for a domain and an account. *.example.com has the
    same record as example.com."""
    plain = domain.removeprefix("*.")
    name, value = (hashlib.md5(f"{account} {plain} {what}".encode()).hexdigest() for what in ("name", "value"))
    return {"Name": f"_{name}.{plain}.", "Type": "CNAME", "Value": f"_{value}.sandbox.acm-validations.aws."}


def has_record(account, expected):
    for zone in route53_backends[account]["aws"].zones.values():
        for found in zone.rrsets:
            if found.name.rstrip(".") == expected["Name"].rstrip(".") and found.type == "CNAME":
                return expected["Value"].rstrip(".") in [r.rstrip(".") for r in found.records]
    return False


@mend(CertBundle)
def check(moto, self):
    """A requested certificate becomes ISSUED when the CNAME record of every domain exists, and not merely after some
    time.

    AWS detects the records after some minutes. The sandbox detects them after the seconds in the setting
    pending.certificate.
    """
    account = self.arn.split(":")[4]
    if self.status == "PENDING_VALIDATION" and all(has_record(account, record(account, d)) for d in self.domains()):
        self.seen_at = self.__dict__.get("seen_at") or time.monotonic()
        if not knobs.pending("certificate", self.seen_at):
            self.status, self.issued_at = "ISSUED", utcnow()


def domains(self):
    """Returns the domain name, then the alternative names in the order of the request."""
    return list(dict.fromkeys([self.common_name, *getattr(self, "asked_names", self.sans)]))


CertBundle.domains = domains


@mend(CertBundle)
def describe(moto, self):
    """CertificateDetail: a pending certificate has no serial number, issuer or validity yet. Each domain has its own
    validation record."""
    answer, account = moto(), self.arn.split(":")[4]
    certificate = answer["Certificate"]
    certificate["SubjectAlternativeNames"] = self.domains()
    if self.status == "PENDING_VALIDATION":
        for name in ("Serial", "Issuer", "NotBefore", "NotAfter", "IssuedAt"):
            certificate.pop(name, None)
    elif self.__dict__.get("issued_at"):
        certificate["IssuedAt"] = self.issued_at
    if self.type == "AMAZON_ISSUED":
        method = getattr(self, "method", "DNS")
        certificate["DomainValidationOptions"] = [
            {"DomainName": d, "ValidationDomain": d, "ValidationMethod": method,
             "ValidationStatus": "SUCCESS" if self.status == "ISSUED" or has_record(account, record(account, d)) else "PENDING_VALIDATION",
             **({"ResourceRecord": record(account, d)} if method == "DNS" else {})} for d in self.domains()]
    return answer


@mend(AWSCertificateManagerResponse)
def request_certificate(moto, self):
    answer = moto()
    made = self.acm_backend._certificates[answer.result["CertificateArn"]]
    made.asked_names, made.method = self._get_param("SubjectAlternativeNames") or [], self._get_param("ValidationMethod") or "EMAIL"
    return answer


@mend(AWSCertificateManagerBackend)
def delete_certificate(moto, self, arn):
    """DeleteCertificate: "You cannot delete an ACM certificate that is being used by another AWS service"."""
    if arn in self._certificates and self._certificates[arn].in_use_by:
        raise AWSError(f"Certificate {arn} in account {self.account_id} is in use.", "ResourceInUseException")
    return moto(arn)


@mend(AWSCertificateManagerBackend)
def list_certificates(moto, self, statuses, includes):
    """Filters.keyTypes: "Default filtering returns only RSA_1024 and RSA_2048 certificates"."""
    kinds = (includes or {}).get("keyTypes") or ["RSA_1024", "RSA_2048"]
    rest = {k: v for k, v in (includes or {}).items() if k != "keyTypes"}
    return [c for c in moto(statuses, rest) if c.describe()["Certificate"]["KeyAlgorithm"] in kinds]


@mend(AWSCertificateManagerResponse)
def update_certificate_options(moto, self):
    """UpdateCertificateOptions sets whether the certificate is recorded in a certificate transparency log."""
    self.acm_backend.get_certificate(self._get_param("CertificateArn")).cert_options.update(self._get_param("Options") or {})
    return EmptyResult()


def validate():
    """Validates certificates in the background: a listener may need a certificate that no call has described yet."""
    for account in list(acm_backends.values()):
        for backend in list(account.values()):
            for certificate in backend._certificates.values():
                if certificate.status == "PENDING_VALIDATION":
                    certificate.check()


core.ticks.append(validate)
