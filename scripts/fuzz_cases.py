"""Command lines for scripts/fuzz_cli.py: every composed key with bad values, and random lines."""

import random
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from visprior.config.compose import compose

# One word a value; what is wrong with it depends on the key.
BAD = ["null", "3", "-1", "1.5", "true", "abc", "''", "[]", "[a]", "[[1]]", "{}", "{a:1}", "nan"]
BAD += ["inf", "-inf", "1e30", "0", "[null]", "[true,2]", "no", "'ü ☃'", "10000000000000000000000"]

TINY = ["net=shapes_alex", "layer=relu1", "size=24", "schedule.steps=1", "image=chelsea"]
TINY += ["metric.classify=false", "metric.ssim=false", "metric.spectrum=false"]

# A list of part names has one job, so that every part's own keys are there to be set wrong.
REGULARIZERS = "regularizer=[tv,alpha_norm,jitter,l1,bilateral,blur,clip,crop,normalize,fluid]"
BASES: dict[str, list[str]] = {
    "plain": TINY,
    "regularizers": [*TINY, REGULARIZERS],
    "more": [*TINY, "regularizer=[diversity,elastic,l2,tv_anisotropic,transforms]", "seeds=2"],
    "in_place": [*TINY, "regularizer=[transforms_in_place]", "kernel=gaussian"],
    "adam": [*TINY, "optimizer=adam", "param=fourier"],
    "momentum": [*TINY[:5], "optimizer=momentum", "metric=[classify,error_in]"],
    "maximization": [*TINY, "task=maximization", "channel=[0,1]"],
    "terms": [*TINY, "task=maximization", "task.terms=[{channel:1}]"],
    "mosaic": [*TINY, "task=maximization", "task.where=mosaic", "task.filters=2"],
    "caricature": [*TINY, "task=caricature"],
    "examples": [*TINY, "task=examples", "channel=1", "data=shapes10", "sample.count=3"],
    "statistics": [*TINY, "task=statistics", "data=shapes10", "sample.count=3"],
    "path": [
        *TINY,
        "task=path",
        "layer=relu2",
        "channel=1",
        "task.starts=[naive,tv]",
        "task.C=1000",
    ],
    "hog": [*TINY[2:4], "net=hog", "layer=hog"],
    "dsift": ["net=dsift", "layer=dsift", "size=64", "schedule.steps=1"],
    "hog_through": [*TINY[2:4], "net=hog_through"],
    "matconvnet": ["net=matconvnet", "net.weights=random", "net.model=vgg-m", "size=64"],
    "python": ["net=python", "net.target=torchvision.models:squeezenet1_1", "layer=features.0"],
    "torchvision": ["net=torchvision", "net.model=squeezenet1_1", "net.weights=random", "size=64"],
    "report": [*TINY, "record.every=1"],
}
BASES["path"] += ["task.pivots=1", "task.insert=1", "task.start_steps=1", "task.video=false"]

# What no table of keys and values makes.
SPECIAL = [
    "~image", "~layer", "~record", "~net", "~task", "~seed", "~size", "~trust", "~schedule.stages",
    "~net._target_", "~regularizer", "~optimizer", "~param", "~metric", "~report", "~sample",
    "~device", "~precision", "~micro_batch", "~data", "~channel", "~resume", "~seeds", "~kernel",
    "size=100000", "size=[100000,8]", "schedule.steps=1000000000000", "seeds=1000000000",
    "regularizer=[fluid] kernel.size=100001", "regularizer=[3]", "net.layers.X=3",
    "+net.layers.X=3", "task.C=[]", "task=maximization task.terms=[{weight:a}]",
    "task=maximization task.terms=[3]", "task=maximization task.terms=[{channel:0,power:x}]",
    "schedule.stages=[{steps:1,step_size:1,scale:inf}]", "schedule.stages=[3]",
    "schedule.stages=[{steps:1,step_size:1,scale:nan}]", "schedule.stages=[{steps:1}]",
    "schedule.stages=[{steps:1,step_size:1,without:[typo]}]", "record.save_seconds=nan",
    "schedule.stages=[{steps:1,step_size:1,without:3}]", "record.snapshots=[a]",
    "schedule.stages=[{steps:1,step_size:1,tasks:3}]", "record.snapshots=[-1]",
    "schedule.stages=[{steps:1,step_size:1,optimizer:[1]}]", "task.start=/tmp", "image=/dev/zero",
    "task=maximization task.score=probability", "regularizer.tv.weight=true", "net.seed=1e30",
    "task=maximization layer=fc8 task.where=centre", "net=python net.target=sys:exit",
    "net=python net.target=os:abort_", "net=python net.target=3", "image=/dev/null",
    "net.weights=/dev/zero", "net.weights=/dev/null", "net.weights=.", "image=.", "data=.",
    "trust=[3]", "trust=3", "trust=[/]",
    "hydra.run.dir=null", "hydra.job.name=3", "hydra=3", "hydra.verbose=3", "net.model=3",
    "net.model._target_=torch.nn.Linear", "net.model._target_=3", "task._target_=3",
    "task._target_=visprior.net.python._call", "task._target_=visprior.errors.UserError",
    "optimizer._target_=visprior.kernel.sobolev.Sobolev", "net._target_=torch.nn.ReLU",
    "regularizer.tv._target_=torch.nn.ReLU", "param._target_=visprior.regularizer.clip.Clip",
    "schedule._target_=visprior.regularizer.tv.TV", "metric.ssim._target_=torch.nn.ReLU",
    "kernel._target_=torch.nn.ReLU regularizer=[fluid]", "regularizer.tv._partial_=true",
    "regularizer.tv._args_=[1,2,3,4,5,6]", "regularizer.tv._convert_=x", "+net._args_=3",
    "+regularizer.x={_target_:3}", "+regularizer.x=[1]", "metric=[3]", "metric={a:1}",
]  # fmt: skip


