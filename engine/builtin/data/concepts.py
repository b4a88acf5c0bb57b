"""Concepts: their pictures and captions, and the problems of these. No torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from engine.builtin.config.enums import BalancingStrategy
from engine.builtin.config.lists import load_concepts
from engine.builtin.config.train_config import ConceptConfig, TrainConfig
from engine.builtin.data.batches import EpochPlan
from engine.builtin.data.masks import with_masks
from engine.builtin.data.pictures import Picture, PictureFacts, PictureIndex
from engine.builtin.data.tags import TagEditor
from engine.builtin.reading.captions import UNREADABLE_TEXT, Caption, Captions, read_lines
from engine.builtin.reading.decoding import COLORS, DEPTH, FRAMES, LIGHT, PROFILE, TRANSPARENT
from engine.builtin.reading.findings import Findings, Kind, printable
from engine.builtin.reading.formats import UnreadablePicture
from engine.builtin.reading.scan import BUILTIN, Reader, Scan, scan
from engine.interface.errors import BadConfig, Problem

DEFAULT_SIZE_MULTIPLE = 64  # of the families so far; the trainer passes its own
KOHYA_REPEATS = re.compile(r"(\d{1,3})_\D")  # a folder's name for kohya: repeats, then the class

UNREADABLE = Kind(
    "{number} {file|files} cannot be read as {a picture|pictures}: {names}; replace or remove {it|them}", "error"
)
TEXT_ALONE = Kind(
    "{number} caption {file has|files have} no picture: {names}; name {it|them} after {its picture|their pictures}"
)
REPEATS = Kind(
    "{number} {folder is|folders are} named for kohya's repeats, which have no effect here: {names}; make {it|each} a "
    "concept with balancing set to its number"
)
SHARED = Kind(
    "{number} {picture is|pictures are} trained by several concepts: {names}; remove {it|them} from all but one, "
    "unless that is on purpose"
)
ALIKE = Kind(
    "{number} {picture has|pictures have} the same pixels as another: {names}; remove {it|them}, or raise balancing to "
    "repeat pictures on purpose"
)
FIRST_FRAME = Kind("{number} {file has|files have} several pictures, of which the first is trained: {names}")
LOSSES = {
    PROFILE: Kind(
        "{number} {picture has|pictures have} a broken colour profile, and {its|their} colours are taken as sRGB: "
        "{names}; save {it|them} as sRGB"
    ),
    TRANSPARENT: Kind(
        "{number} {picture has|pictures have} transparent areas, which are trained as white: {names}; put {it|them} on "
        "the background that you want"
    ),
    LIGHT: Kind(
        "{number} {picture has|pictures have} HDR colours, whose lights above the white of paper are trained as white: "
        "{names}; save {it|them} in sRGB to choose how they look"
    ),
    FRAMES: FIRST_FRAME,
}
LOSSES_OF_ONETRAINER = {
    COLORS: Kind(
        "{number} {picture has|pictures have} other colours than sRGB, which OneTrainer does not convert, so that "
        "{it is|they are} trained with wrong ones: {names}; save {it|them} as sRGB"
    ),
    TRANSPARENT: Kind(
        "{number} {picture has|pictures have} transparent areas, of which OneTrainer trains the hidden colours: "
        "{names}; put {it|them} on a background"
    ),
    FRAMES: FIRST_FRAME,
    DEPTH: Kind(
        "{number} {picture has|pictures have} more than 8 bits, which OneTrainer does not scale: {names}; save "
        "{it|them} with 8 bits"
    ),
}


@dataclass
class Survey:
    """The training pictures and their problems. `stopped` if a stop ended the search early."""

    pictures: list[Picture] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
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
    reader: Reader = BUILTIN,
) -> Survey:
    """Find the pictures and captions of all enabled concepts, and open every file."""
    try:
        concepts = [(number, concept) for number, concept in enumerate(load_concepts(config)) if concept.enabled]
    except BadConfig as error:
        return Survey(problems=error.problems)
    if not concepts:
        return Survey(problems=[Problem("concepts", "there are no training pictures; add a concept")])
    looks = [_Look(number, concept, reader) for number, concept in concepts]
    files = [(look, path) for look in looks for path in look.pictures]
    with ThreadPoolExecutor(config.dataloader_threads) as pool:
        for done, (look, path, facts) in enumerate(_facts(pool, index, files), start=1):
            if should_stop():
                pool.shutdown(cancel_futures=True)
                return Survey(stopped=True)
            look.add(path, facts)
            report(done, len(files))
    pictures = [picture for look in looks for picture in look.trained]
    problems = [problem for look in looks for problem in (*look.problems(), *_tag_problems(look.number, look.concept))]
    problems += _alike(pictures)
    if config.masked_training:
        pictures, of_masks = with_masks(config, pictures, index)
        problems += of_masks
    return Survey(pictures, problems)


def find_pictures(concept: ConceptConfig) -> list[Path]:
    """The concept's picture files, in the order of their paths. Raises OSError."""
    return scan(Path(concept.path), concept.include_subdirectories).pictures


