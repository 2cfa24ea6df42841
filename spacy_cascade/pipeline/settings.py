"""Settings of components: checked whenever they are assigned, shown by `nlp.config`, and saved as
they are in use."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.util import registry

from ..errors import CascadeError, CascadeTypeError, Errors
from ..models.spec import HFSpec, SharedSpec, hf_spec
from ..taxonomy import Taxonomy, builtin

_PREFIX = "spacy-cascade."
_BUILTIN = ("dynamicner", "universal")
Check = Callable[[str, Any], Any]


class Setting:
    """A public setting of a component, as an attribute.

    check (Callable): (option, value) -> the value to keep. option (str): Its name in the config,
    if it has another one.
    """

    def __init__(self, check: Check, option: str = ""):
        self.check = check
        self.option = option

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.option = self.option or name

    def __get__(self, pipe: Any, owner: type | None = None) -> Any:
        return self if pipe is None else pipe.__dict__[self.name]

    def __set__(self, pipe: Any, value: Any) -> None:
        """RAISES CascadeError: C020, C021."""
        pipe.__dict__[self.name] = self.check(self.option, value)
        pipe.on_setting(self.option, pipe.__dict__[self.name])


def settings_of(kind: type) -> dict[str, Setting]:
    """The settings of a component's class, by their names in the config."""
    found = {
        k: v
        for base in reversed(kind.__mro__)
        for k, v in vars(base).items()
        if isinstance(v, Setting)
    }
    return {setting.option: setting for setting in found.values()}


# -- Checks
# ------------------------------------------------------------------------------------------------------


def number(rule: str, fits: Callable[[Any], bool]) -> Check:
    """A finite number. rule (str): For the message."""

    def check(option: str, value: Any) -> float:
        if (
            not isinstance(value, numbers.Real)
            or isinstance(value, bool)
            or not math.isfinite(value)
            or not fits(value)
        ):
            raise CascadeError(
                Errors.C021.format(option=option, rule=rule, value=value)
            )
        return value if isinstance(value, (int, float)) else float(value)

    return check


def integer(rule: str, fits: Callable[[int], bool]) -> Check:
    """A whole number."""

    def check(option: str, value: Any) -> int:
        if (
            not isinstance(value, numbers.Integral)
            or isinstance(value, bool)
            or not fits(int(value))
        ):
            raise CascadeError(
                Errors.C021.format(
                    option=option, rule=f"a whole number, {rule}", value=value
                )
            )
        return int(value)

    return check


def flag(option: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise CascadeError(
            Errors.C021.format(option=option, rule="true or false", value=value)
        )
    return value


def one_of(choices: Sequence[str]) -> Check:
    """One of some names."""

    def check(option: str, value: Any) -> str:
        if value not in choices:
            raise CascadeError(
                Errors.C020.format(
                    option=option, value=value, choices=", ".join(choices)
                )
            )
        return str(value)

    return check


def optional(kind: type, what: str) -> Check:
    """A value of a type, or None."""

    def check(option: str, value: Any) -> Any:
        if value is not None and not isinstance(value, kind):
            raise CascadeError(
                Errors.C021.format(option=option, rule=f"{what} or null", value=value)
            )
        return value

    return check


def as_path(option: str, value: Any) -> str | None:
    """A path as a string, or None."""
    return optional(str, "a path")(
        option, str(value) if isinstance(value, Path) else value
    )


SHARE = number("from 0 to 1", lambda x: 0 <= x <= 1)
COUNT = integer("1 or more", lambda n: n >= 1)
WINDOW = integer("8 or more", lambda n: n >= 8)
NATURAL = integer("0 or more", lambda n: n >= 0)


# -- What is given in short
# --------------------------------------------------------------------------------------


def read_model(name: str, value: Any) -> HFSpec | SharedSpec:
    """A description of a language model; a directory or hub name stands for `spacy-cascade.HF.v1`
    with that name.

    RAISES CascadeError: C080.
    """
    if isinstance(value, (HFSpec, SharedSpec)) or hasattr(value, "load"):
        return value  # type: ignore[no-any-return]
    if value is None or isinstance(value, (str, Path)):
        return hf_spec(str(value or ""))
    expected = (
        'a directory, a hub name, or a block with @causal_lms = "spacy-cascade.HF.v1" or'
        ' "spacy-cascade.SharedLM.v1"'
    )
    raise _unknown("model", name, value, expected)


def read_registered(table: str, option: str, name: str, value: Any) -> Any:
    """An object of a registry; its name (with or without "spacy-cascade.") stands for the object
    with all defaults.

    table (str): Name of the registry.
    RAISES CascadeError: C080.
    """
    known = getattr(registry, table)
    if isinstance(value, str):
        found = next((n for n in (value, _PREFIX + value) if n in known), None)
        if found is not None:
            return known.get(found)()
    elif not isinstance(value, (Mapping, Sequence, numbers.Number)):
        return value
    names = ", ".join(sorted(n for n in known.get_all() if n.startswith(_PREFIX)))
    raise _unknown(option, name, value, f"a block with @{table}, or one of {names}")


def read_taxonomy(value: Any) -> Taxonomy:
    """Whatever `Taxonomy.read` takes, and the name of a taxonomy: "dynamicner", "universal",
    "spacy-cascade.DynamicNER.v1".

    RAISES CascadeError: Those of `Taxonomy.read`.
    """
    if isinstance(value, str):
        if value in _BUILTIN:
            return builtin(value)
        if value in (f"{_PREFIX}DynamicNER.v1", "DynamicNER.v1"):
            return builtin("dynamicner")
    return Taxonomy.read(value)


def _unknown(option: str, name: str, value: Any, expected: str) -> CascadeError:
    found = repr(value)[:80]
    return CascadeTypeError(
        Errors.C080.format(option=option, name=name, found=found, expected=expected)
    )


def as_block(taxonomy: Taxonomy) -> dict[str, Any]:
    """A taxonomy as a block of a config: its names, in order. Descriptions and aliases have no
    place there."""
    return {
        "@taxonomies": f"{_PREFIX}Labels.v1",
        "labels": ["->".join(path) for path in taxonomy.leaves],
    }
