"""The demo: a tiny base model and a data set made here, so that you can watch a training without a download."""
