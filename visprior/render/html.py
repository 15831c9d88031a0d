"""Self-contained HTML from the templates: one file, no address in it, light and dark."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visprior.files.whole import write_bytes

if TYPE_CHECKING:
    from jinja2 import Environment


def html(template: str, content: Mapping[str, Any]) -> str:
    """What a file of templates/ gives with this content.

    Texts are escaped; the CSS and JS that the template includes stand in it. A name that the
    template uses and content lacks is an error.
    """
    return _templates().get_template(template).render(content)


def write_html(path: Path, template: str, content: Mapping[str, Any]) -> None:
    """Write the page that a template gives (see html), whole or not at all."""
    write_bytes(path, html(template, content).encode("utf-8", "replace"))


@lru_cache(maxsize=1)
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("visprior.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
