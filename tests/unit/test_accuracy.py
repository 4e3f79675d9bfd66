from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwatch.errors import ConfigError
from models.scores import JudgedPicture, face_set_figures, scene_figures
from training.accuracy import Inputs, fill, make_tables

SURE = np.array([(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)], np.float32)


def evaluated(words: Sequence[str]) -> dict[str, Any]:
    return measured("--faces" in words)


@cache
def measured(faces: bool) -> dict[str, Any]:
    """Stand in for `maskwatch evaluate`: three faces, of which the last is missed and taken for a bare one."""
    about = {
        "profile": "accurate", "detector_model": "maskwatch-face 1.0.0", "classifier": "maskwatch-mask 1.0.0",
        "engine": "litert", "threshold": 0.6, "iou": 0.35, "unknown_below": 0.4,
        "labels": ["with_mask", "without_mask", "incorrect_mask"], "faces_found": 2,
    }  # fmt: skip
    boxes = np.array([[0, 0, 50, 50], [100, 0, 150, 50], [200, 0, 250, 50]], np.float32)
    said = SURE[[0, 1, 1]]
    if faces:
        figures = face_set_figures(np.array([0, 1, 1], np.int32), said, boxes, ["web"] * 3, 0.4)
        return {**about, **figures}
    picture = JudgedPicture(
        "a.jpg",
        "web",
        boxes,
        np.array([0, 1, 2], np.int32),
        said,
        boxes[:2],
        np.array([0.9, 0.8], np.float32),
        said[:2],
    )
    return {**about, **scene_figures([picture], 0.6, 0.35, 0.4, unboxed=False)}


def test_every_measurement_becomes_a_table() -> None:
    asked: list[Sequence[str]] = []

    def ask(words: Sequence[str]) -> dict[str, Any]:
        asked.append(words)
        return evaluated(words)

    made = make_tables(Inputs(Path("s.json"), Path("s"), faces=Path("f"), engines=("litert", "keras")), ask)
    assert sum("haar" in words for words in asked) == sum("ssd" in words for words in asked) == 1
    assert "| **maskwatch, accurate** | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] | 0.000" in made["detection"]
    assert "| `incorrect_mask` | 0 | 1 | 0 |" in made["confusion"]
    assert "| two-class accuracy | ≥ 0.99 | 1.000 [1.000, 1.000] | yes |" in made["targets"]
    assert "| recall of masks worn wrongly | ≥ 0.88 | 0.000 [0.000, 0.000] | **no** |" in made["targets"]
    assert "| accurate: false positives a picture | ≤ 0.25 | 0.000 [0.000, 0.000] | yes |" in made["targets"]
    assert "| 48 to 96 px | 3 |" in made["classification-groups"]
    assert "| maskwatch-mask 1.0.0 (keras) |" in made["classification"]
    assert "| maskwatch-mask 1.0.0 | 2 of 3 |" in made["faces"]
    assert "3 faces of at least 24 px" in made["made"]


def test_further_classifiers_are_asked_on_the_same_scenes() -> None:
    asked: list[Sequence[str]] = []

    def ask(words: Sequence[str]) -> dict[str, Any]:
        asked.append(words)
        return evaluated(words)

    make_tables(Inputs(Path("s.json"), Path("s"), models=Path("m"), classifiers=("inception",)), ask)
    (words,) = (words for words in asked if "inception" in words)
    assert words[words.index("--models") + 1] == "m"


def test_only_what_is_between_the_marks_is_replaced() -> None:
    text = "before\n<!-- made -->\nold\nlines\n<!-- /made -->\nafter\n<!-- faces -->\nkept\n<!-- /faces -->\n"
    filled = fill(text, {"made": "| new \\1 |"}, "a.md")
    assert (
        filled == "before\n<!-- made -->\n| new \\1 |\n<!-- /made -->\nafter\n<!-- faces -->\nkept\n<!-- /faces -->\n"
    )
    assert fill(filled, {"made": "| new \\1 |"}, "a.md") == filled


def test_missing_marks_are_named() -> None:
    with pytest.raises(ConfigError, match=r"a\.md: expected one pair of marks <!-- made -->"):
        fill("nothing", {"made": "x"}, "a.md")


def test_the_documents_marks_are_those_that_are_made() -> None:
    text = (Path(__file__).parents[2] / "docs/accuracy.md").read_text()
    made = make_tables(Inputs(Path("s.json"), Path("s"), faces=Path("f")), evaluated)
    fill(text, made | dict.fromkeys(("ablation", "sources", "backbones", "classic"), ""), "docs/accuracy.md")


def test_the_classic_recipe_is_shown_on_both_splits(tmp_path: Path) -> None:
    label = {"precision": 0.9, "recall": 0.8, "f1-score": 0.85, "support": 5.0}
    part = {"with_mask": label, "without_mask": label, "accuracy": 0.99, "weighted avg": label}
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"random_split": part, "across": part | {"accuracy": 0.7}}))
    made = make_tables(Inputs(Path("s.json"), Path("s"), classic=path), evaluated)
    assert "| **accuracy** | **0.990** | **0.700** |" in made["classic"]
    path.write_text('{"random_split": {}, "across": {}}')
    with pytest.raises(ConfigError, match="expected the report of a classic run"):
        make_tables(Inputs(Path("s.json"), Path("s"), classic=path), evaluated)


def test_studies_become_tables(tmp_path: Path) -> None:
    figures = evaluated([])["classification"]
    outcome = {
        "name": "all on", "seed": 1, "recipe": {}, "learned": {}, "figures": {"validation": figures},
        "wrong_ap": {"validation": 0.25},
    }  # fmt: skip
    path = tmp_path / "ablation.json"
    path.write_text(json.dumps([outcome]))
    made = make_tables(Inputs(Path("s.json"), Path("s"), ablation=path), evaluated)
    assert "| all on | validation | 3 | 1.000 |" in made["ablation"]
    with pytest.raises(ConfigError, match="something else"):
        make_tables(Inputs(Path("s.json"), Path("s"), backbones=path), evaluated)
    both = {"figures": dict.fromkeys(("validation", "validation, int8"), figures)}
    both["wrong_ap"] = dict.fromkeys(both["figures"], 0.25)
    about = {"backbone": "inception_v3", "start": "random", "parameters": 21_808_931, "calls": 51}
    cost = {"keras_bytes": 40_000_000, "int8_bytes": 22_000_000, "ms_a_face": 4.5}
    path.write_text(json.dumps([{**outcome, **both, **about, **cost}]))
    made = make_tables(Inputs(Path("s.json"), Path("s"), backbones=path), evaluated)
    assert "| inception_v3 | random | int8 | 21.81 | 22.0 | 4.50 | 1.000 |" in made["backbones"]
    path.write_text('[{"name": "all on"}]')
    with pytest.raises(ConfigError, match=r"expected what training[.]studies wrote"):
        make_tables(Inputs(Path("s.json"), Path("s"), ablation=path), evaluated)
