"""What an evaluation leaves behind: tables, figures, and a page of both."""

from keras_pyconv.reports.boxes import detection_report
from keras_pyconv.reports.classes import (
    classification_report,
    multi_label_report,
)
from keras_pyconv.reports.regions import Regions
from keras_pyconv.reports.report import Report

__all__ = [
    "Regions",
    "Report",
    "classification_report",
    "detection_report",
    "multi_label_report",
]
