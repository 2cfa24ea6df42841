"""Training in several processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from . import util


def test_two_processes_train_as_one(base: Path, tmp_path: Path) -> None:
    """Data parallel, limited by time: both end at the same step, with the same weights."""
    script = f"""
import os, sys, torch
from pathlib import Path
from tests import util
from spacy_cascade.training.sft import SFT
torch.set_num_threads(1)
nlp = util.cascade(Path({str(base)!r}), extractor={{"adapter": None}}, classifier={{"adapter": None}})
loop = SFT(["cascade_extractor", "cascade_classifier"], max_minutes=0.03, batch_size=2, save_every=0, replace_rate=0.0)
rank = os.environ["RANK"]
result = loop.run(nlp, util.examples(nlp), [], Path({str(tmp_path)!r}) / "run", report=lambda info: None)
weights = nlp.get_pipe("cascade_extractor").lm.model.state_dict()
torch.save({{"steps": result["steps"], **weights}}, {str(tmp_path)!r} + f"/{{rank}}.pt")
"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    world = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    env = {**os.environ, **world, "PYTHONPATH": str(Path(__file__).parents[1])}
    runs = [subprocess.Popen([sys.executable, "-c", script], env={**env, "RANK": r, "LOCAL_RANK": r}) for r in "01"]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    first, second = (torch.load(tmp_path / f"{r}.pt") for r in "01")
    assert first.pop("steps") == second.pop("steps") > 1
    assert all(torch.equal(first[k], second[k]) for k in first)
    before = util.cascade(base).get_pipe("cascade_extractor").lm.model.state_dict()
    assert any(not torch.equal(before[k], first[k]) for k in before)
