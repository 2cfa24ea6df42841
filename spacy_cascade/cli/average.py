"""`spacy cascade average`: the mean of several trainings of one model."""

from pathlib import Path
from typing import Any

import typer
from wasabi import msg

from ..errors import CascadeError, Errors
from ._app import cascade_app
from ._util import refuse_overlap, show_errors


@cascade_app.command("average")
def average_cli(
    paths: list[Path] = typer.Argument(
        ...,
        metavar="MODEL MODEL... OUTPUT",
        help="Model directories, such as <pipeline>/cascade_extractor/model; the last is written",
    ),
) -> None:
    """Average the weights of models that were trained from the same one, one after the
    other or side by side.

    Trainings with high learning rates end in different corners of one valley; their
    mean is nearer to its bottom (stochastic weight averaging, arXiv 1803.05407; model
    soups, arXiv 2203.05482).
    """
    if len(paths) < 3:
        raise typer.BadParameter("give two models or more, and the directory to write")
    *models, output = paths
    with show_errors():
        refuse_overlap(models, [output], replaced=True)
        average(models, output)
    msg.good(f"Mean of {len(models)} models", output)


def average(models: list[Path], output: Path) -> None:
    """RAISES CascadeError: C054 if the models differ in shape or tokenizer, C010 to
    C019 if one can't be loaded.
    """
    import torch

    from ..models.files import atomic_dir
    from ..models.loading import load_model
    from ..models.spec import HFSpec

    mean: Any = None
    total: dict[str, Any] = {}
    for path in models:
        lm = load_model(HFSpec(str(path), device="cpu"), path=path, private=True)
        state = {k: v.double() for k, v in lm.model.state_dict().items()}
        if mean is None:
            mean, total = lm, state
            continue
        shapes = [{k: tuple(v.shape) for k, v in s.items()} for s in (total, state)]
        if (
            shapes[0] != shapes[1]
            or mean.tokenizer.get_vocab() != lm.tokenizer.get_vocab()
        ):
            why = (
                "its weights have other shapes"
                if shapes[0] != shapes[1]
                else "its tokenizer is another one"
            )
            raise CascadeError(Errors.C054.format(path=path, other=models[0], why=why))
        total = {k: v + state[k] for k, v in total.items()}
    with torch.no_grad():
        for name, weight in mean.model.state_dict().items():
            weight.copy_(total[name] / len(models))
    with atomic_dir(Path(output)) as tmp:
        mean.save(tmp)
