"""Extensions of stations that tests make up: a package of SQL for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest

from retrovue_uow import Extension

MakeExtension = Callable[..., Extension]
PLAYLOG = Extension("playlog", "playlog")
MIGRATIONS, RULES, VIEWS = (
    {file.stem: file.read_text(encoding="utf-8") for file in sorted((Path(__file__).parent / "playlog" / folder).iterdir())}
    for folder in ("migrations", "rules", "views")
)
_numbers = count()


@pytest.fixture
def extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeExtension]:
    """`extension(name, migrations, rules, views)`: one whose SQL is that; each call makes another package."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(
        name: str = "playlog",
        migrations: Sequence[str] | Mapping[str, str] = MIGRATIONS,
        rules: Mapping[str, str] = RULES,
        views: Mapping[str, str] = VIEWS,
    ) -> Extension:
        package = f"sql_of_{next(_numbers)}"
        numbered = {f"{number:04}_step": text for number, text in enumerate(migrations, 1)}
        folders = {"migrations": migrations if isinstance(migrations, Mapping) else numbered, "rules": rules, "views": views}
        for folder, texts in folders.items():
            (tmp_path / package / folder).mkdir(parents=True)
            for stem, text in texts.items():
                (tmp_path / package / folder / f"{stem}.sql").write_text(text, encoding="utf-8")
        return Extension(name, package)

    yield make
    for module in [module for module in sys.modules if module.startswith("sql_of_")]:
        del sys.modules[module]


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that offers `PLAYLOG`."""
    folder = tmp_path / "site" / "our_station-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Name: our-station\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[retrovue_uow.extensions]\nplaylog = playlog:PLAYLOG\n")
    monkeypatch.syspath_prepend(str(folder.parent))
