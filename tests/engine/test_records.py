"""Records are what `typing.NamedTuple` would make of them."""

from __future__ import annotations

import pickle
from typing import NamedTuple as TypingNamedTuple

import pytest

from macro.engine.template.choices import Fork
from macro.engine.template.records import NamedTuple


class Ours(NamedTuple):
    """A record."""

    first: int
    second: str = "two"
    third: tuple[int, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.first


class Theirs(TypingNamedTuple):
    """A record."""

    first: int
    second: str = "two"
    third: tuple[int, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.first


def test_a_record_reads_and_compares_as_a_named_tuple() -> None:
    ours, theirs = Ours(1, third=(3,)), Theirs(1, third=(3,))
    assert (ours.first, ours.second, ours.third, ours.doubled) == (1, "two", (3,), 2)
    assert ours == tuple(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._asdict() == theirs._asdict()
    assert Ours._fields == Theirs._fields
    assert Ours.__match_args__ == Theirs.__match_args__
    assert Ours.__doc__ == "A record."


def test_a_record_is_replaced_and_pickled_as_its_own_class() -> None:
    ours = Ours(1)._replace(second="new")
    assert type(ours) is Ours
    assert ours == (1, "new", ())
    assert type(pickle.loads(pickle.dumps(ours))) is Ours
    assert pickle.loads(pickle.dumps(ours)) == ours


@pytest.mark.parametrize("record", [Ours, Theirs])
def test_a_record_refuses_what_it_has_no_field_for(record: type[Ours]) -> None:
    with pytest.raises(TypeError, match="first"):
        record()  # type: ignore[call-arg] # that is the point
    with pytest.raises(TypeError, match="fourth"):
        record(1, fourth=4)  # type: ignore[call-arg] # that is the point


def test_a_replacement_of_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="fourth"):
        Ours(1)._replace(fourth=4)  # type: ignore[call-arg] # that is the point


def test_records_with_as_many_fields_keep_their_own_names() -> None:
    class Other(NamedTuple):
        one: int
        two: int
        three: int = 3

    assert Other(1, two=2).three == 3
    assert Ours(1).second == "two"
    assert not hasattr(Ours(1), "two")


def test_a_record_may_be_generic() -> None:
    assert Fork[int]("Condition", 1, 2) == ("Condition", 1, 2)
