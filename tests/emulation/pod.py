"""A container as Linux makes one: processes in network, pid, mount and host name spaces of their own."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster_network import ClusterNetwork, namespace_file

SCRATCH = ("/tmp/ray", "/tmp/haproxy-serve")
"""Where Ray and Serve write on fixed paths: each pod has them to itself, in memory."""
SHARED_MEMORY = "2g"


class Pod:
    """One pod on the network; its first container is its first process.

    Args:
        name: Of the pod, unique in the life of a cluster.
        network: Where it gets an address.
        directory: For its containers' output.
    """

    def __init__(self, name: str, network: ClusterNetwork, directory: Path) -> None:
        self.name, self._network, self._directory = name, network, directory
        self.address = network.attach(name)
        self._containers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def is_running(self) -> bool:
        """Whether its first container still runs, without which the others are of no use."""
        return next(iter(self._containers.values())).poll() is None

    def run(self, container: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a container, with nothing of this process's environment."""
        log = self._directory / f"{self.name}-{container}.log"
        with log.open("ab") as output:
            self._containers[container] = subprocess.Popen(
                [*self._isolation(), "bash", "-c", self._script(command)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def output(self, container: str) -> str:
        """What a container has printed."""
        return (self._directory / f"{self.name}-{container}.log").read_text(errors="replace")

    def kill(self) -> None:
        """End every process of it at once, as a crash of the node would, and keep its address."""
        for container in self._containers.values():
            # The kernel ends a pid namespace with its first process; unshare waits for that.
            for pid in _children_of(container.pid) or [container.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for container in self._containers.values():
            container.wait()

    def cut(self) -> None:
        """Leave it running and unreachable."""
        self._network.cut(self.name)

    def delete(self) -> None:
        """End it and give up its address."""
        self.kill()
        self._network.detach(self.name)

    def _isolation(self) -> list[str]:
        return [
            "nsenter", f"--net={namespace_file(self.name)}",
            "unshare", "--pid", "--fork", "--mount", "--mount-proc", "--uts", "--kill-child",
        ]  # fmt: skip

    def _script(self, command: Sequence[str]) -> str:
        resolver = self._directory / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\n")  # refuses at once; the true one would be out of reach
        lines = [
            f"hostname {self.name}",
            *(f"mkdir -p {folder} && mount -t tmpfs tmpfs {folder}" for folder in SCRATCH),
            f"mount -t tmpfs -o size={SHARED_MEMORY} tmpfs /dev/shm",
            f"mount --bind {self._network.hosts_file} /etc/hosts",
            f"mount --bind {resolver} /etc/resolv.conf",
            f"exec {shlex.join(command)}",
        ]
        return "set -e\n" + "\n".join(lines)


def _children_of(pid: int) -> list[int]:
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in file.read_text().split()] if file.exists() else []