def table(seed: int, each: int) -> Iterator[tuple[str, list[str]]]:
    """(name, words): of every key of every base, `each` bad values; then SPECIAL."""
    rng = random.Random(seed)
    seen: set[str] = set()
    for base, words in BASES.items():
        cfg = compose(*words)
        for key in keys_of(cfg):
            if (base != "plain" and "." not in key) or key in seen:
                continue
            seen.add(key)
            values = BAD if "." not in key else rng.sample(BAD, min(each, len(BAD)))
            for value in values:
                yield f"{base} {key}={value}", [*words, f"{key}={value}"]
    for line in SPECIAL:
        yield f"special {line}", [*TINY, *line.split(" ")]


def keys_of(cfg: DictConfig) -> list[str]:
    """Every key of a configuration, those inside groups dotted; nothing below a list."""
    found: list[str] = []

    def walk(node: Any, above: str) -> None:
        for key in node:
            name = f"{above}{key}"
            if key == "_target_" or "{" in name or " " in name:
                continue
            found.append(name)
            if isinstance(node[key], dict) and "layers" not in name:
                walk(node[key], f"{name}.")

    walk(OmegaConf.to_container(cfg, resolve=False), "")
    return found


def lines(seed: int, count: int) -> Iterator[tuple[str, list[str]]]:
    """Random command lines: several keys, bad values, operators, broken quotes, stray options."""
    rng = random.Random(seed)
    bases = list(BASES.values())
    keys = [keys_of(compose(*words)) for words in bases]
    for i in range(count):
        k = rng.randrange(len(bases))
        words = list(bases[k])
        for _ in range(rng.randint(1, 4)):
            words.insert(rng.randint(0, len(words)), _word(rng, rng.choice(keys[k])))
        yield f"line {i}: {' '.join(words)}", words


def _word(rng: random.Random, key: str) -> str:
    kind = rng.random()
    if kind < 0.55:
        return f"{key}={rng.choice(BAD)}"
    if kind < 0.65:
        return rng.choice(["~", "+", "++"]) + key + rng.choice(["", f"={rng.choice(BAD)}"])
    if kind < 0.75:  # a value with letters lost, doubled or swapped for signs
        text = list(f"{key}={rng.choice(BAD)}")
        text[rng.randrange(len(text))] = rng.choice("=[]{}(),:'\"\\$@~+%&*?\t\n\0ü☃ ").strip("\0")
        return "".join(text)
    if kind < 0.85:
        return f"{key}=${{{rng.choice(['size', 'nope', 'image', 'net', key, 'oc.env:NOPE', ''])}}}"
    return rng.choice(_STRAY)


_STRAY = [
    "-x",
    "--",
    "",
    "=",
    "a",
    "=1",
    "--cfg",
    "--config-dir",
    "--config-name=x",
    "-c",
    "+",
    "~",
]
_STRAY += ["--info=all_", "--package", "-p=x", "hydra.run.dir=", "@", "net@x=1", "+a@b=c", "-1"]
_STRAY += ["regularizer=[", "'", '"', "${", "${size}", "resume=", "resume=.", "*=1", "~~a", "..=1"]
_STRAY += ["net=../net/vgg16", "net=/etc/passwd", "+experiment=[a,b]", "+recipe=[blur,tv]", ".a=1"]
