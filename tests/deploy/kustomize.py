"""Renders a kustomization: just what deploy/k8s uses, so that CI needs no kustomize.

Known: resources (files and folders), namespace, images, replicas, and strategic-merge patches.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.deploy.tools import document, documents

Object = dict[str, Any]

KNOWN = {"apiVersion", "kind", "resources", "namespace", "images", "replicas", "patches"}
_CLUSTER_WIDE = {"Namespace"}
#: By which field the items of a list are the same one; other lists are replaced.
_MERGE_KEYS = {
    "containers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumes": "name",
    "volumeMounts": "mountPath",
}


def render(folder: Path) -> list[Object]:
    """Return the objects of a kustomization. Raises ValueError for a field it does not know."""
    kustomization = document(folder / "kustomization.yaml")
    if unknown := kustomization.keys() - KNOWN:
        raise ValueError(f"{folder}: this renderer does not know {sorted(unknown)}")
    objects = [one for name in kustomization["resources"] for one in _load(folder / name)]
    for patch in kustomization.get("patches", []):
        _patch(objects, document(folder / patch["path"]))
    for one in objects:
        _set_replicas(one, kustomization.get("replicas", []))
        _set_images(one, kustomization.get("images", []))
        _set_namespace(one, kustomization.get("namespace"))
    return objects


def _load(path: Path) -> list[Object]:
    return render(path) if path.is_dir() else documents(path)


def _patch(objects: list[Object], patch: Object) -> None:
    """Merge a patch into the object of its kind and name, which must be there."""
    for i, one in enumerate(objects):
        if identity(one) == identity(patch):
            objects[i] = _merged(one, patch)
            return
    raise ValueError(f"there is nothing to patch: {identity(patch)}")


def identity(one: Object) -> tuple[str, str, str]:
    """Return what tells an object from the others."""
    return one["apiVersion"], one["kind"], one["metadata"]["name"]


def _merged(base: Object, patch: Object) -> Object:
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(base.get(key), dict):
            result[key] = _merged(base[key], value)
        elif key in _MERGE_KEYS and isinstance(base.get(key), list):
            result[key] = _merged_items(base[key], value, _MERGE_KEYS[key])
        else:
            result[key] = deepcopy(value)
    return result


def _merged_items(base: list[Object], patch: list[Object], key: str) -> list[Object]:
    items = {item[key]: item for item in base}
    for item in patch:
        items[item[key]] = _merged(items.get(item[key], {}), item)
    return list(items.values())


def _set_replicas(one: Object, replicas: list[Object]) -> None:
    for wanted in replicas:
        if one["metadata"]["name"] == wanted["name"] and "replicas" in one.get("spec", {}):
            one["spec"]["replicas"] = wanted["count"]


def _set_images(one: Object, images: list[Object]) -> None:
    for container in pod_of(one).get("containers", []):
        for wanted in images:
            if container["image"].partition(":")[0] == wanted["name"]:
                container["image"] = f"{wanted.get('newName', wanted['name'])}:{wanted['newTag']}"


def _set_namespace(one: Object, namespace: str | None) -> None:
    if namespace and one["kind"] in _CLUSTER_WIDE:
        one["metadata"]["name"] = namespace
    elif namespace:
        one["metadata"]["namespace"] = namespace


def pod_of(one: Object) -> Object:
    """Return the pod specification of a workload, empty for anything else."""
    spec: Object = one.get("spec", {}).get("template", {}).get("spec", {})
    return spec
