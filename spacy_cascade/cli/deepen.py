"""`spacy cascade deepen`: one more layer for a tiny model."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer
from wasabi import msg

from ..errors import CascadeError, Errors
from ._app import cascade_app
from ._util import refuse_overlap, show_errors

if TYPE_CHECKING:
    from transformers import Qwen2ForCausalLM

    from ..models.protocols import PretrainedLM


@cascade_app.command("deepen")
def deepen_cli(
    model: Path = typer.Argument(
        ...,
        help="Directory of a tiny model, such as <pipeline>/cascade_extractor/model",
    ),
    output: Path = typer.Argument(..., help="Directory for the new model"),
    seed: int = typer.Option(0, help="Of the new layer's random weights"),
) -> None:
    """Put a layer below the others of a tiny model, whose heads look at neighbouring tokens.

    The model says what it said before until it is trained further: `--paths.init` of
        configs/base.cfg takes it.
    """
    with show_errors():
        refuse_overlap([model], [output], replaced=True)
        layers = deepen(model, output, seed=seed)
    msg.good(f"Model of {layers} layers", output)


def deepen(model: Path, output: Path, *, seed: int = 0) -> int:
    """RETURNS (int): Number of layers of the new model.

    RAISES CascadeError: C020 if the model is not a Qwen2, C010 to C019 if it can't be loaded.
    """
    from ..models.files import atomic_dir
    from ..models.loading import load_model
    from ..models.spec import HFSpec
    from ..models.tiny import with_layer_below

    lm = load_model(HFSpec(str(model), device="cpu"), path=model, private=True)
    if lm.model.config.model_type != "qwen2":
        raise CascadeError(
            Errors.C020.format(
                option="model_type", value=lm.model.config.model_type, choices="qwen2"
            )
        )
    taller = with_layer_below(cast("Qwen2ForCausalLM", lm.model), seed=seed)
    lm.model = cast("PretrainedLM", taller)
    with atomic_dir(Path(output)) as tmp:
        lm.save(tmp)
    return int(taller.config.num_hidden_layers)
