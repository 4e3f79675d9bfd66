"""The model card that goes with the weights: what it is for, what it was measured to do, and where it fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from maskwatch.types import LABELS
from training.licences import NOT_STATED
from training.report import Report
from training.tables import calibration_text, figures_text, parity_text, table

__all__ = ["card_text"]

BACKBONES = {
    "mobilenet_v2": "MobileNetV2 (alpha {alpha}; Sandler et al., CVPR 2018)",
    "inception_v3": "InceptionV3 (Szegedy et al., CVPR 2016)",
}

HEAD = """# {name} {version}

Says of a cut-out face how a mask is worn: `with_mask` (over mouth and nose), `without_mask`, or `incorrect_mask`
(under the nose, on the chin, dangling from an ear). It recognises masks, never persons.

## Use
Intended: counting and showing mask compliance in camera pictures, after a face detector, smoothed over a person's
track, by people who may film there and have said that they do.

It must not be used to
- decide anything about a single person (access, work, a fine) without a human who looks;
- tell who somebody is, or follow somebody across cameras;
- judge how well a mask protects, tell medical masks from others, or serve any medical purpose.

## Model
{backbone} of {size} x {size} RGB pixels, {start},
global average, dropout, softmax over {labels}.
Faces are cut by `models.crop.crop_faces`, in training as in use. `model.keras` is the float32 Keras model without
its optimizer, its weights rounded to 11 significant bits; `model.int8.tflite` its int8 export with uint8 input. Both
have checksums in `manifest.json`, and the loader compares them before it reads the file.

## Training
{train_counts}; faces whose longer side is under 24 px were left out.
{left_out}Seed {seed}, {head} of the head and {fine} of fine-tuning {fine_from}, {faces} faces an epoch, the rare
label drawn more often, pictures varied as `training.augment` does{without}.
{two_class}Epoch {best} was kept for its balanced accuracy on the validation faces; its weights are averages over the
last steps. `report.json` holds settings, rates, versions and every figure, `data.csv.gz` every picture with its
sha256, licence and labels.
"""

DATA = """
## Data and licences
{weights}The pictures are not shipped; what their publishers state:

"""

OUR_WEIGHTS = """\
The weights are ours, under Apache-2.0; `docs/training.md` has the commands that made them.
"""

SOURCES = {
    "adityap27": ("adityap27/face-mask-detector: scenes, boxes of two labels", "MIT (pictures from the web)"),
    "andrewmvd853": ('andrewmvd "Face Mask Detection": scenes, three labels, 2-3 % label noise', "CC0 1.0"),
    "ilc2021": ("jolignier/face-mask-dataset-ilc-2021: scenes, three labels, 3-5 % dubious", "none stated"),
    "faces": ("chandrikadeb7/Face-Mask-Detection: one face a picture, 5 % junk", "MIT (pictures from the web)"),
}
"""What is known of the sources that the shipped model learned from; other data says for itself."""

IMAGENET = ("ImageNet", "weights of the backbone at the start, from Keras Applications", "Apache-2.0")

WHO = """
## Who is in the data
"""

KNOWN_PEOPLE = """\
Most pictures come from the web and from news of 2020 and 2021: adults, many of them from East Asia, daylight,
surgical and black masks. Age, skin colour, religious dress and light were not balanced, and nobody has labelled them,
so accuracy per group is not known. Children, patterned masks, faces in profile, infrared and night pictures are rare.
None of the people was asked.

"""

UNKNOWN_PEOPLE = """\
Nobody has written down who is in the pictures of {sources}: ages, skin colours, religious dress, light, and
whether the people were asked. Accuracy per group is not known.

"""

LIMITS = """
## Limits and bias
- The figures are on other pictures of the **same sources** as the training's, near-duplicates apart, and the epoch,
  the temperature and the threshold of `unknown` were chosen on them: expect less on your own cameras, and measure
  there with `maskwatch evaluate`.
- `incorrect_mask` is the weak label: few examples, drawn differently by each source. Its intervals are wide.
- Faces whose longer side is under 24 px weren't learned; blurred ones shouldn't be asked about
  (`models.crop.face_quality`).
- Hands, scarves, veils, beards, mugs and transparent masks can be taken for masks or for bare faces.
"""

REMARKS = {
    "adityap27": "- In `adityap27` nobody labelled `incorrect_mask`; a mask under the nose may count as worn there.\n",
    "faces": "- `faces` can be told from the others by sight and holds no `incorrect_mask`; read its figures apart.\n",
}


def card_text(name: str, version: str, report: Report) -> str:
    """Write the card of a model from its run's report.

    Args:
        name: of the model.
        version: MAJOR.MINOR.PATCH, or a word where there is none.
        report: of the run.
    """
    unknown = [source for source in report.licences if source not in SOURCES]
    people = UNKNOWN_PEOPLE.format(sources=_names(unknown)) if unknown else KNOWN_PEOPLE
    data = DATA.format(weights="" if unknown else OUR_WEIGHTS)
    parts = [_head(name, version, report), data, _sources(report), WHO, people, figures_text(report)]
    parts += ["\n\n", calibration_text(report), "\n\n", parity_text(report), "\n", LIMITS, _remarks(report)]
    return "".join(parts)


def _start(settings: Mapping[str, Any]) -> str:
    """Say what the weights were before training."""
    if settings.get("start_from"):
        share = 100 * settings.get("start_share", 0)
        kept = f", {share:g} % of whose weights are in the kept ones" if share else ""
        return f"going on from `{Path(str(settings['start_from'])).name}`{kept}"
    return "random start" if settings["backbone_weights"] == "none" else "ImageNet start"


def _head(name: str, version: str, report: Report) -> str:
    """Write what it is, what it is for, and how it was trained."""
    settings, counts = report.settings, report.faces["train"]
    left_out, two_class, without = (_names(_list(report, key)) for key in ("leave_out", "two_class_sources", "without"))
    return HEAD.format(
        name=name,
        version=version,
        backbone=BACKBONES[str(settings["backbone_name"])].format(alpha=settings["alpha"]),
        start=_start(settings),
        size=settings["size_px"],
        labels=_names(LABELS),
        train_counts=", ".join(f"{counts[label]:,} `{label}`" for label in LABELS),
        left_out=f"Nothing was learned from {left_out}.\n" if left_out else "",
        two_class=f"A mask in {two_class} counts as worn properly or wrongly, whichever the network holds for more "
        "probable.\n"
        if two_class
        else "",
        without=f", but for {without}" if without else "",
        seed=settings["seed"],
        head=f"{settings['epochs_head']} epoch{'' if settings['epochs_head'] == 1 else 's'}",
        fine=settings["epochs_fine"],
        fine_from=f"from {settings['fine_from']} on" if settings["fine_from"] else "of all layers",
        faces=settings["epoch_faces"],
        best=report.best_epoch,
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _list(report: Report, name: str) -> list[str]:
    value = report.settings[name]
    assert isinstance(value, list)
    return value


def _sources(report: Report) -> str:
    """Write a row per source of pictures; what was stated for the run goes before what is known here."""
    rows = []
    for source, licence in report.licences.items():
        what, known = SOURCES.get(source, ("pictures of whoever trained this model", NOT_STATED))
        rows.append((source, what, known if licence == NOT_STATED else licence.replace("|", "/")))
    start = () if report.settings["backbone_weights"] == "none" else (IMAGENET,)
    return table(("source", "what", "stated licence"), (*rows, *start)) + "\n"


def _remarks(report: Report) -> str:
    """Write what has to be known of single sources."""
    return "".join(text for source, text in REMARKS.items() if source in report.licences)
