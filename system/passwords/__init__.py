"""Passwords: hashing that takes turns, and a list of leaked ones."""
