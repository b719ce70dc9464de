"""Elastic Load Balancing v2: listeners and their actions."""
from moto.acm.models import acm_backends
from moto.core.responses import ActionResult
from moto.elbv2.exceptions import DuplicateListenerError, ListenerNotFoundError, LoadBalancerNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeAction, FakeListener
from moto.elbv2.responses import ELBV2Response
from moto.elbv2.ssl_policies import SSL_POLICIES

from mends import mend
from mends.elbv2 import refuse

SECURE = ("HTTPS", "TLS")
REDIRECT = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
HEADERS = ("strict_transport_security", "access_control_allow_origin", "access_control_allow_methods", "access_control_allow_headers",
           "access_control_allow_credentials", "access_control_expose_headers", "access_control_max_age", "content_security_policy",
           "x_content_type_options", "x_frame_options")


@mend(FakeAction, "__init__")
def action(moto, self, data):
    """Action: a forward to one target group is returned both as TargetGroupArn and as ForwardConfig.

    RedirectActionConfig: "Any components that you do not modify retain their original values"; they are returned as the
    reserved keywords.
    """
    if data.get("Type") == "forward":
        groups = (data.get("ForwardConfig") or {}).get("TargetGroups") or [{"TargetGroupArn": data.get("TargetGroupArn")}]
        data["ForwardConfig"] = {"TargetGroupStickinessConfig": {"Enabled": False}, **(data.get("ForwardConfig") or {}), "TargetGroups": groups}
        if len(groups) == 1:
            data["TargetGroupArn"] = groups[0]["TargetGroupArn"]
    if data.get("Type") == "redirect":
        data["RedirectConfig"] = {**REDIRECT, **data.get("RedirectConfig", {})}
    moto(data)


@mend(FakeListener, "__init__")
def listener(moto, self, *args, **kwargs):
    """Listener.SslPolicy exists for HTTPS and TLS only. DescribeListenerAttributes: each type of load balancer has its
    own attributes."""
    moto(*args, **kwargs)
    if self.protocol not in SECURE:
        self.ssl_policy = None
    if self.protocol in ("HTTP", "HTTPS"):
        self.attributes = {"routing.http.response.server.enabled": "true",
                           **{f"routing.http.response.{name}.header_value": "" for name in HEADERS}}


# Listener.Certificates: "The default certificate for the listener"
for output in ("CreateListener", "DescribeListeners", "ModifyListener"):
    ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER[f"{output}Output.Listeners.Listener.Certificates"] = (
        lambda certificates: [{"CertificateArn": certificates[0]}] if certificates else None)


def check_certificate(self, certificates):
    """A certificate must exist. An ACM certificate must also be issued."""
    if len(certificates) != 1:
        refuse("ValidationError", "A certificate must be specified for HTTPS listeners; you must provide exactly one certificate")
    arn = certificates[0]["CertificateArn"]
    if not self.elbv2_backend._certificate_exists(arn):
        refuse("CertificateNotFound", f"Certificate '{arn}' not found")
    bundle = acm_backends[self.current_account][self.region]._certificates.get(arn)
    if bundle and bundle.status != "ISSUED":
        refuse("UnsupportedCertificate", f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a "
                                         "supported RSA key size.")


def check_policy(policy):
    if policy and policy not in SSL_POLICIES:
        refuse("SSLPolicyNotFound", f"SSL policy '{policy}' not found")


@mend(ELBV2Response)
def create_listener(moto, self):
    """CreateListener is idempotent: the same settings return the same listener. Another listener on the port gives
    DuplicateListener."""
    balancer = self.elbv2_backend.load_balancers.get(self._get_param("LoadBalancerArn"))
    if balancer is None:
        raise LoadBalancerNotFoundError()
    asked = {k: v for k, v in self.params.items() if k != "Tags"}
    for present in balancer.listeners.values():
        if present.port == self._get_param("Port"):
            if getattr(present, "asked", None) != repr(asked):
                raise DuplicateListenerError()
            return ActionResult({"Listeners": [present]})
    asked = repr(asked)  # before moto adds its defaults to the same structure
    check_policy(self._get_param("SslPolicy"))
    if self._get_param("Protocol") in SECURE:
        check_certificate(self, self._get_param("Certificates", []))
    answer = moto()
    answer.result["Listeners"][0].asked = asked
    return answer


@mend(ELBV2Response)
def modify_listener(moto, self):
    """ModifyListener: "Changing the protocol from HTTPS to HTTP [...] removes the security policy and default
    certificate properties".

    Certificates is the default certificate; the additional certificates are kept. A port that is already in use gives
    DuplicateListener.
    """
    backend, arn = self.elbv2_backend, self._get_param("ListenerArn")
    present = backend.describe_listeners(None, [arn])[0]
    port, protocol, certificates = self._get_param("Port"), self._get_param("Protocol") or present.protocol, self._get_param("Certificates", [])
    if any(o.port == port and o is not present for o in backend.load_balancers[present.load_balancer_arn].listeners.values()):
        raise DuplicateListenerError()
    check_policy(self._get_param("SslPolicy"))
    if protocol in SECURE and (certificates or not present.certificates):
        check_certificate(self, certificates)
    backend._validate_actions([FakeAction(dict(a)) for a in self._get_param("DefaultActions", [])])
    additional = present.certificates[1:]
    answer = moto()
    if protocol not in SECURE:
        present.certificates, present.certificate, present.ssl_policy = [], None, None
    else:
        present.certificates = present.certificates[:1] + additional
        present.ssl_policy = present.ssl_policy or "ELBSecurityPolicy-2016-08"
    if self._get_param("AlpnPolicy"):
        present.alpn_policy = self._get_param("AlpnPolicy")
    present.asked = None
    return answer


@mend(ELBv2Backend, "modify_listener")
def modify_protocol(moto, self, arn, port=None, protocol=None, *args, **kwargs):
    """ModifyListener: "Network Load Balancers support TCP, TLS, UDP, TCP_UDP [...]"; moto accepts only TCP."""
    of_network = protocol in ("TLS", "UDP", "TCP_UDP")
    changed = moto(arn, port, "TCP" if of_network else protocol, *args, **kwargs)
    changed.protocol = protocol if of_network else changed.protocol
    return changed


@mend(ELBv2Backend)
def describe_listeners(moto, self, load_balancer_arn, listener_arns):
    """DescribeListeners: an unknown ARN gives ListenerNotFound."""
    found = moto(load_balancer_arn, listener_arns)
    if not load_balancer_arn and len(found) < len(set(listener_arns)):
        raise ListenerNotFoundError()
    return found


@mend(ELBv2Backend)
def delete_listener(moto, self, listener_arn):
    self.tagging_service.delete_all_tags_for_resource(listener_arn)
    return moto(listener_arn)
