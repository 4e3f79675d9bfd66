"""Dashboards as Grafana reads them, held against a strict description of what ours may contain."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tests.support import ROOT
from tests.support_prometheus import DASHBOARDS, GRAFANA, asked, dashboard

UNITS = {"none", "short", "percentunit", "s", "bytes", "suffix: fps", "suffix: px", "suffix: /s"}
BUILT_IN = {"__range", "__rate_interval", "__all", "__auto"}
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text()


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Datasource(Strict):
    type: Literal["prometheus"]
    uid: Literal["maskwatch-prometheus"]


class GridPos(Strict):
    x: int = Field(ge=0, le=23)
    y: int = Field(ge=0)
    w: int = Field(ge=1, le=24)
    h: int = Field(ge=1, le=20)


class Target(Strict):
    refId: str = Field(pattern="^[A-Z]$")
    datasource: Datasource
    expr: str = Field(min_length=1)
    legendFormat: str = Field(min_length=1)
    format: Literal["time_series", "table", "heatmap"]
    instant: bool
    range: bool


class Step(Strict):
    color: str = Field(min_length=1)
    value: float | int | None


class Thresholds(Strict):
    mode: Literal["absolute"]
    steps: list[Step] = Field(min_length=1)


class Link(Strict):
    title: str = Field(min_length=1)
    url: str = Field(pattern=r"^\$\{site:raw\}/cameras/\$\{__(value\.raw|field\.labels\.camera)\}$")
    targetBlank: Literal[True]


class Shown(Strict):
    text: str
    color: str
    index: int


class Mapping(Strict):
    type: Literal["value"]
    options: dict[str, Shown]


class Colour(Strict):
    mode: Literal["thresholds", "palette-classic", "continuous-blues", "fixed"]
    fixedColor: str = ""


class Defaults(Strict):
    unit: str
    thresholds: Thresholds
    color: Colour
    decimals: int | None = None
    min: float | int | None = None
    max: float | int | None = None
    noValue: str = ""
    links: list[Link] = []
    mappings: list[Mapping] = []
    custom: dict[str, Any] = {}


class Matcher(Strict):
    id: Literal["byName"]
    options: str


class Property(Strict):
    id: Literal[
        "displayName", "color", "unit", "decimals", "max", "links", "mappings", "thresholds",
        "custom.cellOptions", "custom.lineWidth", "custom.axisPlacement",
    ]  # fmt: skip
    value: Any


class Override(Strict):
    matcher: Matcher
    properties: list[Property]


class FieldConfig(Strict):
    defaults: Defaults
    overrides: list[Override]


class Transformation(Strict):
    id: Literal["merge", "organize"]
    options: dict[str, Any]


class Panel(Strict):
    id: int = Field(ge=1)
    type: Literal["stat", "timeseries", "table", "bargauge", "heatmap", "state-timeline"]
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    datasource: Datasource
    gridPos: GridPos
    fieldConfig: FieldConfig
    options: dict[str, Any]
    targets: list[Target] = Field(min_length=1)
    transformations: list[Transformation] = []


class Row(Strict):
    id: int = Field(ge=1)
    type: Literal["row"]
    title: str = Field(min_length=1)
    collapsed: Literal[False]
    gridPos: GridPos
    panels: list[Any] = Field(max_length=0)


class TextOptions(Strict):
    mode: Literal["markdown"]
    content: str = Field(min_length=1)


class Text(Strict):
    id: int = Field(ge=1)
    type: Literal["text"]
    title: str = Field(min_length=1)
    description: str
    gridPos: GridPos
    options: TextOptions


class Variable(Strict):
    name: str
    label: str = Field(min_length=1)
    description: str = Field(min_length=1)
    type: Literal["query", "textbox"]
    query: Any
    current: dict[str, Any]
    options: list[Any]
    hide: Literal[0]
    skipUrlSync: bool
    datasource: Datasource | None = None
    definition: str = ""
    refresh: Literal[2] | None = None
    sort: Literal[1] | None = None
    multi: bool = False
    includeAll: bool = False
    allValue: str = ""
    regex: str = ""


class Templating(Strict):
    list_: list[Variable] = Field(alias="list")


class Annotations(Strict):
    list_: list[Any] = Field(alias="list", max_length=0)


class DashboardLink(Strict):
    type: Literal["dashboards", "link"]
    title: str = Field(min_length=1)
    tags: list[str]
    url: str
    asDropdown: bool
    includeVars: bool
    keepTime: bool
    targetBlank: bool
    icon: str
    tooltip: str


class Time(Strict):
    from_: str = Field(alias="from", pattern=r"^now-\d+[mhd]$")
    to: Literal["now"]


class Dashboard(Strict):
    uid: str = Field(pattern="^maskwatch-[a-z]+$", max_length=40)
    title: str = Field(pattern="^Maskwatch: ")
    description: str = Field(pattern="^For ")
    tags: list[str]
    schemaVersion: Literal[39]
    version: int
    editable: bool
    graphTooltip: Literal[1]
    timezone: Literal["browser"]
    weekStart: str
    time: Time
    timepicker: dict[str, Any]
    refresh: str = Field(pattern=r"^\d+[sm]$")
    fiscalYearStartMonth: int
    liveNow: bool
    annotations: Annotations
    links: list[DashboardLink]
    templating: Templating
    panels: list[Panel | Row | Text]


@pytest.fixture(params=DASHBOARDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def board(name: str) -> Dashboard:
    return Dashboard.model_validate(dashboard(name))


def of(board: Dashboard) -> list[Panel]:
    """Return the panels that show data."""
    return [panel for panel in board.panels if isinstance(panel, Panel)]


def test_every_file_is_known() -> None:
    assert {path.stem for path in (GRAFANA / "dashboards").iterdir()} == set(DASHBOARDS)


def test_uid_is_the_file_s_name(name: str, board: Dashboard) -> None:
    assert board.uid == f"maskwatch-{name}"


@pytest.mark.parametrize("wrong", [{"uid": "other"}, {"panels": [{"type": "graph"}]}, {"surplus": 1}])
def test_description_is_strict(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dashboard.model_validate(dashboard("cameras") | wrong)


def test_panels_have_numbers_of_their_own_and_do_not_overlap(board: Dashboard) -> None:
    assert len({panel.id for panel in board.panels}) == len(board.panels)
    for panel in board.panels:
        assert panel.gridPos.x + panel.gridPos.w <= 24, panel.title
    for one, other in combinations(board.panels, 2):
        a, b = one.gridPos, other.gridPos
        beside = a.x + a.w <= b.x or b.x + b.w <= a.x
        above = a.y + a.h <= b.y or b.y + b.h <= a.y
        assert beside or above, (one.title, other.title)


def test_panels_have_units_and_rising_thresholds(board: Dashboard) -> None:
    for panel in of(board):
        assert panel.fieldConfig.defaults.unit in UNITS, panel.title
        properties = [one for override in panel.fieldConfig.overrides for one in override.properties]
        assert {one.value for one in properties if one.id == "unit"} <= UNITS, panel.title
        limits = [Thresholds.model_validate(one.value) for one in properties if one.id == "thresholds"]
        for thresholds in [panel.fieldConfig.defaults.thresholds, *limits]:
            first, *others = (step.value for step in thresholds.steps)
            assert first is None, panel.title
            values = [value for value in others if value is not None]
            assert len(values) == len(others), panel.title
            assert all(low < high for low, high in pairwise(values)), panel.title


def test_figures_that_colour_themselves_have_limits(board: Dashboard) -> None:
    for panel in of(board):
        if panel.type == "stat" and panel.options["colorMode"] == "background":
            assert len(panel.fieldConfig.defaults.thresholds.steps) > 1, panel.title


def test_queries_of_a_panel_have_letters_of_their_own_and_the_right_form(board: Dashboard) -> None:
    for panel in of(board):
        assert len({target.refId for target in panel.targets}) == len(panel.targets), panel.title
        for target in panel.targets:
            assert target.instant != target.range, panel.title
            assert (target.format == "table") == (panel.type == "table"), panel.title
            assert not (panel.type == "table" and target.range), panel.title


def test_variables_that_are_used_exist_and_those_that_exist_are_used(name: str, board: Dashboard) -> None:
    known = {variable.name for variable in board.templating.list_}
    text = (GRAFANA / "dashboards" / f"{name}.json").read_text()
    used = {found for found in re.findall(r"\$\{?(\w+)", text) if found not in BUILT_IN}
    assert used - {"__value", "__field"} == known
    assert {"camera", "site"} <= known
    assert ("zone" in known) == (name == "compliance")


def test_everything_may_be_chosen(board: Dashboard) -> None:
    for variable in board.templating.list_:
        if variable.type == "query":
            assert variable.includeAll
            assert variable.multi
            assert variable.allValue == ".*"
            assert variable.current["value"] == ["$__all"]


def test_series_of_cameras_lead_to_the_camera_s_page(board: Dashboard) -> None:
    for panel in of(board):
        by_camera = [target for target in panel.targets if target.legendFormat.startswith("{{camera}}")]
        assert bool(by_camera) == bool(panel.fieldConfig.defaults.links), panel.title
        if panel.type == "table" and "camera" in str(panel.transformations):
            (link,) = [
                one.value[0]
                for override in panel.fieldConfig.overrides
                if override.matcher.options == "Camera"
                for one in override.properties
                if one.id == "links"
            ]
            assert Link.model_validate(link).url.endswith("/cameras/${__value.raw}")


def test_dashboards_lead_to_each_other_and_to_the_site(board: Dashboard) -> None:
    others, site = board.links
    assert (others.type, others.tags) == ("dashboards", ["maskwatch"])
    assert site.url == "${site:raw}/"
    assert board.tags[0] == "maskwatch"


def test_counters_of_cameras_are_asked_for_through_the_rules_that_count_once(name: str) -> None:
    # Every site exports them, so a sum or a rate of the raw ones would count as often as there are sites.
    raw = re.compile(
        r"(sum|rate|increase)[^()]*\(\s*maskwatch_(people|zone_people|frames|faces|events|label_flips|face_size)"
    )
    assert [title for title, expr in asked(name) if raw.search(expr)] == []


def test_document_lists_every_panel(name: str, board: Dashboard) -> None:
    _, _, rest = DOCUMENT.partition(f"### {board.title.removeprefix('Maskwatch: ')}\n")
    section = rest.partition("\n### ")[0].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[2:]
    assert rows == [panel.title for panel in of(board)]


def test_grafana_finds_the_source_and_the_dashboards() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    Datasource.model_validate({"type": source["type"], "uid": source["uid"]})
    assert source["isDefault"] is True
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/maskwatch.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
