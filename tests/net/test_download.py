"""Trained weights: from the cache, from a server, or not at all."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torchvision import models

from visprior import meter
from visprior.config.schema import config_dir
from visprior.errors import UserError
from visprior.net import download
from visprior.net.representation import Representation

Make = Callable[..., Representation]
SEVEN = ["alexnet", "vgg16", "vgg19", "resnet50", "densenet121", "googlenet", "mobilenet_v2"]


@pytest.fixture
def squeeze(make_net: Make, published: Any) -> Callable[[str], Representation]:
    """The net by its weights."""
    return lambda weights: make_net("torchvision", model="squeezenet1_1", weights=weights)


@pytest.fixture
def server(published: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Where the weights are published; what it answers is the list's last entry."""
    answers = [published.data]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answers[-1])))
            self.end_headers()
            self.wfile.write(answers[-1])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}/{published.path.name}"
        monkeypatch.setattr(models.SqueezeNet1_1_Weights.IMAGENET1K_V1.value, "url", url)
        yield answers
        running.shutdown()
        thread.join()


def _has(net: Representation, state: dict[str, torch.Tensor]) -> bool:
    held = net.cut(["features.4"], "cpu", channels_last=False).body.state_dict()
    return all(torch.equal(value, state[name]) for name, value in held.items())


@pytest.mark.parametrize("weights", ["auto", "default", "IMAGENET1K_V1"])
def test_what_is_in_the_cache_is_taken(squeeze, published: Any, weights: str) -> None:
    published.keep()
    net = squeeze(weights)
    assert net.weights == "IMAGENET1K_V1" and not net.random_weights and not net.why_random
    assert _has(net, published.state)


@pytest.mark.parametrize("name", SEVEN)
def test_without_a_network_the_seven_have_random_weights(make_net: Make, name: str) -> None:
    asked = OmegaConf.load(Path(config_dir()) / "net" / f"{name}.yaml").weights
    net = make_net(name, weights=asked)
    assert net.weights == "random" and net.random_weights
    url = f"https://download.pytorch.org/models/{name}-"
    assert net.why_random.startswith(f"could not download {url}")
    insists = make_net(name, weights="default")
    assert not insists.random_weights
    with pytest.raises(UserError) as caught:
        insists.cut(["shallow"], "cpu")
    line = str(caught.value)
    assert line.startswith(f"could not download {url}") and "\n" not in line
    for way in ("net.weights=FILE", "net.weights=random", "auto", f"checkpoints/{name}-"):
        assert way in line


def test_a_list_of_layers_needs_no_weights(squeeze, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "urlopen", lambda *_, **__: pytest.fail("a download"))
    assert len(squeeze("auto").layers()) > 10


def test_a_server_out_of_reach_is_asked_once(squeeze, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*_: object, **__: object) -> None:
        asked.append(1)
        raise OSError("Name or service not known")

    monkeypatch.setattr(download, "urlopen", refuse)
    nets = [squeeze("auto") for _ in range(3)]
    assert {net.why_random.split("(")[1] for net in nets} == {"Name or service not known)"}
    assert len(asked) == 1


def test_a_server_that_does_not_answer(squeeze, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/squeezenet1_1-12345678.pth"
        monkeypatch.setattr(models.SqueezeNet1_1_Weights.IMAGENET1K_V1.value, "url", url)
        assert squeeze("auto").why_random == f"could not download {url} (timed out)"


def test_a_download_is_shown_checked_and_kept(
    squeeze, server, published: Any, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    caplog.set_level(logging.INFO, "visprior")
    monkeypatch.setattr(meter, "SECONDS", 0.0)
    assert _has(squeeze("auto"), published.state)
    name, pieces = published.path.name, -(-len(published.data) // 2**20)
    assert caplog.messages[-1].startswith(f"downloading {name}: megabyte {pieces} of {pieces}")
    assert [p.name for p in published.path.parent.iterdir()] == [name]
    monkeypatch.setattr(download, "urlopen", lambda *_, **__: pytest.fail("a second download"))
    assert _has(squeeze("default"), published.state)


def test_something_else_than_the_file_comes(squeeze, server, published: Any) -> None:
    server.append(b"<html>log in first</html>")
    net = squeeze("auto")
    assert net.random_weights and "another SHA-256" in net.why_random
    assert not list(published.path.parent.iterdir())
    with pytest.raises(UserError, match="another SHA-256"):
        squeeze("default").cut(["features.4"], "cpu")


def test_a_damaged_file_in_the_cache_is_fetched_again(squeeze, server, published: Any) -> None:
    published.keep()
    published.path.write_bytes(published.data[:-1] + b"x")
    assert _has(squeeze("auto"), published.state)
    assert published.path.read_bytes() == published.data


def test_a_damaged_file_in_the_cache_is_not_used(squeeze, published: Any) -> None:
    published.keep()
    published.path.write_bytes(published.data[:-1] + b"x")
    net = squeeze("auto")
    assert net.random_weights
    assert net.why_random.endswith(
        f"'{published.path}' is damaged: its SHA-256 is not the one in its name"
    )
