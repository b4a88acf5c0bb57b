"""The imports of a training, which take seconds: done at its start, or in advance in a template."""


def prepare() -> None:
    """Import torch and everything that a training needs, without touching a GPU."""
    keep_libraries_quiet()
    import engine.builtin.trainer
    import engine.gpus  # noqa: F401


def keep_libraries_quiet() -> None:
    """Their progress bars and advice to programmers would hide the messages that the run's log has for people."""
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
