"""`maskwatch report`: compliance as a file to print, send and keep."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

from maskwatch.options import config_option, settings_from

__all__ = ["report"]


@click.command()
@config_option
@click.option("--from", "since", metavar="WHEN", help="First day, or a time  [default: six days before the last]")
@click.option("--to", "until", metavar="WHEN", help="Last day, or a time  [default: yesterday]")
@click.option("--tz", metavar="ZONE", help="Time zone of days and hours  [default: web.timezone]")
@click.option("--camera", "cameras", multiple=True, metavar="NAME", help="This camera only; may be repeated.")
@click.option("--zone", "zones", multiple=True, metavar="NAME", help="This zone only; may be repeated.")
@click.option("--by", help="What the first chart shows: day, weekday, hour, camera or zone  [default: day]")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The HTML file to write.")
def report(
    config: Path | None,
    since: str | None,
    until: str | None,
    tz: str | None,
    cameras: tuple[str, ...],
    zones: tuple[str, ...],
    by: str | None,
    out: Path,
) -> None:
    """Write who wore a mask properly, out of how many, as one HTML file with charts.

    WHEN is a day (2026-11-09, today, yesterday, -6d for six days ago) or a time (2026-11-09T08:00). Without --from and
    --to it is the last seven days that are over, so that it can run every Monday; `--from yesterday` is for every day.
    """
    settings = settings_from(config)

    from web.answers.report_run import write_report  # SQLAlchemy and Jinja take 0.4 s, which `--help` needn't

    asked = {"from": since, "to": until, "tz": tz, "by": by}
    args = {key: [value] for key, value in asked.items() if value is not None}
    click.echo(write_report(settings, {**args, "camera": list(cameras), "zone": list(zones)}, out))
    known = {"camera": set(settings.cameras), "zone": {zone for one in settings.cameras.values() for zone in one.zones}}
    for key, names in (("camera", cameras), ("zone", zones)):
        for name in (name for name in names if settings.cameras and name not in known[key]):
            near = get_close_matches(name, known[key], n=1)
            hint = f"did you mean {near[0]}?" if near else "the report has what the record knows of it"
            click.echo(f"maskwatch: --{key} {name}: none of this name is configured; {hint}", err=True)
