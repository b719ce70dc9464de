"""ACM behaves as its API Reference and User Guide document it."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import refused, tags

KEY = rsa.generate_private_key(65537, 2048)


def imported(aws, domain="example.org", key=KEY):
    """Imports a certificate, which is ISSUED at once, as a test of the product does. Returns its ARN."""
    now, name = datetime.datetime.now(datetime.timezone.utc), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(90))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), False).sign(key, hashes.SHA256()))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return aws("acm").import_certificate(Certificate=certificate.public_bytes(serialization.Encoding.PEM), PrivateKey=secret)["CertificateArn"]


def test_imported_certificate_is_issued_at_once(aws):
    made = imported(aws)
    shown = aws("acm").describe_certificate(CertificateArn=made)["Certificate"]
    assert (shown["Status"], shown["Type"], shown["DomainName"], shown["InUseBy"]) == ("ISSUED", "IMPORTED", "example.org", [])
    listed = aws("acm").list_certificates(CertificateStatuses=["ISSUED"])["CertificateSummaryList"]
    assert [c["CertificateArn"] for c in listed] == [made]
    aws("acm").delete_certificate(CertificateArn=made)
    refused("ResourceNotFoundException", aws("acm").describe_certificate, CertificateArn=made)


def test_list_certificates_returns_only_rsa_certificates_by_default(aws):
    """Filters.keyTypes: "Default filtering returns only RSA_1024 and RSA_2048 certificates"."""
    made = imported(aws, key=ec.generate_private_key(ec.SECP256R1()))
    assert aws("acm").list_certificates()["CertificateSummaryList"] == []
    assert len(aws("acm").list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]) == 1 and made


def test_requested_certificate_is_issued_when_its_dns_records_exist(aws):
    """DNS validation: the certificate is issued when the CNAME records of all its domains exist."""
    acm, route53 = aws("acm"), aws("route53")
    made = acm.request_certificate(DomainName="example.org", SubjectAlternativeNames=["*.example.org", "www.example.net"], ValidationMethod="DNS",
                                   Tags=tags(a="b"))["CertificateArn"]
    pending = acm.describe_certificate(CertificateArn=made)["Certificate"]
    assert pending["Status"] == "PENDING_VALIDATION" and not {"NotAfter", "Serial", "IssuedAt"} & set(pending)
    assert pending["SubjectAlternativeNames"] == ["example.org", "*.example.org", "www.example.net"]
    records = {o["DomainName"]: o["ResourceRecord"] for o in pending["DomainValidationOptions"]}
    assert records["example.org"] == records["*.example.org"] != records["www.example.net"]
    for domain, zone in (("example.org", "example.org"), ("www.example.net", "example.net")):
        made_zone = route53.create_hosted_zone(Name=zone, CallerReference=zone)["HostedZone"]["Id"]
        assert acm.describe_certificate(CertificateArn=made)["Certificate"]["Status"] == "PENDING_VALIDATION"
        route53.change_resource_record_sets(HostedZoneId=made_zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": {
            "Name": records[domain]["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": records[domain]["Value"]}]}}]})
    issued = acm.describe_certificate(CertificateArn=made)["Certificate"]
    assert issued["Status"] == "ISSUED" and issued["IssuedAt"] and issued["NotAfter"]
    assert acm.list_tags_for_certificate(CertificateArn=made)["Tags"] == tags(a="b")
    acm.update_certificate_options(CertificateArn=made, Options={"CertificateTransparencyLoggingPreference": "DISABLED"})
    assert acm.describe_certificate(CertificateArn=made)["Certificate"]["Options"]["CertificateTransparencyLoggingPreference"] == "DISABLED"


def test_certificate_is_pending_validation_until_acm_detects_the_records(aws):
    """The setting pending.certificate: AWS detects the records after some minutes."""
    acm, route53 = aws("acm"), aws("route53")
    aws.set(pending={"certificate": 60})
    made = acm.request_certificate(DomainName="example.org", ValidationMethod="DNS")["CertificateArn"]
    record = acm.describe_certificate(CertificateArn=made)["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"]
    zone = route53.create_hosted_zone(Name="example.org", CallerReference="z")["HostedZone"]["Id"]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": {
        "Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}}]})
    assert acm.describe_certificate(CertificateArn=made)["Certificate"]["Status"] == "PENDING_VALIDATION"
    aws.set(pending={"certificate": 0})
    assert acm.describe_certificate(CertificateArn=made)["Certificate"]["Status"] == "ISSUED"
