"""The door: which files and folders may be used, judged where they are checked and again where they are opened.

Standard library only, for Python 3.10: the site's processes, the built-in trainer and OneTrainer's own Python use it.
"""
