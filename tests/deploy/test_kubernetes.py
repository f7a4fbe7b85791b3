"""The Kubernetes manifests: accepted by Kubernetes' own schema, and closed as OpenShift asks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from estuary_admin import VERSION
from keys.sandbox import Sandbox
from tests.deploy.shipped import DEPLOY
from tests.support.console import ROOT, Console

FOLDER = DEPLOY / "kubernetes"
SCHEMA = json.loads(Path(__file__).with_name("kubernetes-schema.json").read_text())
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())


def objects() -> Iterator[dict[str, Any]]:
    for name in KUSTOMIZATION["resources"]:
        yield from yaml.safe_load_all((FOLDER / name).read_text())


def name_of(found: dict[str, Any]) -> str:
    return f"{found['kind']}/{found['metadata']['name']}"


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pod of each object that has one."""
    for one in objects():
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield name_of(one), spec["template"]["spec"]


def test_every_file_is_part_of_it() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}

    assert files == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize("one", list(objects()), ids=name_of)
def test_kubernetes_accepts(one: dict[str, Any]) -> None:
    schema = {"$ref": f"#/$defs/{SCHEMA['kinds'][one['kind']]}", "$defs": SCHEMA["$defs"]}

    assert [error.message for error in Draft202012Validator(schema).iter_errors(one)] == []


def test_the_schema_refuses_what_it_does_not_know() -> None:
    [one, *_] = [one for one in objects() if one["kind"] == "Deployment"]
    one["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    schema = {"$ref": f"#/$defs/{SCHEMA['kinds']['Deployment']}", "$defs": SCHEMA["$defs"]}

    assert not Draft202012Validator(schema).is_valid(one)


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_every_pod_is_closed_up(name: str, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in pod["securityContext"]  # OpenShift chooses the user id
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        assert "env" not in container  # secrets are files


def test_the_image_works_with_any_user_of_group_0() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()

    assert "install -d -o 10001 -g 0 -m 770 /data" in dockerfile
    assert re.search(r"^USER 10001:0$", dockerfile, re.MULTILINE)


def test_commands_and_versions_are_those_of_the_console() -> None:
    assert [image["newTag"] for image in KUSTOMIZATION["images"]] == [VERSION]
    [migrate] = [one for one in objects() if one["kind"] == "Job"]
    assert migrate["metadata"]["name"].endswith(VERSION.replace(".", "-"))
    help_text = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for _, pod in pods():
        for container in pod["containers"]:
            if command := container.get("command"):
                assert command[2] in help_text


def test_the_settings_start_a_console_and_its_probes_answer(tmp_path: Path) -> None:
    [settings] = [one["data"] for one in objects() if one["kind"] == "ConfigMap"]
    [console] = [pod for name, pod in pods() if name == "Deployment/estuary-admin"]
    files = {
        "secret-key": "s" * 64,
        "sealing-keys": "A" * 43 + "=",
        "database-url": f"sqlite:///{tmp_path}/console.sqlite3",
    }
    for name, value in files.items():
        (tmp_path / name).write_text(value)
    mounted = {
        name: value.replace("/run/secrets/estuary-admin", str(tmp_path))
        for name, value in settings.items()
        if name not in {"BIND", "DATA_DIR", "ESTUARY_API_URL", "REDIS_URL_FILE"}
    }
    for name in ("SECRET_KEY", "TOKEN_SEALING_KEYS"):
        mounted[name] = ""  # only the files
    with Sandbox(rate_limit=None) as node, Console(tmp_path, node, [], environment=mounted) as it:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = console["containers"][0][probe]["httpGet"]["path"]
            connection = HTTPConnection("127.0.0.1", it.port, timeout=30)
            # The kubelet sends the address of the pod.
            connection.request("GET", path, headers={"Host": "10.128.3.7:8000"})
            answer = connection.getresponse()
            assert (probe, answer.status) == (probe, 200), answer.read()
            connection.close()
