"""The model card that goes with the weights: what it is for, what it was measured to do, and where it fails."""

from __future__ import annotations

from maskwatch.types import LABELS, MaskLabel
from training.measure import Figures, Rate
from training.report import Report

__all__ = ["card_text"]

HEAD = """# {name} {version}

Says of a cut-out face how a mask is worn: `with_mask` (over mouth and nose), `without_mask`, or `incorrect_mask`
(under the nose, on the chin, dangling from an ear). It recognises masks, never persons.

## Use
Intended: counting and showing mask compliance in camera pictures, after a face detector, smoothed over a person's
track.
Not intended: deciding about a single person from a single picture, medical or legal decisions, telling mask types apart
or judging how well a mask protects.

## Model
MobileNetV2 (alpha {alpha}) of {size} x {size} RGB pixels, ImageNet start, global average, dropout, softmax over
{labels}.
Faces are cut by `models.crop.crop_faces`, in training as in use. `{keras}` is the float32 Keras model without
its optimizer, `{int8}` its int8 export with uint8 input. Both have checksums in `manifest.json`, and the
loader compares them before it reads the file.

## Training
{train_counts}; faces under 24 px were left out.
Seed {seed}, {head} epochs of the head and {fine} of fine-tuning {fine_from}, {faces} faces an epoch, the rare
label drawn more often, epoch {best} kept for its balanced accuracy on the validation faces. `report.json` holds
settings, rates, versions and every figure, `data.csv.gz` every picture with its sha256 and labels;
`training/README.md` has the command that repeats it.
"""

DATA = """
## Data and licences
The weights are ours, under Apache-2.0. The pictures are not shipped; what their publishers state:

| source | what | stated licence |
| --- | --- | --- |
"""

SOURCES = {
    "adityap27": "adityap27/face-mask-detector: scenes, boxes of two labels | MIT (pictures from the web)",
    "andrewmvd853": 'andrewmvd "Face Mask Detection": scenes, three labels, 2-3 % label noise | CC0 1.0',
    "ilc2021": "jolignier/face-mask-dataset-ilc-2021: scenes, three labels, 3-5 % dubious | none stated",
    "faces": "chandrikadeb7/Face-Mask-Detection: one face a picture, 5 % junk | MIT (pictures from the web)",
}
"""What is known of the sources that the shipped model learned from; other data says for itself."""

BACKBONE = "| ImageNet | weights of the backbone at the start, from Keras Applications | Apache-2.0 |\n"

LIMITS = """
## Limits and bias
- The figures are on other pictures of the **same sources** as the training's, near-duplicates apart, and the epoch
  was chosen on them: expect less on your own cameras, and measure there.
- `incorrect_mask` is the weak label: few examples, drawn differently by each source. Its interval above is wide.
- Faces under 24 px weren't learned or measured; blurred ones shouldn't be asked about (`models.crop.face_quality`).
- Hands, scarves, veils, beards, mugs and transparent masks can be taken for masks or for bare faces.
- Most pictures come from the web and from news of 2020 and 2021: adults, many of them from East Asia, daylight,
  surgical and black masks. Age, skin colour, religious dress and light were not balanced, and nobody has labelled
  them, so accuracy per group is not known. Patterned masks, profiles seen from behind, infrared and night pictures
  are rare.
"""

REMARKS = {
    "adityap27": "- In `adityap27` nobody labelled `incorrect_mask`; a mask under the nose may count as worn there.\n",
    "faces": "- `faces` can be told from the others by sight and holds no `incorrect_mask`; read its figures apart.\n",
}


def card_text(name: str, version: str, report: Report) -> str:
    """Write the card of a model from its run's report."""
    settings = report.settings
    counts = report.faces["train"]
    head = HEAD.format(
        name=name,
        version=version,
        alpha=settings["alpha"],
        size=settings["size_px"],
        labels=", ".join(f"`{label}`" for label in LABELS),
        keras="model.keras",
        int8="model.int8.tflite",
        train_counts=", ".join(f"{counts[label]} {label}" for label in LABELS),
        seed=settings["seed"],
        head=settings["epochs_head"],
        fine=settings["epochs_fine"],
        fine_from=f"from {settings['fine_from']} on" if settings["fine_from"] else "of all layers",
        faces=settings["epoch_faces"],
        best=report.best_epoch,
    )
    return head + DATA + _sources(report) + BACKBONE + _figures(report) + LIMITS + _remarks(report)


def _sources(report: Report) -> str:
    """Write a row per source that was measured."""
    names = [name for name in report.figures["keras"] if name != "all"]
    return "".join(
        f"| {name} | {SOURCES.get(name, 'pictures of whoever trained this model | see there')} |\n" for name in names
    )


def _remarks(report: Report) -> str:
    """Write what has to be known of single sources."""
    return "".join(text for name, text in REMARKS.items() if name in report.figures["keras"])


def _figures(report: Report) -> str:
    """Write the tables: int8 (what CPUs run) by source, then how the files compare."""
    lines = [
        "",
        "## Figures",
        "On the validation faces, 95 % intervals in brackets (bootstrap).",
    ]
    for file, sources in report.figures.items():
        lines += [
            "",
            f"{file}:",
            "",
            "| source | faces | two-class accuracy | balanced accuracy, three labels | "
            "recall of incorrect_mask | its precision |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [_row(source, measured) for source, measured in sources.items()]
    lines += [
        "",
        "Two-class accuracy leaves masks worn wrongly out and compares the two other probabilities. A balanced "
        "accuracy is the mean recall of the labels that a source has.",
    ]
    for file, compared in report.parity.items():
        lines += [
            "",
            f"{file} against keras on the same faces: same label {compared['same_label']:.2%}, mean difference of a "
            f"probability {compared['mean_difference']:.4f}, largest {compared['largest_difference']:.2f}.",
        ]
    return "\n".join(lines) + "\n"


def _row(source: str, measured: Figures) -> str:
    wrong = MaskLabel.INCORRECT_MASK.value
    rates = (
        measured["two_class_accuracy"],
        measured["balanced_accuracy"],
        measured["recall"][wrong],
        measured["precision"][wrong] if measured["recall"][wrong]["n"] else measured["recall"][wrong],
    )
    return f"| {source} | {measured['faces']} | " + " | ".join(_rate(rate) for rate in rates) + " |"


def _rate(rate: Rate) -> str:
    if rate["value"] is None:
        return "-"
    return f"{rate['value']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]"
