"""What a task hands to the driver: pre-images, parts of them, or a pass without a loop."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from visprior.loop.problem import Problem, Solution
from visprior.record.images import Batch, ImageResult
from visprior.task.job import Job


@dataclass
class Preimages:
    """Pre-images to compute: a problem for the loop, whose they are, and how they are measured.

    measure: a solution -> the result of every image; None: nothing is shown of this part. keep:
    tensors of a solution that what follows needs, by name.
    """

    problem: Problem
    batch: Batch
    measure: Callable[[Solution], list[ImageResult]] | None
    keep: Callable[[Solution], dict[str, Tensor]] | None = None


@dataclass
class Part:
    """Pre-images that are a part of a task, with a folder of their own within the run's.

    keys: root keys of the configuration that are others here. steps: how many there are at most.
    kept: the file for what Preimages.keep gives. What an earlier start has finished is not prepared
    again.
    """

    folder: str
    keys: dict[str, Any]
    prepare: Callable[[Job], Preimages]
    steps: int
    task: str | None = None  # where it is another one than the whole's
    kept: str | None = None


@dataclass
class Done:
    """How a part has ended, now or in an earlier start."""

    job: Job  # the part's own
    images: list[ImageResult]
    tensors: dict[str, Tensor]  # what was kept
    failures: dict[str, str]
    interrupted: bool
    steps: int
    seconds: float


@dataclass
class Findings:
    """What a task has found: the main metric's name, the summary, the images, a line on it all.

    pages: writes what is made of it (pages, videos); may fail without anything being lost.
    """

    main: str
    summary: dict[str, Any]
    images: Sequence[ImageResult]
    line: str
    file: Path
    pages: Callable[[], None] = field(default=lambda: None)


@dataclass
class Parts:
    """A task of several problems, one after the other; the next may depend on what came before.

    each: yields a Part, is sent its Done, and returns the findings. words: what is computed, for
    the first line; steps: of all parts, at most.
    """

    each: Generator[Part, Done, Findings]
    words: str
    steps: int


@dataclass
class Pass:
    """A task without a loop: one pass over pictures."""

    run: Callable[[], Findings]
