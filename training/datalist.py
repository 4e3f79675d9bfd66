"""The list of a run's pictures: what is needed to gather the same data again, and to see what may be done with it."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from pathlib import Path

from maskwatch.types import LABELS
from training.data import Data
from training.licences import NOT_STATED

__all__ = ["COLUMNS", "DATA_LIST", "write_data_list"]

DATA_LIST = "data.csv.gz"
COLUMNS = ("file", "source", "licence", "sha256", "cluster", "label", "split", "faces")


def write_data_list(path: Path, data: Data) -> None:
    """Write one line per picture and label: how many faces of the label were used, and in which split.

    Pictures with the same `cluster` are near-duplicates; see `training.duplicates`. The same faces give the same bytes.
    """
    rows: Counter[tuple[str, str, str, str, int, str, str]] = Counter()
    for split, samples in data.splits.items():
        for sample in samples:
            licence = data.licences.get(sample.source, NOT_STATED)
            label = LABELS[sample.label].value
            rows[(sample.file, sample.source, licence, sample.sha256, sample.cluster, label, split)] += 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(rows):
        writer.writerow((*row, rows[row]))
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
