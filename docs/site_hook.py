"""For `mkdocs build`: the site has only the pages, so a link out of them, into the repository, becomes text."""

from __future__ import annotations

import re

_INTO_REPOSITORY = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page without links to files that the site has not; that each of them exists, the tests say."""
    return _INTO_REPOSITORY.sub(r"\1", markdown)
