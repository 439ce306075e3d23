#!/usr/bin/env bash
# What a GPU's compiler makes of the tiled kernels, without the GPU: registers, spilled bytes and wavefronts a SIMD that AMD's back end of
# clang reports. For docs/kernels.md, and for who changes a kernel: `gpu_registers.sh [ARCHITECTURE...]` (gfx906 is GCN, gfx1030 RDNA 2).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../opencl/kernels"
clang=$(compgen -c clang | grep -xE 'clang(-[0-9]+)?' | sort -V | tail -1) || { echo "gpu_registers.sh: no clang" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
# What a driver links in: work-item functions and a few of OpenCL C.
cat >"$work/driver.h" <<'TEXT'
#define fma __builtin_fmaf
#define min(a, b) ((a) < (b) ? (a) : (b))
#define get_local_id(d) ((uint)__builtin_amdgcn_workitem_id_x())
#define get_group_id(d) ((d) == 0 ? __builtin_amdgcn_workgroup_id_x() : (d) == 1 ? __builtin_amdgcn_workgroup_id_y() : __builtin_amdgcn_workgroup_id_z())
#define get_global_id(d) (get_group_id(0) * GROUP + get_local_id(0))
#define barrier(flags) { __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup"); __builtin_amdgcn_s_barrier(); __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup"); }
TEXT

compile() {  # ARCHITECTURE FILE OPTION... : a line a kernel
  local architecture=$1 file=$2
  shift 2
  "$clang" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -target amdgcn-amd-amdhsa -mcpu="$architecture" -nogpulib -O3 \
    -w -include "$work/driver.h" -I . "$@" -S "$file" -o "$work/out.s"
  awk -v architecture="$architecture" -v options="$*" '
    /^[a-z_0-9]+:/ { kernel = substr($1, 1, length($1) - 1) }
    /; NumVgprs:/ { registers = $3 }
    /; ScratchSize:/ { scratch = $3 }
    /; Occupancy:/ { printf "%-8s %-36s %3d registers, %d bytes spilled, %2d wavefronts  %s\n", architecture, kernel, registers, scratch, $3, options }
  ' "$work/out.s"
}

geometry="-DKH=3 -DKW=3 -DSH=1 -DSW=1 -DDH=1 -DDW=1 -DPH=1 -DPW=1"
(($#)) || set -- gfx906 gfx1030
for architecture; do
  for tile in 128,128,8,8,8 64,64,8,8,8 64,64,16,4,4 64,32,8,8,4 128,16,8,8,2 32,32,8,4,4 64,8,8,4,2; do  # of opencl/src/local_tile.cpp
    IFS=, read -r bm bn bk tm tn <<<"$tile"
    options="-DBM=$bm -DBN=$bn -DBK=$bk -DTM=$tm -DTN=$tn -DGROUP=$((bm / tm * (bn / tn)))"
    compile "$architecture" gemm_tiled.cl -DA_ALONG_K $options
    for pass in FORWARD BACKWARD_DATA BACKWARD_WEIGHTS; do compile "$architecture" convolution_tiled.cl -D$pass $geometry $options; done
  done
  for size in 2 4; do compile "$architecture" convolution_winograd_tiled.cl -DTILE=$size -DGROUP=64; done
  compile "$architecture" convolution_winograd_weights_tiled.cl -DTILE=4 -DGROUP=64
done
