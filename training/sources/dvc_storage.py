"""Where DVC keeps content: the cache of a clone, and its remotes."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from training.errors import SourceUnavailable
from training.sources.location import S3


def places(repository: Path, remote: str | None, md5: str) -> Iterator[str]:
    """Yield where content of a name may lie, the nearest first.

    Args:
        repository: A clone.
        remote: Name of the remote; None is the default one.
        md5: Name of the content.

    Raises:
        SourceUnavailable: There is no such remote, or it is of a kind that is not known here.
    """
    home = repository / ".dvc"
    said = _config(home)
    name = f"files/md5/{md5[:2]}/{md5[2:]}"
    cache = said.get("cache", "dir", fallback="cache")
    yield str(home.absolute() / cache / name)
    wanted = remote or said.get("core", "remote", fallback=None)
    if wanted is None:
        return
    section = f"'remote \"{wanted}\"'"
    if not said.has_option(section, "url"):
        raise SourceUnavailable(f"DVC remote {wanted}", f"{home / 'config'} has none of that name")
    yield _in_remote(home, said, section, name)


def _in_remote(home: Path, said: configparser.ConfigParser, section: str, name: str) -> str:
    url = said.get(section, "url").rstrip("/")
    if url.startswith(S3):
        endpoint = said.get(section, "endpointurl", fallback=None)
        options = {"endpoint_override": endpoint, "region": said.get(section, "region", fallback=None)}
        query = urlencode({key: value for key, value in options.items() if value})
        return f"{url}/{name}{'?' if query else ''}{query}"
    if "://" in url:
        raise SourceUnavailable(
            f"DVC remote {url}", "only directories and s3:// are known here; run dvc fetch first"
        )
    return str(home.absolute() / url / name)  # DVC counts from its config file


def _config(home: Path) -> configparser.ConfigParser:
    """The clone's own settings win: they are not in Git because they differ from clone to clone."""
    said = configparser.ConfigParser(interpolation=None)
    try:
        said.read([home / "config", home / "config.local"], encoding="utf-8")
    except configparser.Error as error:
        raise SourceUnavailable(str(home / "config"), " ".join(str(error).split())) from error
    return said
