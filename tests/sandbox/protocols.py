"""Determines the service and operation of a request, writes errors in AWS's protocols, and types JSON answers."""
import datetime
import functools
import html
import io
import json
import re
from urllib.parse import parse_qs

import cbor2
from moto.core import utils
REST_XML = {"s3", "route53", "cloudfront", "s3control"}
# The service's name in the signature -> botocore's name of the service.
SIGNING = {
    "elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "email": "ses", "tagging": "resourcegroupstaggingapi",
    "states": "stepfunctions", "aps": "amp", "elasticfilesystem": "efs", "elasticmapreduce": "emr", "es": "opensearch",
}


class NotImplementedHere(Exception):
    """An operation, or a whole service, that moto does not implement."""


@functools.cache
def model(service):
    """Returns botocore's model of a service, or None when there is no model.

    The lookup uses moto's cache, because reading a model takes up to 0.1 s.
    """
    try:
        return utils.get_service_model(service)
    except Exception:
        return None


def service_of(env):
    """Returns botocore's name of the service that the request is signed for."""
    signed = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/,]+)/aws4_request", env.get("HTTP_AUTHORIZATION", ""))
    name = signed.group(1) if signed else ""
    return SIGNING.get(name, name)


def body_of(env):
    """Reads the request's body and puts it back, so that it can be read again."""
    length = env.get("CONTENT_LENGTH")
    body = env["wsgi.input"].read(int(length)) if length else (env["wsgi.input"].read() if env.get("wsgi.input_terminated") else b"")
    env["wsgi.input"], env["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
    return body


def protocol_of(env):
    """Returns the request's protocol: cbor, json, ec2, query, rest-xml or rest-json."""
    service = service_of(env)
    if "HTTP_SMITHY_PROTOCOL" in env or "cbor" in env.get("CONTENT_TYPE", ""):
        return "cbor"
    if "HTTP_X_AMZ_TARGET" in env:
        return "json"
    if env.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return "ec2" if service == "ec2" else "query"
    return "rest-xml" if service in REST_XML else "rest-json"


def operation_of(env):
    """Returns the operation's name. For REST services the method and path are matched against botocore's model."""
    protocol, path = protocol_of(env), env.get("PATH_INFO", "/")
    if protocol == "cbor":
        return path.rsplit("/", 1)[-1]
    if protocol == "json":
        return env["HTTP_X_AMZ_TARGET"].rsplit(".", 1)[-1]
    if protocol in ("ec2", "query"):
        return parse_qs(body_of(env).decode("utf-8", "replace")).get("Action", ["?"])[0]
    fitting = [(len(pattern.pattern), name) for method, pattern, name in paths(service_of(env))
               if method == env["REQUEST_METHOD"] and pattern.fullmatch(path.rstrip("/"))]
    return max(fitting)[1] if fitting else f"{env['REQUEST_METHOD']} {path}"


@functools.cache
def paths(service):
    """Returns the method, path pattern and name of each operation of a REST service."""
    known = []
    for name in model(service).operation_names if model(service) else []:
        http = model(service).operation_model(name).http
        path = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(http["requestUri"].split("?")[0].rstrip("/")))
        known.append((http["method"], re.compile(path), name))
    return known


def error(env, status, code, message):
    """Returns (status line, headers, body) of an error in the request's protocol."""
    protocol, text = protocol_of(env), html.escape(message)
    fault = "Receiver" if status >= 500 else "Sender"
    headers = [("x-amzn-requestid", "sandbox")]
    if protocol in ("json", "rest-json", "cbor"):
        headers += [("x-amzn-errortype", code)]
        shaped = {"__type": code, "message": message}
        if protocol == "cbor":
            headers += [("smithy-protocol", "rpc-v2-cbor"), ("x-amzn-query-error", f"{code};{fault}")]
            kind, body = "application/cbor", cbor2.dumps(shaped)
        else:
            kind, body = "application/json", json.dumps(shaped).encode()
    else:
        inner = f"<Code>{code}</Code><Message>{text}</Message>"
        if protocol == "ec2":
            xml = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>sandbox</RequestID></Response>"
        elif service_of(env) == "s3":
            xml = f"<Error>{inner}<RequestId>sandbox</RequestId></Error>"
        else:
            xml = f"<ErrorResponse><Error><Type>{fault}</Type>{inner}</Error><RequestId>sandbox</RequestId></ErrorResponse>"
        kind, body = "text/xml", xml.encode()
    reason = {501: "Not Implemented", 500: "Internal Server Error"}.get(status, "Error")
    return f"{status} {reason}", headers + [("Content-Type", kind), ("Content-Length", str(len(body)))], body


def typed(value, shape, timestamp):
    """Converts a decoded JSON value to the types of botocore's shape and drops nulls. `timestamp` converts a time to
    the protocol's form."""
    if value is None or shape is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {k: typed(v, shape.members.get(k), timestamp) for k, v in value.items() if v is not None}
    if kind == "list" and isinstance(value, list):
        return [typed(v, shape.member, timestamp) for v in value]
    if kind == "map" and isinstance(value, dict):
        return {k: typed(v, shape.value, timestamp) for k, v in value.items() if v is not None}
    if kind == "timestamp":
        if isinstance(value, str):
            moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            value = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()
        return timestamp(value)
    if kind in ("double", "float"):
        return float(value)
    if kind in ("integer", "long"):
        return int(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if kind == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value
