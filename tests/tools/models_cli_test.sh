#!/usr/bin/env bash
# The tools for models as a person meets them: summary, set, convert, verify, evaluate --preprocess auto.
#   models_cli_test.sh BIN_DIR FIXTURES KERNELS_DIR
bin=$1 fixtures=$2 kernels=$3
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ocellus() { command "$bin/ocellus" "$@"; }
lacks() { if grep -q -- "$2" "$1"; then fail "'$2' is in $1"; fi; }

# --- summary
# A file of Keras with a class that nobody supplies: one word of the same length in its JSON is another.
LC_ALL=C sed 's/GlobalAveragePooling2D/GlobalAverageHologram2/g' "$fixtures/keras3/functional_residual.h5" >strange.h5
ocellus summary strange.h5 >summary.txt 2>err.txt
expect summary.txt 'stem .*8x8x4'
expect summary.txt 'GlobalAverageHologram2 *?'
expect summary.txt 'out *Dense *? *7'
expect summary.txt "cannot run: layer .* is a GlobalAverageHologram2, which no loaded plugin supplies"
refuses 3 "GlobalAverageHologram2" ocellus bench network strange.h5
ocellus summary lenet5 cifar_small --html models.html >summary.txt
expect summary.txt 'lenet5 .*61,706'
for text in '"type":"bars"' 'Side by side' '61706'; do expect models.html "$text"; done
refuses 2 "exists" ocellus summary lenet5 --html models.html
ocellus summary lenet5 --json >lenet5.json
expect lenet5.json '"depth": 5'
expect lenet5.json '"parameters": 61706'

# --- set
cp "$fixtures/keras3/sequential_cnn.h5" model.h5
refuses 2 "nothing to set" ocellus set model.h5
refuses 2 "not a file" ocellus set lenet5 --preprocess tf
refuses 2 "class names for a model of" ocellus set model.h5 --classes a,b,c,d,e,f,g,h,i,j,k
refuses 2 "did you mean 'caffe'" ocellus set model.h5 --preprocess cafe
refuses 2 "belongs to a preprocessing" ocellus set model.h5 --resize crop
cmp model.h5 "$fixtures/keras3/sequential_cnn.h5" || fail "a refused 'set' changed the file"
ocellus set model.h5 --preprocess scale=1/255,mean=0.5,std=0.25 --resize crop --out other.h5 >set.txt
expect set.txt "x / 255 - 0.5"
cmp model.h5 "$fixtures/keras3/sequential_cnn.h5" || fail "'set --out' changed its input"
ocellus summary other.h5 >summary.txt
expect summary.txt "x / 255 - 0.5"
refuses 2 "exists" ocellus set model.h5 --preprocess tf --out other.h5
ocellus set other.h5 --preprocess unit --json >set.json
expect set.json '"resize": "crop"'
cp "$fixtures/keras3/containers/adam.keras" archive.keras
ocellus set archive.keras --preprocess tf --classes cat,dog,owl >set.txt
ocellus summary archive.keras --json >archive.json
expect archive.json '"name": "tf"'
expect archive.json '"owl"'

# A sample: an image of one pixel, red 200, green 100, blue 50, and the logits for it. As floats of 4 bytes, 200 100 is 00 00 H C 00 00 c8 B.
base64 -d <<<'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4kWIEAANWAV/oF4RSAAAAAElFTkSuQmCC' >dot.png
for file in model.h5 archive.keras; do
  source=functional_residual
  [[ $file == *.keras ]] && source=containers/functional_residual
  cp "$fixtures/keras3/$source.${file##*.}" "$file"
  refuses 5 "nowhere.png" ocellus set "$file" --sample nowhere.png
  ocellus set "$file" --preprocess none --sample dot.png >set.txt 2>/dev/null
  expect set.txt "; a sample"
  ocellus verify "$file" --json >verify.json 2>/dev/null
  expect verify.json '"sample": '
done
# Another input, or another weight, does not give the stored logits: whoever runs the model is told.
LC_ALL=C sed 's/\x00\x00HC\x00\x00\xc8B/\x00\x00\xc8B\x00\x00HC/g' model.h5 >wrong.h5
[[ $(cmp -l model.h5 wrong.h5 | wc -l) -gt 100 ]] || fail "the sample's input is not in the file"
refuses 5 "does not compute what its sample says" ocellus predict wrong.h5 dot.png
ocellus predict model.h5 dot.png >/dev/null 2>&1 || fail "a good sample was refused"

# --- convert
ocellus convert "$fixtures/keras3/adam.h5" adam.keras >convert.txt
expect convert.txt "with the optimizer's state"
ocellus convert adam.keras adam.h5 --no-training-state >convert.txt
lacks convert.txt "optimizer"
refuses 2 "exists" ocellus convert adam.keras adam.h5
refuses 2 "names no format" ocellus convert adam.keras adam.onnx
ocellus convert strange.h5 whole.h5 --replace 'global_average_pooling2d=AveragePooling2D(pool_size=8,strides=8)' >convert.txt
ocellus summary whole.h5 >summary.txt
lacks summary.txt "cannot run"
mkdir -p many/deep
cp adam.keras strange.h5 many
cp adam.h5 many/deep
head -c 900 adam.h5 >many/cut.h5
ocellus convert many out --report many.html >convert.txt
expect convert.txt 'strange.h5 *opens .*GlobalAverageHologram2'
expect convert.txt 'cut.h5 *refused'
expect convert.txt '4 files: 3 open, 2 of them run; 1 refused'
[[ -s out/adam.h5 && -s out/deep/adam.h5 && -s out/strange.h5 && ! -e out/cut.h5 ]] || fail "the converted folder is not as it should be"
expect many.html 'Layers that a plugin would have to supply'
refuses 2 "not empty" ocellus convert many out
mkdir weights
cp "$fixtures/keras3/containers/adam.weights.h5" weights
ocellus convert weights >convert.txt
expect convert.txt 'refused .*without their model: name the model, with --weights'
ocellus convert "$fixtures/keras3/with_lambda.h5" lambda.h5 --replace 'lambda_1=Rescaling(scale=1/255)' >convert.txt 2>err.txt
lacks err.txt "cannot run"
ocellus summary lambda.h5 >summary.txt
expect summary.txt 'Rescaling'
ocellus convert many --json >many.json
expect many.json '"missing"'

