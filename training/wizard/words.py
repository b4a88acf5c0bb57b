"""Texts that the wizard writes: the caption for pictures without one, and prompts for the samples."""

from __future__ import annotations

MOST_SAMPLES = 3
CLASS_WORDS = {"person": "person", "animal": "animal", "thing": "", "style": "style", "other": ""}
PROMPTS = {
    "person": ("a portrait photo of {subject}", "a photo of {subject} in a forest, smiling"),
    "animal": ("a photo of {subject} on the grass", "a close-up photo of {subject}"),
    "thing": ("a photo of {subject} on a wooden table", "a photo of {subject} on a beach"),
    "style": ("a castle on a hill, {subject}", "a portrait of a woman, {subject}"),
    "other": ("{subject}", "a photo of {subject}"),
}


def subject_of(word: str, class_word: str) -> str:
    """The trigger word with its class, such as "rex dog": the class tells the base model what it knows already."""
    return f"{word} {class_word}".strip()


def caption_for(kind: str, word: str, class_word: str) -> str:
    """The caption that all pictures without their own share."""
    subject = subject_of(word, class_word)
    return subject if kind in ("style", "other") else f"a photo of {subject}"


def sample_prompts(kind: str, word: str, class_word: str, captions: tuple[str, ...]) -> list[str]:
    """A few of the pictures' own captions, evenly spread; or scenes with the shared caption's words."""
    own = list(dict.fromkeys(caption for caption in captions if caption))
    if not own:
        return [prompt.format(subject=subject_of(word, class_word)) for prompt in PROMPTS[kind]]
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
