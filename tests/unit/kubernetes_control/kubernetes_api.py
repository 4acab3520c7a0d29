"""A Kubernetes API that speaks HTTP: resource versions, watches that expire, conflicts, server-side apply."""

import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from field_ownership import Conflict, applied

NAMESPACE = "raygate-test"


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, code, reason):
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class KubernetesApi(ThreadingHTTPServer):
    """Resources by plural and name; a test reads and writes them as any other client does, without HTTP.

    Attributes:
        is_down: Every request is answered with 503, and watches end.
        on_write: Called with plural and resource after each write.
        requests: Method and path of each request that came by HTTP.
        dies_after: It is down after so many writes by HTTP; None for never.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.is_down, self.on_write, self.requests = False, lambda plural, resource: None, []
        self.dies_after = None
        self.changed = threading.Condition(threading.RLock())
        self.version, self.oldest = 100, 0
        self.stored, self.owners, self.history = {}, {}, []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get(self, plural, name):
        with self.changed:
            if (plural, name) not in self.stored:
                raise Refused(404, "NotFound")
            return copy.deepcopy(self.stored[plural, name])

    def list(self, plural):
        with self.changed:
            return [copy.deepcopy(each) for (kind, _), each in sorted(self.stored.items()) if kind == plural]

    def create(self, plural, resource):
        with self.changed:
            name = resource["metadata"]["name"]
            if (plural, name) in self.stored:
                raise Refused(409, "AlreadyExists")
            metadata = {
                **resource["metadata"],
                "namespace": NAMESPACE,
                "uid": f"uid-{self.version}",
                "generation": 1,
            }
            return self._store("ADDED", plural, {**resource, "metadata": metadata})

    def replace(self, plural, resource, part="spec"):
        """PUT of a resource, or of its status; the rest stays."""
        with self.changed:
            known = self.get(plural, resource["metadata"]["name"])
            self._check_version(known, resource["metadata"])
            return self._change(plural, known, {**known, part: resource.get(part, {})})

    def merge(self, plural, name, patch):
        with self.changed:
            known = self.get(plural, name)
            self._check_version(known, patch.get("metadata", {}))
            return self._change(plural, known, _merged(known, patch))

    def apply(self, plural, resource, manager, force=False):
        """Server-side apply."""
        with self.changed:
            name, metadata = resource["metadata"]["name"], dict(resource["metadata"])
            if (plural, name) not in self.stored:
                if "resourceVersion" in metadata:
                    raise Refused(409, "Conflict")
                self.owners[plural, name] = {}
                self.create(plural, resource)
            known = self.get(plural, name)
            self._check_version(known, metadata)
            metadata.pop("resourceVersion", None)
            resource = {**resource, "metadata": metadata}
            try:
                live, owners = applied(known, self.owners.setdefault((plural, name), {}), manager, resource, force)
            except Conflict as error:
                raise Refused(409, str(error)) from error
            self.owners[plural, name] = owners
            return self._change(plural, known, live)

    def delete(self, plural, name):
        with self.changed:
            known = self.get(plural, name)
            metadata = {**known["metadata"], "deletionTimestamp": "2026-11-21T12:00:00Z"}
            return self._change(plural, known, {**known, "metadata": metadata})

    def forget_history(self):
        """Every watch from before now is expired, also those that are under way."""
        with self.changed:
            self.oldest = self.version
            self.changed.notify_all()

    def go_down(self):
        with self.changed:
            self.is_down = True
            self.changed.notify_all()

    def _check_version(self, known, metadata):
        wanted = metadata.get("resourceVersion")
        if wanted is not None and wanted != known["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict")

    def _change(self, plural, before, after):
        if after == before:
            return before
        metadata = after["metadata"]
        if after.get("spec") != before.get("spec"):
            metadata = {**metadata, "generation": before["metadata"]["generation"] + 1}
        gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        return self._store("DELETED" if gone else "MODIFIED", plural, {**after, "metadata": metadata})

    def _store(self, event, plural, resource):
        self.version += 1
        metadata = {**resource["metadata"], "resourceVersion": str(self.version)}
        resource = copy.deepcopy({**resource, "metadata": metadata})
        if event == "DELETED":
            del self.stored[plural, metadata["name"]]
        else:
            self.stored[plural, metadata["name"]] = resource
        self.history.append((self.version, plural, {"type": event, "object": resource}))
        self.changed.notify_all()
        self.on_write(plural, resource)
        return copy.deepcopy(resource)


def _merged(document, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    made = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for the client's acknowledgement of its head

    def do_GET(self):
        query = self._query()
        if query.get("watch", "").lower() == "true":
            self._watch(int(query["resourceVersion"]))
        elif self._name is None:
            self._answer(lambda api: {
                "items": api.list(self._plural), "metadata": {"resourceVersion": str(api.version)}
            })  # fmt: skip
        else:
            self._answer(lambda api: api.get(self._plural, self._name))

    def do_POST(self):
        body = self._body()
        self._answer(lambda api: api.create(self._plural, body), 201)

    def do_PUT(self):
        body, part = self._body(), "status" if self.path.partition("?")[0].endswith("/status") else "spec"
        self._answer(lambda api: api.replace(self._plural, body, part))

    def do_PATCH(self):
        body, query = self._body(), self._query()
        if self.headers["content-type"] == "application/apply-patch+yaml":
            manager, force = query["fieldManager"], query.get("force", "").lower() == "true"
            self._answer(lambda api: api.apply(self._plural, body, manager, force))
        else:
            assert self.headers["content-type"] == "application/merge-patch+json"
            self._answer(lambda api: api.merge(self._plural, self._name, body))

    @property
    def _steps(self):
        path = urlsplit(self.path).path.split(f"/namespaces/{NAMESPACE}/")[1]
        return path.split("/")

    @property
    def _plural(self):
        return self._steps[0]

    @property
    def _name(self):
        return self._steps[1] if len(self._steps) > 1 else None

    def _query(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def _body(self):
        return json.loads(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, action, status=200):
        self.server.requests.append((self.command, urlsplit(self.path).path))
        try:
            if self.server.is_down:
                raise Refused(503, "ServiceUnavailable")
            document = action(self.server)
            self._count_write()
        except Refused as error:
            status, document = error.code, {"kind": "Status", "message": error.reason, "code": error.code}
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _count_write(self):
        api = self.server
        if api.dies_after is not None and self.command != "GET":
            api.dies_after -= 1
            if api.dies_after == 0:
                api.go_down()

    def _watch(self, since):
        api = self.server
        if api.is_down:
            self._answer(None)
            return
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while True:
            with api.changed:
                news = [(version, event) for version, kind, event in api.history
                        if kind == self._plural and version > since]  # fmt: skip
                if not news and not api.is_down and api.oldest <= since:
                    api.changed.wait(timeout=5)
                expired, down = api.oldest > since, api.is_down
            if expired:
                gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
                news, down = [(since, gone)], True
            try:
                for version, event in news:
                    since = version
                    self._chunk(json.dumps(event).encode() + b"\n")
                if down:
                    self._chunk(b"")
                    return
            except OSError:
                return

    def _chunk(self, content):
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def log_message(self, *arguments):
        pass
