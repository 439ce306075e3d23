# What the shell tests share. Source it; then work in $work, which goes away at the end.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# The caller's settings must not decide what is tested.
unset OCELLUS_PLUGIN_PATH OCELLUS_KERNEL_PATH OCELLUS_DEVICE OCELLUS_DEVICE_MEMORY
# Only the test of the first use wants the selftest that a new device gets.
export OCELLUS_SELFTEST=off
# What was tuned on this machine must not decide what is tested.
export OCELLUS_TUNING=off

fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }
expect() { grep -q -- "$2" "$1" || { cat "$1" >&2; fail "'$2' is not in $1"; }; }

# refuses CODE TEXT COMMAND...: the command must end with CODE and say, in one line on standard error that holds TEXT, why.
refuses() {
  local code=$1 text=$2 found=0
  shift 2
  "$@" >out.txt 2>err.txt || found=$?
  [[ $found == "$code" ]] || { cat err.txt >&2; fail "$*: exit code $found, not $code"; }
  grep -v '^device: \|^preprocessing: ' err.txt >line.txt || true
  [[ $(wc -l <line.txt) == 1 ]] || { cat err.txt >&2; fail "$*: not one line"; }
  expect line.txt "$text"
}

bytes32() { printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"; }
# A picture of class k, 28x28: dark, with a bright band of rows that begins at row 2k.
band_image() {
  local row
  for row in {0..27}; do
    if ((row >= 2 * $1 && row < 2 * $1 + 4)); then printf '\xe0%.0s' {1..28}; else printf '\x20%.0s' {1..28}; fi
  done
}
# make_idx DIR SPLIT COUNT: an IDX data set with COUNT pictures of each of the ten classes.
make_idx() {
  local dir=$1 split=$2 count=$3 c i
  mkdir -p "$dir"
  { bytes32 2051; bytes32 $((count * 10)); bytes32 28; bytes32 28; } >"$dir/$split-images-idx3-ubyte"
  { bytes32 2049; bytes32 $((count * 10)); } >"$dir/$split-labels-idx1-ubyte"
  for c in {0..9}; do [[ -e class$c.raw ]] || band_image "$c" >"class$c.raw"; done
  for ((i = 0; i < count; ++i)); do
    cat class{0..9}.raw >>"$dir/$split-images-idx3-ubyte"
    printf '\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09' >>"$dir/$split-labels-idx1-ubyte"
  done
}
