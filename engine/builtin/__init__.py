"""The built-in trainer, on torch, diffusers and peft.

`config`, `estimates`, `preflight` and the parts of `data` and `families` that they use need no torch: the web imports
them.
"""
