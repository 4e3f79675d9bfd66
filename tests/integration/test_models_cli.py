from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from models.cli import models
from tests.integration.test_registry import write_model


def test_list_prints_each_model_in_a_line(tmp_path: Path) -> None:
    write_model(tmp_path)
    result = CliRunner().invoke(models, ["list", "--root", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout == "some-mask 1.2.3: classifier, 64x64 px, keras, litert, 0.0 MB\n"


def test_list_shows_a_broken_model_and_the_others_and_exits_1(tmp_path: Path) -> None:
    write_model(tmp_path)
    (write_model(tmp_path, "broken") / "manifest.json").write_text("{")
    result = CliRunner().invoke(models, ["list", "--root", str(tmp_path), "--json"])
    items = json.loads(result.stdout)["items"]
    assert result.exit_code == 1
    assert "model manifest" in items[0]["error"]
    assert items[1]["version"] == "1.2.3"


def test_verify_says_ok(tmp_path: Path) -> None:
    write_model(tmp_path)
    result = CliRunner().invoke(models, ["verify", "--root", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, "some-mask: ok, 2 files\n")


def test_verify_names_the_changed_file_and_exits_1(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    write_model(tmp_path, "good")
    (folder / "model.keras").write_bytes(b"tampered with")
    result = CliRunner().invoke(models, ["verify", "--root", str(tmp_path), "--json"])
    items = json.loads(result.stdout)["items"]
    assert result.exit_code == 1
    assert [item["ok"] for item in items] == [True, False]
    assert "model.keras: expected sha256" in items[1]["error"]


def test_verify_of_an_unknown_name_exits_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(models, ["verify", "nothing", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert "not found" in result.stdout


def test_shipped_models_are_what_their_manifests_name() -> None:
    result = CliRunner().invoke(models, ["verify", "--json"])
    names = [item["name"] for item in json.loads(result.stdout)["items"]]
    assert result.exit_code == 0, result.stdout
    assert "maskwatch-mask" in names


def test_help_imports_no_machine_learning() -> None:
    look = (
        "import sys, models.cli, training.cli;"
        "print([name for name in ('tensorflow', 'keras', 'ai_edge_litert', 'cv2', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=250, check=True)
    assert result.stdout.strip() == "[]"
