"""Which template a component asks its model with: as configured, or as its weights were trained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from spacy.language import Language

from ..errors import CascadeError, Errors, Warnings
from ..registry import registry

logger = logging.getLogger("spacy_cascade")


class TemplateOf:
    """The template of one component.

    What it was made from is saved with the weights, since weights that were trained
    with one template answer another one at random.

    nlp (Language), name (str): The component's pipeline, whose config tells how the
        template was made, and its name.
    """

    def __init__(self, nlp: Language, name: str):
        self.name = name
        self._nlp = nlp
        self._template: Any = None
        # the template that the pipeline's config describes, and its description if it
        # was loaded instead
        self._configured: Any = None
        self._loaded: dict[str, Any] | None = None
        self._set = False

    def move(self, nlp: Language) -> None:
        """The component was put into another pipeline, whose config now tells how it was made."""
        self._nlp = nlp

    def get(self) -> Any:
        """RAISES CascadeError: C106 if there is none."""
        if self._template is None:
            raise CascadeError(Errors.C106.format(name=self.name))
        return self._template

    def set(self, template: Any) -> None:
        """The first one is that of the config."""
        if not self._set:
            self._configured, self._set = template, True
        self._template, self._loaded = template, None

    @property
    def replaced(self) -> bool:
        """Whether it is another one than the config's and the saved one."""
        return self._loaded is None and self._template is not self._configured

    def description(self) -> dict[str, Any] | None:
        """The config block of the template; None if it was made otherwise."""
        if self._loaded is not None:
            return self._loaded
        if self._template is None or self._template is not self._configured:
            return None
        if self.name not in self._nlp.component_names:
            return None
        # with the values of variables: they are other ones, or none, where the
        # component is loaded again
        found = self._nlp.config.interpolate()["components"][self.name].get("template")
        return dict(found) if isinstance(found, dict) and "@prompts" in found else None

    def save(self, path: Path) -> dict[str, Any]:
        """RETURNS (dict): What `load` has to know, JSON-serializable."""
        found = self.description()
        return {} if found is None else {"template": found}

    def load(self, path: Path, meta: dict[str, Any]) -> None:
        """Take the saved template where none is configured, else see whether they agree.

        path (Path): Directory of the saved component. meta (dict): What `save` gave,
            and whether weights were trained.
        RAISES CascadeError: C105 if trained weights come with another template than the
            configured one.
        """
        saved = meta.get("template")
        if saved is None:
            return
        template = registry.resolve({"template": saved})["template"]
        if self._template is None or self._loaded is not None:
            self._template, self._loaded = template, saved
        elif meta.get("trained", meta["adapter"]) and _differ(template, self._template):
            used = self.description() or type(self._template).__name__
            raise CascadeError(
                Errors.C105.format(path=path, saved=saved, name=self.name, found=used)
            )


def _differ(a: Any, b: Any) -> bool:
    """Whether templates that can be compared are different."""
    return type(a).__eq__ is not object.__eq__ and a != b


class Frames:
    """Whether a classifier goes on from what an extractor writes.

    A pair that could and does not is reported once.
    """

    def __init__(self) -> None:
        self._reported: set[tuple[Any, Any]] = set()

    def agree(self, extractor: Any, classifier: Any) -> bool:
        """extractor, classifier (LMPipe): Components on the same weights."""
        asked, template = extractor.template, classifier.template
        if not template.continues:
            return False
        goes_on = getattr(template, "goes_on_from", None)
        if goes_on is None or goes_on(asked):
            return True
        if (asked, template) not in self._reported:
            self._reported.add((asked, template))
            names = {"name": classifier.name, "extractor": extractor.name}
            logger.warning(Warnings.W018.format(**names, found=template, other=asked))
        return False
