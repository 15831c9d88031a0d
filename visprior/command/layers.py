"""visprior-layers: the layers of a net. And the layers that a figure of a paper shows of it."""

import logging
import sys
from typing import Any

from omegaconf import OmegaConf

from visprior.command.ending import guarded, log_on_terminal, usage
from visprior.config.compose import compose
from visprior.config.schema import figure_layers

log = logging.getLogger("visprior")


def layers() -> None:
    """visprior-layers NET [key=value ...]: names, shapes, strides, receptive fields, aliases.

    size=64 (or [64,96]) lists them for images of this size; net.KEY=VALUE sets a key of the net
    """
    words = sys.argv[1:]
    if not words or words[0].startswith("-"):
        usage("visprior-layers NET [key=value ...]", layers.__doc__)
    net = words[0] if "=" in words[0] else f"net={words[0]}"
    sys.exit(guarded(lambda: _print([net, *words[1:]])))


def _print(words: list[str]) -> None:
    """The table of the net that these words choose; a warning for each that does nothing here."""
    cfg = compose(*words)
    from visprior.config.build import build
    from visprior.job.typed_keys import typed_keys, useless
    from visprior.net.listing import layer_table

    log_on_terminal()
    for typed in useless(typed_keys(words), {"net", "size", "trust"}, cfg):
        log.warning("%s does nothing in visprior-layers", typed.words)
    size: Any = OmegaConf.to_container(cfg.size) if OmegaConf.is_config(cfg.size) else cfg.size
    print(layer_table(build(cfg.net, cfg.trust), size))


def layers_of_figure(net: str, kind: str, *, _root_: Any) -> str:
    """figure_layers, which YAML files call, also for a net of MatConvNet: those in its file.

    Raises:
        UserError: its file cannot be read.
    """
    if net != "matconvnet":
        return figure_layers(net, kind)
    from visprior.net.matconvnet.simplenn_file import figure_names, find_simplenn

    return ",".join(figure_names(find_simplenn(_root_.net.weights, _root_.net.model), kind))
