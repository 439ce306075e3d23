#!/usr/bin/env bash
# The command line as a person meets it: exit codes, one-line errors, pure JSON, nothing overwritten, interruption.
#   cli_test.sh BIN_DIR
bin=$1
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
ocellus() { command "$bin/ocellus" "$@"; }

make_idx data train 60
make_idx data t10k 5
data="idx:$work/data"
net='28x28x1: conv3(4) pool3 dense(10)'

# --- Words
refuses 2 "did you mean 'devices'?" ocellus devics
refuses 2 "did you mean '--epochs'?" ocellus train --epohcs 3
refuses 2 "expected integer" ocellus train --model lenet5 --data "$data" --epochs many
refuses 2 "MODEL is missing" ocellus evaluate
refuses 2 "superfluous" ocellus devices surplus
refuses 2 "did you mean 'lenet5'?" ocellus summary lenet6
refuses 5 "no such model file" ocellus summary nowhere/model.h5
refuses 2 "did you mean 'strides'?" ocellus summary '28x28x1: conv3(4, stirdes=2) dense(10)'
refuses 2 "did you mean 'conv'?" ocellus summary '28x28x1: cnv3(4) dense(10)'
printf '{"input": [28, 28, 1], "layers": [["Conv2D", {"filters": 2, "kernel_size": 40}]]}' >large.json
refuses 2 "conv2d.*40 pixels does not fit an input of 28" ocellus summary large.json
printf '{"input": [28, 28, 1], "layers": [["Hologram", {"filters": 2}]]}' >unknown.json
refuses 3 "Hologram" ocellus summary unknown.json
refuses 2 "classes is a parameter of architectures" ocellus summary large.json --classes 3
refuses 2 "no-top is a parameter of architectures" ocellus summary "$net" --no-top
refuses 2 "expected extents such as 224x224x3, found '64x'" ocellus summary resnet50 --input-shape 64x
refuses 2 "at least 32 x 32 pixels" ocellus summary resnet50 --input-shape 28x28x3
refuses 2 "are for a zoo name" ocellus summary "$net" --weights imagenet
refuses 5 "nowhere.h5: no such file of weights" ocellus summary resnet50 --weights nowhere.h5
OCELLUS_CACHE="$work/cache" refuses 5 "run: ocellus fetch vgg16-notop" ocellus summary vgg16 --weights imagenet --no-top
ocellus summary resnet50 --classes 10 --input-shape 64x48x3 --json >resnet50.json
expect resnet50.json '"parameters": 23608202,'
refuses 2 "did you mean 'Adam'?" ocellus train --model "$net" --data "$data" --optimizer Adma --out never
refuses 2 "did you mean 'epochs'" ocellus train --set epohcs=3 --print-recipe
refuses 2 "did you mean 'fashion-mnist'?" ocellus evaluate lenet5 fasion-mnist
refuses 3 "no such file" ocellus plugins --plugin nowhere.so
refuses 2 "no plugin has a type" ocellus plugins Conv2E
[[ ! -e never ]] || fail "a refused training left a folder"
for verb in devices plugins summary train evaluate predict features analyze selftest bench fetch tune; do
  ocellus "$verb" --help >help.txt || fail "$verb --help"
  expect help.txt "usage: ocellus $verb"
  expect help.txt "--device"
done
ocellus --version >version.txt && expect version.txt "ocellus [0-9]"

# --- Devices
refuses 4 "no OpenCL device matches 'quantum'" ocellus evaluate lenet5 "$data" --device quantum
OCELLUS_DEVICE_MEMORY=1M refuses 4 "free on the device" ocellus train --model cifar_small --data "$data" --out small

# A device that is new here gets a selftest; a pass is remembered, a failure is not passed over in silence.
first() { OCELLUS_SELFTEST=on OCELLUS_CACHE="$work/cache" "$bin/ocellus" bench gemm; }
first >/dev/null 2>first.txt
expect first.txt "first use of"
first >/dev/null 2>second.txt
if grep -q "first use" second.txt; then fail "the selftest's pass was not remembered"; fi
mkdir -p broken
echo "no kernel" >broken/softmax.cl
if OCELLUS_KERNEL_PATH="$work/broken" first >/dev/null 2>third.txt; then fail "a device that fails its selftest was taken"; else code=$?; fi
[[ $code == 4 ]] || fail "a device that fails its selftest gave exit code $code, not 4"
expect third.txt "fails its selftest"

