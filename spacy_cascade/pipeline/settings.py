"""Settings of components.

They are checked whenever they are assigned, shown by `nlp.config`, and saved as they
are in use.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast, get_type_hints, overload

from spacy.util import registry

from ..errors import CascadeError, CascadeTypeError, Errors
from ..models.spec import HFSpec, SharedSpec, hf_spec
from ..taxonomy import Taxonomy, builtin

_PREFIX = "spacy-cascade."
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_BUILTIN = ("dynamicner", "universal")
# A block of a config.
Block = dict[str, Any]
Scorer = Callable[..., Any]
TaxonomyLike = Taxonomy | str | Path | Sequence[str] | Block

T = TypeVar("T")
V_co = TypeVar("V_co", covariant=True)


class Check(Protocol[V_co]):
    """Checks the value of an option. What it returns is kept."""

    def __call__(self, option: str, value: object) -> V_co:
        """RAISES CascadeError: C020, C021."""


class Configurable(Protocol):
    """A component that has settings."""

    def on_setting(self, option: str, value: object) -> None:
        """Called after a setting was given or changed."""


class Setting(Generic[T]):
    """A public setting of a component, declared as an attribute of its class.

    This is the only place that names it: the argument of the factory, its default in
    the config and the type that spaCy validates are read from here.

    check (Check): Checks a value. Its return type is what a config may hold.
    default (object): The value if none is given.
    option (str): Its name in the config, if that differs from the attribute's.
    """

    def __init__(self, check: Check[T], default: object, *, option: str = ""):
        self.check = check
        self.default = default
        self.option = option

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.option = self.option or name

    @overload
    def __get__(self, pipe: None, owner: type) -> Setting[T]: ...

    @overload
    def __get__(self, pipe: Configurable, owner: type) -> T: ...

    def __get__(self, pipe: Configurable | None, owner: type) -> Setting[T] | T:
        if pipe is None:
            return self
        value: T = pipe.__dict__[self.name]
        return value

    def __set__(self, pipe: Configurable, value: object) -> None:
        """RAISES CascadeError: C020, C021."""
        checked = self.check(self.option, value)
        pipe.__dict__[self.name] = checked
        pipe.on_setting(self.option, checked)

    def parameter(self) -> inspect.Parameter:
        """This setting as an argument of the factory."""
        hints = get_type_hints(self.check)
        return inspect.Parameter(
            self.option,
            inspect.Parameter.KEYWORD_ONLY,
            default=self.default,
            annotation=hints["return"],
        )


def settings_of(kind: type) -> dict[str, Setting[object]]:
    """The settings of a component's class, by their names in the config."""
    found: dict[str, Setting[object]] = {}
    for base in kind.__mro__:
        for value in vars(base).values():
            if isinstance(value, Setting):
                found.setdefault(value.option, value)
    return found


def factory_settings(kind: type) -> dict[str, Setting[object]]:
    """The settings that a factory takes: all but those that the class has no use for."""
    unused = getattr(kind, "unused_options", ())
    return {k: v for k, v in settings_of(kind).items() if k not in unused}


def factory_signature(kind: type) -> inspect.Signature:
    """The arguments of a component's class, for spaCy's validation and for `help`.

    Those that its `__init__` and those of its bases name come first, then its settings.
    """
    named: dict[str, inspect.Parameter] = {}
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        init = inspect.signature(base.__init__, eval_str=True)  # type: ignore[misc]
        for parameter in init.parameters.values():
            if parameter.kind not in _VARIADIC:
                named.setdefault(parameter.name, parameter)
        # what it does not name goes to the next one
        if not _takes_more(init):
            break

    del named["self"]
    # those that may be given by their place first
    ordered = sorted(named.values(), key=lambda parameter: parameter.kind)
    settings = [setting.parameter() for setting in factory_settings(kind).values()]
    return inspect.Signature([*ordered, *settings])


def _takes_more(signature: inspect.Signature) -> bool:
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


# -- Checks


def number(rule: str, fits: Callable[[float], bool]) -> Check[float]:
    """A finite number. rule (str): For the message."""

    def check(option: str, value: object) -> float:
        if (
            not isinstance(value, numbers.Real)
            or isinstance(value, bool)
            or not math.isfinite(value)
            or not fits(float(value))
        ):
            message = Errors.C021.format(option=option, rule=rule, value=value)
            raise CascadeError(message)
        return value if isinstance(value, (int, float)) else float(value)

    return check


def integer(rule: str, fits: Callable[[int], bool]) -> Check[int]:
    """A whole number. rule (str): For the message."""

    def check(option: str, value: object) -> int:
        if (
            not isinstance(value, numbers.Integral)
            or isinstance(value, bool)
            or not fits(int(value))
        ):
            rule_of = f"a whole number, {rule}"
            message = Errors.C021.format(option=option, rule=rule_of, value=value)
            raise CascadeError(message)
        return int(value)

    return check


def flag(option: str, value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        message = Errors.C021.format(option=option, rule="true or false", value=value)
        raise CascadeError(message)
    return value


def one_of(choices: Sequence[str]) -> Check[str]:
    """One of some names."""

    def check(option: str, value: object) -> str:
        if value not in choices:
            names = ", ".join(choices)
            message = Errors.C020.format(option=option, value=value, choices=names)
            raise CascadeError(message)
        return str(value)

    return check


def path_or_none(option: str, value: object) -> str | None:
    """A path as a string, or None."""
    if value is None:
        return None
    if not isinstance(value, (str, Path)):
        message = Errors.C021.format(option=option, rule="a path or null", value=value)
        raise CascadeError(message)
    return str(value)


def block_or_none(option: str, value: object) -> Block | None:
    """A block of a config, or None."""
    if value is not None and not isinstance(value, Mapping):
        rule = "a block of LoRA settings or null"
        message = Errors.C021.format(option=option, rule=rule, value=value)
        raise CascadeError(message)
    return value  # type: ignore[return-value]


SHARE = number("from 0 to 1", lambda x: 0 <= x <= 1)
COUNT = integer("1 or more", lambda n: n >= 1)
WINDOW = integer("8 or more", lambda n: n >= 8)
NATURAL = integer("0 or more", lambda n: n >= 0)


# -- What is given in short


def read_model(name: str, value: object) -> HFSpec | SharedSpec:
    """A description of a language model; a directory or hub name stands for `spacy-cascade.HF.v1`
    with that name.

    RAISES CascadeError: C080.
    """
    if isinstance(value, (HFSpec, SharedSpec)):
        return value
    if hasattr(value, "load"):
        return cast(HFSpec, value)  # of another package, with a backend of its own
    if value is None or isinstance(value, (str, Path)):
        spec: HFSpec = hf_spec(str(value or ""))
        return spec
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


def read_taxonomy(value: object) -> Taxonomy:
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


def _unknown(option: str, name: str, value: object, expected: str) -> CascadeError:
    found = repr(value)[:80]
    return CascadeTypeError(
        Errors.C080.format(option=option, name=name, found=found, expected=expected)
    )


def as_block(taxonomy: Taxonomy) -> Block:
    """A taxonomy as a block of a config: its names, in order. Descriptions and aliases have no
    place there."""
    return {
        "@taxonomies": f"{_PREFIX}Labels.v1",
        "labels": ["->".join(path) for path in taxonomy.leaves],
    }
