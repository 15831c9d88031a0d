"""How many pictures of shapes10 are rendered a second, on one core.

    python scripts/bench_shapes.py [--size 64] [--pictures 4000]

Process time, so that other work on the machine counts little; the best of five runs. The first
batch, which reads the photographs, is left out.
"""

import argparse
import time

import torch

from visprior.data.shapes10 import Shapes10


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=4000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = Shapes10("train", args.size)
    data.batch(range(100))
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        data.batch(range(args.pictures))
        best = max(best, args.pictures / (time.process_time() - start))
    print(f"{best:.0f} pictures of {args.size} px a second on one core")


if __name__ == "__main__":
    main()
