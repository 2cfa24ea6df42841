"""What is printed can't steer the terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from wasabi import color

from spacy_cascade.console import neutralize, safe_output

# Move the cursor, clear the screen, set the title, write the clipboard, make a link,
# hide what follows, ring.
ATTACKS = (
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]52;c;cm0gLXJm\x1b\\",
    "\x1b]8;;file:///x\x1b\\text\x1b]8;;\x1b\\",
    "\x1b[8mhidden",
    "\x1b[1;8mhidden",
    "\x9b2J",
    "\x90q\x9c",
    "real\rfake",
    "a\x08\x08b\x7f\x00",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_control_characters_are_shown(attack: str) -> None:
    shown = neutralize(f"a{attack}é\tb\n")
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert neutralize(shown) == shown
    record = {"name": attack}
    assert json.loads(neutralize(json.dumps(record, ensure_ascii=False))) == record


def test_colours_and_bars_pass() -> None:
    styled = color("text", fg="green", bg=8, bold=True) + color("a", underline=True)
    assert "\x1b[" in styled
    assert neutralize(styled) == styled
    bar = "\rdocuments:  10%|█ \x1b[A"
    assert neutralize(bar, bars=True) == bar
    assert neutralize(bar) != bar
    assert neutralize("\ra\rb", bars=True) == "\ra\\u000db"
    assert neutralize("a\r\nb") == "a\r\nb"


def test_no_pattern_blows_up() -> None:
    text = "\x1b[" + "33;" * 20_000 + "x"
    assert neutralize(text) == text.replace("\x1b", "\\u001b")


def test_streams_are_made_safe_once(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(
        sys, "stdout", io.TextIOWrapper(raw, encoding="utf8", write_through=True)
    )
    safe_output()
    safe_output()
    print("a\x1b[2Jb")
    assert raw.getvalue() == b"a\\u001b[2Jb\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Attacks in labels, mentions and the names of files."""
    folder = tmp_path / "NER_en" / "set\x1b[2J"
    folder.mkdir(parents=True)
    entities = [
        {"name": "Paris", "type": "ci\x1b]0;x\x07ty", "pos": [0, 5]},
        {"name": "no\x9b2Jwhere", "type": "city", "pos": [0, 5]},
    ]
    records = [{"sentence": "Paris is \x1b[2Jbig", "entities": entities}]
    (folder / "train.json").write_text(json.dumps(records), encoding="utf8")
    return tmp_path / "NER_en"


COMMANDS = {
    "convert": "convert {} {}.out",
    "stats": "stats {} --by all",
    "stats, JSON": "stats {} --json",
    "dry run": "convert {} {}.out --dry-run",
    "missing": "stats {}/mis\x1b[2Jsing",
}


@pytest.mark.slow
@pytest.mark.parametrize("command", list(COMMANDS))
def test_commands(command: str, corpus: Path) -> None:
    args = [part.replace("{}", str(corpus)) for part in COMMANDS[command].split()]
    done = subprocess.run(
        [sys.executable, "-m", "corpus_tools", *args], capture_output=True
    )
    assert done.stdout + done.stderr
    text = (done.stdout + done.stderr).decode("utf8")
    # click takes whole sequences out where the output is no terminal; wasabi writes colours
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not [char for char in text if not char.isprintable() and char != "\n"]
    if "JSON" in command:
        assert json.loads(done.stdout)
