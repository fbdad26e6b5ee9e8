"""What messages have in common."""

from __future__ import annotations

import pytest

from retrovue_uow.errors import some


@pytest.mark.parametrize(
    ("items", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a; b"), (["a", "b", "c", "d"], "a; b; and 2 more")], ids=str
)
def test_a_list_is_shortened_and_what_it_leaves_out_counted(items: list[str], said: str) -> None:
    assert some(items, 2) == said


def test_what_was_not_even_put_into_words_is_counted_too() -> None:
    assert some(["a", "b"], 2, between="\n", of=5) == "a\nb\nand 3 more"
    assert some(["a"], 2, of=2) == "a"
