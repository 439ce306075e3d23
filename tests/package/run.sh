#!/usr/bin/env bash
# The package, as somebody outside sees it: installs Ocellus to a prefix, builds docs/examples/plugin-template against it
# in a folder of its own, trains a network that uses the template's layer, and runs its analyzer.
#   run.sh BUILD_DIR TEMPLATE_DIR
source "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.sh"
build=$1 template=$2

cmake --install "$build" --prefix "$work/prefix" >install.log || { cat install.log >&2; fail "cmake --install"; }
cmake -G Ninja -S "$template" -B plugin -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release >plugin.log 2>&1 &&
  cmake --build plugin >>plugin.log 2>&1 || { cat plugin.log >&2; fail "the template does not build"; }
plugin=$(find "$work/plugin" -name my_plugin.so)
[[ -n "$plugin" ]] || fail "no my_plugin.so was built"
ocellus="$work/prefix/bin/ocellus"

"$ocellus" plugins --plugin "$plugin" >plugins.txt
expect plugins.txt "layer: BoxBlur"
expect plugins.txt "analyzer: contrast"
"$ocellus" plugins contrast --plugin "$plugin" >contrast.txt
expect contrast.txt "points of the curve"

make_idx data train 40
make_idx data t10k 4
net='28x28x1: conv3(4) BoxBlur(radius=1) relu pool3 dense(10)'
"$ocellus" train --plugin "$plugin" --model "$net" --data "idx:$work/data" --epochs 8 --batch 20 --out run --quiet
"$ocellus" evaluate run/model.h5 "idx:$work/data" --plugin "$plugin" --json --quiet >evaluation.json
expect evaluation.json '"accuracy": 1'
# Without the plugin the model is refused by the layer's name.
if "$ocellus" evaluate run/model.h5 "idx:$work/data" --quiet 2>refused.txt; then fail "a model of an unknown layer ran"; else code=$?; fi
[[ $code == 3 ]] || fail "an unknown layer gave exit code $code, not 3"
expect refused.txt BoxBlur

# The device computes what its reference says, forward and backward.
"$ocellus" selftest --plugin "$plugin" --verbose --quiet >selftest.txt
expect selftest.txt "good  BoxBlur .*gradient by input"
expect selftest.txt "good  ChannelGain .*gradient by gain"

# Its kernel shows under its name, and the activation behind it runs inside it.
"$ocellus" bench network run/model.h5 --repeat 1 --profile --verbose --plugin "$plugin" >bench.txt 2>profile.txt
expect profile.txt "box_blur .*my_plugin"
grep -qiE 'box_?blur[^:]* \+ ' profile.txt || { cat profile.txt >&2; fail "nothing was fused into BoxBlur"; }

"$ocellus" contrast run/model.h5 "idx:$work/data" --plugin "$plugin" --steps 4 --lowest 0.2 --images 2 --out report --quiet >report.txt
expect report.txt report/report.html
expect report/report.html "Probability against contrast"
[[ -s report/results.h5 ]] || fail "no results.h5"
if "$ocellus" contrast run/model.h5 "idx:$work/data" --plugin "$plugin" --stesp 4 2>misspelt.txt; then fail "a misspelt flag passed"; fi
expect misspelt.txt "did you mean '--steps'?"
# The layer's window is believed: where occlusion recomputes only what can change, the result is that of full passes.
for method in full incremental; do
  "$ocellus" occlusion run/model.h5 "idx:$work/data" --plugin "$plugin" --images 2 --method $method --csv --out $method --quiet --profile \
    2>$method.txt >/dev/null
done
expect incremental.txt "BoxBlur.*incremental.*box_blur\|box_blur.*incremental"
awk -F, 'FNR == NR { value[FNR] = $2 + $3; next } FNR > 1 && ((d = value[FNR] - $2 - $3) > 1e-4 || d < -1e-4) { exit 1 }' \
  <(cat full/*.csv) <(cat incremental/*.csv) || fail "incremental occlusion differs from full passes"

printf 'the package works from outside\n'
