"""Concepts: their pictures and captions, and the problems of these. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine.builtin.config.lists import load_concepts
from engine.builtin.config.train_config import ConceptConfig, TrainConfig
from engine.builtin.data.batches import EpochPlan
from engine.builtin.data.masks import with_masks
from engine.builtin.data.pictures import Picture, PictureFacts, PictureIndex, UnreadablePicture, is_picture
from engine.builtin.data.tags import TagEditor
from engine.interface.errors import BadConfig, Problem

NAMED_AT_MOST = 20  # files with the same problem that are named individually; the rest are counted
DEFAULT_SIZE_MULTIPLE = 64  # of the families so far; the trainer passes its own


@dataclass
class Survey:
    """The training pictures and their problems. `stopped` if a stop ended the search early."""

    pictures: list[Picture]
    problems: list[Problem]
    stopped: bool = False


def check_data(config: TrainConfig, size_multiple: int = DEFAULT_SIZE_MULTIPLE) -> list[Problem]:
    """The problems of pictures and captions, each named; decodes every picture that was not read before."""
    index = PictureIndex(Path(config.cache_dir))
    found = survey(config, index)
    if Path(config.cache_dir).is_dir():
        index.save()
    if any(problem.is_error for problem in found.problems):
        return found.problems
    return [*found.problems, *EpochPlan(config, found.pictures, size_multiple).problems()]


def survey(
    config: TrainConfig,
    index: PictureIndex,
    report: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], object] = lambda: False,
) -> Survey:
    """Find the pictures and captions of all enabled concepts, and open every file."""
    try:
        concepts = [(number, concept) for number, concept in enumerate(load_concepts(config)) if concept.enabled]
    except BadConfig as error:
        return Survey([], error.problems)
    result = Survey([], [] if concepts else [Problem("concepts", "there are no training pictures; add a concept")])
    files = [(number, concept, path) for number, concept in concepts for path in _files(number, concept, result)]
    with ThreadPoolExecutor(config.dataloader_threads) as pool:
        for done, (number, concept, path, facts) in enumerate(_facts(pool, index, files), start=1):
            if should_stop():
                pool.shutdown(cancel_futures=True)
                return Survey([], [], stopped=True)
            _add(result, number, concept, path, facts)
            report(done, len(files))
    result.problems += [problem for number, concept in concepts for problem in _tag_problems(number, concept)]
    if config.masked_training:
        result.pictures, problems = with_masks(config, result.pictures, index)
        result.problems += problems
    result.problems = list(_shortened(result.problems))
    return result


def find_pictures(concept: ConceptConfig) -> list[Path]:
    """The concept's picture files, in the order of their paths."""
    found = Path(concept.path).glob("**/*" if concept.include_subdirectories else "*")
    return sorted(path for path in found if is_picture(path) and path.is_file())


def captions_of(concept: ConceptConfig, path: Path) -> tuple[str, ...]:
    """The captions that a picture may have: the lines of its text file, or its name.

    Raises OSError if the text file is missing, and UnicodeDecodeError if it is not text.
    """
    source = concept.text.prompt_source
    if source == "filename":
        return (path.stem,)
    file = Path(concept.text.prompt_path) if source == "concept" else path.with_suffix(".txt")
    lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    return tuple(line for line in lines if line) or ("",)


def _files(number: int, concept: ConceptConfig, result: Survey) -> list[Path]:
    """A concept's files; having none is a problem."""
    field = f"concepts.{number}.path"
    if not Path(concept.path).is_dir() or not concept.path:
        result.problems.append(Problem(field, f"the folder {concept.path!r} does not exist; choose an existing folder"))
        return []
    if files := find_pictures(concept):
        return files
    cure = "" if concept.include_subdirectories else ", or turn on include_subdirectories"
    result.problems.append(Problem(field, f"there are no pictures in {concept.path}; add some{cure}"))
    return []


def _facts(
    pool: ThreadPoolExecutor, index: PictureIndex, files: list[tuple[int, ConceptConfig, Path]]
) -> Iterator[tuple[int, ConceptConfig, Path, PictureFacts | Exception]]:
    """Each file with its facts, or with the error that prevents them; Pillow lets threads decode side by side."""

    def look(path: Path) -> PictureFacts | Exception:
        try:
            return index.facts(path)
        except (UnreadablePicture, OSError) as error:
            return error

    for (number, concept, path), facts in zip(files, pool.map(look, [path for *_, path in files]), strict=True):
        yield number, concept, path, facts


def _add(result: Survey, number: int, concept: ConceptConfig, path: Path, facts: PictureFacts | Exception) -> None:
    """Add the picture or its problem."""
    if isinstance(facts, Exception):
        field = f"concepts.{number}.path"
        result.problems.append(Problem(field, f"{path} cannot be read as a picture ({facts}); replace or remove it"))
        return
    try:
        captions = captions_of(concept, path)
    except (OSError, UnicodeDecodeError) as error:
        result.problems.append(_caption_problem(number, concept, path, error))
    else:
        result.pictures.append(Picture(path, concept, captions, facts))


def _tag_problems(number: int, concept: ConceptConfig) -> Iterator[Problem]:
    """The file of special tags must be readable."""
    try:
        TagEditor(concept.text)
    except (OSError, UnicodeDecodeError) as error:
        field = f"concepts.{number}.text.tag_dropout_special_tags"
        yield Problem(field, f"the file cannot be read ({error}); choose a text file in UTF-8, or enter the tags")


def _caption_problem(number: int, concept: ConceptConfig, path: Path, error: Exception) -> Problem:
    of_concept = concept.text.prompt_source == "concept"
    file = Path(concept.text.prompt_path) if of_concept else path.with_suffix(".txt")
    field = f"concepts.{number}.text.prompt_path" if of_concept else f"concepts.{number}.path"
    if isinstance(error, UnicodeDecodeError):
        return Problem(field, f"{file} is not UTF-8 text; save it as UTF-8")
    if of_concept:
        return Problem(field, f"the caption file {str(file)!r} cannot be read; choose a text file")
    return Problem(field, f"{path} has no caption; write its caption into {file.name}, or choose another prompt_source")


def _shortened(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Name the first files of each field, and count the rest; report nothing twice."""
    counts: dict[str, int] = {}
    for problem in dict.fromkeys(problems):
        counts[problem.field] = counts.get(problem.field, 0) + 1
        if counts[problem.field] <= NAMED_AT_MOST:
            yield problem
    for field, count in counts.items():
        if count > NAMED_AT_MOST:
            yield Problem(field, f"and {count - NAMED_AT_MOST} more files like these")
