"""A network for pods: a bridge in a namespace of its own, on which this process has one address too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from pathlib import Path

PREFIX = "raygate-emulation"
"""Of every namespace and link that is made here, and of nothing else on this machine."""
BRIDGE = f"{PREFIX}-bridge"
OWN_LINK = "rg-emulation"
SUBNET = "198.18.77"
"""Of the range for tests of networks (RFC 2544), which nobody routes."""
OWN_ADDRESS = f"{SUBNET}.1"
NOBODY = f"{SUBNET}.254"
NAMESPACES = Path("/run/netns")
LOCK = Path(f"/run/{PREFIX}.lock")


class ClusterNetwork:
    """The bridge and the namespaces on it; one at a time on a machine."""

    def __init__(self, directory: Path) -> None:
        self._hosts = directory / "hosts"
        self._names: dict[str, str] = {}
        self._taken = 9

    def __enter__(self) -> ClusterNetwork:
        self._lock = LOCK.open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError("another emulated cluster runs on this machine") from error
        _remove_leftovers()
        _ip("netns", "add", BRIDGE)
        _ip("-n", BRIDGE, "link", "add", "br0", "type", "bridge")
        _ip("-n", BRIDGE, "link", "set", "br0", "up")
        _ip("link", "add", OWN_LINK, "type", "veth", "peer", "name", "own", "netns", BRIDGE)
        _ip("addr", "add", f"{OWN_ADDRESS}/24", "dev", OWN_LINK)
        _ip("link", "set", OWN_LINK, "up")
        _ip("-n", BRIDGE, "link", "set", "own", "master", "br0", "up")
        self._write_hosts()
        return self

    def __exit__(self, *error: object) -> None:
        _remove_leftovers()
        self._lock.close()

    @property
    def hosts_file(self) -> Path:
        """What pods see as /etc/hosts, in the place of the cluster's DNS."""
        return self._hosts

    def name(self, name: str, address: str) -> None:
        """Let a name lead to an address, as a Service without an address of its own does."""
        self._names[name] = address
        self._write_hosts()

    def attach(self, pod: str) -> str:
        """Make a namespace with a link to the bridge, and return its address, which nobody has had before."""
        namespace, link = f"{PREFIX}-{pod}", self._link(pod)
        self._taken += 1
        address = f"{SUBNET}.{self._taken}"
        _ip("netns", "add", namespace)
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "link", "add", "eth0", "type", "veth", "peer", "name", link, "netns", BRIDGE)
        _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", namespace, "route", "add", "default", "dev", "eth0")
        _ip("-n", BRIDGE, "link", "set", link, "master", "br0", "up")
        self.name(pod, address)
        return address

    def cut(self, pod: str) -> None:
        """Lose everything to and from a pod, and tell nobody: no reset, no refusal."""
        _ip("-n", BRIDGE, "link", "set", self._link(pod), "down")

    def detach(self, pod: str) -> None:
        """Remove a pod's namespace with what runs in it."""
        _remove_namespace(f"{PREFIX}-{pod}")

    def _link(self, pod: str) -> str:
        """Name of the bridge's end of a pod's link, of which Linux takes 15 characters."""
        return pod[-15:].lstrip("-")

    def _write_hosts(self) -> None:
        """Write in place: pods have this very file mounted."""
        names = {"localhost": "127.0.0.1", **self._names}
        self._hosts.write_text("".join(f"{address} {name}\n" for name, address in names.items()))


def namespace_file(pod: str) -> Path:
    """The file by which a process enters a pod's namespace."""
    return NAMESPACES / f"{PREFIX}-{pod}"


def _remove_leftovers() -> None:
    """Remove what this or an earlier run has made; a run that was killed could not."""
    for file in NAMESPACES.glob(f"{PREFIX}-*"):
        if file.name != BRIDGE:
            _remove_namespace(file.name)
    if (NAMESPACES / BRIDGE).exists():
        _remove_namespace(BRIDGE)
    subprocess.run(["ip", "link", "del", OWN_LINK], capture_output=True, check=False)


def _remove_namespace(namespace: str) -> None:
    for pid in _ip("netns", "pids", namespace).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "del", namespace)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout
