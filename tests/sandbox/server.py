#!/usr/bin/env python3
"""Starts the sandbox: moto with its corrections, on 127.0.0.1 only.

    python server.py PORT [--until-eof] [--log]

PORT 0 selects a free port. As soon as the server listens, it prints `sandbox listening on http://127.0.0.1:PORT`.
With --until-eof the server ends when its standard input closes, so it never outlives the test that started it.
"""
import os
import sys
import threading

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")  # AWS's managed policies exist in every account
# The default images number 1,300 in every region; loading them takes 0.3 s after every reset.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
os.environ.pop("MOTO_ECS_SERVICE_RUNNING", None)  # mends/ecs_service.py runs the services instead
# moto creates boto3 clients of its own; their calls never leave the process.
os.environ.setdefault("AWS_ACCESS_KEY_ID", "sandbox")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "sandbox")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

import app  # noqa: E402


class Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does. Logs requests only with --log."""

    protocol_version = "HTTP/1.1"
    # Headers and body are sent in two writes; Nagle's algorithm would delay the second write by 40 ms.
    disable_nagle_algorithm = True

    def log_request(self, *args):
        if "--log" in sys.argv:
            super().log_request(*args)


def main():
    server = make_server("127.0.0.1", int(sys.argv[1]), app.application(), threaded=True, request_handler=Handler)
    print(f"sandbox listening on http://127.0.0.1:{server.port}", flush=True)
    if "--until-eof" in sys.argv:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
