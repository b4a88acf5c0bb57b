"""The doctor examines every part of a site and repairs what can be repaired safely; one file per subject."""

from operations.doctor.examination import examine
from operations.doctor.report import Report

__all__ = ["Report", "examine"]
