"""What the verb `detect` does around `Detect`: loading, printing, exit codes."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import click

from maskwatch import log
from maskwatch.service import stop_on_signals
from maskwatch.settings.model import LogSettings
from maskwatch.types import Profile
from models.store import ModelStore
from workers.detect import Detect, DetectSettings
from workers.findings import Finding, table
from workers.inputs import expand
from workers.models import WorkerModels, load_models
from workers.window import Window, require_window

__all__ = ["DetectRequest", "run_detect"]

_BATCH = 8


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """The command line; see the verb's help."""

    inputs: tuple[str, ...]
    out: Path | None
    show: bool
    every: int
    detector: str
    profile: str
    engine: str
    as_json: bool
    models: Path | None = None


def run_detect(request: DetectRequest) -> int:
    """Look at all inputs and print what was found.

    Args:
        request: the command line.

    Returns:
        The exit code: 0, or 1 when an input failed.

    Raises:
        ConfigError: if there can be no window or no output folder.
        ModelError: if a model can't be used.
    """
    log.configure(LogSettings(level="warning"), "detect")
    if request.show:
        require_window()
    inputs, problems = expand(request.inputs)
    findings = []
    for word, error in problems:
        findings.append(Finding(word, "unknown", error=str(error)))
        _complain(findings[-1])
    if not inputs:
        _print(request, findings, None)
        return 1
    stop = stop_on_signals()
    models = _load(request)
    settings = DetectSettings(request.out, request.every, request.detector, Profile(request.profile))
    with ExitStack() as stack:
        window = stack.enter_context(closing(Window())) if request.show else None
        work = Detect(models, settings, stop, window)
        for finding in work.run(inputs):
            findings.append(finding)
            _complain(finding)
    skipped = len(inputs) + len(problems) - len(findings)
    if skipped and not work.was_quit:
        click.echo(f"maskwatch: stopped; {skipped} inputs were not looked at", err=True)
    _print(request, findings, models)
    is_unfinished = skipped > 0 and not work.was_quit
    return 1 if is_unfinished or any(finding.error for finding in findings) else 0


def _load(request: DetectRequest) -> WorkerModels:
    engine = cast(Literal["auto", "litert", "keras"], request.engine)
    return load_models(
        engine, "none", batch=_BATCH if request.engine == "keras" else 1, detectors=[request.detector],
        profiles=[Profile(request.profile)], store=ModelStore(request.models),
    )  # fmt: skip


def _complain(finding: Finding) -> None:
    """Say on stderr what went wrong, or that nobody is there."""
    if finding.error:
        click.echo(f"maskwatch: {finding.error}", err=True)
    elif not finding.frames_with_people:
        click.echo(f"maskwatch: {finding.shown}: no faces found", err=True)


def _print(request: DetectRequest, findings: list[Finding], models: WorkerModels | None) -> None:
    if request.as_json:
        said = {
            "model": models.classifier.name if models else None,
            "engine": models.engine.value if models else None,
            "detector": request.detector,
            "detector_model": models.detector(request.detector).model if models else None,
            "profile": request.profile,
            "items": [finding.as_dict() for finding in findings],
        }
        click.echo(json.dumps(said, indent=1))
        return
    for line in table(findings):
        click.echo(line)
    if request.out is not None and any(finding.files for finding in findings):
        click.echo(f"files are in {request.out}")
