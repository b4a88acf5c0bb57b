"""The engine process as a guest on the machine: its environment, and the files that the kernel lets it reach.

Standard library only, and Python 3.10 or newer, because it also runs in the Python of a OneTrainer checkout.
"""