# --- verify
ocellus verify "$fixtures/keras3/functional_residual.h5" --json >verify.json 2>/dev/null
expect verify.json '"good": true'
expect verify.json '"unchecked": 0'
ocellus verify "$fixtures/keras3/several.h5" --json >verify.json 2>/dev/null  # several inputs
expect verify.json '"good": true'

# Faults in kernels: powers of 2 instead of e, and maxima that are minima. Each is found, in its layer.
fault() {
  mkdir -p "fault-$1"
  sed "$3" "$kernels/$2" >"fault-$1/$2"
  if cmp -s "$kernels/$2" "fault-$1/$2"; then fail "nothing was planted in $2"; fi
  local code=0
  OCELLUS_KERNEL_PATH=$work/fault-$1 ocellus verify "$fixtures/keras3/sequential_cnn.h5" --json >verify.json 2>err.txt || code=$?
  [[ $code == 1 ]] || { cat err.txt >&2; fail "verify with a fault in $2: exit code $code, not 1"; }
  expect verify.json '"good": false'
  expect verify.json '"failed": 1,'
  expect err.txt "1 layers differ from the reference on "
  # The layer's entry ends with whether it is good.
  sed -n "/\"type\": \"$1\"/,/\"good\"/p" verify.json >layer.txt
  expect layer.txt '"good": false'
}
ocellus verify "$fixtures/keras3/sequential_cnn.h5" >verify.txt 2>/dev/null || fail "verify finds faults where there are none"
fault softmax softmax.cl 's/\bexp(/exp2(/g'
fault MaxPooling2D pooling.cl 's/v > result ? v : result/result > -INFINITY ? result : v/'

# --- train: from an archive of Keras, which goes on with its optimizer, into an archive; and with weights of another file
make_idx data train 6
make_idx data t10k 1
net='28x28x1: conv3(2) pool4 dense(10)'
train() { ocellus train --data "idx:$work/data" --epochs 1 --batch 20 --quiet "$@" >train.txt 2>err.txt || { cat err.txt >&2; fail "train $*"; }; }
refuses 2 "names the folder of the run" ocellus train --model "$net" --data "idx:$work/data" --out run.keras
train --model "$net" --format keras --out first
[[ -s first/model.keras && ! -e first/model.h5 ]] || fail "--format keras wrote another file"
ocellus train --model first/model.keras --data "idx:$work/data" --epochs 1 --batch 20 --out second >train.txt 2>err.txt
expect err.txt "optimizer: Adam of the model, after 3 steps"
ocellus train first/recipe.json --epochs 2 --out first --resume >train.txt 2>err.txt
ocellus train --model "$net" --data "idx:$work/data" --epochs 2 --batch 20 --format keras --out whole --quiet >train.txt 2>err.txt
for run in first whole; do ocellus predict $run/model.keras "idx:$work/data" --out $run.scores --quiet >/dev/null 2>&1; done
cmp first.scores whole.scores || fail "a resumed archive has other weights than one that was trained at once"
printf '{"model": "%s", "weights": "first/model.keras", "by_name": true, "skip_mismatch": true, "data": "idx:%s"}' "$net" "$work/data" >recipe.json
train recipe.json --optimizer 'SGD(learning_rate=0)' --out third
ocellus evaluate first/model.keras "idx:$work/data" --json >first.json 2>/dev/null
ocellus evaluate third/model.h5 "idx:$work/data" --json 2>/dev/null | cmp - first.json || fail "the recipe's weights did not come over"
refuses 5 "nowhere.h5: no such file of weights" ocellus train --model "$net" --weights nowhere.h5 --data "idx:$work/data" --out never
refuses 2 "no-top is a parameter of architectures" ocellus train --model "$net" --no-top --data "idx:$work/data" --out never
[[ ! -e never ]] || fail "a refused training left a folder"

# --- evaluate --preprocess auto
refuses 2 "no preprocessing 'atuo'" ocellus evaluate lenet5 fashion-mnist --preprocess atuo
data=${OCELLUS_TEST_DATA:-$(dirname "${BASH_SOURCE[0]}")/../../../shared/data}
if [[ -d $data/cifar10 && -d $data/keras ]]; then
  best() { ocellus evaluate "$data/keras/$1" "cifar10:$data/cifar10" --preprocess auto --limit 100 --json 2>/dev/null >auto.json; expect auto.json "\"best\": \"$2\""; }
  best resnet20_cifar10.h5 torch
  best mlperf_tiny_resnet8_cifar10.h5 none
  expect auto.json '"n": 100'
else
  printf 'SKIPPED: evaluate --preprocess auto (no data)\n'
fi

printf 'the tools for models hold\n'
