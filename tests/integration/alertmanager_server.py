"""A real Alertmanager for the length of a test; receivers on loopback stand for Slack, PagerDuty and mail."""

import json
import socketserver
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import yaml

MOUNTED = "/etc/alertmanager/secrets"


class Inbox:
    """What arrived: (who would have got it, text)."""

    def __init__(self):
        self.messages = []

    def wait_for(self, receiver, text, *, timeout=60.0):
        """The first message for ``receiver`` that holds ``text``."""
        deadline = time.monotonic() + timeout
        while True:
            for name, message in list(self.messages):
                if name == receiver and text in message:
                    return message
            seen = [(name, message[:200]) for name, message in self.messages]
            assert time.monotonic() < deadline, f"no {text!r} for {receiver} in {seen}"
            time.sleep(0.1)


@contextmanager
def notifying(program, directory, shipped, inbox):
    """Run ``program`` with the shipped configuration; only addresses and secrets are those of this machine.

    Yields:
        Its host:port.
    """
    with ExitStack() as stack:
        http = stack.enter_context(_served(ThreadingHTTPServer(("127.0.0.1", 0), _http_receiver(inbox))))
        mail = stack.enter_context(_served(_MailServer(("127.0.0.1", 0), _mail_receiver(inbox))))
        secrets = directory / "secrets"
        secrets.mkdir()
        for name, value in (
            ("slack_url", f"http://127.0.0.1:{http}/slack"),
            ("pagerduty_key", "key-of-the-service"),
            ("smtp_password", "unused"),
        ):
            (secrets / name).write_text(value)
        config = yaml.safe_load(shipped.read_text().replace(MOUNTED, str(secrets)))
        config["global"] |= {
            "pagerduty_url": f"http://127.0.0.1:{http}/pagerduty",
            "smtp_smarthost": f"127.0.0.1:{mail}",
            "smtp_require_tls": False,
        }
        del config["global"]["smtp_auth_username"], config["global"]["smtp_auth_password_file"]
        config["route"] |= {"group_wait": "1s", "group_interval": "1s"}
        (directory / "alertmanager.yaml").write_text(yaml.safe_dump(config))
        yield stack.enter_context(_running(program, directory))


@contextmanager
def _running(program, directory):
    with socketserver.TCPServer(("127.0.0.1", 0), None) as probe:
        address = f"127.0.0.1:{probe.server_address[1]}"
    command = [
        program,
        f"--config.file={directory / 'alertmanager.yaml'}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    log = directory / "alertmanager.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not _ready(address):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _ready(address):
    try:
        return httpx.get(f"http://{address}/-/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _served(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _http_receiver(inbox):
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):  # the name that http.server looks for
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            inbox.messages.append((self.path.strip("/"), json.dumps(json.loads(body))))
            answer = b'{"status": "success", "message": "taken", "dedup_key": "1"}'
            self.send_response(202 if self.path == "/pagerduty" else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    return Receiver


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _mail_receiver(inbox):
    class Receiver(socketserver.StreamRequestHandler):
        """As much of SMTP as one client needs."""

        def handle(self):
            self._say("220 loopback")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self._say("354 go on")
                    inbox.messages.append(("mail", self._text()))
                    self._say("250 taken")
                elif verb == b"QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 loopback")

        def _text(self):
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.decode())
            return "".join(lines)

        def _say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    return Receiver
