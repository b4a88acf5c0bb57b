"""What a base model to fetch may be called: a name on the hub, or an address."""

from __future__ import annotations

import re

from django.conf import settings
from django.utils.translation import gettext as _

from engine.paths.names import hub_refusal, is_hub_name
from web.errors import BadInput
from web.outgoing import checked_address

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
EXAMPLE = "stable-diffusion-v1-5/stable-diffusion-v1-5"
LONGEST = 2000


def checked_source(text: str) -> str:
    """The name or the address. Raises BadInput."""
    text = text.strip()
    try:
        return str(checked_address(text)) if "://" in text else checked_name(text)
    except BadInput as error:
        raise BadInput(str(error), {"source": [str(error)]}) from error


def checked_name(name: str) -> str:
    """A name of the hub such as owner/model. Raises BadInput."""
    name = name.strip()
    if not is_hub_name(name):
        raise BadInput(
            _(
                "A model has a name of the form owner/model, such as %(example)s, or an address that begins with https://."
            )
            % {"example": EXAMPLE}
        )
    if sentence := hub_refusal(name, settings.HUB_OWNERS):
        raise BadInput(f"{sentence[:1].upper()}{sentence[1:]}.")
    return name


def checked_hash(text: str) -> str:
    """A SHA-256, or nothing. Raises BadInput."""
    text = text.strip()
    if text and not SHA256.fullmatch(text):
        sentence = _("A SHA-256 has 64 letters and digits: copy it again, or leave it empty.")
        raise BadInput(sentence, {"sha256": [sentence]})
    return text.lower()
