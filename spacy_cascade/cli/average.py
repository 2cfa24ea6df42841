"""`spacy cascade average`: the mean of several trainings of one model."""

from pathlib import Path

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
    """Write the mean of some models.

    RAISES CascadeError: C054 if the models differ in shape or tokenizer, C010 to C019 if
        one can't be loaded.
    """
    import torch

    from ..models.files import atomic_dir
    from ..models.loading import load_model
    from ..models.spec import HFSpec

    first = load_model(
        HFSpec(str(models[0]), device="cpu"), path=models[0], private=True
    )
    total = {name: w.double() for name, w in first.model.state_dict().items()}
    shapes = {name: weight.shape for name, weight in total.items()}
    vocabulary = first.tokenizer.get_vocab()
    for path in models[1:]:  # one at a time: they need not fit into memory together
        lm = load_model(HFSpec(str(path), device="cpu"), path=path, private=True)
        state = lm.model.state_dict()
        why = ""
        if {name: weight.shape for name, weight in state.items()} != shapes:
            why = "its weights have other shapes"
        elif lm.tokenizer.get_vocab() != vocabulary:
            why = "its tokenizer is another one"
        if why:
            message = Errors.C054.format(path=path, other=models[0], why=why)
            raise CascadeError(message)
        for name, weight in state.items():
            total[name] = total[name] + weight.double()

    with torch.no_grad():
        for name, weight in first.model.state_dict().items():
            weight.copy_(total[name] / len(models))
    with atomic_dir(Path(output)) as temp:
        first.save(temp)
