"""Data sets: pictures with captions and masks in an ordinary folder, with every change in a version."""
