"""A component whose options are settings: arguments of its factory, shown by the config of
its pipeline.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import ClassVar

from spacy.language import Language
from spacy.pipeline import Pipe

from ..errors import CascadeTypeError, Errors
from ..taxonomy import Taxonomy
from .settings import as_block, factory_settings, factory_signature, settings_of


class ConfiguredPipe(Pipe):
    """A component with options. Subclasses declare them as `Setting`s."""

    # Name of the factory, to tell saved components apart.
    kind = ""
    # Settings that the factory does not take.
    unused_options: tuple[str, ...] = ()
    # What `inspect.signature` gives, which is what spaCy validates configs with.
    __signature__: ClassVar[inspect.Signature]
    name: str
    _nlp: Language

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.__signature__ = factory_signature(cls)

    def _take_settings(self, given: Mapping[str, object]) -> None:
        """Set all settings, to their defaults where nothing is given."""
        known = factory_settings(type(self))
        for option in given:
            if option not in known:
                kind = type(self).__name__
                raise TypeError(f"{kind}() got an unexpected argument '{option}'")
        for option, setting in settings_of(type(self)).items():
            setattr(self, setting.name, given.get(option, setting.default))

    def refuse_options(self, given: Mapping[str, object]) -> None:
        """Check what `component_cfg` gives for one call: only `batch_size` is known.

        RAISES CascadeTypeError: C131 for any other option.
        """
        if not set(given) - {"batch_size"}:
            return
        settings = factory_settings(type(self))
        is_setting = [option for option in given if option in settings]
        hints = [f"nlp.get_pipe('{self.name}').{option} = ..." for option in is_setting]
        message = Errors.C131.format(
            name=self.name,
            options=", ".join(given),
            hint=" and ".join(hints) or "nlp.get_pipe(...)",
        )
        raise CascadeTypeError(message)

    def on_setting(self, option: str, value: object) -> None:
        """Called after a setting was given or changed: the config shows it."""
        self._show(option, value)

    def _show(self, option: str, value: object) -> None:
        for name, pipe in self._nlp.components:
            if pipe is not self:
                continue
            config = self._nlp.get_pipe_config(name)
            if option in config:
                config[option] = value

    def _show_taxonomy(self, taxonomy: Taxonomy | None) -> None:
        """The first one that is given is that of the config."""
        self.__dict__.setdefault("_given_taxonomy", taxonomy)
        self._show("taxonomy", None if taxonomy is None else as_block(taxonomy))

    # -- Pickling

    def __reduce__(self) -> tuple[object, ...]:
        # Cython's own way looks at the base class's fields alone
        return _blank, (type(self),), self.__dict__

    def __setstate__(self, state: dict[str, object]) -> None:
        # not as settings are set: the pipeline, whose config would show them, is not whole yet
        self.__dict__.update(state)


def _blank(kind: type[ConfiguredPipe]) -> ConfiguredPipe:
    """A component to be filled: it is in the pipeline that it belongs to, which is
    filled at the same time.
    """
    return kind.__new__(kind)
