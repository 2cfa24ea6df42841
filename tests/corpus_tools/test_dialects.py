"""Files of many dialects are read as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError
from corpus_tools.formats import FORMATS, docbin, read_records
from corpus_tools.issues import REJECTED, SKIPPED, Report
from tests.corpus_tools.dialect_files import LATIN, PRODIGY, ROWS, mentions, write

MARTA = [("Marta Gómez", "PER"), ("Sevilla", "LOC")]
JONAS = [("Jörg Weiß", "PER"), ("Zürich", "LOC")]
DOCCANO = {
    "id": 7,
    "text": "😀 Marta Gómez vive en Sevilla.",
    "label": [[2, 13, "PER"], [22, 29, "LOC"]],
}
DOCCANO_RELATIONS = {
    "id": 8,
    "text": "Marta Gómez vive en Sevilla.",
    "entities": [
        {"id": 1, "label": "PER", "start_offset": 0, "end_offset": 11},
        {"id": 2, "label": "LOC", "start_offset": 20, "end_offset": 27},
    ],
    "relations": [{"id": 3, "from_id": 1, "to_id": 2, "type": "lives"}],
}
SPACY = [
    ["Marta Gómez vive en Sevilla.", {"entities": [[0, 11, "PER"], [20, 27, "LOC"]]}]
]


def spaced(rows: str, by: str) -> bytes:
    return rows.replace("\t", by).encode()


# name of the file: its bytes, and its mentions
READABLE: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "trailing_tabs.tsv": (
        (
            b"Marta\t_\tO\tI-PER\t\t\nG\xc3\xb3mez\t_\tO\tI-PER\t\t\n"
            b"vive\t_\tO\tO\t\t\nSevilla\t_\tO\tI-LOC\t\t\n"
        ),
        MARTA,
    ),
    "spaces.conll": (spaced(ROWS, "    "), MARTA),
    "comma.csv": (spaced(ROWS.replace(".", '","'), ","), MARTA),
    "header.csv": (
        (
            b"Sentence #,Word,POS,Tag\nSentence:"
            b" 1,Marta,NNP,B-per\n,G\xf3mez,NNP,I-per\n,vive,VB,O\nSentence:"
            b" 2,Sevilla,NNP,B-geo\n,es,VB,O\n"
        ),
        [("Marta Gómez", "per"), ("Sevilla", "geo")],
    ),
    "pipes.txt": (spaced(ROWS, "|"), MARTA),
    "nbsp.conll": (spaced(ROWS, "\u00a0"), MARTA),
    "one_line.iob": (
        "Marta|B-PER Gómez|I-PER vive|O en|O Sevilla|B-LOC\nvive|O bien|O\n".encode(),
        MARTA,
    ),
    "pos_too.iob": (
        "Marta|NNP|B-PER Gómez|NNP|I-PER vive|VB|O en|IN|O Sevilla|NNP|B-LOC\n".encode(),
        MARTA,
    ),
    "conll2003.txt": (
        "-DOCSTART- -X- -X- O\n\nMarta NNP B-NP I-PER\nGómez NNP I-NP I-PER\nvive VBZ B-VP O\n"
        "en IN B-PP O\nSevilla NNP B-NP I-LOC\n".encode(),
        MARTA,
    ),
    "conllu.conllu": (
        "# sent_id = 4\n# text = Marta Gómez va al Prado.\n"
        "1\tMarta\tMarta\tPROPN\t_\t_\t3\tnsubj\t_\tname=B-PER\n"
        "2\tGómez\tGómez\tPROPN\t_\t_\t1\tflat\t_\tname=I-PER\n"
        "3\tva\tir\tVERB\t_\t_\t0\troot\t_\t_\n"
        "4-5\tal\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "4\ta\ta\tADP\t_\t_\t6\tcase\t_\t_\n"
        "5\tel\tel\tDET\t_\t_\t6\tdet\t_\t_\n"
        "6\tPrado\tPrado\tPROPN\t_\t_\t3\tobl\t_\tname=B-LOC|SpaceAfter=No\n"
        "7\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_\n".encode(),
        [("Marta Gómez", "PER"), ("Prado", "LOC")],
    ),
    "universal.iob2": (
        "# sent_enum = 1\n# text = Marta Gómez vive en"
        " Sevilla\n1\tMarta\tB-PER\t-\t-\n2\tGómez\tI-PER\t-\t-\n"
        "3\tvive\tO\t-\t-\n4\ten\tO\t-\t-\n5\tSevilla\tB-LOC\t-\t-\n".encode(),
        MARTA,
    ),
    "layers.tsv": (
        "#\thttp://example.org/1"
        " [2010-01-02]\n1\tBank\tB-ORG\tO\n2\tvon\tI-ORG\tO\n3\tZürich\tI-ORG\tB-LOC\n"
        "4\tzahlt\tO\tO\n".encode(),
        [("Bank von Zürich", "ORG"), ("Zürich", "LOC")],
    ),
    "ids.conll": (
        "# id 77aa-12 domain=es\nmarta _ _ B-PER\ngómez _ _ I-PER\nvive _ _ O\n\n\n# id 77ab-90"
        " domain=es\nsevilla _ _ B-LOC\n".encode(),
        [("marta gómez", "PER"), ("sevilla", "LOC")],
    ),
    "wiki_index.conll": (
        "0\tMarta\tB-PER\n1\tGómez\tI-PER\n2\tvive\tO\n3\ten\tO\n4\tSevilla\tB-LOC\n".encode(),
        MARTA,
    ),
    "languages.txt": (
        "es:Marta\tB-PER\nes:Gómez\tI-PER\nes:vive\tO\nes::\tO\nes:Sevilla\tB-LOC\n".encode(),
        MARTA,
    ),
    "io.txt": (
        (
            "Marta\tperson-artist\nGómez\tperson-artist\n"
            "vive\tO\nen\tO\nSevilla\tlocation-city\n"
        ).encode(),
        [("Marta Gómez", "person-artist"), ("Sevilla", "location-city")],
    ),
    "lower_case.conll": (
        "Marta b-PER.NAM\nGómez i-PER.NAM\nvive o\nen o\nSevilla b_LOC.NAM\n".encode(),
        [("Marta Gómez", "PER.NAM"), ("Sevilla", "LOC.NAM")],
    ),
    "biluo.conll": (
        "Marta B-PER\nGómez L-PER\nvive O\nen O\nSevilla U-LOC\n".encode(),
        MARTA,
    ),
    "bmewo.bio": (
        "Marta B_PER\nGómez E_PER\nvive O\nen O\nSevilla W_LOC\n".encode(),
        MARTA,
    ),
    "suffixes.conll": (
        "Marta PER-B\nGómez PER-I\nvive O\nen O\nSevilla LOC-B\n".encode(),
        MARTA,
    ),
    "tag_first.bio": (
        "B-PER\tMarta\nI-PER\tGómez\nO\tvive\nO\ten\nB-LOC\tSevilla\n".encode(),
        MARTA,
    ),
    "untyped.tsv": (
        b"adenoma\tB\nof\tO\ncolon\tB\ncancer\tI\n",
        [("adenoma", "mention"), ("colon cancer", "mention")],
    ),
    "ontonotes.conll": (
        "#begin document (nw/1); part 000\n"
        "nw/1 0 0 Marta NNP (TOP(S(NP* - - - - (PERSON* (ARG0* (1\n"
        "nw/1 0 1 Gómez NNP *) - - - - *) *) 1)\n"
        "nw/1 0 2 vive VBZ (VP* vivir 01 1 - * (V*) -\n"
        "nw/1 0 3 Sevilla NNP (NP*)))) - - - - (GPE) (ARG1*) -\n"
        "#end document\n".encode(),
        [("Marta Gómez", "PERSON"), ("Sevilla", "GPE")],
    ),
    "latin1.conll": (LATIN.encode("latin1"), JONAS),
    "cp1252.conll": (("„\tO\n" + LATIN + "“\tO\n").encode("cp1252"), JONAS),
    "utf16_mark.conll": (LATIN.encode("utf-16"), JONAS),
    "utf16_le.conll": (LATIN.encode("utf-16-le"), JONAS),
    "utf16_be.conll": (LATIN.encode("utf-16-be"), JONAS),
    "utf32.conll": (LATIN.encode("utf-32"), JONAS),
    "mark_crlf.conll": (LATIN.replace("\n", "\r\n").encode("utf-8-sig"), JONAS),
    "doubled_cr.conll": (LATIN.replace("\n", "\r\r\n").encode(), JONAS),
    "old_mac.conll": (LATIN.replace("\n", "\r").encode(), JONAS),
    "mixed_ends.conll": (LATIN.replace("\n", "\r", 2).encode(), JONAS),
    "emoji.conll": (
        "👩‍🚀\tB-PER\n🇪🇸\tB-LOC\n!\tO\n".encode(),
        [("👩‍🚀", "PER"), ("🇪🇸", "LOC")],
    ),
    "hash_tokens.conll": (
        b"#Marta\tB-PER\n#\tO\n# 1\tO\nSevilla\tB-LOC\n",
        [("#Marta", "PER"), ("Sevilla", "LOC")],
    ),
    "korean.conll": (
        "서울은 B-LOC\n한국의 B-LOC\n수도이다 O\n".encode(),
        [("서울은", "LOC"), ("한국의", "LOC")],
    ),
    "syllables.tsv": (
        "서\tB-LOC\n울\tI-LOC\n은\tO\n \tO\n한\tB-LOC\n국\tI-LOC\n".encode(),
        [("서울", "LOC"), ("한국", "LOC")],
    ),
    "thai.conll": ("กรุงเทพ B-LOC\nสวย O\n".encode(), [("กรุงเทพ", "LOC")]),
    "doccano.jsonl": (json.dumps(DOCCANO).encode(), MARTA),
    "doccano_relations.jsonl": (json.dumps(DOCCANO_RELATIONS).encode(), MARTA),
    "prodigy.jsonl": ("\n".join(map(json.dumps, PRODIGY)).encode(), MARTA),
    "spacy.json": (json.dumps(SPACY).encode(), MARTA),
    "annotator.json": (
        json.dumps({"classes": ["PER"], "annotations": [*SPACY, None]}).encode(),
        MARTA,
    ),
    "indented.json": (json.dumps(DOCCANO_RELATIONS, indent=2).encode(), MARTA),
    "indented_annotator.json": (
        json.dumps({"classes": ["PER"], "annotations": SPACY}, indent=1).encode(),
        MARTA,
    ),
    "words_with_spaces.conll": (
        "Marta Gómez B-PER\nvive O\nen O\nbien O\nSevilla B-LOC\n".encode(),
        MARTA,
    ),
    "plain_with_header.csv": (
        b"token,label\nMarta,PER\nG\xc3\xb3mez,PER\nvive,O\nen,O\nSevilla,LOC\n",
        MARTA,
    ),
    "text_then_json.txt": (json.dumps(DOCCANO_RELATIONS).encode("utf-16"), MARTA),
}


def test_a_folder_of_readable_files(tmp_path):
    for name, (content, _) in READABLE.items():
        write(tmp_path / "in", f"{name.replace('.', '_')}/{name}", content)
    report = convert(tmp_path / "in", tmp_path / "out")
    assert not report.failed
    assert not report.of_kind(REJECTED, SKIPPED)
    for name, (_, expected) in READABLE.items():
        path = tmp_path / "out" / name.replace(".", "_") / f"{Path(name).stem}.spacy"
        found = [
            (r.name(m), m.label)
            for r in docbin.read(path, Report())
            for m in r.mentions
        ]
        assert (name, found) == (name, expected)
        assert (
            report.read_as[f"{name.replace('.', '_')}/{name}"].split(":")[0] in FORMATS
        )


def test_conllu_text_has_no_space_before_the_stop(tmp_path):
    content, _ = READABLE["conllu.conllu"]
    (record,) = read_records(write(tmp_path, "x.conllu", content), Report())
    assert record.text == "Marta Gómez va al Prado."


def test_nested_mentions_reach_the_gold_spans(tmp_path):
    path = write(tmp_path, "layers.tsv", READABLE["layers.tsv"][0])
    convert(path, tmp_path / "x.spacy")
    (record,) = docbin.read(tmp_path / "x.spacy", Report())
    assert [(record.name(m), m.label) for m in record.mentions] == READABLE[
        "layers.tsv"
    ][1]


def test_columns_of_predictions_are_no_layer(tmp_path):
    path = write(
        tmp_path,
        "x.conll",
        b"Marta NNP B-PER B-PER\nsees VBZ O O\nSevilla NNP B-LOC B-ORG\nEva NNP B-PER B-PER\n",
    )
    assert mentions(path) == [("Marta", "PER"), ("Sevilla", "LOC"), ("Eva", "PER")]
    assert mentions(path, tag_column=-1)[1] == ("Sevilla", "ORG")


def test_an_inner_layer_that_begins_late_is_read(tmp_path):
    plain = "1\tBank\tB-ORG\tO\n2\tzahlt\tO\tO\n\n" * 3000
    last = "1\tBank\tB-ORG\tO\n2\tZürich\tI-ORG\tB-LOC\n"
    assert mentions(write(tmp_path, "x.tsv", (plain + last).encode()))[-1] == (
        "Zürich",
        "LOC",
    )


def test_encoding_that_is_asked_for(tmp_path):
    path = write(
        tmp_path, "x.conll", "Иван\tB-PER\nв\tO\nРиме\tB-LOC\n".encode("cp1251")
    )
    assert mentions(path, encoding="cp1251") == [("Иван", "PER"), ("Риме", "LOC")]
    for encoding, code in (("ascii", "T084"), ("nope", "T008")):
        with pytest.raises(CorpusError, match=code):
            mentions(path, encoding=encoding)
    json_path = write(
        tmp_path,
        "x.jsonl",
        '{"text": "Иван", "label": [[0, 4, "PER"]]}'.encode("koi8-r"),
    )
    assert mentions(json_path, encoding="koi8-r") == [("Иван", "PER")]
    result = CliRunner().invoke(
        app, ["convert", str(path), str(tmp_path / "y.spacy"), "--encoding", "cp1251"]
    )
    assert result.exit_code == 0, result.output


def test_a_guessed_encoding_is_said(tmp_path):
    path = write(tmp_path, "x.conll", READABLE["latin1.conll"][0])
    result = CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "x.spacy")])
    assert "cp1252 (guessed)" in " ".join(result.output.split())


def test_damaged_utf8_is_reported_and_not_taken_for_another_encoding(tmp_path, report):
    path = write(tmp_path, "x.conll", LATIN.encode() + b"x\xff\tO\n")
    records = list(read_records(path, report))
    assert [(r.name(m), m.label) for r in records for m in r.mentions] == JONAS
    assert "1 character(s) that are no Unicode text" in report.issues[0].reason


def test_force_goes_on(tmp_path):
    path = write(tmp_path, "x.tsv", b"Marta\tB-PER\nlives\nin\nSevilla\n")
    args = ["convert", str(path), str(tmp_path / "x.spacy")]
    assert CliRunner().invoke(app, args).exit_code == 1
    result = CliRunner().invoke(app, [*args, "--force"])
    assert result.exit_code == 0, result.output
    (record,) = docbin.read(tmp_path / "x.spacy", Report())
    assert [(record.name(m), m.label) for m in record.mentions] == [("Marta", "PER")]


def test_options_of_columns(tmp_path):
    path = write(tmp_path, "x.tsv", b"a\tMarta\tB-PER\tB-X\nb\tlives\tO\tO\n")
    args = [
        "convert",
        str(path),
        str(tmp_path / "x.spacy"),
        "--token-column",
        "1",
        "--tag-column",
        "2",
    ]
    result = CliRunner().invoke(
        app, [*args, "--separator", "blank", "--scheme", "iob2"]
    )
    assert result.exit_code == 0, result.output
    (record,) = docbin.read(tmp_path / "x.spacy", Report())
    assert (record.text, [m.label for m in record.mentions]) == ("Marta lives", ["PER"])
    with pytest.raises(CorpusError, match="T003"):
        mentions(path, separator="nope")


def test_negatives_are_no_fault(tmp_path):
    assert mentions(write(tmp_path, "x.conll", b"it\tO\nrains\tO\n")) == []
    convert(tmp_path / "x.conll", tmp_path / "x.spacy")
    assert len(docbin.load(tmp_path / "x.spacy")) == 1


def test_formats_that_are_only_read_are_not_written(tmp_path):
    path = write(tmp_path, "x.conll", ROWS.encode())
    with pytest.raises(CorpusError, match="T003"):
        convert(path, tmp_path / "out", to_format="doccano")
