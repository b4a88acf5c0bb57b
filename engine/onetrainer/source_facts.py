"""Facts of a OneTrainer checkout that no call of it tells, read from its source: packages, sizes and kinds of files.

The source is parsed, not imported: importing the trainer takes many seconds, and fails without the very packages that
are looked for. What is not found, as in another version, is left out, and is not checked then. Standard library only,
Python 3.10.
"""

import ast
import sys
from importlib import util
from pathlib import Path

LOADERS, TYPE, METHOD = "BaseDataLoader", "ModelType", "TrainingMethod"
MULTIPLES = ("aspect_bucketing_quantization", "quantization")


def of(home):
    """All facts of the checkout in this folder: see the functions below."""
    return {
        "optimizer_packages": optimizer_packages(home),
        "named_parts": named_parts(home),
        **data_loaders(home / "modules/dataLoader"),
        "widest_aspect": widest_aspect(),
        "image_endings": endings(home, "SUPPORTED_IMAGE_EXTENSIONS"),
        "video_endings": endings(home, "SUPPORTED_VIDEO_EXTENSIONS"),
    }


def optimizer_packages(home):
    """By optimizer the packages that it imports when it is created, each with whether this Python has it."""
    tree = parsed(home / "modules/util/create.py")
    needed: dict[str, dict[str, bool]] = {}
    for case in (node for node in ast.walk(tree) if isinstance(node, ast.match_case)):
        packages = sorted({name for node in case.body for name in imported(node, home)})
        for name in choices(case.pattern, "Optimizer"):
            needed.setdefault(name, {package: is_installed(package) for package in packages})
    return {name: packages for name, packages in needed.items() if packages}


def choices(pattern, enum):
    """The names in `case Enum.A | Enum.B`."""
    nodes = [node.value for node in ast.walk(pattern) if isinstance(node, ast.MatchValue)]
    return [name for node in nodes for name in [member(node, enum)] if name]


def member(node, enum):
    """`A` for the node `Enum.A`, else None."""
    is_of_enum = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enum
    return node.attr if is_of_enum else None


def imported(node, home):
    """The packages that the statements import, also by a module of OneTrainer that they import."""
    for inner in ast.walk(node):
        names = [alias.name for alias in inner.names] if isinstance(inner, ast.Import) else []
        names += [inner.module] if isinstance(inner, ast.ImportFrom) and inner.module else []
        for name in names:
            if name.startswith("modules."):
                yield from packages_of(parsed(home / f"{name.replace('.', '/')}.py"))
            else:
                yield from without_standard([name])


def packages_of(tree):
    """The packages that a module imports at its top."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from without_standard(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from without_standard([node.module])


def without_standard(names):
    roots = (name.partition(".")[0] for name in names)
    return [root for root in roots if root not in sys.stdlib_module_names and root not in ("modules", "torch")]


def is_installed(package):
    return util.find_spec(package) is not None


def named_parts(home):
    """The parts that can be loaded from a model of their own: those whose `model_name` TrainConfig passes on."""
    tree = parsed(home / "modules/util/config/TrainConfig.py")
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "model_names"]
    names = [node for one in functions for node in ast.walk(one) if isinstance(node, ast.Attribute)]
    return sorted({name for node in names if node.attr == "model_name" and (name := member(node.value, "self"))})


def data_loaders(folder):
    """The multiple to which each model type's pictures are cut, by training method where that has one of its own, and
    the model types that train on videos."""
    multiples: dict[str, dict[str, int]] = {}
    videos = []
    for file in sorted(folder.glob("*.py")) if folder.is_dir() else ():
        for kind in (node for node in ast.walk(parsed(file)) if isinstance(node, ast.ClassDef)):
            arguments = keywords_of(kind)
            multiple = next((arguments[name] for name in MULTIPLES if isinstance(arguments.get(name), int)), None)
            for model, method in registered(kind):
                if multiple is not None:
                    multiples.setdefault(model, {})[method] = multiple
                if arguments.get("allow_video_files") is True:
                    videos.append(model)
    return {"size_multiples": multiples, "video_models": videos}


def registered(kind):
    """(model type, training method or empty) of each `@factory.register(BaseDataLoader, ModelType.A, ...)`."""
    for call in (one for one in kind.decorator_list if isinstance(one, ast.Call) and one.args):
        if isinstance(call.args[0], ast.Name) and call.args[0].id == LOADERS:
            model = next((name for node in call.args[1:] if (name := member(node, TYPE))), None)
            method = next((name for node in call.args[1:] if (name := member(node, METHOD))), "")
            if model:
                yield model, method


def keywords_of(tree):
    """The constant keyword arguments of the calls in it."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    pairs = [(pair.arg, pair.value) for call in calls for pair in call.keywords]
    return {name: node.value for name, node in pairs if isinstance(node, ast.Constant)}


def widest_aspect():
    """The longer edge of the narrowest bucket divided by the shorter, from the package that makes the buckets."""
    package = util.find_spec("mgds")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for node in ast.walk(parsed(Path(folder) / "pipelineModules/AspectBucketing.py")):
            if isinstance(node, ast.Assign) and is_named(node, "all_possible_input_aspects"):
                return max(max(pair) / min(pair) for pair in ast.literal_eval(node.value))
    return 1.0


def is_named(assignment, name):
    return any(isinstance(one, ast.Name) and one.id == name for one in assignment.targets)


def endings(home, name):
    """A set of file endings that is a constant in OneTrainer's own module of paths."""
    for node in parsed(home / "modules/util/path_util.py").body:
        if isinstance(node, ast.Assign) and is_named(node, name):
            return sorted(ast.literal_eval(node.value))
    return []


def parsed(file):
    """The syntax tree; empty for a file that this version does not have."""
    return ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
