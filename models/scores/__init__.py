"""Figures of detectors and classifiers with their intervals: numpy only, no runtime, no files."""

from __future__ import annotations

from models.scores.classification import ClassificationFigures, balanced_accuracy, classification_figures
from models.scores.detection import (
    MAIN,
    SIZES,
    DetectionFigures,
    EndToEndFigures,
    FaceSizes,
    detection_figures,
    end_to_end_figures,
    false_positives,
    found_faces,
)
from models.scores.figure import Figure
from models.scores.pairing import JudgedPicture, Pairs, overlaps, pair, shorter_sides
from models.scores.report import FaceSetFigures, SceneFigures, SceneGroup, face_set_figures, scene_figures

__all__ = [
    "MAIN",
    "SIZES",
    "ClassificationFigures",
    "DetectionFigures",
    "EndToEndFigures",
    "FaceSetFigures",
    "FaceSizes",
    "Figure",
    "JudgedPicture",
    "Pairs",
    "SceneFigures",
    "SceneGroup",
    "balanced_accuracy",
    "classification_figures",
    "detection_figures",
    "end_to_end_figures",
    "face_set_figures",
    "false_positives",
    "found_faces",
    "overlaps",
    "pair",
    "scene_figures",
    "shorter_sides",
]
