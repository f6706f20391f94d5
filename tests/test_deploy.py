"""What is deployed is checked without a network: forms by their schemas, and names against the code that reads them."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings, load
from service.web.api import router

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ROOT / "deploy" / "compose.yaml"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
READY = "/api/v1/health/ready"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A checker of the development environment, on the repository."""
    program = shutil.which(command[0])
    assert program is not None, f"{command[0]} belongs to the development environment: run the tests with uv run pytest"
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def compose() -> dict[str, Any]:
    """The services of the compose file."""
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_the_dockerfile_has_no_findings() -> None:
    checked = run("hadolint", "--no-color", "--failure-threshold", "style", "Dockerfile")

    assert (checked.stdout, checked.returncode) == ("", 0)


def test_the_compose_file_fits_its_specification() -> None:
    checked = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE))

    assert checked.returncode == 0, checked.stdout


def test_a_wrong_compose_file_would_be_found(tmp_path: Path) -> None:
    """The checker itself works offline."""
    wrong = tmp_path / "compose.yaml"
    wrong.write_text("services: {cryomargin: {imagge: x}}")

    assert run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)).returncode == 1


def test_the_image_runs_without_rights_and_asks_the_api_for_its_health() -> None:
    final = DOCKERFILE.rsplit("\nFROM ", 1)[1]

    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.MULTILINE)
    assert f"http://127.0.0.1:{Settings().web.port}{READY}" in final
    assert "curl" not in DOCKERFILE
    assert DOCKERFILE.count("\nFROM ") == 2


def test_everything_that_the_image_copies_enters_its_build() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    top = {Path(name).parts[0] for line in copied for name in line.split()}

    assert top
    assert all((ROOT / name).exists() for name in top)
    assert {f"!{name}" for name in top} <= set(ignore)


@pytest.mark.parametrize("part", ["cryomargin", "orthanc", "postgres"])
def test_every_service_says_whether_it_is_well_and_comes_back(compose: dict[str, Any], part: str) -> None:
    assert compose[part]["healthcheck"]["test"]
    assert compose[part]["restart"] == "unless-stopped"
    assert compose[part]["volumes"]


def test_the_health_check_asks_a_route_that_exists(compose: dict[str, Any]) -> None:
    assert READY in {getattr(route, "path", "") for route in router.routes}
    assert READY in compose["cryomargin"]["healthcheck"]["test"][-1]


def test_the_environment_of_the_service_is_a_valid_configuration(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt variable would be an error at start; here it is found earlier."""
    environment = compose["cryomargin"]["environment"]
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "secret", str(value)))

    settings = load(ROOT / "config" / "service.toml")

    assert settings.database.url == "postgresql+psycopg://cryomargin:secret@postgres:5432/cryomargin"
    assert [(one.name, one.address) for one in settings.destination] == [("orthanc", "ORTHANC@orthanc:4242")]
    assert settings.listener.allowed_calling_ae == ("ORTHANC",)
    assert (settings.listener.host, settings.web.host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104 - the container's own
    assert all(name.startswith("CRYOMARGIN_") for name in environment)


def test_orthanc_knows_the_service_by_its_ae_title(compose: dict[str, Any]) -> None:
    modalities = yaml.safe_load(compose["orthanc"]["environment"]["ORTHANC__DICOM_MODALITIES"])
    listener = Settings().listener

    assert modalities["cryomargin"] == [listener.ae_title, "cryomargin", listener.port]
    assert f"{listener.port}:{listener.port}" in compose["cryomargin"]["ports"]


def test_only_dicom_is_open_to_other_machines(compose: dict[str, Any]) -> None:
    open_ports = [port for part in compose.values() for port in part.get("ports", []) if not port.startswith("127.0.0.1:")]

    assert open_ports == ["11112:11112", "4242:4242"]


def test_no_secret_is_committed(compose: dict[str, Any]) -> None:
    environment = [entry for part in compose.values() for entry in part["environment"].items()]
    secrets = [str(value) for name, value in environment if "PASSWORD" in name or "USERS" in name or "URL" in name]

    assert secrets
    assert all(re.search(r"\$\{\w+_PASSWORD:\?", secret) for secret in secrets)


def test_the_unit_drains_and_runs_without_rights() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of systemd have capitals
    unit.read(ROOT / "deploy" / "cryomargin.service")
    service = unit["Service"]

    assert (service["User"], service["KillSignal"], service["NoNewPrivileges"]) == ("cryomargin", "SIGTERM", "yes")
    assert service["ExecStart"].split("/")[-1] == "service.toml"
    assert "cryomargin run --config " in service["ExecStart"]
    assert int(service["TimeoutStopSec"]) > Settings().listener.drain_s + Settings().worker.drain_s


def test_hooks_fetch_nothing() -> None:
    """Each hook runs from the locked environment."""
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    assert {repo["repo"] for repo in repos} == {"local"}
    assert all(hook["entry"].startswith("uv ") and hook["language"] == "system" for repo in repos for hook in repo["hooks"])
    assert run("pre-commit", "validate-config").returncode == 0


def test_the_gate_can_be_run() -> None:
    gate = ROOT / ".ci" / "run"

    assert gate.stat().st_mode & 0o111
    assert run("bash", "-n", str(gate)).returncode == 0
