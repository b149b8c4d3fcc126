"""Named tuples that are defined quickly: `typing.NamedTuple` compiles every annotation.

A start-up defines dozens of them, and with `typing`'s that is a third of the time of all own
modules. What a type checker sees is `typing.NamedTuple`.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from types import FunctionType

    # What is the same for all: a field's getter goes by its index, whatever the field's name.
    _ANY = namedtuple("_ANY", [f"field_{index}" for index in range(16)])  # noqa: PYI024
    _GETTERS = [vars(_ANY)[field] for field in _ANY._fields]
    _CONSTRUCTORS: dict[int, FunctionType] = {}  # by the number of fields

    def _constructor(name: str, fields: tuple[str, ...], defaults: tuple[Any, ...]) -> FunctionType:
        """What makes a tuple of these fields: compiled once for their number, then renamed."""
        alike = _CONSTRUCTORS.get(len(fields))
        if alike is None:
            alike = namedtuple("_", _ANY._fields[: len(fields)]).__new__  # noqa: PYI024
            _CONSTRUCTORS[len(fields)] = alike
        code = alike.__code__.replace(co_varnames=("cls", *fields), co_qualname=name)
        return FunctionType(code, alike.__globals__, "__new__", defaults)

    class _Record(tuple):
        """What `collections.namedtuple` gives to each of its classes anew."""

        __slots__ = ()

        def __repr__(self) -> str:
            members = [f"{field}={value!r}" for field, value in self._asdict().items()]
            return f"{type(self).__name__}({', '.join(members)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **values: Any) -> tuple[Any, ...]:
            made = tuple.__new__(type(self), map(values.pop, self._fields, self))
            if values:
                raise TypeError(f"{type(self).__name__} has no fields {list(values)}")
            return made

    class _NamedTupleType(type):
        """Makes a named tuple of a class with annotated fields; the annotations are left as text,
        so a module with such a class needs `from __future__ import annotations`."""

        def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, members)
            fields = tuple(members["__annotations__"])
            defaults = tuple([members.pop(field) for field in fields if field in members])
            getters = dict(zip(fields, _GETTERS[: len(fields)], strict=True))
            own = {
                "__slots__": (),
                "__new__": _constructor(name, fields, defaults),
                "__match_args__": fields,
                "_fields": fields,
            }
            return type(name, (_Record, *bases[1:]), {**own, **getters, **members})

    class NamedTuple(metaclass=_NamedTupleType):
        """The base of a class whose annotated members are the fields of a tuple."""
