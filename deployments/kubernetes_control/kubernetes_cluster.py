"""The Kubernetes API through Kubernetes' own client: the only module that imports it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import urllib3
from kubernetes import client, config

from deployments.kubernetes_control.cluster import Kind, Listing, Resource, WatchEvent, name_of
from deployments.kubernetes_control.errors import (
    KubernetesUnavailable,
    RequestRefused,
    ResourceChanged,
    ResourceMissing,
    VersionExpired,
)

_SECONDS = (3.0, 10.0)
"""To connect, and to wait for an answer."""
_WATCH_SECONDS = 60
"""Short, because a connection that died in silence is noticed only after it."""
_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
_TOO_MANY, _GONE = 429, 410


def connect(kubeconfig: str | None = None) -> client.ApiClient:
    """A connection with the pod's own account, or as a kubeconfig file says.

    Raises:
        KubernetesUnavailable: Neither a pod's account nor the file is there.
    """
    settings = client.Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(kubeconfig, client_configuration=settings)
    except config.ConfigException as error:
        raise KubernetesUnavailable("anything", str(error)) from error
    settings.retries = False  # the controller looks again by itself, and wants to know
    return client.ApiClient(settings)


class KubernetesCluster:
    """One namespace of a real cluster; see Cluster.

    Args:
        connection: To the API.
        namespace: Whose resources are meant.
        watch_seconds: After how long a watch ends by itself.
    """

    def __init__(self, connection: client.ApiClient, namespace: str, watch_seconds: int = _WATCH_SECONDS) -> None:
        self._api = client.CustomObjectsApi(connection)
        self._namespace, self._watch_seconds = namespace, watch_seconds

    def get(self, kind: Kind, name: str) -> Resource:
        """See Cluster."""
        return self._call(self._api.get_namespaced_custom_object, kind, name)

    def list(self, kind: Kind) -> Listing:
        """See Cluster."""
        found = self._call(self._api.list_namespaced_custom_object, kind)
        items = tuple({**kind.head, **item} for item in found["items"])
        return Listing(items, found["metadata"]["resourceVersion"])

    def watch(self, kind: Kind, resource_version: str) -> Iterator[WatchEvent]:
        """See Cluster."""
        response = self._call(
            self._api.list_namespaced_custom_object,
            kind,
            watch=True,
            resource_version=resource_version,
            allow_watch_bookmarks=True,
            timeout_seconds=self._watch_seconds,
            _preload_content=False,
            _request_timeout=(_SECONDS[0], self._watch_seconds + _SECONDS[1]),
        )
        try:
            if response.status != 200:  # the client looks at the status only of what it reads itself
                refusal = client.ApiException(status=response.status, reason=response.reason)
                raise _translated(refusal, f"watch {kind.plural}", kind, "", resource_version)
            for line in _lines(response):
                yield _event(json.loads(line), kind, resource_version)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise KubernetesUnavailable(f"watch {kind.plural}", str(error)) from error
        finally:
            response.close()
            response.release_conn()

    def create(self, kind: Kind, resource: Resource) -> Resource:
        """See Cluster."""
        return self._call(self._api.create_namespaced_custom_object, kind, body=resource)

    def replace(self, kind: Kind, resource: Resource) -> Resource:
        """See Cluster."""
        return self._call(self._api.replace_namespaced_custom_object, kind, name_of(resource), body=resource)

    def replace_status(self, kind: Kind, resource: Resource) -> Resource:
        """See Cluster."""
        call = self._api.replace_namespaced_custom_object_status
        return self._call(call, kind, name_of(resource), body=resource)

    def merge(self, kind: Kind, name: str, patch: Resource) -> Resource:
        """See Cluster."""
        return self._call(self._api.patch_namespaced_custom_object, kind, name, body=patch, _content_type=_MERGE)

    def apply(self, kind: Kind, resource: Resource, field_manager: str) -> Resource:
        """See Cluster."""
        return self._call(
            self._api.patch_namespaced_custom_object,
            kind,
            name_of(resource),
            body={**kind.head, **resource},
            field_manager=field_manager,
            force=True,  # one owner: whoever wrote the field by hand loses it
            _content_type=_APPLY,
        )

    def _call(self, function: Callable[..., Any], kind: Kind, name: str | None = None, **arguments: Any) -> Any:
        verb = function.__name__.partition("_")[0]
        request = f"{verb} {kind.plural}" + (f"/{name}" if name else "")
        arguments.setdefault("_request_timeout", _SECONDS)
        names = {} if name is None else {"name": name}
        try:
            return function(kind.group, kind.version, self._namespace, kind.plural, **names, **arguments)
        except client.ApiException as error:
            raise _translated(error, request, kind, name or "", arguments.get("resource_version")) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubernetesUnavailable(request, str(error)) from error


def _translated(
    error: client.ApiException, request: str, kind: Kind, name: str, resource_version: str | None
) -> Exception:
    status, reason = int(error.status or 0), f"{error.status} {_message(error)}"
    if status == _GONE and resource_version is not None:
        return VersionExpired(kind.plural, resource_version)
    if status == 404 and name:
        return ResourceMissing(kind.name, name)
    if status == 409:
        return ResourceChanged(kind.name, name)
    if 400 <= status < 500 and status != _TOO_MANY:
        return RequestRefused(request, reason)
    return KubernetesUnavailable(request, reason)


def _message(error: client.ApiException) -> str:
    """What the API says itself, without its headers."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)


def _lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    """Lines of a response as they come."""
    rest = b""
    for piece in response.stream(amt=None, decode_content=True):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line.strip())


def _event(event: dict[str, Any], kind: Kind, resource_version: str) -> WatchEvent:
    """One line of a watch.

    Raises:
        VersionExpired: The line says so; the request itself was answered with 200 long ago.
        KubernetesUnavailable: It is another failure.
    """
    told = event["object"]
    if event["type"] != "ERROR":
        return WatchEvent(event["type"], told)
    if told.get("code") == _GONE:
        raise VersionExpired(kind.plural, resource_version)
    raise KubernetesUnavailable(f"watch {kind.plural}", str(told.get("message", told)))
