"""The built-in trainer, on torch, diffusers and peft.

`config`, `estimates`, `preflight` and what these use of `data` and `families` need no torch: the web imports them.
"""
