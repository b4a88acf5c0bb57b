"""The trainers: a library that never imports Django."""
