"""A channel book: a page of pictures for every layer, and a page that leads to them.

Nothing is embedded: the pictures lie beside the pages and are loaded when they come into view.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from visprior.record.results import caption, note
from visprior.render.page import write_page

STYLE = """
.book{display:grid;grid-template-columns:repeat(auto-fill,minmax(var(--cell),1fr));gap:14px}
.book article{content-visibility:auto;contain-intrinsic-size:auto 260px}
.book img.pre{width:100%;height:auto;border-radius:4px;background:var(--row);
image-rendering:pixelated}
.book h3{font-size:13px;margin:4px 0 2px;font-weight:600;overflow-wrap:anywhere;display:flex;
justify-content:space-between;gap:6px}
.book h3 span{font-weight:400;color:var(--faint);font-variant-numeric:tabular-nums}
.book .examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(44px,1fr));gap:2px}
.book .examples img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:2px}
.book video{width:100%;border-radius:4px;margin-top:2px}
.tools{display:flex;flex-wrap:wrap;gap:12px;align-items:center;margin:8px 0 16px}
.tools input,.tools select{font:inherit;padding:4px 8px;border:1px solid var(--rim);
border-radius:4px;background:var(--back);color:var(--ink)}
"""

# Typing hides what does not match; the menu orders by channel or by activation.
TOOLS = """
const book=document.querySelector('.book'),cards=[...book.children];
document.querySelector('#find').oninput=e=>{const words=e.target.value.toLowerCase();
for(const card of cards)card.hidden=!card.dataset.name.includes(words)};
document.querySelector('#order').onchange=e=>{const by=e.target.value;
const key=card=>by==='channel'?Number(card.dataset.i):-Number(card.dataset.v||'-Infinity');
book.append(...cards.sort((a,b)=>key(a)-key(b)))};
"""

Row = Mapping[str, Any]


def write_layer_page(folder: Path, title: str, rows: Sequence[Row], side: int) -> None:
    """index.html of one layer: a card a pre-image, in the order of rows.

    rows: label, activation, file (relative to folder), status; where there are any, examples (files
    of pictures) and video (a file). side: of the pictures in pixels, for their place on the page.
    """
    cards = "\n".join(_card(i, row, side) for i, row in enumerate(rows))
    tools = (
        "<div class='tools'><input id='find' type='search' placeholder='channel or name' "
        "aria-label='show only'><label>order by <select id='order'><option>channel</option>"
        "<option>activation</option></select></label></div>"
    )
    cell = max(140, min(side, 260))
    body = (
        f"<style>{STYLE}</style><p><a href='../index.html'>all layers</a> · {len(rows)} pictures"
        f"</p>{tools}<div class='book' style='--cell:{cell}px'>\n{cards}\n</div>"
        f"<script>{TOOLS}</script>"
    )
    write_page(folder / "index.html", title, body)


def write_front_page(folder: Path, title: str, layers: Sequence[Row]) -> None:
    """index.html of the book: a strip of pictures per layer.

    layers: name, folder (relative), count, activation (its mean), and files of a few pictures.
    """
    parts = []
    for layer in layers:
        link = quote(f"{layer['folder']}/index.html")
        images = "".join(_image(f, "", "height:96px;width:auto;margin:1px") for f in layer["files"])
        words = f"{layer['count']} pictures, mean activation {layer['activation']:.3g}"
        parts.append(
            f"<h2><a href='{link}'>{html.escape(layer['name'])}</a></h2><p>{words}</p>"
            f"<a href='{link}'>{images}</a>"
        )
    write_page(folder / "index.html", title, "\n".join(parts))


def _card(i: int, row: Row, side: int) -> str:
    name = html.escape(caption(row))
    value = row.get("activation")
    known = isinstance(value, int | float)
    shown = f"{value:.3g}" if known else html.escape(str(row.get("status", "")))
    place = f"width='{side}' height='{side}'"
    picture = f"<a href='{quote(row['file'])}'>{_image(row['file'], 'pre', '', place)}</a>"
    examples = "".join(_image(f) for f in row.get("examples") or [])
    if examples:
        examples = f"<div class='examples' title='what excites it most'>{examples}</div>"
    video = ""
    if row.get("video"):
        source = quote(str(row["video"]))
        video = f"<video controls loop muted preload='none' src='{source}'></video>"
    said = f"<small>{note(row)}</small>" if note(row) else ""
    number = f"data-v='{value!r}'" if known else "data-v=''"
    return (
        f"<article data-i='{i}' data-name='{name.lower()}' {number}>{picture}"
        f"<h3>{name}<span>{shown}</span></h3>{said}{examples}{video}</article>"
    )


def _image(file: str, kind: str = "", style: str = "", place: str = "") -> str:
    attributes = [f"class='{kind}'" if kind else "", f"style='{style}'" if style else "", place]
    extra = " ".join(a for a in attributes if a)
    return f"<img loading='lazy' decoding='async' src='{quote(file)}' alt='' {extra}>"
