"""A place of files: a local directory, or a prefix of an S3 bucket."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
from pyarrow import fs

from deployments.storage.errors import InvalidLocation, StorageUnreachable

UNFINISHED = ".tmp"
"""End of the name of a file that is being written, which begins with a dot."""
_QUERY = ("endpoint_override", "region")


@dataclass(frozen=True, slots=True)
class Location:
    """Files under one root. A file is there whole or not at all.

    Attributes:
        filesystem: Arrow's file system.
        root: Path in it, without a slash at the end.
        shown: How to name the place to people.
    """

    filesystem: fs.FileSystem
    root: str
    shown: str

    @classmethod
    def of(cls, uri: str) -> Location:
        """The place that a URI names; nothing is read or created yet.

        Args:
            uri: A directory, ``file:///directory``, or ``s3://bucket/prefix`` with the optional query parameters
                ``endpoint_override`` (such as ``http://127.0.0.1:9000``) and ``region``. Credentials, and both of
                these if they are not given, come from the environment, as for every AWS client.

        Raises:
            InvalidLocation: It is none of these.
        """
        parts = urlsplit(uri)
        if parts.scheme == "s3":
            return cls(_s3(uri), f"{parts.hostname}{parts.path}".rstrip("/"), f"s3://{parts.hostname}{parts.path}")
        if parts.scheme not in ("", "file") or not parts.path or parts.netloc:
            raise InvalidLocation(uri, "must be a directory, file:///directory or s3://bucket/prefix")
        directory = str(Path(parts.path if parts.scheme else uri).expanduser().resolve())
        return cls(fs.LocalFileSystem(), directory, directory)

    @property
    def directory(self) -> Path | None:
        """The directory, if the place is local."""
        return Path(self.root) if isinstance(self.filesystem, fs.LocalFileSystem) else None

    def full(self, path: str) -> str:
        """A path under the root as the file system takes it."""
        return f"{self.root}/{path}"

    def files(self, below: str) -> list[str]:
        """Paths, relative to the root, of every file below a folder, sorted; none if there is no such folder.

        Raises:
            StorageUnreachable: The place cannot be listed.
        """
        selector = fs.FileSelector(self.full(below), allow_not_found=True, recursive=True)
        with self._reached():
            found = self.filesystem.get_file_info(selector)
        return sorted(info.path[len(self.root) + 1 :] for info in found if info.type == fs.FileType.File)

    def get(self, path: str) -> bytes | None:
        """Read a small file; None if there is none.

        Raises:
            StorageUnreachable: The place cannot be read.
        """
        with self._reached():
            if self.filesystem.get_file_info(self.full(path)).type != fs.FileType.File:
                return None
            with self.filesystem.open_input_stream(self.full(path), compression=None) as stream:
                content: bytes = stream.read()
        return content

    def put(self, path: str, content: pa.Buffer) -> None:
        """Write a small file: on a disk under a temporary name that is renamed, on S3 as one PUT.

        Raises:
            OSError: It could not be written; then no part of it is visible.
        """
        if self.directory is None:
            with self.filesystem.open_output_stream(self.full(path), compression=None) as stream:
                stream.write(content)
            return
        with self.staged(path) as file:
            file.write_bytes(content)

    @contextmanager
    def staged(self, path: str) -> Iterator[Path]:
        """Give a local file to fill; it is there under its path, whole, once the block ends without an error.

        Raises:
            OSError: It could not be written; then no part of it is visible.
        """
        directory = self.directory
        if directory is None:
            with tempfile.TemporaryDirectory(prefix="raygate-") as scratch:
                spooled = Path(scratch) / PurePosixPath(path).name
                yield spooled
                self.put(path, pa.memory_map(str(spooled)).read_buffer())
            return
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}{UNFINISHED}")
        try:
            yield hidden
            _sync(hidden)
            hidden.rename(target)
        except BaseException:  # an interrupt too
            hidden.unlink(missing_ok=True)
            raise
        _sync(target.parent)

    def delete(self, path: str) -> None:
        """Remove a file; one that is gone already is no error.

        Raises:
            StorageUnreachable: The place refuses.
        """
        with self._reached():
            try:
                self.filesystem.delete_file(self.full(path))
            except FileNotFoundError:
                return

    def prune(self, path: str) -> None:
        """Remove a folder and those above it as far as they are empty; S3 has none to remove."""
        directory = self.directory
        if directory is None:
            return
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents[:-1]):
            try:
                (directory / folder).rmdir()
            except OSError:
                return

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageUnreachable(self.shown, str(error)) from error


def _s3(uri: str) -> fs.FileSystem:
    parts = urlsplit(uri)
    query = dict(parse_qsl(parts.query))
    unknown = sorted(set(query) - set(_QUERY))
    shown = f"s3://{parts.hostname or ''}{parts.path}"
    if not parts.hostname:
        raise InvalidLocation(shown, "needs a bucket: s3://bucket/prefix")
    if parts.username or parts.password:
        raise InvalidLocation(shown, "must hold no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if unknown:
        raise InvalidLocation(shown, f"has unknown parameters {', '.join(unknown)}; known: {', '.join(_QUERY)}")
    # Arrow itself does not read what every other AWS client reads.
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    endpoint = urlsplit(query.get("endpoint_override", elsewhere))
    options: dict[str, str] = {"region": query["region"]} if "region" in query else {}
    if endpoint.path or endpoint.netloc:
        options |= {"endpoint_override": endpoint.netloc or endpoint.path, "scheme": endpoint.scheme or "https"}
    # A delayed open is what lets a small file leave in a single PUT, without a multipart upload around it.
    return fs.S3FileSystem(allow_delayed_open=True, **options)


def _sync(path: Path) -> None:
    """Make the content of a file, or a rename in a directory, survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
