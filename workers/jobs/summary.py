"""The summary of a job about recorded material: one HTML file with a chart, for who has no access to the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from maskwatch.errors import JobError
from maskwatch.render.palette import VERDICT_STYLES
from maskwatch.store import FEW, ComplianceRow
from maskwatch.types import Verdict
from workers.jobs.checkpoint import VideoPlace

__all__ = ["write_summary"]

_ORDER = (Verdict.WITH_MASK, Verdict.INCORRECT_MASK, Verdict.WITHOUT_MASK, Verdict.UNKNOWN)
_COLUMNS = 60
_WIDE, _HIGH, _BASE = 720, 160, 150
_MOST_CHARTS = 20
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1e22;background:#fff}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}td.n{text-align:right}
.key{display:inline-block;width:.8em;height:.8em;margin-right:.4em}svg{width:100%;height:auto}figure{margin:1.5rem 0}
figcaption{color:#555}
"""


def write_summary(path: Path, title: str, summary: Mapping[str, Any], done: Sequence[VideoPlace]) -> None:
    """Write the page.

    Args:
        path: of the file.
        title: of the job.
        summary: its figures, see `workers.jobs.video`.
        done: the inputs.

    Raises:
        JobError: if it can't be written.
    """
    films = [place for place in done if place.finding.kind == "video" and place.finding.frames]
    charts = "".join(_chart(place) for place in films[:_MOST_CHARTS])
    problems = "".join(f"<li>{escape(one)}</li>" for one in summary["problems"])
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{_headline(summary)}</p>
{_table(summary)}
{charts}
{f"<h2>Not or not wholly looked at</h2><ul>{problems}</ul>" if problems else ""}
<p>{summary["frames"]} pictures, {summary["seconds"]:g} s; model {escape(str(summary["model"]))},
detector {escape(str(summary["detector"]))}, profile {escape(str(summary["profile"]))}, one picture in
{summary["every"]}. Each person is counted once in each video, by the verdict of all looks together.</p>
</body></html>
"""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise JobError(f"{path}: can't be written ({error.strerror}); is there room in jobs.dir?") from error


def _headline(summary: Mapping[str, Any]) -> str:
    row = ComplianceRow(**{verdict.value: summary["people"][verdict.value] for verdict in Verdict})
    if row.compliance is None or row.low is None or row.high is None:
        seen = f"{row.people} {'person was' if row.people == 1 else 'people were'} seen"
        return f"{seen}; of none it could be told how a mask was worn." if row.people else "Nobody was seen."
    said = f"{row.with_mask} of {row.known} {'person' if row.known == 1 else 'people'} wore a mask properly"
    if row.known >= FEW:
        # As the pages do: what isn't all or nothing is never written as 100 % or 0 %.
        share = min(max(round(100 * row.compliance), 1), 99) if 0 < row.compliance < 1 else round(100 * row.compliance)
        low, high = min(round(100 * row.low), 99), max(round(100 * row.high), 1)
        said += f" ({share} %; 95 % interval {low} to {high} %)"
    more = f"; of {row.unknown} more it couldn't be told" if row.unknown else ""
    return f"{said}{more}."


def _table(summary: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_key(verdict)}{VERDICT_STYLES[verdict].word}</td>"
        f'<td class="n">{summary["people"][verdict.value]}</td></tr>'
        for verdict in _ORDER
    )
    return f"<table><tr><th>Verdict</th><th>People</th></tr>{rows}</table>"


def _key(verdict: Verdict) -> str:
    return f'<span class="key" style="background:{VERDICT_STYLES[verdict].hex_rgb}"></span>'


def _chart(place: VideoPlace) -> str:
    """Return who was there over the time of a video, as columns by verdict."""
    length_s = max(place.finding.duration_s, 0.001)
    step_s = length_s / _COLUMNS
    columns = [place.people.present(at * step_s, (at + 1) * step_s) for at in range(_COLUMNS)]
    most = max([1, *(sum(column.values()) for column in columns)])
    width = _WIDE / _COLUMNS
    bars = []
    for at, column in enumerate(columns):
        top = float(_BASE)
        for verdict in _ORDER:
            high = column[verdict] / most * (_BASE - 20)
            if high:
                top -= high
                bars.append(
                    f'<rect x="{at * width + 0.5:.1f}" y="{top:.1f}" width="{width - 1:.1f}" height="{high:.1f}" '
                    f'fill="{VERDICT_STYLES[verdict].hex_rgb}"/>'
                )
    said = f"People present over the {length_s:.0f} s of {place.finding.shown}, {most} at most at once"
    return (
        f'<figure><svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{escape(said)}">{"".join(bars)}'
        f'<line x1="0" y1="{_BASE}" x2="{_WIDE}" y2="{_BASE}" stroke="#888"/></svg>'
        f"<figcaption>{escape(said)}.</figcaption></figure>"
    )
