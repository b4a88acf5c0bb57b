"""The built-in trainer, on torch, diffusers and peft.

`config`, `enums`, `support`, `schema` and `concepts` need no torch, so that the web process may import them.
"""
