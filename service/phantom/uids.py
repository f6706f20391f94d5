"""UIDs of phantoms: the same recipe always gives the same ones."""

from __future__ import annotations

import hashlib

from service.phantom.recipe import PhantomRecipe


def derive_uid(recipe: PhantomRecipe, *words: object) -> str:
    """A UID from a recipe and what the object is; two recipes share none."""
    return uid_from(repr(recipe), *words)


def uid_from(*words: object) -> str:
    """A UID below 2.25 (ISO/IEC 9834-8) that the same words always give, on every machine."""
    digest = hashlib.sha256(repr(words).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
