"""The interface between the trainers and the web site.

Standard library only, and Python 3.10 or newer, because it also runs in the Python of a OneTrainer checkout.
"""
