"""The demo: a tiny base model and a data set drawn here, so that a training can be watched without a download."""
