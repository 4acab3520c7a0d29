"""A Ray dashboard that asks for its token and shows what a target in memory runs."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RayDashboard(ThreadingHTTPServer):
    """The Serve API of a head.

    Args:
        target: What runs.
        token: That every request must have.
    """

    daemon_threads = True

    def __init__(self, target, token):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.token = target, token
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("authorization") != f"Bearer {self.server.token}":
            self.send_error(401)
            return
        applications = {
            name: {
                "status": each.status,
                "message": each.message,
                "deployed_app_config": each.config,
                "deployments": {"Any": {"status": "HEALTHY", "replicas": [{"state": "RUNNING"}]}},
            }
            for name, each in self.server.target.state().applications.items()
        }
        content = json.dumps({"applications": applications}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass
