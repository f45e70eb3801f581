"""The style of the page: light and dark by the reader's choice, one column on a phone, colours by hue alone."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--back:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--track:#eef1f4;--tone:62%;
--text:#111;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--back:#0f1216;--ink:#e6e9ed;--soft:#9aa4af;--line:#2f363d;--track:#20262d;
--tone:44%;--text:#fff;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1400px;padding:1rem;background:var(--back);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.3rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:1.5rem 0 .3rem}
h3{font-size:.95rem;margin:0 0 .3rem;display:flex;justify-content:space-between;gap:.5rem}
h3 span,small,.model,.totals,.amounts{color:var(--soft);font-weight:400}
.model{margin:0 0 .3rem;font-size:.8rem}.totals{margin:.2rem 0 .6rem}
.legend{display:flex;flex-wrap:wrap;gap:.3rem .9rem;list-style:none;margin:0;padding:0;font-size:.85rem}
.legend .seg{display:inline-block;width:1em;height:1em;border-radius:3px;margin-right:.35em;vertical-align:-.12em}
.nodes{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:.8rem}
.node{border:1px solid var(--line);border-radius:8px;padding:.6rem .7rem;content-visibility:auto;
contain-intrinsic-size:auto 12rem}
.card{display:grid;grid-template-columns:4.5rem 1fr 7.5rem;gap:.5rem;align-items:center;margin:.25rem 0;font-size:.8rem}
.label{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bar{display:flex;height:1.35rem;border-radius:4px;overflow:hidden;background:var(--track);
box-shadow:inset 0 0 0 1px var(--line)}
.bar.over{box-shadow:inset 0 0 0 2px var(--bad)}.bar.sick{opacity:.55}
.bar.bad{color:var(--bad);padding:0 .4rem;line-height:1.35rem}
.seg{background:hsl(var(--hue,0) 60% var(--tone));min-width:2px;overflow:hidden;font-style:normal;
border-right:1px solid var(--back)}
.seg.free{background:var(--track);box-shadow:inset 0 0 0 1px var(--line)}
.seg.noted{background-image:repeating-linear-gradient(45deg,transparent 0 5px,var(--back) 5px 7px)}
.seg b{font-weight:500;color:var(--text);padding:0 .3rem;line-height:1.35rem;white-space:nowrap}
.amounts{text-align:right;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.problem{color:var(--bad)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;min-width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}
@media (max-width:600px){body{padding:.6rem}.card{grid-template-columns:3.4rem 1fr 6rem}
table,thead,tbody,tr,td{display:block}thead{display:none}tr{border:1px solid var(--line);border-radius:8px;
margin:.4rem 0;padding:.3rem}td{border:0;padding:.15rem .4rem}}
"""
