"""A server that takes jobs as a Ray dashboard does, and runs none."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RayJobsServer(ThreadingHTTPServer):
    """Jobs by their submission id; a test sets their state."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jobs, self.submissions = {}, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def taken(self, job_id):
        """A job was taken."""

    def end(self, job_id, status, seconds=10.0, message=""):
        job = self.jobs[job_id]
        job.update(status=status, end_time=job["start_time"] + seconds * 1000, message=message)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        job_id = self.path.removeprefix("/api/jobs/")
        if not job_id:
            self._answer(200, [*self.server.jobs.values(), {"type": "DRIVER", "status": "RUNNING"}])
        elif job_id in self.server.jobs:
            self._answer(200, self.server.jobs[job_id])
        else:
            self._answer(404, f"Job {job_id} does not exist")

    def do_POST(self):
        document = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "{}")
        if self.path.endswith("/stop"):
            self.server.jobs[self.path.split("/")[-2]]["status"] = "STOPPED"
            self._answer(200, {"stopped": True})
            return
        job_id = document["submission_id"]
        if job_id in self.server.jobs:
            self._answer(500, "already exists")
            return
        self.server.submissions += 1
        self.server.jobs[job_id] = {**document, "status": "PENDING", "start_time": time.time() * 1000}
        self.server.taken(job_id)
        self._answer(200, {"submission_id": job_id})

    def _answer(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass
