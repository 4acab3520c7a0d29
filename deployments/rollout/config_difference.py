"""Where what Serve runs is not what was decided. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from deployments.rollout.serve_config import ServeConfig

Applications = Mapping[str, ServeConfig]
"""Configs of applications by name."""


def differences(running: Applications, wanted: Applications) -> dict[str, str]:
    """What differs, by application, as the lines that are to go and those that are to come.

    Serve fills in what a config leaves out: only what is wanted is compared. Applications that run and are not
    wanted are not told.
    """
    found = {}
    for name, config in wanted.items():
        present = _projected(running.get(name), config)
        if present != config:
            found[name] = _lines(name, present, config)
    return found


def removed(running: Applications, wanted: Applications) -> dict[str, str]:
    """Applications that run and are not wanted, as the lines that go."""
    return {name: _lines(name, config, None) for name, config in running.items() if name not in wanted}


def _projected(value: Any, pattern: Any) -> Any:
    """The part of a value that a pattern speaks of; Serve's 15.0 is written as our 15."""
    if value == pattern:
        return pattern
    if isinstance(value, Mapping) and isinstance(pattern, Mapping):
        return {key: _projected(value[key], pattern[key]) for key in pattern if key in value}
    if isinstance(value, list) and isinstance(pattern, list) and len(value) == len(pattern):
        return [_projected(one, like) for one, like in zip(value, pattern, strict=True)]
    return value


def _lines(name: str, before: Any, after: Any) -> str:
    found = difflib.unified_diff(_text(before), _text(after), f"{name}: runs", f"{name}: wanted", n=2, lineterm="")
    return "\n".join(found)


def _text(config: Any) -> list[str]:
    return yaml.safe_dump(config, sort_keys=True, width=110).splitlines() if config else []
