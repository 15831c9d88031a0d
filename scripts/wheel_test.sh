#!/bin/sh
# Build the wheel, install it where the checkout cannot be seen, and use it from other folders.
# usage: sh scripts/wheel_test.sh PYTHON        (an environment with visprior's dependencies)
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
root=$(cd "$(dirname "$0")/.." && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
unset PYTHONPATH
export VISPRIOR_OUTPUTS="$temp/results"

echo "building"
"$python" -m build --wheel --no-isolation --outdir "$temp/dist" "$root" >"$temp/log" 2>&1 ||
  { cat "$temp/log"; exit 1; }

echo "installing $(basename "$temp"/dist/*.whl)"
"$python" -m venv "$temp/env"
"$temp/env/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
  "$temp"/dist/*.whl
# The dependencies are those of PYTHON. Its own .pth files are not read there, so that its editable
# visprior stays out of sight.
packages=$("$temp/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$packages/dependencies.pth"

cd /
"$temp/env/bin/python" - "$temp/env" <<'EOF'
import sys
from pathlib import Path

import visprior
from visprior.config.schema import config_dir

env = Path(sys.argv[1]).resolve()
for place in (visprior.__file__, config_dir()):
    assert Path(place).resolve().is_relative_to(env), f"{place} is not in the wheel"
yaml = sorted(p.relative_to(config_dir()) for p in Path(config_dir()).rglob("*.yaml"))
assert Path("config.yaml") in yaml and Path("task/inversion.yaml") in yaml, yaml
EOF

echo "running it from /"
PATH="$temp/env/bin:$PATH"
visprior --help >"$temp/help"
grep -q "regularizer: alpha_norm" "$temp/help"
visprior --cfg job >/dev/null
visprior schedule.steps=2 size=64 layer=relu1_1
visprior-layers alexnet | grep -q "^conv1 "

echo "running it with own YAML files"
mkdir -p "$temp/own/conf/experiment"
cd "$temp/own"
printf '# @package _global_\nseed: 3\nlayer: relu1_1\nsize: 64\nschedule: {steps: 2}\n' \
  >conf/experiment/mine.yaml
visprior -m --config-dir conf +experiment=mine task.C=20,300
visprior-report "$(dirname "$VISPRIOR_OUTPUTS"/*/*_sweep/index.html)"
find "$VISPRIOR_OUTPUTS" -name preimage.png | wc -l | grep -qx ' *3'
if visprior layer=relu9_9 2>"$temp/err"; then exit 1; fi
grep -q "^visprior: error: no layer 'relu9_9' in shapes_vgg_robust; did you mean" "$temp/err"

echo "the wheel works"
