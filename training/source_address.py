"""Addresses of sources hold no secret: they are written into packages, registries, logs and errors."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

_NAMES = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|credentials?|authorization|signature"
    r"|(?:api|access|account|private|subscription|shared)[_-]?key)"
)
_SECRET_NAME = re.compile(rf"(?:.*{_NAMES}|pass|auth|sig)", re.IGNORECASE)
_ASSIGNED = re.compile(rf"((?:\b(?:pass|auth|sig)|[\w.-]*{_NAMES})\s*(?:=|%3D)['\"]?)[^&\s;,'\"]+", re.IGNORECASE)
_USER_INFO = re.compile(
    r"(?:(?<=\bhttp://)|(?<=\bhttps://)|(?<=\bs3://))[^\s/?#@]*@|(?<=://)[^\s/?#@:]*:(?!\d+[/?#])[^\s@]*@"
)
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/", re.IGNORECASE)
_WITHOUT_USER = ("http", "https", "s3")


def secret_in(address: str) -> str:
    """Tell what of an address is a secret, such as ``parameter api_key``; empty if nothing is, or it is a path.

    A user without a password is one where nothing but credentials stands there: for HTTP and S3. Databases have
    users, and Azure writes the container in that place.
    """
    if not _ADDRESS.match(address):
        return ""
    try:
        parts = urlsplit(address)
        user_info = _user_info(parts.netloc)
        given = parse_qsl(f"{parts.query}&{parts.fragment}")
    except ValueError:  # brackets that are no IPv6 address, or a port that is no number
        return "user or password" if "@" in address else ""
    if ":" in user_info and not user_info.endswith(":"):
        return "password"
    if user_info and parts.scheme in _WITHOUT_USER:
        return "user"
    for name, value in given:
        if is_secret_name(name) or _ASSIGNED.search(value):
            return f"parameter {name}"
    return ""


def is_secret_name(name: str) -> bool:
    """Whether a parameter of that name is a secret by all appearances."""
    return _SECRET_NAME.fullmatch(name) is not None


def masked(text: str) -> str:
    """Return a text, such as a library's error, without the secrets of the addresses in it."""
    return _ASSIGNED.sub(r"\1***", _USER_INFO.sub("***@", text))


def _user_info(authority: str) -> str:
    """What stands before the host; all of it where a slash in a password cut the authority short."""
    before, separator, host = authority.rpartition("@")
    return before if separator or _HOST.fullmatch(host) else authority
