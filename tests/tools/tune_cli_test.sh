#!/usr/bin/env bash
# ocellus tune: what it keeps is used by later runs; candidates that are wrong, crash or hang are refused and survived.
#   tune_cli_test.sh BIN_DIR KERNELS_DIR
bin=$1 kernels=$2
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export OCELLUS_CACHE=$work/cache OCELLUS_KERNEL_FAMILY=vector
unset OCELLUS_TUNING
ocellus() { command "$bin/ocellus" "$@"; }
net='16x16x8: conv3(8)'
problem='forward 1x16x16x8 -> 16x16x8 kernel 3x3 stride 1x1 dilation 1x1 pad 1,1 groups 1'

# --- Words
refuses 2 "expected a time" ocellus tune "$net" --budget soon
refuses 2 "without a MODEL" ocellus tune "$net" --clear
refuses 2 "more than nothing" ocellus tune "$net" --limit 0s
printf 'a file' >file
OCELLUS_CACHE=$work/file refuses 1 "cannot be written" ocellus tune "$net" --quiet
OCELLUS_TUNING=off refuses 1 "no place to keep" ocellus tune "$net" --quiet

# --- Measured once, used from then on
ocellus tune "$net" --limit 60s --budget 5m --json >first.json 2>first.txt
expect first.json '"problems": 1,'
expect first.json '"known": 0,'
expect first.json "\"problem\": \"$problem\""
rule=$(sed -n 's/.*"rule": "\(.*\)",/\1/p' first.json)
ocellus tune "$net" --budget 5s --json >second.json 2>/dev/null
expect second.json '"known": 1,'
expect second.json '"results": \[\]'
ocellus bench network "$net" --repeat 1 --verbose >/dev/null 2>run.txt
expect run.txt "for 1 problems that were tuned"
table=$(echo cache/tuning/*)
[[ -s $table ]] || fail "there is no table"
# Which algorithm runs is the table's to say: here one that the rule would not take.
algorithm() { ocellus tune "$net" --list --json 2>/dev/null | sed -n 's/.*"algorithm": "\(.*\)".*/\1/p'; }
sed -i 's/^[a-z0-9_]*\t/naive\t/' "$table"
[[ $(algorithm) == naive ]] || fail "the table's choice does not run"
[[ $(OCELLUS_TUNING=off algorithm) != naive ]] || fail "OCELLUS_TUNING=off does not turn the table off"
# A damaged table counts as none and is reported in a line.
truncate -s -3 "$table"
ocellus bench network "$net" --repeat 1 --verbose >/dev/null 2>damaged.txt
[[ $(grep -c "warning: .*is damaged: not used" damaged.txt) == 1 ]] || fail "no warning of a damaged table"
[[ $(algorithm) != naive ]] || fail "a damaged table was used"
ocellus tune --clear --json >cleared.json 2>/dev/null
[[ ! -e $table ]] || fail "--clear left the table"

# --- Planted faults. `plant DIR FILE STATEMENT` puts a statement at the beginning of each kernel of a file.
plant() {
  mkdir -p "$1"
  awk -v statement="$3" '/^__kernel/ { inside = 1 } { print } inside && /\{$/ { print statement; inside = 0 }' \
    "$kernels/$2" >"$1/$2"
  if cmp -s "$kernels/$2" "$1/$2"; then fail "nothing was planted in $2"; fi
}
plant faulty convolution_direct_vector.cl '*(volatile __global float*)8 = 1.0f;'
mkdir -p faulty/ocellus
transforms=ocellus/winograd_transforms.cl
sed 's/0\.25f/0.26f/' "$kernels/$transforms" >"faulty/$transforms"
if cmp -s "$kernels/$transforms" "faulty/$transforms"; then fail "nothing was planted in $transforms"; fi
OCELLUS_KERNEL_PATH=$work/faulty ocellus tune "$net" --limit 120s --budget 9m --json >faulty.json 2>faulty.txt
expect faulty.txt "direct crashed (signal"
expect faulty.txt "winograd4 is wrong by"
expect faulty.json '"refused": \[$'
OCELLUS_KERNEL_PATH=$work/faulty algorithm >chosen.txt
# winograd2's transforms know no 0.25.
grep -qx 'gemm\|tiled\|winograd2.*' chosen.txt || { cat faulty.txt >&2; fail "a faulty algorithm was chosen: $(<chosen.txt)"; }
[[ $(algorithm) == "$rule" ]] || fail "the table of the faulty kernels was taken for the device's"

plant hanging convolution_gemm_vector.cl 'volatile int on = 1; while (on) {}'
OCELLUS_KERNEL_PATH=$work/hanging ocellus tune "$net" --limit 10s --budget 9m --json --verbose >hanging.json 2>hanging.txt
expect hanging.txt "gemm did not end within 10 s"
expect hanging.json '"fastest": "[dwt]'

# --- Ctrl-C keeps what was measured
"$bin/ocellus" tune "$net" '16x16x8: conv5(8)' --limit 60s --budget 5m --json >stopped.json 2>stopped.txt &
pid=$! code=0
for ((i = 0; i < 1200; ++i)); do [[ -e $table ]] && break; sleep 0.05; done
kill -INT "$pid"
wait "$pid" || code=$?
[[ $code == 130 || $code == 0 ]] || { cat stopped.txt >&2; fail "SIGINT: exit code $code"; }
ocellus bench network "$net" --repeat 1 --verbose >/dev/null 2>run.txt
if grep -q warning run.txt; then cat run.txt >&2; fail "an interrupted tuning left a bad table"; fi
printf 'tuning holds\n'
