"""A real PostgreSQL for the length of a test session."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """Data of a server that may come and go.

    Attributes:
        place: Its directory.
        port: Free on this machine when it was made.
    """

    place: Path
    port: int

    @property
    def uri(self) -> str:
        """Of its empty database."""
        return f"postgresql://raygate@127.0.0.1:{self.port}/postgres"

    @contextmanager
    def serving(self, server: str) -> Iterator[str]:
        """The URI while a server runs."""
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.place), "-c", "fsync=off"]
        with (self.place / "log").open("ab") as log:
            command = [server, "-D", self.place / "data", *options]
            process = subprocess.Popen(command, user=_user(), cwd=self.place, stderr=log)
        try:
            give_up = time.monotonic() + 30
            while not _answers(self.uri):
                assert process.poll() is None, (self.place / "log").read_text()
                assert time.monotonic() < give_up, "the PostgreSQL server does not come up"
                time.sleep(0.05)
            yield self.uri
        finally:
            process.send_signal(signal.SIGINT)  # does not wait for clients
            process.wait(timeout=20)


@contextmanager
def cluster(initdb: str) -> Iterator[Cluster]:
    """Data of our own with an empty database, and a free port of this machine."""
    place = Path(tempfile.mkdtemp(prefix="raygate-postgresql-"))
    if _user():
        shutil.chown(place, _user())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [initdb, "-D", place / "data", "-U", "raygate", "--auth=trust", "--no-sync"],
        user=_user(),
        cwd=place,
        check=True,
        capture_output=True,
    )
    try:
        yield Cluster(place, port)
    finally:
        shutil.rmtree(place)


@contextmanager
def running(initdb: str, server: str) -> Iterator[str]:
    """URI of a server of our own with an empty database, on a free port of this machine."""
    with cluster(initdb) as data, data.serving(server) as uri:
        yield uri


def _user() -> str | None:
    """PostgreSQL does not run as root, and root's temporary directories are closed to others."""
    return "postgres" if os.getuid() == 0 else None


def _answers(uri: str) -> bool:
    import psycopg

    try:
        psycopg.connect(uri, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
