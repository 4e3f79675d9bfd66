from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from maskwatch.errors import ConfigError
from models.scores import classification_figures
from tests.support_faces import bare_sample
from training.augment import AUGMENTATIONS
from training.data import Data
from training.samples import Sample
from training.settings import TrainSettings
from training.studies import ablation_variants, main, source_variants
from training.study_runs import Outcome, Variant, average_precision, table_by_set

SETTINGS = TrainSettings(data=(Path("d"),), val=(Path("v"),), out=Path("o"), two_class_sources=("web",))


def faces(source: str, *labels: int, split: str = "train") -> list[Sample]:
    """Return samples of a source, each of a picture of its own."""
    made = []
    for number, label in enumerate(labels):
        name = f"{split}/{source}-{number}"
        made.append(replace(bare_sample(label), source=source, file=name, sha256=name))
    return made


def data(train: list[Sample], val: list[Sample]) -> Data:
    return Data(train, val, [], [], {}, {})


def test_ablation_switches_every_part_off_alone_and_in_groups() -> None:
    variants = ablation_variants(SETTINGS, data(faces("web", 0, 1, 2), faces("web", 0, split="val")))
    off = {variant.settings.without for variant in variants}
    assert {()} | {(name,) for name in AUGMENTATIONS} | {AUGMENTATIONS} <= off
    assert len({variant.name for variant in variants}) == len(variants)
    assert [variant.name for variant in variants if not variant.settings.two_class_sources] == [
        "two-class sources taken at their word"
    ]
    assert all(set(variant.measured) == {"validation"} for variant in variants)


def test_each_source_is_left_out_once_and_measured_on_the_same_faces_as_with_it() -> None:
    web, other = faces("web", 0, 1, split="val"), faces("other", 1, split="val")
    train = faces("web", 0, 1, 2) + faces("other", 0, 1) + faces("third", 0, 1)
    with_all, *without = source_variants(SETTINGS, data(train, web + other))
    assert [variant.settings.leave_out for variant in without] == [("other",), ("third",), ("web",)]
    for variant in without:
        (source,) = variant.settings.leave_out
        learned = variant.data.train + variant.data.val
        assert source not in {sample.source for sample in learned}
        measured = [sample.file for sample in variant.measured[source]]
        if source == "third":
            assert len(measured) == 2  # it has no validation faces, so all of its faces are measured
        else:
            assert measured == [sample.file for sample in with_all.measured[source]]


def test_only_source_can_not_be_left_out() -> None:
    with pytest.raises(ConfigError, match="nothing would be left"):
        source_variants(SETTINGS, data(faces("web", 0, 1), faces("web", 0, split="val")))


def test_average_precision_is_one_for_a_perfect_order_and_needs_a_true_one() -> None:
    truth = np.array([True, False, True, False])
    assert average_precision(truth, np.array([0.9, 0.1, 0.8, 0.2], np.float32)) == 1.0
    assert average_precision(truth, np.array([0.1, 0.9, 0.2, 0.8], np.float32)) == pytest.approx(
        (1 / 3 + 2 / 4) / 2, 0.01
    )
    assert average_precision(np.zeros(3, bool), np.zeros(3, np.float32)) is None


def test_table_has_a_row_a_set_and_says_how_far_seeds_lie_apart() -> None:
    chances = np.eye(3, dtype=np.float32)
    runs = [
        Outcome(
            name="all on",
            seed=seed,
            recipe={},
            learned={},
            figures={"validation": classification_figures([0, 1, 2], chances)},
            wrong_ap={"validation": ap},
        )
        for seed, ap in ((1, 0.5), (2, 0.7))
    ]
    rows = table_by_set(runs).splitlines()
    assert len(rows) == 3
    assert "0.600 ± 0.100" in rows[2]
    assert rows[2].endswith("| 2 |")


def test_sources_study_writes_its_file_and_prints_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    val = faces("web", 0, 1, split="val") + faces("other", 1, split="val")
    read = data(faces("web", 0, 1, 2) + faces("other", 0, 1), val)

    def outcome(variant: Variant, folder: Path) -> Outcome:
        figures = classification_figures([0, 1, 2], np.eye(3, dtype=np.float32))
        return Outcome(
            name=variant.name,
            seed=variant.settings.seed,
            recipe={},
            learned={},
            figures=dict.fromkeys(variant.measured, figures),
            wrong_ap=dict.fromkeys(variant.measured, 1.0),
        )

    monkeypatch.setattr("training.studies.read_data", lambda settings: read)
    monkeypatch.setattr("training.studies.run_variant", outcome)
    monkeypatch.setattr("maskwatch.log.configure", lambda *_: None)
    words = ["sources", "--data", "d", "--val", "v", "--out", str(tmp_path), "--seed", "1", "--seed", "2"]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert "| without other | other |" in result.stdout
    written = json.loads((tmp_path / "sources.json").read_text())
    assert [(run["name"], run["seed"]) for run in written] == [
        (name, seed) for seed in (1, 2) for name in ("all on", "without other", "without web")
    ]


def test_named_variants_alone_are_run_and_an_unknown_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []

    def stopped(variant: Variant, folder: Path) -> Outcome:
        ran.append(variant.name)
        raise KeyboardInterrupt

    monkeypatch.setattr("training.studies.read_data", lambda settings: data(faces("web", 0, 1), faces("web", 0, 1)))
    monkeypatch.setattr("training.studies.run_variant", stopped)
    monkeypatch.setattr("maskwatch.log.configure", lambda *_: None)
    words = ["ablation", "--data", "d", "--val", "v", "--out", str(tmp_path), "--only"]
    CliRunner().invoke(main, [*words, "without flip"])
    assert ran == ["without flip"]
    refused = CliRunner().invoke(main, [*words, "without flips"])
    assert refused.exit_code == 2
    assert "without flip," in refused.stderr
    assert ran == ["without flip"]


def test_option_out_of_bounds_is_named_as_the_study_calls_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("maskwatch.log.configure", lambda *_: None)
    words = ["sources", "--data", "d", "--val", "v", "--out", str(tmp_path), "--epochs", "-1"]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "Error: --epochs: " in refused.stderr
