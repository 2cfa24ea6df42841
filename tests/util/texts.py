"""Texts, gold and labels."""

from __future__ import annotations

# One or two sentences of each of eight languages.
SENTENCES = (
    "John Smith flew from New York to Paris with ACME Corp. on Monday.",
    "She doesn't like it, they said.",
    "La señora García vive en México desde 1998.",
    "L'été dernier, Zoë a visité l'Île-de-France avec Air France.",
    "Angela Merkel sprach in Berlin über die Europäische Union.",
    "李小龙出生于美国旧金山，后来回到香港。",
    "東京タワーは1958年に港区で完成した。",
    "김철수는 서울에서 삼성전자에 다닌다.",
    "Владимир Петров живёт в Санкт-Петербурге с 2003 года.",
)
# Texts that trip up offset arithmetic.
ODD = (
    "a ## b ##c## d#e ###",
    "## John ## Smith ##",
    "👩‍👩‍👧 loves 🇫🇷 and ☕️!",
    "e\u0301te\u0301 cafe\u0301 n\u0303 A\u030a",
    "שלום עולם, אני גר בתל אביב.",
    "مرحبا بالعالم \u200f(القاهرة)\u200e",
    "zero\u200bwidth\u200djoiner \ufeffbom soft\u00adhyphen",
    "İstanbul Straße ǆ ﬁne ẞ",
    "tabs\tand\nnew  lines\r\n\r\nend",
    "x",
    "#",
    "か\u3099き\u3099 葛\U000e0100飾区",
    "ภาษาไทยครับ ที่นี่",
)
GOLD = (
    (
        "John Smith flew to Paris.",
        [("John Smith", "person"), ("Paris", "location > city")],
    ),
    (
        "Mary Jones works in Berlin.",
        [("Mary Jones", "person"), ("Berlin", "location > city")],
    ),
    (
        "Paris lies in France.",
        [("Paris", "location > city"), ("France", "location > country")],
    ),
    ("Nothing happens here.", []),
    (
        "Peter Brown left Spain with Mary Jones.",
        [
            ("Peter Brown", "person"),
            ("Spain", "location > country"),
            ("Mary Jones", "person"),
        ],
    ),
    ("In Tokyo it rained.", [("Tokyo", "location > city")]),
    (
        "We saw France and Spain.",
        [("France", "location > country"), ("Spain", "location > country")],
    ),
    (
        "They met Peter Brown in Berlin.",
        [("Peter Brown", "person"), ("Berlin", "location > city")],
    ),
)
LABELS = ["person", "location > city", "location > country"]
# Mentions that a scripted model knows, with paths of these labels.
NAMES = {
    "John": ("person",),
    "Paris": ("location", "city"),
    "France": ("location", "country"),
    "Paris Hilton": ("person",),
}
