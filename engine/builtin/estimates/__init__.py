"""Estimates of the memory and disk space that a training needs."""
