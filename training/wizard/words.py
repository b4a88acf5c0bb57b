"""Texts that the wizard writes: the caption for pictures without one, and prompts for the samples."""

from __future__ import annotations

MOST_SAMPLES = 3
CAPTIONS = {"person": "a photo of {word} person", "style": "{word} style", "thing": "a photo of {word}"}
PROMPTS = {
    "person": ("a portrait photo of {word} person", "a photo of {word} person in a forest, smiling"),
    "style": ("a castle on a hill, {word} style", "a portrait of a woman, {word} style"),
    "thing": ("a photo of {word} on a wooden table", "a photo of {word} on a beach"),
}


def caption_for(kind: str, word: str) -> str:
    """The caption that all pictures without their own share."""
    return CAPTIONS[kind].format(word=word)


def sample_prompts(kind: str, word: str, captions: tuple[str, ...]) -> list[str]:
    """A few of the pictures' own captions, evenly spread; or scenes with the shared caption's words."""
    own = list(dict.fromkeys(caption for caption in captions if caption))
    if not own:
        return [prompt.format(word=word) for prompt in PROMPTS[kind]]
    step = max(1, len(own) // MOST_SAMPLES)
    return own[::step][:MOST_SAMPLES]


def shown_minutes(minutes: float) -> str:
    """A length of time in words, rounded up."""
    if minutes < 1:
        return "a minute"
    if minutes < 90:
        return f"{-int(-minutes // 1)} minutes"
    return f"{-int(-minutes // 60)} hours"


def shown_speed(seconds: float) -> str:
    """Seconds per picture, or pictures per second if it is faster."""
    return f"{1 / seconds:.1f} pictures a second" if seconds < 1 else f"{seconds:.0f} seconds a picture"
