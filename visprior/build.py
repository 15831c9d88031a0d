"""From YAML nodes to parts. Every instantiate call of the project is here."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from visprior.errors import UserError

_OURS = ("visprior.", "torch.")


def build(node: DictConfig, trust: Any = ()) -> Any:
    """The part that a node's _target_ names. Configurations are data: other code needs `trust`.

    Errors: UserError for a target that is not ours and not trusted, and for arguments that the
    part refuses.
    """
    if not isinstance(node, DictConfig):
        raise UserError(f"a part needs a _target_, got {node!r}")
    allowed = (*_OURS, *(f"{t}." for t in trust))
    for target in _targets(OmegaConf.to_container(node, resolve=True)):
        if not target.startswith(allowed):
            package = target.split(".")[0]
            raise UserError(f"_target_={target} is not visprior's; trust=[{package}] allows it")
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError | ImportError):
            short = str(cause).replace(
                "__init__() got an unexpected keyword argument", "has no key"
            )
            raise UserError(f"{node.get('_target_')}: {short}") from error
        raise


def _targets(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [str(node["_target_"])] if "_target_" in node else []
        return own + [t for v in node.values() for t in _targets(v)]
    return [t for v in node for t in _targets(v)] if isinstance(node, list) else []
