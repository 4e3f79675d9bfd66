"""Make the tables of docs/accuracy.md: every detector and classifier through `maskwatch evaluate`, and a peer.

    python -m training.accuracy --scenes val.json --images val --out docs/accuracy.md

Only what stands between a pair of marks in the document is replaced; the words around it are written by hand. A table
whose input isn't given stays as it is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from maskwatch.errors import ConfigError, MaskwatchError
from maskwatch.labelled import read_labelled
from maskwatch.labelled.unboxed import read_unboxed
from maskwatch.types import Profile
from training import accuracy_tables as tables
from training.accuracy_tables import Run
from training.commands import TrainingCommand

if TYPE_CHECKING:
    from training.study_runs import Kept

__all__ = ["Inputs", "fill", "make_tables"]

_LONGEST_S = 3600.0
DEFAULT = "maskwatch-mask"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What there is to measure, and on what; None where it isn't given.

    Attributes:
        scenes: COCO file.
        images: its pictures.
        unboxed: list of unlabelled faces.
        faces: class folders.
        models: folder of further models.
        classifiers: names of further classifiers in it.
        engines: what runs the default classifier, in rows of their own; the first one runs everything else.
        yunet: YuNet's file, for the detector of this name.
        peer: AIZOO's LiteRT file.
        ablation: what `training.studies ablation` wrote.
        sources: what `training.studies sources` wrote.
        backbones: what `training.studies backbones` wrote.
        classic: the report of a run with the classic recipe.
    """

    scenes: Path
    images: Path
    unboxed: Path | None = None
    faces: Path | None = None
    models: Path | None = None
    classifiers: tuple[str, ...] = ()
    engines: tuple[str, ...] = ("litert",)
    yunet: Path | None = None
    peer: Path | None = None
    ablation: Path | None = None
    sources: Path | None = None
    backbones: Path | None = None
    classic: Path | None = None


def make_tables(inputs: Inputs, ask: Callable[[Sequence[str]], dict[str, Any]]) -> dict[str, str]:
    """Measure everything; returns Markdown by the name of its mark.

    Args:
        inputs: what to measure.
        ask: runs `maskwatch evaluate` with these words and returns the object that it prints.

    Raises:
        MaskwatchError: if something can't be measured.
    """
    scenes = ["--scenes", str(inputs.scenes), "--images", str(inputs.images), "--engine", inputs.engines[0]]
    if inputs.unboxed:
        scenes += ["--unboxed", str(inputs.unboxed)]
    own = {profile: ask([*scenes, "--profile", profile.value]) for profile in Profile}
    accurate = own[Profile.ACCURATE]
    detectors = [Run(f"**maskwatch, {profile}**", said) for profile, said in own.items()]
    detectors += _other_detectors(inputs, scenes, ask)
    classifiers = _classifiers(inputs, scenes, accurate, ask)
    made = {
        "made": _made(accurate),
        "targets": tables.targets_table(accurate, own[Profile.FAST]),
        "detection": tables.detection_table(detectors),
        "detection-groups": tables.detection_groups([Run(profile.value, said) for profile, said in own.items()]),
        "classification": tables.classification_table(classifiers),
        "labels": tables.label_table(classifiers[0]),
        "confusion": tables.confusion_table(classifiers[0]),
        "classification-groups": tables.classification_groups(classifiers[0]),
        "end-to-end": tables.end_to_end_table(detectors),
    }
    if inputs.faces:
        words = ["--faces", str(inputs.faces), "--engine", inputs.engines[0]]
        made["faces"] = tables.faces_table([Run(accurate["classifier"], ask(words))])
    return made | _studies(inputs)


def _other_detectors(
    inputs: Inputs, scenes: Sequence[str], ask: Callable[[Sequence[str]], dict[str, Any]]
) -> Iterator[Run]:
    """Measure the detectors that aren't ours, with our classifier behind them, and the peer, which has its own."""
    if inputs.yunet:
        with _folder_with_yunet(inputs.yunet) as folder:
            for profile in Profile:
                said = ask([*scenes, "--models", str(folder), "--detector", "yunet", "--profile", profile.value])
                yield Run(f"yunet, {profile}", said)
    yield Run("ssd (300x300)", ask([*scenes, "--detector", "ssd"]))
    yield Run("haar, accurate", ask([*scenes, "--detector", "haar"]))
    if inputs.peer:
        yield Run("AIZOO one-stage (260x260)", _peer(inputs, inputs.peer))


@contextmanager
def _folder_with_yunet(file: Path) -> Iterator[Path]:
    """Yield a folder of models that holds YuNet's file as `maskwatch models pull yunet` puts it there."""
    from models.pulled import YUNET

    with TemporaryDirectory(prefix="maskwatch-") as folder:
        place = Path(folder) / YUNET.name / YUNET.file
        place.parent.mkdir()
        try:
            place.write_bytes(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"--yunet {file}: can't be read ({error.strerror}); give {YUNET.file}") from error
        yield Path(folder)


def _classifiers(
    inputs: Inputs, scenes: Sequence[str], accurate: dict[str, Any], ask: Callable[[Sequence[str]], dict[str, Any]]
) -> list[Run]:
    """Measure the default classifier in its engines, and further ones; the labelled boxes are the same for all."""
    runs = [Run(f"**{accurate['classifier']}** ({inputs.engines[0]})", accurate)]
    for engine in inputs.engines[1:]:
        said = ask([*scenes, "--engine", engine, "--profile", Profile.FAST.value])
        runs.append(Run(f"{said['classifier']} ({engine})", said))
    for name in inputs.classifiers:
        words = [*scenes, "--classifier", name, "--profile", Profile.FAST.value]
        said = ask([*words, "--models", str(inputs.models)] if inputs.models else words)
        runs.append(Run(f"{said['classifier']} ({inputs.engines[0]})", said))
    return runs


