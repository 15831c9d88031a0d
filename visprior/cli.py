"""The commands. What they need is imported within them, where Ctrl-C has its one line."""


def main() -> None:
    """visprior: compute pre-images, or a sweep of them with its report."""
    _run("compute")


def layers() -> None:
    """visprior-layers: the layers of a net."""
    _run("layers")


def data() -> None:
    """visprior-data: the data set shapes10."""
    _run("data")


def report() -> None:
    """visprior-report: the page over the runs in a folder."""
    _run("report")


def _run(name: str) -> None:
    """The function of this name in the module of this name."""
    from visprior.command.stopping import leaving_at_once, open_streams, stopped_by_signals

    open_streams()
    with stopped_by_signals():
        with leaving_at_once():
            from importlib import import_module

            module = import_module(f"visprior.command.{name}")
        getattr(module, name)()


if __name__ == "__main__":
    main()
