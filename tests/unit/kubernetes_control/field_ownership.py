"""Server-side apply as far as it is needed: who owns which leaf of a resource.

A leaf is anything but an object; lists are leaves as a whole, which Kubernetes does only for atomic ones.
"""

import copy


class Conflict(Exception):
    """Another manager owns a leaf and wants another value there."""


def leaves(document, path=()):
    """Paths of everything that is not an object."""
    if not isinstance(document, dict):
        return {path}
    return {leaf for key, child in document.items() for leaf in leaves(child, (*path, key))}


def applied(live, owners, manager, wanted, force):
    """The resource and its owners after an apply.

    Args:
        live: As it is.
        owners: Leaves by manager.
        manager: Who applies.
        wanted: What it applies.
        force: Whether leaves of others are taken over.
    """
    live, wanted = copy.deepcopy(live), {key: wanted[key] for key in wanted if key in ("spec", "data")}
    owners = {name: set(paths) for name, paths in owners.items()}
    named = leaves(wanted)
    for other, paths in owners.items():
        taken = {path for path in paths & named if other != manager and _get(live, path) != _get(wanted, path)}
        if taken and not force:
            raise Conflict(f'conflict with "{other}": {sorted(".".join(path) for path in taken)}')
        owners[other] = paths - taken
    others = set().union(*(paths for other, paths in owners.items() if other != manager))
    for path in owners.get(manager, set()) - named - others:
        _remove(live, path)
    for path in named:
        _set(live, path, _get(wanted, path))
    owners[manager] = named
    return live, owners


def _get(document, path):
    for key in path:
        document = document[key]
    return document


def _set(document, path, value):
    for key in path[:-1]:
        document = document.setdefault(key, {})
    document[path[-1]] = copy.deepcopy(value)


def _remove(document, path):
    for key in path[:-1]:
        document = document.get(key, {})
    document.pop(path[-1], None)
