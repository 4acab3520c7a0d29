"""A real Prometheus for the length of a test."""

import re
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import yaml

SHIPPED = Path(__file__).parents[2] / "monitoring"
SHIPPED_RULES = SHIPPED / "alerts" / "rules.yaml"
SHIPPED_CONFIGURATION = SHIPPED / "prometheus" / "prometheus.yaml"


class Prometheus:
    """A running server, asked over its HTTP API."""

    def __init__(self, url):
        self.url = url

    def query(self, expression):
        """The samples of an instant query: a list of (labels, value)."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=5).json()
        assert answer["status"] == "success", answer
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def wait_for(self, expression, condition, *, timeout=30.0):
        """The samples of the query, once ``condition(samples)`` holds."""
        deadline = time.monotonic() + timeout
        while not condition(samples := self.query(expression)):
            assert time.monotonic() < deadline, f"{expression} is {samples} after {timeout:g} s"
            time.sleep(0.1)
        return samples


def hurried(directory):
    """The shipped rules with seconds for minutes (a range has at least ten): nobody waits an hour for a test."""
    text = SHIPPED_RULES.read_text()
    text = re.sub(r"\[(\d+)[mh]\]", lambda found: f"[{max(10, int(found[1]))}s]", text)
    path = directory / "rules.yaml"
    path.write_text(re.sub(r"for: \d+m", "for: 1s", text))
    return path


def shipped_jobs(settings):
    """What the shipped configuration scrapes of a stack, at the ports of this one."""
    text = SHIPPED_CONFIGURATION.read_text()
    ports = {9090: settings.metrics_port, 9101: settings.haproxy_metrics_port}
    ports |= {8265: settings.dashboard_port, 8001: settings.control_port}
    for default, port in ports.items():
        text = text.replace(f"127.0.0.1:{default}", f"127.0.0.1:{port}")
    return yaml.safe_load(text.replace("../../.raygate/local.key", str(settings.key_file)))["scrape_configs"]


@contextmanager
def scraping(program, directory, *targets, jobs=(), rules=None, alertmanager=None, port=None):
    """Run ``program`` (path of prometheus) on a free port, scraping ``targets`` (host:port) every second.

    ``jobs`` are further scrape configurations. With ``port`` it is that one. With ``rules`` (a path) and
    ``alertmanager`` (host:port) it evaluates these every second and tells of alerts.
    """
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)] if rules else [],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]} if alertmanager else {},
        "scrape_configs": [
            *({"job_name": target, "static_configs": [{"targets": [target]}]} for target in targets),
            *jobs,
        ],
    }
    (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{port or _free_port()}"
    command = [
        program,
        f"--config.file={directory / 'prometheus.yaml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (directory / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_ready(f"http://{address}", process, directory / "prometheus.log")
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_ready(url, process, log, timeout=30.0):
    deadline = time.monotonic() + timeout
    while True:
        assert process.poll() is None, f"prometheus ended at once:\n{log.read_text()}"
        try:
            if httpx.get(f"{url}/-/ready", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"prometheus is not ready after {timeout:g} s:\n{log.read_text()}"
        time.sleep(0.1)


def _free_port():
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
