from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import models
from training.card import card_text
from training.report import Report

SHIPPED = Path(models.__file__).parent / "weights" / "maskwatch-mask" / "report.json"


def report_with(settings: dict[str, Any] | None = None, **changes: Any) -> Report:
    report = Report.model_validate_json(SHIPPED.read_text())
    return report.model_copy(update={"settings": {**report.settings, **(settings or {})}, **changes})


@pytest.mark.parametrize(("epochs", "says"), [(0, "0 epochs of"), (1, "1 epoch of"), (2, "2 epochs of")])
def test_epochs_are_counted_in_words(epochs: int, says: str) -> None:
    assert says in card_text("some-mask", "1.0.0", report_with({"epochs_head": epochs}))


def test_card_names_what_was_switched_off() -> None:
    assert "varied as `training.augment` does, but for `covers`, `flip`." in card_text(
        "some-mask", "1.0.0", report_with({"without": ["covers", "flip"]})
    )


def test_card_of_other_data_claims_nothing_about_its_people() -> None:
    ours = card_text("some-mask", "1.0.0", report_with())
    other = card_text("some-mask", "1.0.0", report_with(licences={"faces": "MIT", "mine": "not stated"}))
    assert "news of 2020 and 2021" in ours
    assert "The weights are ours" in ours
    assert "Nobody has written down who is in the pictures of `mine`" in other
    assert "news of 2020 and 2021" not in other
    assert "The weights are ours" not in other
