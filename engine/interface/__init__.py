"""What the trainers and the web site say to each other.

Standard library only, and Python 3.10 upwards, since it also runs inside a OneTrainer checkout's own Python.
"""
