"""What `kubectl kustomize` makes of an overlay, and how to look into it."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
STORE = "mongodb://shoal:x@set-0.mongodb.svc:27017,set-1.mongodb.svc:27017/?replicaSet=shoal&authSource=admin"
OVERLAYS = ("single", "cluster", "everything")
COMPONENTS = sorted(folder.name for folder in (MANIFESTS / "components").iterdir())
# As an operator writes an overlay of their own, with all that there is.
EVERYTHING = "\n".join(
    [
        *(
            "apiVersion: kustomize.config.k8s.io/v1beta1",
            "kind: Kustomization",
            "namespace: shoal",
            "resources: [../cluster]",
            "components:",
        ),
        *(f"  - ../../components/{name}" for name in COMPONENTS if name != "keda"),  # which `cluster` has
    ]
)

Object = dict[str, Any]


class Built(NamedTuple):
    """The objects of one overlay."""

    objects: list[Object]

    def of(self, *kinds: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """By its name, without the hash that kustomize puts behind those that are generated."""
        found = [one for one in self.of(kind) if one["metadata"]["name"].startswith(name)]
        return min(found, key=lambda one: len(one["metadata"]["name"]))

    @property
    def services(self) -> dict[str, Object]:
        """The pods' templates of Shoal's own services, by the services' names."""
        found = self.of("Deployment")
        return {one["metadata"]["name"].removeprefix("shoal-"): one["spec"]["template"] for one in found}

    def workloads(self) -> Iterator[tuple[str, Object]]:
        for one in self.of("Deployment", "StatefulSet"):
            yield one["metadata"]["name"], one["spec"]["template"]

    def matched(self, selector: Object) -> list[str]:
        """The workloads whose pods a selector means."""
        return [name for name, template in self.workloads() if _matches(selector, template["metadata"]["labels"])]


def build(folder: Path) -> dict[str, Built]:
    """Every overlay, with secrets as the script makes them."""
    # The one of the tests' requirements, where there is a wheel for the machine; or another one, 1.27 or later.
    programs = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    if (kubectl := shutil.which("kubectl", path=programs)) is None:
        pytest.fail("kubectl is missing, which builds the manifests offline: https://kubernetes.io/docs/tasks/tools/")
    copy = folder / "kubernetes"
    shutil.copytree(MANIFESTS, copy, ignore=shutil.ignore_patterns("secrets.env", "secret.key"))
    overlays = copy / "overlays"
    for name, environ in (("single", {}), ("cluster", {"MONGODB_URL": STORE})):
        _run([copy / "secrets.sh", overlays / name], env={"PATH": "/usr/bin:/bin", **environ})
    (overlays / "everything").mkdir()
    (overlays / "everything" / "kustomization.yaml").write_text(EVERYTHING)
    return {name: Built(list(yaml.safe_load_all(_run([kubectl, "kustomize", overlays / name])))) for name in OVERLAYS}


def container(template: Object) -> Object:
    """The only one of a pod."""
    (found,) = template["spec"]["containers"]
    return dict(found)


def _run(argv: list[str | Path], **options: Any) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, f"{argv[0]}: {done.stderr}"
    return done.stdout


def _matches(selector: Object, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {})
    listed = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in listed
    )
