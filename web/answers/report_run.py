"""Makes a report of this installation's record and writes it to a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from maskwatch.errors import ConfigError
from maskwatch.settings import Settings
from web.answers.asked import ask_compliance
from web.answers.kept import kept_records
from web.answers.report import make_report, report_file
from web.answers.span import site_zone
from web.answers.words import headline, span_words

__all__ = ["write_report"]


def write_report(settings: Settings, asked: Mapping[str, Sequence[str]], out: Path) -> str:
    """Write a report.

    Args:
        settings: of the installation.
        asked: `from`, `to`, `tz`, `camera`, `zone` and `by`, as the API takes them; without `to` it ends yesterday.
        out: the file; it is there as a whole or not at all. What a link leads to is written; a pipe or a device is
            written to.

    Returns:
        A sentence that says what is in it.

    Raises:
        ConfigError: if something asked for is wrong, or the file can't be written.
        StoreError: if the record can't be read.
    """
    now = datetime.now(UTC)
    wish = ask_compliance(asked, site_zone(settings.web.timezone), now, with_today=False)
    with closing(kept_records(settings)) as records:
        report = make_report(records, wish.span, wish.counted, wish.by, now)
    _write(out, report_file(report))
    return f"{out}: {span_words(report.span)}: {headline(report.total)}"


def _write(out: Path, text: str) -> None:
    try:
        if os.path.exists(out) and not os.path.isfile(out):
            out.write_text(text, encoding="utf-8")  # a pipe or a device, such as /dev/stdout, which nothing may replace
        else:
            _write_whole(Path(os.path.realpath(out)), text)
    except OSError as error:
        raise ConfigError(
            f"--out {out}: {error.strerror}; expected a file in a folder that is there and can be written to"
        ) from error


def _write_whole(out: Path, text: str) -> None:
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, out)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
