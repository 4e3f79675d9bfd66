"""Face detectors behind one protocol: our own network, OpenCV's, and the two that the ancestors used."""

from __future__ import annotations

from models.detectors.base import Detector, load_detector

__all__ = ["Detector", "load_detector"]
