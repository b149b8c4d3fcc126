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

    class _NamedTupleType(type):
        """Makes a named tuple of a class with annotated fields; the annotations are left as text,
        so a module with such a class needs `from __future__ import annotations`."""

        def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, members)
            fields = members["__annotations__"]
            defaults = [members.pop(field) for field in fields if field in members]
            module = members["__module__"]
            fields_of = namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024
            return type(name, (fields_of, *bases[1:]), {"__slots__": (), **members})

    class NamedTuple(metaclass=_NamedTupleType):
        """The base of a class whose annotated members are the fields of a tuple."""
