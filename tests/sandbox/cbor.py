"""Translates CloudWatch's rpc-v2-cbor, which current SDKs use, to the JSON protocol, which moto implements, and back.

Smithy, "RPC v2 CBOR protocol": a request is POST /service/<ServiceName>/operation/<OperationName> with the header
`smithy-protocol: rpc-v2-cbor`. Bodies are CBOR, timestamps have tag 1 (epoch seconds), and errors carry the shape's
name in `__type`.
"""
import datetime
import io
import json

import cbor2

from protocols import model, typed


def to_json(value):
    """Converts the request's values to values that JSON supports."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [to_json(v) for v in value]
    return value


class Cbor:
    """WSGI middleware in front of moto that translates rpc-v2-cbor requests and their answers."""

    def __init__(self, app, service="cloudwatch", target="GraniteServiceVersion20100801"):
        self.app, self.service, self.target = app, service, target

    def __call__(self, env, start):
        path = env.get("PATH_INFO", "")
        if "/operation/" not in path or "cbor" not in env.get("CONTENT_TYPE", "") + env.get("HTTP_SMITHY_PROTOCOL", ""):
            return self.app(env, start)
        operation = path.rsplit("/", 1)[1]
        raw = env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0))
        body = json.dumps(to_json(cbor2.loads(raw) if raw else {})).encode()
        inner = {k: v for k, v in env.items() if k != "HTTP_SMITHY_PROTOCOL"}
        inner.update({
            "PATH_INFO": "/", "RAW_URI": "/", "REQUEST_URI": "/", "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "HTTP_X_AMZ_TARGET": f"{self.target}.{operation}",
        })
        answer = {}
        out = b"".join(self.app(inner, lambda status, headers, exc=None: answer.update(status=status, headers=headers)))
        values = json.loads(out) if out.strip() else {}
        if answer["status"].startswith("2"):
            shape = model(self.service).operation_model(operation).output_shape
            values = typed(values, shape, lambda seconds: cbor2.CBORTag(1, float(seconds)))
        body = cbor2.dumps(values or {})
        headers = [(k, v) for k, v in answer["headers"] if k.lower() not in ("content-type", "content-length")]
        start(answer["status"], headers + [
            ("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Length", str(len(body)))])
        return [body]
