"""Files that DVC tracks, at a revision of their Git repository.

DVC itself is not needed: the pointer beside the file names the content by its MD5, and the content lies under that
name in the repository's cache or in its remote. https://dvc.org/doc/user-guide/project-structure
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal, Self

from pydantic import Field

from training.errors import SourceUnavailable
from training.sources import dvc_storage, git
from training.sources.csv import CsvFile
from training.sources.described import Described
from training.sources.dvc_pointer import Pointer, file_in_directory, pointer_to
from training.sources.json import JsonFile
from training.sources.location import Location, opened
from training.sources.parquet import ParquetFile

if TYPE_CHECKING:
    import pandas as pd

CHUNK_BYTES = 1 << 20


class DvcFile(Described):
    """A csv, parquet, json or jsonl file that DVC tracks.

    Attributes:
        repository: Clone of the Git repository.
        path: The file, from the root of the repository.
        revision: Tag, branch or commit; the commit that it stands for is recorded.
        remote: Which of DVC's remotes has the content, if the clone's cache has not; its default one by default.
    """

    kind: Literal["dvc"]
    repository: Location = "."
    path: str = Field(pattern=r"\.(csv|parquet|json|jsonl)$")
    revision: str
    remote: str | None = None

    def pinned(self) -> Self:
        """Return the file at the commit that the revision stands for now.

        Raises:
            SourceUnavailable: There is no such repository or revision.
        """
        return self.model_copy(update={"revision": git.commit(Path(self.repository), self.revision)})

    @property
    def data_version(self) -> str:
        """The commit."""
        return f"Git commit {self.revision}"

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: The file is not tracked at the revision, its content is nowhere, or is not what the
                pointer says, or no table.
        """
        with tempfile.TemporaryDirectory(prefix="raygate-dvc-") as scratch:
            file = Path(scratch) / PurePosixPath(self.path).name
            pointer = pointer_to(Path(self.repository), self.pinned().revision, self.path)
            if pointer.inside:
                listing = Path(scratch) / "listing"
                self._fetch(pointer, listing)
                pointer = file_in_directory(listing.read_bytes(), pointer, self.path)
            self._fetch(pointer, file)
            return self._rows(str(file))

    def _fetch(self, pointer: Pointer, into: Path) -> None:
        """Copy content by its MD5, from the first place that has it."""
        missing = []
        for place in dvc_storage.places(Path(self.repository), self.remote, pointer.md5):
            try:
                with opened(place) as stream:
                    found = _copy(stream, into)
            except SourceUnavailable as error:
                missing.append(str(error))
                continue
            if found != pointer.content_md5:
                raise SourceUnavailable(
                    place, f"its MD5 is {found}, and not {pointer.content_md5}; it was changed"
                )
            return
        raise SourceUnavailable(f"{self.path} at {self.revision}", "; ".join(missing))

    def _rows(self, file: str) -> pd.DataFrame:
        try:
            match PurePosixPath(self.path).suffix:
                case ".csv":
                    return CsvFile(kind="csv", path=file).read()
                case ".parquet":
                    return ParquetFile(kind="parquet", path=file).read()
                case suffix:
                    return JsonFile(kind="json", path=file, lines=suffix == ".jsonl").read()
        except SourceUnavailable as error:
            raise SourceUnavailable(f"{self.path} at {self.revision}", error.reason) from error


def _copy(stream: IO[bytes], into: Path) -> str:
    content = hashlib.md5(usedforsecurity=False)
    with into.open("wb") as copy:
        while chunk := stream.read(CHUNK_BYTES):
            content.update(chunk)
            copy.write(chunk)
    return content.hexdigest()