def _peer(inputs: Inputs, path: Path) -> dict[str, Any]:
    """Measure AIZOO's model on the same pictures with the same scores."""
    from models.scores import detection_figures, end_to_end_figures, pair
    from training.peers import AizooDetector, judge_with_aizoo

    detector = AizooDetector(path)
    unboxed = read_unboxed(inputs.unboxed).faces if inputs.unboxed else {}
    judged = judge_with_aizoo(read_labelled(inputs.images, inputs.scenes), detector, unboxed)
    pairs = pair(judged, 0.35)
    return {
        "detection": detection_figures(pairs, pair(judged, 0.5), detector.score, unboxed=inputs.unboxed is not None),
        "end_to_end": end_to_end_figures(pairs, detector.score),
    }


def _made(accurate: dict[str, Any]) -> str:
    faces = sum(accurate["detection"]["recall"][label]["n"] for label in accurate["labels"])
    return (
        f"Measured: {accurate['detector_model']} (score {accurate['threshold']:g}) and {accurate['classifier']} "
        f"(unknown below {accurate['unknown_below']:g}) on {accurate['pictures']} pictures with {faces} faces of at "
        f"least 24 px, overlap {accurate['iou']:g}, engine {accurate['engine']}."
    )


def _studies(inputs: Inputs) -> dict[str, str]:
    """Lay out what the studies of training found, where their files are given."""
    from training.study_backbones import BackboneOutcome, backbone_table
    from training.study_runs import Outcome, table_by_set

    made = {}
    for name, path in (("ablation", inputs.ablation), ("sources", inputs.sources)):
        if path is not None:
            made[name] = table_by_set(_outcomes(path, Outcome))
    if inputs.backbones is not None:
        made["backbones"] = backbone_table(_outcomes(inputs.backbones, BackboneOutcome))
    if inputs.classic is not None:
        made["classic"] = _classic(inputs.classic)
    return made


def _classic(path: Path) -> str:
    try:
        report = json.loads(path.read_bytes())
        return tables.classic_table(report["random_split"], report["across"])
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); give the report.json of a classic run") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: expected the report of a classic run, received something else: {error!r}"
        ) from error


def _outcomes(path: Path, kind: type[Kept]) -> list[Kept]:
    """Read what a study wrote.

    Raises:
        ConfigError: if it can't be read or is something else.
    """
    from pydantic import ValidationError

    try:
        return [kind.model_validate(one) for one in json.loads(path.read_bytes())]
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); give what training.studies wrote") from error
    except (ValidationError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: expected what training.studies wrote, received something else: {error}") from error


def fill(text: str, made: dict[str, str], where: str) -> str:
    """Put tables between their marks, `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises:
        ConfigError: if a pair of marks is missing.
    """
    for name, table in made.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise ConfigError(f"{where}: expected one pair of marks <!-- {name} --> and <!-- /{name} -->; add them")
        text = pattern.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)  # type: ignore[misc]
    return text


def _ask(words: Sequence[str]) -> dict[str, Any]:
    """Run `maskwatch evaluate`: training and workers meet in what it prints only."""
    command = [sys.executable, "-m", "maskwatch", "evaluate", *words, "--json"]
    click.echo("maskwatch evaluate " + " ".join(words), err=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LONGEST_S, check=False)  # noqa: S603 - our own verb
    if done.returncode != 0:
        raise MaskwatchError(
            f"maskwatch evaluate {' '.join(words)}: failed with exit code {done.returncode}; see above"
        )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(cls=TrainingCommand)
@click.option("--scenes", type=_FILE, required=True, help="COCO file.")
@click.option("--images", type=_FOLDER, required=True, help="Its pictures.")
@click.option("--unboxed", type=_FILE, help="Faces that nobody labelled, by picture.")
@click.option("--faces", type=_FOLDER, help="Class folders.")
@click.option("--models", type=_FOLDER, help="Folder of further models.")
@click.option("--classifier", "classifiers", multiple=True, help="Name of a further classifier in it.")
@click.option(
    "--engine", "engines", multiple=True, default=("litert",), show_default=True, help="In rows of their own."
)
@click.option("--yunet", type=_FILE, help="face_detection_yunet_2023mar.onnx")
@click.option("--peer", type=_FILE, help="AIZOO's face_mask_detection.tflite")
@click.option("--ablation", type=_FILE, help="What `training.studies ablation` wrote.")
@click.option("--sources", type=_FILE, help="What `training.studies sources` wrote.")
@click.option("--backbones", type=_FILE, help="What `training.studies backbones` wrote.")
@click.option("--classic", type=_FILE, help="report.json of a run with --recipe classic.")
@click.option("--out", type=_FILE, default=Path("docs/accuracy.md"), show_default=True, help="The document.")
def main(out: Path, **given: Any) -> None:
    """Measure everything and put the tables into the document."""
    try:
        out.read_text()  # said now if it can't be, and not after all the measuring
        made = make_tables(Inputs(**given), _ask)
        # Read afterwards: somebody may have written in it meanwhile.
        out.write_text(fill(out.read_text(), made, str(out)))
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}; give another --out") from error


if __name__ == "__main__":
    main()
