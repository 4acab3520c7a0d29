"""Whose signature a process asks for before it loads a package: a reference, as its settings have it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.contracts import secret_reference
from deployments.contracts.secret_reference import SecretUnavailable
from deployments.runtime.signature import TrustedKeys
from deployments.runtime.signing_keys import KeyUnusable, public_key, public_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


def keys_at(reference: str | None) -> TrustedKeys | None:
    """The public keys behind a reference; None, for no reference, asks for no signature.

    Read anew whenever something is loaded, so that keys are rotated without a restart.

    Args:
        reference: ``file:/path`` of a directory of ``*.pem`` files, or of a file with one PEM text after the
            other; or ``env:NAME`` of such texts.

    Raises:
        KeyUnusable: There is no key, or something that is no Ed25519 public key. Keys that are missing never mean
            that none is asked for.
    """
    if reference is None:
        return None
    directory = Path(reference.removeprefix("file:"))
    keys = public_keys(directory) if directory.is_dir() else _in_text(reference)
    if not keys:
        raise KeyUnusable(reference, "no public key is there, so no package is believed")
    return TrustedKeys(keys)


def _in_text(reference: str) -> list[Ed25519PublicKey]:
    try:
        text = secret_reference.resolve(reference)
    except SecretUnavailable as error:
        raise KeyUnusable(reference, f"{error.reason}, so no package is believed") from error
    return [public_key(pem.encode(), reference, "it") for pem in _PEM.findall(text)]
