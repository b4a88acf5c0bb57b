"""Configs of other trainers: recognized by their keys, and translated by tables, with a report of all that is left out.

Each trainer has a module: its keys are facts read from its documentation, and each row names the field here.
"""
