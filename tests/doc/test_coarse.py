"""The first level of a path, other components' entities, and displaCy's spans."""

from __future__ import annotations

from spacy import displacy
from spacy.tokens import Doc

from tests import util


def test_the_coarse_type_is_the_first_level_of_the_path() -> None:
    nlp, _ = util.scripted(util.NAMES)
    doc = nlp("John flew to Paris.")
    assert [ent._.cascade_coarse for ent in doc.ents] == ["person", "location"]
    assert doc[1:2]._.cascade_coarse == ""
    part = doc[2:4].as_doc(copy_user_data=True)
    assert [ent._.cascade_coarse for ent in part.ents] == ["location"]


def test_entities_of_other_components_keep_their_label_and_get_no_path() -> None:
    nlp, _ = util.scripted(util.NAMES)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "SHIP", "pattern": "Paris"}])
    doc = nlp("John flew to Paris.")
    assert [ent.label_ for ent in doc.ents] == ["person", "SHIP"]
    for found in (doc, Doc(nlp.vocab).from_bytes(doc.to_bytes())):
        john, ship = found.ents
        assert john._.cascade_path == "person"
        assert (ship._.cascade_path, ship._.cascade_coarse) == ("", "")
        assert ship._.cascade_score is None
        # the candidate in its place has its own
        candidate = found.spans["cascade"][1]
        assert candidate._.cascade_path == "location > city"
    [ship] = doc[2:4].as_doc(copy_user_data=True).ents
    assert ship._.cascade_path == ""
    # nothing is noted where there is no such entity
    assert "others" not in nlp("John flew.").spans["cascade"].attrs


def test_displacy_shows_the_candidates_as_spans() -> None:
    nlp, _ = util.scripted(util.NAMES)
    doc = nlp("John flew to Paris.")
    html = displacy.render(
        doc, style="span", options={"spans_key": "cascade"}, jupyter=False
    )
    assert "person" in html
    assert "city" in html
