"""Given the deployments that the project offers, they fit its roles, settings, paths and files."""

from __future__ import annotations

import dataclasses
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from admin import health
from gateway import keys
from gateway.redis_url import cluster_place
from gateway.settings import Settings
from tests.tidy.source import ROOT

COMPOSE = sorted(ROOT.glob("compose*.yaml"))
KUBERNETES = ROOT / "deploy" / "kubernetes"
ROLES = {"gateway", "writer", "admin", "migrate"}
SETTINGS = {f"SECKILL_{field.name.upper()}" for field in dataclasses.fields(Settings)}
READY = {"/healthz", "/readyz", "/admin/api/healthz", "/admin/api/readyz"}


def of_compose(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def objects() -> list[dict[str, Any]]:
    """Every object of the Kubernetes example."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert sorted(listed) == sorted(each.name for each in KUBERNETES.glob("*.yaml") if each.stem != "kustomization")
    texts = [(KUBERNETES / name).read_text(encoding="utf-8") for name in listed]
    return [each for text in texts for each in yaml.safe_load_all(text)]


def unknown_settings(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith("SECKILL_")} - SETTINGS


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_a_compose_file_fits(path: Path) -> None:
    given = of_compose(path)
    services = given["services"]
    for name, service in services.items():
        if service.get("image") == "seckill":
            assert service["command"][0] in ROLES, name
            assert not unknown_settings(set(service.get("environment", {}))), name
        for needed in service.get("depends_on", {}):
            assert needed in services, f"{name} waits for {needed}"
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in given["volumes"] or (ROOT / source).exists(), f"{name}: {volume}"
    upstream = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"server (gateway-\d+):", upstream)) <= set(services)


def test_the_cluster_has_a_replica_for_each_primary_and_durable_servers() -> None:
    services = of_compose(ROOT / "compose.cluster.yaml")["services"]
    servers = {name: each for name, each in services.items() if re.fullmatch(r"redis-\d", name)}
    assert len(servers) == 6
    for server in servers.values():
        for option in ("cluster-enabled yes", "appendfsync always", "min-replicas-to-write 1", "noeviction"):
            assert option in server["command"]
    create = services["cluster"]["command"][-1]
    for server in servers.values():
        assert server["networks"]["inside"]["ipv4_address"] + ":6379" in create
    place = cluster_place(services["writer"]["environment"]["SECKILL_REDIS_URL"])
    assert place is not None
    assert {host for host, _ in place.seeds} <= set(servers)


def test_the_kubernetes_example_fits() -> None:
    found = objects()
    config = next(each for each in found if each["kind"] == "ConfigMap")
    assert not unknown_settings(set(config["data"]))
    assert int(config["data"]["SECKILL_BUCKETS"]) in keys.BUCKETS
    deployments = {each["metadata"]["name"]: each for each in found if each["kind"] == "Deployment"}
    for name in ("gateway", "writer", "sidecar"):
        pod = deployments[name]["spec"]["template"]
        wanted = deployments[name]["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= pod["metadata"]["labels"].items()
        (container,) = pod["spec"]["containers"]
        assert container["args"][0] in ROLES
        assert {"configMapRef": {"name": config["metadata"]["name"]}} in container["envFrom"]
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]
        assert container["livenessProbe"]
    for deployment in deployments.values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        for probe in ("readinessProbe", "livenessProbe"):
            path = container.get(probe, {}).get("httpGet", {}).get("path")
            assert path is None or path in READY
    ports = {port for port, _ in health.PATHS.values()}
    for name in ("gateway", "sidecar"):
        (container,) = deployments[name]["spec"]["template"]["spec"]["containers"]
        assert container["ports"][0]["containerPort"] in ports
    scaler = next(each for each in found if each["kind"] == "HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    budgets = {
        each["spec"]["selector"]["matchLabels"]["role"] for each in found if each["kind"] == "PodDisruptionBudget"
    }
    assert budgets == set(deployments)


def given_secrets(folder: Path) -> dict[str, dict[str, str]]:
    """What `deploy/make-secrets` writes: the variables of each file."""
    (folder / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "make-secrets", folder / "deploy")
    subprocess.run([script], check=True, capture_output=True)
    files = sorted((folder / "deploy" / "secrets").iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    lines = {each.stem: each.read_text(encoding="utf-8").splitlines() for each in files}
    return {name: dict(line.split("=", 1) for line in each) for name, each in lines.items()}


def test_every_role_has_the_secrets_that_it_needs_and_no_other(tmp_path: Path) -> None:
    made = given_secrets(tmp_path)
    shoppers, ledger = {"SECKILL_TOKEN_SECRET", "SECKILL_SIGNING_SECRET"}, {"SECKILL_DATABASE_URL"}
    needed = {
        "gateway": shoppers,
        "writer": ledger,
        "migrate": ledger,
        "admin": shoppers | ledger | {"SECKILL_ADMIN_KEY"},
    }
    for path in COMPOSE:
        services = of_compose(path)["services"]
        for service in (each for each in services.values() if each["image"] == "seckill"):
            file = ROOT / service["env_file"]
            assert file.parent == ROOT / "deploy" / "secrets"
            assert set(made[file.stem]) == needed[service["command"][0]], path
        assert services["database"]["env_file"] == "deploy/secrets/database.env"
    for each in objects():
        if each["kind"] in {"Deployment", "Job"}:
            (container,) = each["spec"]["template"]["spec"]["containers"]
            (secret,) = (source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source)
            assert set(made[secret.removeprefix("seckill-")]) == needed[container["args"][0]]
    # What two of them have, they have in common; all that is made can be read as settings.
    assert made["gateway"].items() <= made["sidecar"].items()
    assert made["ledger"].items() <= made["sidecar"].items()
    assert made["database"]["POSTGRES_PASSWORD"] in made["ledger"]["SECKILL_DATABASE_URL"]
    for name in ("gateway", "ledger", "sidecar"):
        Settings.from_env(made[name])


def test_secrets_are_made_once(tmp_path: Path) -> None:
    made = given_secrets(tmp_path)
    script = tmp_path / "deploy" / "make-secrets"
    again = subprocess.run([script], check=True, capture_output=True, text=True)
    assert "is there already" in again.stderr
    assert made["database"]["POSTGRES_PASSWORD"] in (tmp_path / "deploy" / "secrets" / "database.env").read_text()


def test_no_secret_stands_in_a_deployment() -> None:
    secret = {f"SECKILL_{each.name.upper()}" for each in dataclasses.fields(Settings) if not each.repr}
    config = next(each for each in objects() if each["kind"] == "ConfigMap")
    assert not secret & set(config["data"])


def test_no_role_may_write_into_its_container_or_gain_rights() -> None:
    for path in COMPOSE:
        services = of_compose(path)["services"]
        for service in (each for each in services.values() if each["image"] == "seckill"):
            assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"]), path
            assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), path
    for each in objects():
        if each["kind"] in {"Deployment", "Job"}:
            pod = each["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            assert pod["securityContext"]["runAsNonRoot"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
            assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]
