"""Style of the page of `spacy cascade errors`."""

# As on the pages of `corpus_tools report` and of `cascade visualize`: light and well
# apart, readable under text; one per coarse type.
LIGHT = (
    "#a6cee3", "#b2df8a", "#fdbf6f", "#cab2d6", "#fb9a99", "#ffe08a",
    "#8fd9c8", "#e3b7a0", "#d4e157", "#9fb4ff", "#f5a6d5", "#b7c9a8",
)  # fmt: skip
_DARK = (
    "#2f6f95", "#4d7f2b", "#9a611b", "#73559b", "#a2494b", "#85701a",
    "#2a7f6e", "#85573c", "#6c7620", "#4a5fb5", "#94457b", "#5b7352",
)  # fmt: skip
COLORS = tuple(
    f"c{i}" for i in range(len(LIGHT))
)  # CSS classes of coarse types; "cx": all others
_KINDS = {
    "right": ("#7fb98a", "#4c8a59"),
    "type": ("#f0b35e", "#b07a24"),
    "long": ("#5b83c4", "#5f86c9"),
    "short": ("#8fb0e0", "#3d5f99"),
    "overlap": ("#bfd0ee", "#2c4570"),
    "missed": ("#d87a7a", "#a84a4a"),
    "spurious": ("#b79ad0", "#7b5a9c"),
}


def _variables(column: int) -> str:
    colors = zip(
        (*COLORS, "cx"),
        (*(LIGHT, _DARK)[column], ("#d3d6db", "#4c5159")[column]),
        strict=True,
    )
    return "".join(
        f"--{name}:{value};"
        for name, value in (*colors, *((k, v[column]) for k, v in _KINDS.items()))
    )


_CLASSES = "".join(f".{n}{{--c:var(--{n})}}" for n in (*COLORS, "cx")) + "".join(
    f".k.{n}{{--c:var(--{n})}}" for n in _KINDS
)

CSS = (
    f"""
:root{{color-scheme:light dark;--bg:#fff;--fg:#1d1f23;--dim:#656b75;--line:#dfe2e7;--soft:#f4f5f7;--heat:#e08a2c;{_variables(0)}}}
@media(prefers-color-scheme:dark){{:root{{--bg:#16181c;--fg:#e7e9ec;--dim:#9aa1ac;--line:#343840;--soft:#202329;--heat:#b8681a;{_variables(1)}}}}}
{_CLASSES}
"""
    + """
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;background:var(--bg);color:var(--fg);max-width:72rem;margin:0 auto;padding:1.2rem 1rem 4rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.4rem 0}h2{font-size:1.2rem;margin:2.6rem 0 .8rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:1.8rem 0 .5rem}
small,.note{color:var(--dim)}small{font-size:.82em;font-weight:400}.note{font-size:.9rem;margin:.4rem 0;max-width:60rem}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.92rem}a{color:inherit}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.6rem,1fr));gap:.6rem;margin:1rem 0}
.tiles div{background:var(--soft);border-radius:.6rem;padding:.55rem .8rem}.tiles b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.tiles span{display:block;color:var(--dim);font-size:.82rem;line-height:1.3}
.scroll{overflow:auto;width:fit-content;max-width:100%;max-height:32rem;border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0}
table{border-collapse:collapse;font-size:.86rem;overflow-wrap:normal}th,td{padding:.32rem .55rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{position:sticky;top:0;background:var(--soft);font-weight:600;vertical-align:bottom;line-height:1.25}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}tr:last-child td{border-bottom:0}
tr.total td{font-weight:600}
i{display:inline-block;width:.8em;height:.8em;border-radius:.2em;background:var(--c);margin-right:.4em}
.legend{display:flex;flex-wrap:wrap;gap:.3rem .9rem;font-size:.85rem;margin:.6rem 0}
.bars{list-style:none;margin:.4rem 0 1rem;padding:0;font-size:.86rem;display:grid;grid-template-columns:minmax(2rem,max-content) 1fr max-content;gap:.18rem .6rem;align-items:center}.bars li{display:contents}
.bars .name{text-align:right;max-width:13rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.bars .n{font-variant-numeric:tabular-nums;color:var(--dim);text-align:right}
.stack{display:flex;height:1.15rem;border-radius:.25rem;overflow:hidden}.stack .k{background:var(--c);border-right:1px solid var(--bg);min-width:1px}.stack .spurious{margin-left:3px}
.heat,.whole{max-height:none}.heat table{width:auto;border-collapse:separate;border-spacing:1px}
.heat th,.heat td{border:0;padding:.15rem .3rem;font-size:.8rem}.heat thead th{position:static;background:none;height:7.5rem;padding:.3rem 0;min-width:2.1rem}
.heat thead span{writing-mode:vertical-rl;transform:rotate(180deg);max-height:9rem;font-weight:400;line-height:1.1}
.heat tbody th{font-weight:400;text-align:right;white-space:nowrap;position:sticky;left:0;background:var(--bg)}
.heat td{text-align:center;vertical-align:middle;min-width:2.1rem;height:1.75rem;font-variant-numeric:tabular-nums;background:color-mix(in srgb,var(--heat) var(--p),var(--soft))}
.heat td.same{background:color-mix(in srgb,var(--right) var(--p),var(--soft));outline:1.5px solid var(--right);outline-offset:-1.5px}
.sample{margin:.5rem 0 .9rem;padding:.5rem .8rem .6rem;background:var(--soft);border-radius:.5rem}.sample b{color:var(--fg);margin-right:.4em}
.pair{display:grid;grid-template-columns:max-content 1fr;gap:.25rem .8rem}.side{color:var(--dim);font-size:.82rem;line-height:2.1rem}
.entities{line-height:2.1rem!important;direction:inherit!important}
mark{background:color-mix(in srgb,var(--c) 45%,transparent);color:var(--fg);padding:.15em .4em;border-radius:.35em;cursor:help;-webkit-box-decoration-break:clone;box-decoration-break:clone}
mark.focus{background:var(--c);outline:2px solid var(--fg)}.label{font-size:.72em;font-weight:600;opacity:.8;margin-inline-start:.5em;white-space:nowrap;unicode-bidi:isolate}
@media(max-width:640px){body{padding:.8rem .8rem 3rem}h1{font-size:1.3rem}.tiles{grid-template-columns:repeat(auto-fill,minmax(6.4rem,1fr))}.tiles b{font-size:1.1rem}.bars .name{max-width:7rem}.pair{grid-template-columns:1fr;gap:0}.side{line-height:1.4}}
"""
)
