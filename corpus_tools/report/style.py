"""Style and script of the page: light and dark, from phone width up, no outside resource."""

LIGHT = (
    "#a6cee3",
    "#b2df8a",
    "#fdbf6f",
    "#cab2d6",
    "#fb9a99",
    "#ffe08a",
    "#8fd9c8",
    "#e3b7a0",
    "#d4e157",
    "#9fb4ff",
    "#f5a6d5",
    "#b7c9a8",
)
DARK = (
    "#2f6f95",
    "#4d7f2b",
    "#9a611b",
    "#73559b",
    "#a2494b",
    "#85701a",
    "#2a7f6e",
    "#85573c",
    "#6c7620",
    "#4a5fb5",
    "#94457b",
    "#5b7352",
)
NAMES = tuple(
    f"c{i}" for i in range(len(LIGHT))
)  # CSS classes of coarse types; "cx": all others


def _colors(values: tuple[str, ...], other: str) -> str:
    return "".join(
        f"--{n}:{v};" for n, v in zip((*NAMES, "cx"), (*values, other), strict=True)
    )


_CLASSES = "".join(f".{n}{{--c:var(--{n})}}" for n in (*NAMES, "cx"))

CSS = (
    f"""
:root{{color-scheme:light dark;--bg:#fff;--fg:#1d1f23;--dim:#656b75;--line:#dfe2e7;--soft:#f4f5f7;--bar:#7d9fc4;{_colors(LIGHT, "#d3d6db")}}}
@media(prefers-color-scheme:dark){{:root{{--bg:#16181c;--fg:#e7e9ec;--dim:#9aa1ac;--line:#343840;--soft:#202329;--bar:#5b83b0;{_colors(DARK, "#4c5159")}}}}}
{_CLASSES}
"""
    + """
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;background:var(--bg);color:var(--fg);max-width:68rem;margin:0 auto;padding:1.2rem 1rem 4rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.4rem 0}h2{font-size:1.2rem;margin:2.6rem 0 .8rem;padding-bottom:.3rem;border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:1.6rem 0 .6rem}
small,.note{color:var(--dim)}small{font-size:.82em}.note{font-size:.9rem;margin:.4rem 0}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem;font-size:.92rem}a{color:inherit}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.2rem,1fr));gap:.6rem;margin:1rem 0;padding:0}
.tiles div{background:var(--soft);border-radius:.6rem;padding:.55rem .8rem}.tiles b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.tiles span{color:var(--dim);font-size:.82rem}
.scroll{overflow:auto;max-height:28rem;border:1px solid var(--line);border-radius:.5rem}
table{border-collapse:collapse;width:100%;font-size:.88rem;overflow-wrap:normal}th,td{padding:.32rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{position:sticky;top:0;background:var(--soft);font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tr:last-child td{border-bottom:0}
tr.total td{font-weight:600}.conflicts td{min-width:7rem}.conflicts td.n{min-width:0}
details{margin:.8rem 0}summary{cursor:pointer;color:var(--dim)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem .9rem;font-size:.85rem;margin:.5rem 0}.legend i{display:inline-block;width:.8em;height:.8em;border-radius:.2em;background:var(--c);margin-right:.35em}
svg{display:block;width:100%;height:auto}svg text{font-family:inherit;fill:var(--fg)}
.tree rect{fill:var(--c);stroke:none}.tree .l0 rect{opacity:.38}.tree .l1 rect{opacity:.5}.tree .leaf rect{rx:2px}.tree .l0 text{font-weight:600}.tree g:hover>rect,.tree g.on>rect{stroke:var(--fg);stroke-width:1.5}
.tree text{pointer-events:none}.narrow{display:none}
#picked{min-height:1.6em;font-size:.92rem;margin:.4rem 0}
.two{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:1.5rem;align-items:start}
.four{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1.4rem 2rem}
figure{margin:0}figcaption{font-size:.9rem;line-height:1.35;margin-bottom:.3rem}
.hist rect{fill:var(--bar)}.hist g:hover rect{fill:var(--fg)}.hist line,.lorenz line{stroke:var(--line)}.hist text{font-size:14px;fill:var(--dim)}
.lorenz{max-width:17rem}.lorenz rect{fill:var(--soft)}.lorenz line{stroke:var(--dim);stroke-dasharray:4 4}.lorenz polyline{fill:none;stroke:var(--bar);stroke-width:2.5}.lorenz text{font-size:11px;fill:var(--dim)}
.bars{list-style:none;margin:0;padding:0;font-size:.86rem}.bars li{display:grid;grid-template-columns:minmax(6rem,13rem) 1fr 6.5rem;gap:.6rem;align-items:center;padding:.09rem 0}
.bars .name{white-space:nowrap;overflow:hidden;text-overflow:ellipsis;text-align:right}.bars .bar{display:block;height:.9rem;min-width:2px;border-radius:.2rem;background:var(--c)}.bars .n{font-variant-numeric:tabular-nums;white-space:nowrap}
.mixture li{grid-template-columns:3rem 1fr}.stack{display:flex;height:1.15rem;border-radius:.25rem;overflow:hidden}.stack span{background:var(--c);border-right:1px solid var(--bg)}
.sample{margin:.5rem 0 1.1rem}.sample>small{display:block;line-height:1.3}.entities{line-height:2.1!important}
mark{background:var(--c);color:var(--fg);padding:.18em .4em;border-radius:.35em;cursor:help;-webkit-box-decoration-break:clone;box-decoration-break:clone}.label{font-size:.72em;font-weight:600;opacity:.8;margin-inline-start:.5em;white-space:nowrap}
.spans{line-height:1.8!important;white-space:pre-wrap}.token{display:inline-block;position:relative;font-weight:600;vertical-align:top}.slice{position:absolute;left:-1px;width:calc(100% + 2px);height:4px;background:var(--c)}
.slice .tag{position:absolute;top:-.5em;font-size:.66em;line-height:1;padding:2px 4px;border-radius:3px;white-space:nowrap;z-index:1;color:var(--fg)}
@media(max-width:640px){body{padding:.8rem .8rem 3rem}h1{font-size:1.3rem}.wide{display:none}.narrow{display:block}.two{grid-template-columns:1fr}.bars li{grid-template-columns:7rem 1fr 5.6rem;gap:.4rem}.mixture li{grid-template-columns:2.2rem 1fr}.tiles{grid-template-columns:repeat(auto-fill,minmax(6.6rem,1fr))}.tiles b{font-size:1.1rem}}
"""
)

# Tooltips don't show on touch screens: the box last pointed at or tapped is named below
# the picture.
SCRIPT = """
for(const tree of document.querySelectorAll('.tree'))for(const event of['click','mouseover'])tree.addEventListener(event,e=>{
const box=e.target.closest('g');if(!box)return;document.querySelectorAll('.tree .on').forEach(o=>o.classList.remove('on'));
box.classList.add('on');document.getElementById('picked').textContent=box.querySelector('title').textContent})
"""
