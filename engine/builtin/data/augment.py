"""Random changes of a picture's colours, angle and mask, chosen anew for each use of the picture. No torch.

The ranges are OneTrainer's; `retouch` applies the changes. If both the random and the fixed switch of a change are on,
the random one wins, as in OneTrainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.builtin.config.concept import ConceptImageConfig

SMALLEST_SHRINK = 0.2  # of the largest circle around a random point of the mask


@dataclass(frozen=True)
class Changes:
    """How a picture is changed after its crop.

    `angle` in degrees, counter-clockwise; `brightness`, `contrast` and `saturation` are factors; `hue` is a part of the
    colour circle, from -0.5 to 0.5. `shrink` is the radius of the circle to which the mask shrinks, as a part of the
    largest one, around a point that `shrink_seed` chooses; None leaves the mask as it is.
    """

    angle: float = 0.0
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    shrink: float | None = None
    shrink_seed: int = 0


NO_CHANGES = Changes()


def draw_changes(image: ConceptImageConfig, random: Random) -> Changes:
    """The changes of one use of a picture, by the concept's settings."""
    turns = _draw(random, image.enable_random_rotate, image.enable_fixed_rotate, image.random_rotate_max_angle)
    brightens = _draw(
        random, image.enable_random_brightness, image.enable_fixed_brightness, image.random_brightness_max_strength
    )
    contrasts = _draw(
        random, image.enable_random_contrast, image.enable_fixed_contrast, image.random_contrast_max_strength
    )
    saturates = _draw(
        random, image.enable_random_saturation, image.enable_fixed_saturation, image.random_saturation_max_strength
    )
    recolours = _draw(random, image.enable_random_hue, image.enable_fixed_hue, image.random_hue_max_strength)
    shrinks = image.enable_random_circular_mask_shrink
    return Changes(
        angle=turns,
        brightness=max(0.0, 1 + brightens),
        contrast=max(0.0, 1 + contrasts),
        saturation=max(0.0, 1 + saturates),
        hue=max(-0.5, min(0.5, recolours / 2)),
        shrink=random.uniform(SMALLEST_SHRINK, 1) if shrinks else None,
        shrink_seed=random.randrange(2**32) if shrinks else 0,
    )


def _draw(random: Random, is_random: bool, is_fixed: bool, largest: float) -> float:
    """A value up to `largest` to either side, exactly `largest`, or 0."""
    if is_random:
        return random.uniform(-largest, largest)
    return largest if is_fixed else 0.0