class _Look:
    """One concept: its pictures, and the findings about them."""

    def __init__(self, number: int, concept: ConceptConfig, reader: Reader) -> None:
        self.number = number
        self.concept = concept
        self.reader = reader
        self.trained: list[Picture] = []
        self.findings = Findings()
        self.first_problems: list[Problem] = []
        found = self._scanned()
        self.pictures = found.pictures if found else []
        self.captions = Captions(found or Scan(Path(self.concept.path)), reader)
        self.of_concept = self._caption_of_concept() if concept.text.prompt_source == "concept" else None
        if found:
            self._tell(found)

    @property
    def field(self) -> str:
        return f"concepts.{self.number}.path"

    def name(self, path: Path) -> str:
        """The path within the concept's folder, for a sentence."""
        return printable(path.relative_to(self.concept.path))

    def add(self, path: Path, facts: PictureFacts | Exception) -> None:
        """Add a picture, or its problem; its caption is looked at in any case."""
        try:
            caption = self._caption(path)
        except OSError as error:
            self.findings.add(self.field, UNREADABLE_TEXT, f"{self.name(path)} ({error.strerror})")
            caption = Caption(("",))
        for kind, why in caption.kinds:
            name = self.name(caption.file or path)
            self.findings.add(self.field, kind, f"{name} ({why})" if why else name)
        if isinstance(facts, Exception):
            why = (facts.strerror if isinstance(facts, OSError) else None) or str(facts)
            self.findings.add(self.field, UNREADABLE, f"{self.name(path)} ({why})")
            return
        kinds = LOSSES_OF_ONETRAINER if self.reader.is_strict else LOSSES
        for loss in facts.losses:
            if loss in kinds:
                self.findings.add(self.field, kinds[loss], self.name(path))
        self.trained.append(Picture(path, self.concept, caption.captions, facts))

    def problems(self) -> list[Problem]:
        """The problems of the folder; call it after the last picture."""
        if self.pictures and self.concept.text.prompt_source == "sample":
            self.findings.add(self.field, TEXT_ALONE, *(self.name(path) for path in self.captions.unused()))
        return [*self.first_problems, *self.findings.problems()]

    def _scanned(self) -> Scan | None:
        """The concept's folder; having no pictures is a problem."""
        path = self.concept.path
        if not Path(path).is_dir() or not path:
            self.first_problems.append(
                Problem(self.field, f"the folder {printable(path)!r} does not exist; choose an existing folder")
            )
            return None
        try:
            return scan(Path(path), self.concept.include_subdirectories, self.reader)
        except OSError as error:
            cure = "allow the training's user to read it, or choose another folder"
            self.first_problems.append(Problem(self.field, f"{path} cannot be read ({error.strerror}); {cure}"))
            return None

    def _tell(self, found: Scan) -> None:
        """Report what the scan left out."""
        if not found.pictures:
            cure = "" if self.concept.include_subdirectories else ", or turn on include_subdirectories"
            self.first_problems.append(
                Problem(self.field, f"there are no pictures in {printable(self.concept.path)}; add some{cure}")
            )
        for kind, names in found.left_out.items():
            self.findings.add(self.field, kind, *names)
        folders = sorted({path.parent for path in found.pictures})
        self.findings.add(f"concepts.{self.number}.balancing", REPEATS, *filter(None, map(self._repeats, folders)))

    def _repeats(self, folder: Path) -> str:
        """The name of a folder that means repeats to kohya's trainer, unless the concept repeats as often."""
        named = KOHYA_REPEATS.match(folder.name)
        by_repeats = self.concept.balancing_strategy == BalancingStrategy.REPEATS
        if not named or int(named[1]) <= 1 or (by_repeats and self.concept.balancing == int(named[1])):
            return ""
        return printable(folder.name)

    def _caption_of_concept(self) -> Caption | None:
        """The captions for all pictures; a file that cannot be used is a problem."""
        field, file = f"concepts.{self.number}.text.prompt_path", self.concept.text.prompt_path
        try:
            caption = read_lines(Path(file))
        except OSError:
            text = f"the caption file {printable(file)!r} cannot be read; choose a text file"
            self.first_problems.append(Problem(field, text))
            return None
        for kind, why in caption.kinds:
            self.findings.add(field, kind, f"{printable(file)} ({why})" if why else printable(file))
        return caption

    def _caption(self, path: Path) -> Caption:
        """The captions of one picture. Raises OSError."""
        source = self.concept.text.prompt_source
        if source == "filename":
            return Caption((path.stem,))
        if source == "concept":
            return Caption(self.of_concept.captions if self.of_concept else ("",))
        return self.captions.of(path)


def _facts(
    pool: ThreadPoolExecutor, index: PictureIndex, files: Sequence[tuple[_Look, Path]]
) -> Iterator[tuple[_Look, Path, PictureFacts | Exception]]:
    """Each file with its facts, or with the error that prevents them; Pillow lets threads decode side by side."""

    def look_at(path: Path) -> PictureFacts | Exception:
        try:
            return index.facts(path)
        except (UnreadablePicture, OSError) as error:
            return error

    for (look, path), facts in zip(files, pool.map(look_at, [path for _, path in files]), strict=True):
        yield look, path, facts


def _tag_problems(number: int, concept: ConceptConfig) -> Iterator[Problem]:
    """The file of special tags must be readable."""
    try:
        TagEditor(concept.text)
    except (OSError, UnicodeDecodeError) as error:
        field = f"concepts.{number}.text.tag_dropout_special_tags"
        yield Problem(field, f"the file cannot be read ({error}); choose a text file in UTF-8, or enter the tags")


def _alike(pictures: list[Picture]) -> list[Problem]:
    """The same picture several times is usually a mistake; `balancing` repeats pictures on purpose."""
    first: dict[str, Path] = {}
    findings = Findings()
    concepts: dict[Path, int] = Counter(picture.path for picture in pictures)
    findings.add("concepts", SHARED, *(printable(path.name) for path, number in concepts.items() if number > 1))
    for picture in pictures:
        other = first.setdefault(picture.facts.pixels, picture.path)
        if other != picture.path:
            findings.add("concepts", ALIKE, f"{printable(picture.path.name)} (as {printable(other.name)})")
    return findings.problems()
