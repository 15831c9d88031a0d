"""Self-contained HTML: one file, no address in it, light and dark."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from visprior.files.whole import write_bytes

STYLE = """
:root{color-scheme:light dark;--ink:#1e2228;--faint:#687078;--back:#fff;--rim:#dcdfe3;--row:#f6f7f9;
--bad:#b3261e;--link:#1a5fb4}
@media(prefers-color-scheme:dark){:root{--ink:#e3e6ea;--faint:#98a0a8;--back:#16181c;--rim:#343940;
--row:#1e2126;--bad:#ff8a80;--link:#8ab4f8}}
body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back);margin:24px}
h1{font-size:21px;margin:0 0 4px}h2{font-size:16px;margin:28px 0 8px}
p{margin:4px 0 12px;color:var(--faint)}a{color:var(--link)}.bad{color:var(--bad)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;border-bottom:1px solid var(--rim);text-align:left;vertical-align:middle}
td.n{text-align:right}tbody tr:hover{background:var(--row)}
th{position:sticky;top:0;background:var(--back);font-weight:600}
th[data-sort]{cursor:pointer}th[aria-sort=ascending]::after{content:" \\2191"}
th[aria-sort=descending]::after{content:" \\2193"}
td img{display:inline-block;margin:1px;border-radius:2px;vertical-align:middle}
.reason{min-width:16em;max-width:36em;overflow-wrap:anywhere}
.name{max-width:24em;overflow-wrap:anywhere}
.plots{display:flex;flex-wrap:wrap;gap:12px}
.plots img,.sheet img{max-width:100%;height:auto;background:#fff;border-radius:4px}
"""

# A click on a heading sorts by it; numbers as numbers, empty cells last.
SORT = """
for(const head of document.querySelectorAll('th[data-sort]'))head.onclick=()=>{
const body=head.closest('table').tBodies[0],i=head.cellIndex;
const down=head.getAttribute('aria-sort')==='ascending';
for(const other of head.parentNode.children)other.removeAttribute('aria-sort');
head.setAttribute('aria-sort',down?'descending':'ascending');
const key=row=>row.cells[i].dataset.v??row.cells[i].textContent.trim();
const rows=[...body.rows].map(row=>[key(row),row]);
rows.sort(([a],[b])=>{if(a===''||b==='')return(a==='')-(b==='');
const x=Number(a),y=Number(b);
const order=isNaN(x)||isNaN(y)?a.localeCompare(b,undefined,{numeric:true}):x-y;
return down?-order:order});
body.append(...rows.map(([,row])=>row))};
"""


def write_page(path: Path, title: str, body: str) -> None:
    """Write a whole page around body (HTML)."""
    page = (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{body}\n<script>{SORT}</script>\n</body></html>\n"
    )
    write_bytes(path, page.encode("utf-8", "replace"))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A sortable table; headings are text, the cells are whole <td> elements."""
    head = "".join(f"<th data-sort>{html.escape(h)}</th>" for h in headings)
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f"<div class='wide'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def value_cell(value: Any) -> str:
    """A number to four significant digits (sorted by its full value), or text."""
    if value is None:
        return "<td></td>"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{html.escape(str(value))}</td>"
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"<td class='n' data-v='{value!r}'>{shown}</td>"


def picture(file: Path, base: Path, height: int = 96, embed: bool = True) -> str:
    """A thumbnail that links to the file; '' when there is no readable picture."""
    link = quote(file.relative_to(base).as_posix())
    source = thumbnail(file, height) if embed else link if file.is_file() else None
    if source is None:
        return ""
    name = html.escape(file.name, quote=True)
    image = f"<img loading='lazy' src='{source}' alt='{name}' style='max-height:{height}px'>"
    return f"<a href='{link}'>{image}</a>"


def thumbnail(file: Path, height: int, width: int = 2400) -> str | None:
    """The picture as a JPEG data URI, at most height x width; None when it cannot be read."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            small = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    small.thumbnail((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_overview(
    folder: Path, title: str, images: Sequence[Mapping[str, Any]], note: str = ""
) -> Path:
    """index.html of a run with several images: their pictures and metrics, one row each.

    images are the entries of metrics.json: label, file, comparison and status, then the metrics.
    """
    shown = (
        "label",
        "file",
        "comparison",
        "target",
        "picture",
        "box",
        "glyph",
        "status",
        "differs",
    )
    simple = (int, float, str, bool)
    metrics = list(
        dict.fromkeys(
            key for image in images for key, value in image.items()
            if key not in shown and isinstance(value, simple)
        )
    )  # fmt: skip
    rows = [
        [
            value_cell(image.get("label")),
            _pictures(folder, image, embed=len(images) <= 500),
            value_cell(image.get("status")),
            *(value_cell(image.get(key)) for key in metrics),
        ]
        for image in images
    ]
    files = [n for n in ("curves.png", "metrics.json", "run.json") if (folder / n).is_file()]
    links = " · ".join(f"<a href='{n}'>{n}</a>" for n in files)
    body = f"<p>{html.escape(note)}</p>" if note else ""
    body += f"<p>{links}</p>" + table(["image", "picture", "status", *metrics], rows)
    write_page(folder / "index.html", title, body)
    return folder / "index.html"


def _pictures(folder: Path, image: Mapping[str, Any], embed: bool) -> str:
    """The comparison, which holds the pre-image; the pre-image where there is none."""
    for key in ("comparison", "file"):
        if (name := image.get(key)) and (shown := picture(folder / name, folder, 144, embed)):
            return f"<td>{shown}</td>"
    return "<td></td>"
