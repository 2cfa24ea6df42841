"""Print the entities that a pipeline finds in fixed texts, for comparing two installations."""

import json
import sys

import spacy

TEXTS = [
    "Marie Curie discovered polonium in Paris with her husband Pierre Curie.",
    "居里夫人在巴黎发现了钋。东京塔位于日本东京都港区。",
    "서울에서 열린 회의에 삼성전자와 유엔이 참석했다.",
    "Die Elbphilharmonie in Hamburg wurde 2017 eröffnet. ## Berlin ##",
    "",
    "La Universidad de Salamanca está en España; Гагарин родился в России.",
]
nlp = spacy.load(sys.argv[1])
found = [
    [[e.start_char, e.end_char, e.label_, e._.cascade_path] for e in doc.ents]
    for doc in nlp.pipe(TEXTS)
]
assert any(found), "no entity in any text"
json.dump(found, sys.stdout, ensure_ascii=False, indent=1)
