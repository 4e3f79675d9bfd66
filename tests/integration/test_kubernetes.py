"""The Kustomize overlays, built by kubectl and checked against the schemas of Kubernetes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from maskwatch.settings import load_settings
from tests.support import ROOT

OVERLAYS = ("cpu", "gpu", "keda")
CUSTOM = ("ScaledObject", "ServiceMonitor")
Resource = dict[str, Any]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploy") / "deploy"
    shutil.copytree(ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run(["sh", "secrets.sh", "kubernetes/base/secrets"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def built(tree: Path) -> dict[str, list[Resource]]:
    if shutil.which("kubectl") is None:
        if os.environ.get("MASKWATCH_REQUIRE_ALL") == "1":
            pytest.fail("needs kubectl")
        pytest.skip("needs kubectl")
    found = {}
    for overlay in OVERLAYS:
        command = ["kubectl", "kustomize", str(tree / "kubernetes" / "overlays" / overlay)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
        assert done.returncode == 0, done.stderr
        found[overlay] = list(yaml.safe_load_all(done.stdout))
    return found


def of_kind(resources: list[Resource], kind: str) -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in resources if one["kind"] == kind}


def workloads(resources: list[Resource]) -> dict[str, Resource]:
    return of_kind(resources, "Deployment") | of_kind(resources, "StatefulSet")


def pod_of(workload: Resource) -> Resource:
    pod: Resource = workload["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_core_kinds_fit_the_schemas(overlay: str, built: dict[str, list[Resource]]) -> None:
    import kubernetes_validate

    seen = set()
    for resource in built[overlay]:
        if resource["kind"] not in CUSTOM:
            kubernetes_validate.validate(resource, "1.33", strict=True)
            seen.add(resource["kind"])
    expected = "ConfigMap Deployment Namespace PersistentVolumeClaim PodDisruptionBudget Secret Service StatefulSet"
    assert seen == set(expected.split())


def test_schema_refuses_a_mistake(built: dict[str, list[Resource]]) -> None:
    import kubernetes_validate

    web = of_kind(built["cpu"], "Deployment")["web"]
    broken = {**web, "spec": {**web["spec"], "replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.33", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_that_is_named_is_there(overlay: str, built: dict[str, list[Resource]]) -> None:
    resources = built[overlay]
    claims = of_kind(resources, "PersistentVolumeClaim").keys()
    secrets = of_kind(resources, "Secret")
    for name, workload in workloads(resources).items():
        assert workload["metadata"]["namespace"] == "maskwatch"
        pod = pod_of(workload)
        (container,) = pod["containers"]
        own = {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for mount in container["volumeMounts"]:
            assert mount["name"] in volumes.keys() | own, f"{name}: {mount['name']}"
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in of_kind(resources, "ConfigMap"), name
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, name
            if "secret" in volume and not volume["secret"].get("optional"):
                keys = {item["key"] for item in volume["secret"]["items"]}
                assert keys <= secrets[volume["secret"]["secretName"]]["data"].keys(), name
        for source in container.get("envFrom", []):
            assert source["configMapRef"]["name"] in of_kind(resources, "ConfigMap"), name
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe].get("httpGet", {"port": min(ports)})["port"] in ports, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_locked_in_and_limited(overlay: str, built: dict[str, list[Resource]]) -> None:
    for name, workload in workloads(built[overlay]).items():
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, f"{name}: variables of services would be taken for settings"
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"].keys() >= {"memory"}, name
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_their_own_pods_and_no_others(overlay: str, built: dict[str, list[Resource]]) -> None:
    resources = built[overlay]
    pods = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in workloads(resources).items()}

    def found(selector: Mapping[str, str]) -> set[str]:
        return {name for name, labels in pods.items() if selector.items() <= labels.items()}

    for name, workload in workloads(resources).items():
        assert found(workload["spec"]["selector"]["matchLabels"]) == {name}
    for name, service in of_kind(resources, "Service").items():
        expected = set(pods) - {"web", "postgres", "redis-live", "redis-durable"} if name == "processes" else {name}
        assert found(service["spec"]["selector"]) == expected
    for name, budget in of_kind(resources, "PodDisruptionBudget").items():
        workers = {"worker-gpu"} if overlay == "gpu" else {"worker"}
        assert found(budget["spec"]["selector"]["matchLabels"]) == (workers if name == "worker" else {name})
        assert budget["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_variables_are_settings(overlay: str, built: dict[str, list[Resource]], tmp_path: Path) -> None:
    for secret in of_kind(built[overlay], "Secret")["maskwatch"]["data"]:
        (tmp_path / secret).write_text("x" * 48)
    shared = next(one["data"] for name, one in of_kind(built[overlay], "ConfigMap").items() if "environment" in name)
    for workload in of_kind(built[overlay], "Deployment").values():
        (container,) = pod_of(workload)["containers"]
        own = {one["name"]: one.get("value", "10.0.0.7") for one in container.get("env", [])}
        settings = load_settings(None, {**shared, **own, "MASKWATCH_SECRETS": str(tmp_path)})
        assert settings.require_redis().is_single is False


def test_cameras_of_the_base_are_a_valid_configuration(tree: Path) -> None:
    assert load_settings(tree / "kubernetes" / "base" / "cameras.yaml", {}).cameras == {}


def test_worker_is_scaled_by_one_thing_alone(built: dict[str, list[Resource]]) -> None:
    for overlay in OVERLAYS:
        targets = [
            one["spec"]["scaleTargetRef"]["name"]
            for one in built[overlay]
            if one["kind"] in ("ScaledObject", "HorizontalPodAutoscaler")
        ]
        assert len(targets) == len(set(targets))
        assert (targets == ["worker"]) == (overlay == "keda")
    assert "replicas" not in of_kind(built["keda"], "Deployment")["worker"]["spec"]
    assert of_kind(built["cpu"], "Deployment")["worker"]["spec"]["replicas"] == 4


def test_scaled_object_says_what_keda_reads_and_nothing_else(built: dict[str, list[Resource]]) -> None:
    scaled = of_kind(built["keda"], "ScaledObject")["worker"]
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaled["spec"]
    known = "scaleTargetRef minReplicaCount maxReplicaCount pollingInterval cooldownPeriod advanced triggers"
    assert set(spec) == set(known.split())
    assert set(spec["scaleTargetRef"]) == {"apiVersion", "kind", "name"}
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert set(spec["advanced"]) == {"horizontalPodAutoscalerConfig"}
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    for direction in ("scaleUp", "scaleDown"):
        assert set(behavior[direction]) == {"stabilizationWindowSeconds", "policies"}
        for policy in behavior[direction]["policies"]:
            assert set(policy) == {"type", "value", "periodSeconds"}
            assert policy["type"] in ("Pods", "Percent")
    for trigger in spec["triggers"]:
        assert set(trigger) == {"type", "metricType", "metadata"}
        assert trigger["type"] == "prometheus"
        assert trigger["metricType"] in ("Value", "AverageValue")
        assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold", "ignoreNullValues"}
        assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA reads texts only"
        assert float(trigger["metadata"]["threshold"]) > 0


def test_scaling_asks_for_metrics_that_exist(built: dict[str, list[Resource]]) -> None:
    code = "".join(path.read_text() for folder in ("web", "workers") for path in (ROOT / folder).rglob("*.py"))
    for trigger in of_kind(built["keda"], "ScaledObject")["worker"]["spec"]["triggers"]:
        for name in re.findall(r"maskwatch_\w+", trigger["metadata"]["query"]):
            assert f'"{re.sub("_(total|sum|count)$", "", name)}"' in code, name


def test_service_monitors_find_services_and_their_ports(built: dict[str, list[Resource]]) -> None:
    resources = built["keda"]
    services = of_kind(resources, "Service")
    monitored = set()
    for monitor in of_kind(resources, "ServiceMonitor").values():
        assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
        assert set(monitor["spec"]) == {"selector", "endpoints"}
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (name,) = [key for key, one in services.items() if wanted.items() <= one["metadata"]["labels"].items()]
        monitored.add(name)
        for endpoint in monitor["spec"]["endpoints"]:
            assert set(endpoint) <= {"port", "path", "interval", "honorLabels", "authorization", "relabelings"}
            assert endpoint["port"] in {port["name"] for port in services[name]["spec"]["ports"]}
            assert re.fullmatch(r"\d+s", endpoint["interval"])
            for rule in endpoint["relabelings"]:
                assert set(rule) <= {"sourceLabels", "targetLabel", "replacement"}
            if "authorization" in endpoint:
                credentials = endpoint["authorization"]["credentials"]
                assert credentials["key"] in of_kind(resources, "Secret")[credentials["name"]]["data"]
    assert monitored == {"web", "processes"}


def test_images_and_files_of_redis_are_those_of_compose() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for image in re.findall(r"image: ((?:redis|postgres):\S+)", text):
        assert any(f"image: {image}\n" in path.read_text() for path in (ROOT / "deploy").rglob("*.yaml")), image
