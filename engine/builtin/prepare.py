"""The imports of a training, which take seconds: done as it begins, or ahead of it in a template."""


def prepare() -> None:
    """Import torch and all that a training uses of it, without touching a GPU."""
    keep_libraries_quiet()
    import engine.builtin.trainer  # noqa: F401


def keep_libraries_quiet() -> None:
    """Their progress bars and advice to programmers would hide what the run's log tells a person."""
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
