from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwatch.errors import ConfigError
from training.peers import AizooDetector, aizoo_anchors


def test_anchors_are_those_of_the_published_network() -> None:
    anchors = aizoo_anchors()
    assert anchors.shape == (5972, 4)  # four each for 33x33, 17x17, 9x9, 5x5 and 3x3 cells
    np.testing.assert_allclose(anchors[0], [0.5 / 33, 0.5 / 33, 0.04, 0.04], rtol=1e-5)
    np.testing.assert_allclose(anchors[1], [0.5 / 33, 0.5 / 33, 0.056, 0.056], rtol=1e-5)
    np.testing.assert_allclose(anchors[4, :2], [1.5 / 33, 0.5 / 33], rtol=1e-5)
    np.testing.assert_allclose(anchors[2, 2:].prod(), 0.04**2, rtol=1e-5)
    np.testing.assert_allclose(anchors[2, 2] / anchors[2, 3], 0.62, rtol=1e-5)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "face_mask_detection.tflite"
    with pytest.raises(ConfigError, match="expected AIZOO's"):
        AizooDetector(path)
    path.write_bytes(b"no model")
    with pytest.raises(ConfigError, match="expected AIZOO's"):
        AizooDetector(path)
