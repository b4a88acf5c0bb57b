"""The doctor: looks at everything that a site consists of, and mends what is safe to mend. One file a subject."""

from system.doctor.examination import examine
from system.doctor.report import Report

__all__ = ["Report", "examine"]
