"""Programs in weights: while OneTrainer loads, `torch.load` takes no pickle, and no model's own code is imported."""

import os
import sys
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path

from engine.interface.errors import TrainingError
from engine.interface.pickles import SETTING
from engine.paths.policy import Root

GUARDED = "loads_plain_data"
OWN_CODE = (  # the functions by which these libraries import code that a model brings
    ("transformers.dynamic_module_utils", "get_class_in_module"),
    ("diffusers.utils.dynamic_modules_utils", "get_class_in_module"),
)


class ProgramInWeights(TrainingError):
    """Weights that could run a program when they are loaded."""

    reason = "bad_config"


def guard_loading(own_folders, allows_pickles):
    """From now on, pickles are loaded only from the run's own folders, and as plain data; a model's code is never.

    Libraries that are not imported yet are changed when they are.
    """
    changes = {module: partial(refuse_own_code, name) for module, name in OWN_CODE}
    if not allows_pickles:
        changes["torch"] = partial(guard_torch, [Root(os.path.realpath(folder)) for folder in own_folders])
    for name, change in changes.items():
        if name in sys.modules:
            change(sys.modules[name])
    sys.meta_path.insert(0, AtImport(changes))


class AtImport(MetaPathFinder):
    """Changes modules right after their import."""

    def __init__(self, changes):
        self._changes = changes

    def find_spec(self, fullname, path=None, target=None):
        change = self._changes.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if change else None
        if spec is not None and spec.loader is not None:
            setattr(spec.loader, "exec_module", changed_after(spec.loader.exec_module, change))  # noqa: B010  mypy
        return spec


def changed_after(execute, change):
    def execute_and_change(module):
        execute(module)
        change(module)

    return execute_and_change


def guard_torch(own, torch):
    if not hasattr(torch.load, GUARDED):
        torch.load = guarded_load(torch.load, own)


def guarded_load(load, own):
    def load_plain_data(source, *args, **more):
        name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", "")
        real = os.path.realpath(name) if isinstance(name, str | os.PathLike) and name else ""
        if not any(root.holds(real) for root in own):
            raise ProgramInWeights(
                f"{Path(real).name or 'A file'} is a pickle, which can run a program when it is loaded: choose a "
                f".safetensors file, or, if you trust its author, have an admin set {SETTING}=true."
            )
        return load(source, *args, **{**more, "weights_only": True})

    setattr(load_plain_data, GUARDED, True)
    return load_plain_data


def refuse_own_code(name, library):
    """Replace the library's function, if it has it."""
    if hasattr(library, name):
        setattr(library, name, refuse)


def refuse(*args, **more):
    raise ProgramInWeights(
        "The model brings code of its own, which is never run here: choose a model whose parts are in diffusers and "
        "transformers."
    )
