"""Records of a small corpus, and calls of the tools."""

from __future__ import annotations

from typer.testing import CliRunner

from corpus_tools.cli import app

RECORDS = [
    {
        "sentence": "Ann met Bob Ray in Rome.",
        "entities": [
            {"name": "Ann", "type": "person", "pos": [0, 3]},
            {"name": "Bob Ray", "type": "person", "pos": [8, 15]},
            {"name": "Ray", "type": "person->name", "pos": [12, 15]},
            {"name": "Rome", "type": "location->city", "pos": [19, 23]},
        ],
    },
    {"sentence": "Nothing here.", "entities": []},
    {
        "sentence": "Paris is <b>big</b>",
        "labels": ["location", "x"],
        "entities": [{"name": "Paris", "type": "location", "pos": [0, 5]}],
    },
]


def run(*args):
    return CliRunner().invoke(app, [str(a) for a in args])
