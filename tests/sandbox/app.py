"""The sandbox's WSGI application: it serves AWS requests through moto, and the sandbox's own endpoints.

Requests are passed to moto one at a time. Every error has the form of AWS's protocols; no answer is an HTML page.

    POST /holdfast/reset           deletes all state, restores the default settings and clears the call log
    GET, POST /holdfast/settings   reads or changes the settings (knobs.py)
    GET /holdfast/resources        the ids of all resources by kind (inventory.py)
    GET /holdfast/calls            every AWS call since the last reset, for tests that count calls: [{"service", "operation"}]
"""
import functools
import json
import sys
import threading
import traceback

import loading  # noqa: F401  must be first: it caches the loaders of AWS's models
import stale  # noqa: F401  must be second: it stamps every model object that moto creates
import inventory
import knobs
import mends
import protocols
from cbor import Cbor
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

calls = []


def empty():
    """Removes every backend; the next request that needs a backend creates it. This is far quicker than moto's own
    reset, which creates every backend twice."""
    for backends in BackendDict._instances:
        backends.clear()
    BackendDict._instances.clear()
    reset_model_data()
    knobs.reset()
    calls.clear()


class Sandbox:
    def __init__(self, app):
        self.app, self.lock = app, threading.RLock()  # moto's state is not thread-safe

    def __call__(self, env, start):
        with self.lock:
            if env.get("PATH_INFO", "").startswith("/holdfast/"):
                status, headers, body = self.ours(env)
            else:
                status, headers, body = self.aws(env)
        start(status, headers)
        return [body]

    def ours(self, env):
        """Serves the sandbox's own endpoints."""
        what, post = env["PATH_INFO"].removeprefix("/holdfast/"), env["REQUEST_METHOD"] == "POST"
        status, answer = "200 OK", {}
        try:
            if what == "reset" and post:
                empty()
            elif what == "settings":
                if post:
                    knobs.merge(json.loads(protocols.body_of(env) or b"{}"))
                answer = knobs.settings
            elif what == "resources":
                answer = inventory.resources()
            elif what == "calls":
                answer = calls
            else:
                status, answer = "404 Not Found", {"error": f"{env['REQUEST_METHOD']} {env['PATH_INFO']}"}
        except (ValueError, AttributeError, TypeError) as wrong:
            status, answer = "400 Bad Request", {"error": str(wrong)}
        body = json.dumps(answer).encode()
        return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body

    def aws(self, env):
        """Serves one AWS request.

        An operation that moto does not implement answers 501 NotImplemented. An exception in moto answers 500
        InternalFailure.
        """
        body = protocols.body_of(env)
        operation = protocols.operation_of(env)
        calls.append({"service": protocols.service_of(env), "operation": operation})
        answer = {}
        try:
            inner = dict(env)
            protocols.body_of(inner)
            out = b"".join(self.app(inner, lambda status, headers, exc=None: answer.update(status=status, headers=headers)))
        except (NotImplementedError, protocols.NotImplementedHere) as lacking:
            return protocols.error(env, 501, "NotImplemented", f"{operation}: {lacking or 'not implemented'} (the sandbox does not implement it)")
        except Exception as broken:
            print(f"sandbox: moto failed on {operation} with the body {body[:2000]!r}:", file=sys.stderr)
            traceback.print_exc(limit=-6)
            return protocols.error(env, 500, "InternalFailure", f"{operation}: moto failed: {type(broken).__name__}: {str(broken)[:500]}")
        status, headers = answer["status"], answer["headers"]
        if status[:3] in ("404", "405") and env["REQUEST_METHOD"] != "HEAD" and (not out.strip() or b"<!doctype html" in out[:200].lower()):
            return protocols.error(env, 501, "NotImplemented", f"{operation}: moto has no such path (the sandbox does not implement the operation)")
        if protocols.protocol_of(env) == "json":
            out = self.typed(env, operation, out) if status.startswith("2") else out
            headers = [(k, v) for k, v in headers if k.lower() != "content-type"] + [("Content-Type", "application/x-amz-json-1.1")]
        if env["REQUEST_METHOD"] != "HEAD":
            headers = [(k, v) for k, v in headers if k.lower() != "content-length"] + [("Content-Length", str(len(out)))]
        return status, headers, out

    @staticmethod
    def typed(env, operation, out):
        """Converts a JSON answer to the types of AWS's model: the Rust SDK rejects a number that is written as a
        string."""
        service = protocols.model(protocols.service_of(env))
        shape = service.operation_model(operation).output_shape if service and operation in service.operation_names else None
        if shape is None or not out.strip():
            return out
        return json.dumps(protocols.typed(json.loads(out), shape, lambda seconds: seconds)).encode()


class Dispatcher(DomainDispatcherApplication):
    """Selects the service's backend, as moto does. A service that moto does not have raises NotImplementedHere; moto
    alone would treat the request as S3."""

    @functools.cache
    def get_backend_for_host(self, host):
        """Caches moto's lookup, which lists the folders of all services several times for each request. The lookup
        would take most of a request's time."""
        return super().get_backend_for_host(host)

    def infer_service_region_host(self, environ, path):
        host = super().infer_service_region_host(environ, path)
        service = protocols.service_of(environ)
        if service and host and self.get_backend_for_host(host) is None:
            raise protocols.NotImplementedHere(f"service {service}")
        return host


def application():
    mends.apply()
    return Sandbox(Cbor(Dispatcher(create_backend_app)))
