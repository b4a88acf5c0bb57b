"""The doctor: looks at everything that a site consists of, and mends what is safe to mend. One file a subject."""

from operations.doctor.examination import examine
from operations.doctor.report import Report

__all__ = ["Report", "examine"]
