"""The documents cannot rot: every setting, feature, route, problem, state and command has its line, and every line is true."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.features.table import FEATURES
from service.metrics import REGISTRY
from service.settings import Settings
from service.store.gauges import Gauges
from service.store.records import State
from service.web import orders
from service.web.api import router
from service.web.info import ServiceInfo
from service.web.metrics import Now
from service.web.problems import CODE_OF

ROOT = Path(__file__).resolve().parents[1]
OPERATORS = (ROOT / "docs" / "operators.md").read_text()
README = (ROOT / "README.md").read_text()
PAGES = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


def rows(heading: str, page: str = OPERATORS) -> dict[str, list[str]]:
    """The table below a heading: the cells of each row by the text of its first cell, without backticks."""
    section = re.split(rf"^## {re.escape(heading)}$", page, maxsplit=1, flags=re.MULTILINE)[1].split("\n## ")[0]
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines[1:]}


def settings(model: type[BaseModel] = Settings, table: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each setting by its dotted name."""
    for name, field in model.model_fields.items():
        inner = table_of(field.annotation)
        if inner is None:
            yield f"{table}{name}", field
        else:
            yield from settings(inner, f"{table}{name}.")


def table_of(annotation: Any) -> type[BaseModel] | None:
    """The model behind a table or an array of tables."""
    inside = get_args(annotation) if get_origin(annotation) not in {None, UnionType} else (annotation,)
    return next((part for part in inside if isinstance(part, type) and issubclass(part, BaseModel)), None)


@pytest.mark.parametrize(("name", "field"), list(settings()))
def test_every_setting_has_its_line_with_its_default(name: str, field: FieldInfo) -> None:
    line = rows("Settings")[name]

    if isinstance(field.default, bool):
        assert line[0] == str(field.default).lower()
    elif isinstance(field.default, int | float):
        assert line[0] == f"{field.default:g}"
    elif isinstance(field.default, str | Path):
        assert line[0].strip("`") == (str(field.default) or "empty")


def test_no_setting_is_described_that_does_not_exist() -> None:
    assert set(rows("Settings")) == {name for name, _ in settings()}


def test_every_finding_has_its_line_in_report_order() -> None:
    assert list(rows("Findings")) == [name for feature in FEATURES for name in feature.names]


def test_every_route_has_its_line_and_every_line_its_route() -> None:
    routes = {
        f"{method} {route.path}"
        for route in [*router.routes, *orders.router.routes]
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }

    assert set(rows("Status page and API")) == routes
    assert "GET /api/v1/openapi.json" in OPERATORS


def test_every_problem_has_its_line() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "service" / "web").glob("*.py"))
    raised = set(re.findall(r'WebProblem\(\s*\d{3},\s*"([a-z-]+)"', sources))

    assert set(rows("Problems")) == raised | set(CODE_OF.values())


def test_every_metric_has_its_line_with_its_labels() -> None:
    now = Now(Gauges({}, {}, 0), ServiceInfo("0.1.0"))
    families = [*REGISTRY.collect(), *now.collect()]
    shown = {family.name + {"counter": "_total", "info": "_info"}.get(family.type, ""): family for family in families}

    described = rows("Metrics")
    assert set(described) == set(shown)
    for name, family in shown.items():
        labels = set(getattr(family, "_labelnames", ())) or {label for sample in family.samples for label in sample.labels}
        assert set(re.findall(r"`(.+?)`", described[name][0])) >= labels - {"le", "version"}, name


def test_every_state_has_its_line() -> None:
    assert list(rows("What happens to a study")) == [state.value for state in State]


def test_every_command_has_its_line_in_the_readme() -> None:
    from service.cli import app  # heavy for a test that only reads otherwise

    described = " ".join(rows("Commands", README))

    commands = {name for name in app if not name.startswith("-")}
    assert commands == set(re.findall(r"`?(?:cryomargin )?([a-z]+)(?: [A-Z_]+)?`?", described))


def test_the_readme_begins_with_its_two_commands() -> None:
    first = README.split("## What it measures")[0]

    assert re.findall(r"```sh\n(.*?)\n```", first) == [
        "pip install uv && uv run cryomargin demo",
        "pip install uv && uv run pytest",
    ]


def test_help_needs_neither_engine_nor_network() -> None:
    """What a newcomer types first answers at once."""
    heavy = "{'dbos', 'pynetdicom', 'SimpleITK', 'fastapi'}"
    code = f"import sys, service.cli; sys.exit(bool({heavy} & {{name.split('.')[0] for name in sys.modules}}))"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_or_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())

    for link in links:
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if "://" not in link:
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown page has at its headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_changelog_keeps_its_form() -> None:
    """Keep a Changelog: versions newest first, each with sections of known names."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    sections = set(re.findall(r"^### (.+)$", changelog, flags=re.MULTILINE))

    assert re.findall(r"^## (.+)$", changelog, flags=re.MULTILINE)[0] == "[Unreleased]"
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Numbers"}


def test_the_gate_uses_nothing_that_the_readme_does_not_name() -> None:
    """Whoever reads the README can do by hand what the gate does."""
    gate = (ROOT / ".ci" / "run").read_text()
    packages = set(re.findall(r"[a-z][a-z0-9-]+", " ".join(re.findall(r"PEERS\+?=\((.*?)\)", gate))))
    commands = {command.strip() for command in re.findall(r"\buv (?:sync|run)[a-z -]*", gate)}

    assert packages <= set(README.split())
    assert packages
    assert all(command in README for command in commands)
    assert "uv run just check" in commands
