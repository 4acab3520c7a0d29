"""The pods that manifests lead to, whichever kind makes them."""

from typing import Any, NamedTuple


class Pod(NamedTuple):
    """One pod template.

    Attributes:
        name: Kind and name of what makes it, and the group within it.
        labels: Those that its pods have, KubeRay's included.
        spec: Of the pod.
    """

    name: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def containers(self):
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self):
        return {
            port["name"]: port["containerPort"]
            for container in self.spec["containers"]
            for port in container.get("ports", ())
        }


def pods(documents):
    """Every pod of some documents."""
    return [pod for document in documents for pod in pods_of(document)]


def pods_of(document):
    spec, name = document.get("spec", {}), f"{document['kind']}/{document['metadata']['name']}"
    match document["kind"]:
        case "Deployment" | "StatefulSet":
            return [_pod(name, spec["template"])]
        case "CronJob":
            return [_pod(name, spec["jobTemplate"]["spec"]["template"])]
        case "RayService":
            return _ray(name, spec["rayClusterConfig"], "true")
        case "RayJob":
            return [_pod(f"{name}/submitter", spec["submitterPodTemplate"]), *_ray(name, spec["rayClusterSpec"])]
        case "RayCronJob":
            return pods_of({**document, "kind": "RayJob", "spec": spec["jobTemplate"]})
    return []


def ray_cluster(document):
    """The cluster inside of a RayService, RayJob or RayCronJob."""
    spec = document["spec"].get("jobTemplate", document["spec"])
    return spec.get("rayClusterConfig") or spec["rayClusterSpec"]


def selects(selector, labels):
    """Whether a label selector takes something with these labels."""
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    for wanted in selector.get("matchExpressions", ()):
        inside = labels.get(wanted["key"]) in wanted.get("values", ())
        if {"In": inside, "NotIn": not inside, "Exists": wanted["key"] in labels}[wanted["operator"]] is False:
            return False
    return True


def environment_of(container):
    """Variables with their values; one that comes from elsewhere has its source in the value's place."""
    return {entry["name"]: entry.get("value") or entry["valueFrom"] for entry in container.get("env", ())}


def _pod(name, template):
    return Pod(name, template.get("metadata", {}).get("labels", {}), template["spec"])


def _ray(name, cluster, serves=None):
    groups = [("head", "headgroup", cluster["headGroupSpec"])]
    groups += [("worker", group["groupName"], group) for group in cluster["workerGroupSpecs"]]
    made = []
    for node_type, group_name, group in groups:
        pod = _pod(f"{name}/{group_name}", group["template"])
        # As KubeRay's labelPod writes them; it overrides what a template says for these.
        own = {"ray.io/node-type": node_type, "ray.io/group": group_name, "ray.io/is-ray-node": "yes"}
        own |= {"ray.io/serve": serves if node_type == "worker" else "false"} if serves else {}
        made.append(pod._replace(labels={**pod.labels, **own}))
    return made