# --- Data
OCELLUS_CACHE="$work/cache" refuses 5 "run: ocellus fetch cifar10" ocellus evaluate lenet5 cifar10
refuses 2 "did you mean 'vgg16'?" ocellus fetch vgg61
refuses 5 "nowhere: no such file" ocellus fetch mnist --from nowhere
ocellus fetch >list.txt && expect list.txt "^vgg16-notop .* no .*without the classifier"
mkdir -p cut empty photos/a photos/b
cp data/* cut && truncate -s -100 cut/train-images-idx3-ubyte
refuses 5 "train-images-idx3-ubyte" ocellus train --model "$net" --data "idx:$work/cut" --out cut-run
refuses 5 "empty" ocellus train --model lenet5 --data "folder:$work/empty" --out empty-run
printf 'not a picture' >fake.jpg
refuses 5 "fake.jpg" ocellus predict lenet5 fake.jpg
printf 'not a model' >fake.h5
refuses 5 "fake.h5" ocellus summary fake.h5
refuses 5 "nowhere.png" ocellus predict lenet5 nowhere.png
# Class names that a model of 1000 classes lacks are ImageNet's, where the cache has them.
base64 -d <<<'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNwaDgAAAKEAYEml6crAAAAAElFTkSuQmCC' >dot.png
mkdir -p names/published/imagenet-classes
{ printf '{"0": ["n0", "name 0"]'; for i in {1..999}; do printf ', "%d": ["n%d", "name %d"]' $i $i $i; done; printf '}'; } >names/published/imagenet-classes/imagenet_class_index.json
OCELLUS_CACHE="$work/names" ocellus predict '1x1x3: dense(1000)' dot.png --top 1 >predict.txt 2>err.txt
expect predict.txt ' name [0-9]'
expect err.txt "class names: ImageNet's (assumed"
OCELLUS_CACHE="$work/names" ocellus predict '1x1x3: dense(10)' dot.png --top 1 >predict.txt 2>err.txt
expect predict.txt 'class [0-9]'

# --- Results: a model that learnt, JSON alone on standard output, nothing overwritten
ocellus train --model "$net" --data "$data" --epochs 6 --batch 20 --seed 3 --out run --json >train.json 2>train.log
ocellus evaluate run/model.h5 "$data" --json >evaluate.json 2>/dev/null
expect evaluate.json '"accuracy": 1'
expect evaluate.json '"n": 50'
ocellus evaluate "$net" "$data" --weights run/model.h5 --json 2>/dev/null | cmp - evaluate.json || fail "the weights of run/model.h5 did not come over"
ocellus predict run/model.h5 "$data" --json --out scores.h5 >predict.json 2>/dev/null
ocellus summary run/model.h5 --json >summary.json
ocellus bench network run/model.h5 --batch 4 --repeat 2 --json >bench.json 2>/dev/null; expect bench.json ': Dense forward, [a-z]'
ocellus bench peaks --json >peaks.json 2>/dev/null && expect peaks.json '"gb_per_s"'
ocellus bench gemm --sizes 64 --repeat 1 --json >gemm.json 2>/dev/null && expect gemm.json '"gflops_share"'
refuses 2 "did you mean 'dense'" ocellus bench dens
ocellus devices --json >devices.json
ocellus plugins --json >plugins.json
ocellus train --model "$net" --data "$data" --epochs 4 --print-recipe >recipe.json
ocellus features run/model.h5 "$data" --out features.h5 --json >features.json 2>/dev/null
if command -v python3 >/dev/null; then
  for file in *.json; do [[ $file == large.json ]] || python3 -m json.tool "$file" >/dev/null || fail "$file is not JSON alone"; done
fi
# A recipe is read by the program's own strict parser, whatever else is there.
ocellus train recipe.json --print-recipe | cmp - recipe.json || fail "a printed recipe does not come back as itself"
refuses 2 "not empty" ocellus train --model "$net" --data "$data" --out run
refuses 2 "exists" ocellus predict run/model.h5 "$data" --out scores.h5
refuses 2 "exists" ocellus features run/model.h5 "$data" --out features.h5
for file in model.h5 recipe.json history.json history.csv report.html; do [[ -s run/$file ]] || fail "run/$file is missing"; done

# --- Interruption: the resumed run ends with the weights of the one that was left alone
same_weights() {
  ocellus predict "$1" "$data" --out "$1.scores" --quiet >/dev/null
  cmp "$1.scores" whole.scores || fail "$1 has other weights than the run that was not interrupted"
  if command -v h5diff >/dev/null; then
    h5diff whole/model.h5 "$1" /model_weights || fail "$1: weights differ"
    h5diff whole/model.h5 "$1" /optimizer_weights || fail "$1: optimizer state differs"
  fi
}
train=(train --model "$net" --data "$data" --epochs 60 --batch 10 --seed 4 --checkpoint-every 20 --quiet)
ocellus "${train[@]}" --out whole >/dev/null
ocellus predict whole/model.h5 "$data" --out whole.scores --quiet >/dev/null
# interrupt SIGNAL DIR CODE: stops a run once its first checkpoint is there.
interrupt() {
  "$bin/ocellus" "${train[@]}" --out "$2" >/dev/null 2>"$2.log" &
  local pid=$! code=0
  for ((i = 0; i < 600; ++i)); do [[ -s $2/model.h5 ]] && break; sleep 0.05; done
  sleep 0.1
  kill "-$1" "$pid"
  wait "$pid" || code=$?
  [[ $code == "$3" ]] || { cat "$2.log" >&2; fail "SIG$1: exit code $code, not $3"; }
  ocellus summary "$2/model.h5" >/dev/null || fail "the checkpoint does not open"
  ocellus train --resume --out "$2" --quiet >/dev/null
  same_weights "$2/model.h5"
}
interrupt INT stopped 130
expect stopped.log "ocellus train --resume --out stopped"
interrupt KILL killed 137
# --- The demo, cut short: every section is in the report
if [[ -d /usr/share/datasets/fashion-mnist ]]; then
  ocellus demo --epochs 1 --out demo --json >demo.json 2>/dev/null
  expect demo.json '"report": "demo/report.html"'
  for section in Training 'Confusion matrix' 'Worst mistakes' 'Filters of' 'Receptive fields' 'Occlusion' 'Activation maximization' 't-SNE'; do
    expect demo/report.html "$section"
  done
  if grep -qE '(src|href)="https?:' demo/report.html; then fail "the report needs the network"; fi
else
  printf 'SKIPPED: demo (no dataset-fashion-mnist)\n'
fi
printf 'the command line holds\n'
