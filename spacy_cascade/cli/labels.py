"""`spacy cascade labels`: the types that a pipeline's weights were trained with."""

from __future__ import annotations

import typer
from spacy.language import Language
from wasabi import msg

from ..pipeline.known import KnowsLabels
from ..taxonomy.aliases import nearest_types, unknown_names
from ._app import cascade_app
from ._util import show_errors


@cascade_app.command("labels")
def labels_cli(
    model: str = typer.Argument(..., help="Pipeline: a package name or directory"),
    names: list[str] = typer.Argument(
        None, help="Labels of yours: which of them are known, and which types are near"
    ),
) -> None:
    """Print the types that a pipeline knows, or look up labels of your own.

    Other labels can be used, too. A tiny model has to be trained with them first; a
    pretrained chat model understands many without training.
    """
    import spacy

    with show_errors():
        known = known_labels(spacy.load(model))
        if not known:
            msg.warn("The pipeline does not tell which types it was trained with")
        elif names:
            msg.table(looked_up(names, known), header=("label", "known types"))
        else:
            print("\n".join(known))


def known_labels(nlp: Language) -> list[str]:
    """Names of the types that any component of a pipeline was trained with.

    nlp (Language): The pipeline.
    RETURNS (list[str]): In alphabetical order.
    """
    found: set[str] = set()
    for _, pipe in nlp.components:
        if isinstance(pipe, KnowsLabels):
            found.update(pipe.known_labels)
    return sorted(found)


def looked_up(names: list[str], known: list[str]) -> list[tuple[str, str]]:
    """Each label with "known", the nearest types, or "-".

    names (list[str]): Labels.
    known (list[str]): Names of types.
    RETURNS (list[tuple[str, str]]): Rows of a table.
    """
    unknown = set(unknown_names(names, known))
    rows = []
    for name in names:
        near = ", ".join(nearest_types(name, known))
        rows.append((name, near or "-") if name in unknown else (name, "known"))
    return rows
