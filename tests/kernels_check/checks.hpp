#pragma once

#include "kernels_check/checker.hpp"
#include "ocellus/opencl/pooling.hpp"

/// One function for each primitive, by the problem's size: it asks the primitive, and the host.
namespace ocellus::test {

void check_pointwise(Checker& c);
void check_random(Checker& c);

void check_reduce(Checker& c, int rows, int columns);
void check_segments(Checker& c);
void check_softmax(Checker& c);
void check_pooling(Checker& c, opencl::PoolingProblem::Mode mode, int channels, int kernel,
                   int stride);

void check_movement(Checker& c);

void check_gemm(Checker& c, int rows, int columns, int terms, bool transpose_a, bool transpose_b);
/// Products by every tile of the tiled family that fits the device: the table of
/// opencl/src/local_tile.cpp, and a tile of no class. More than one of each tile, none of them
/// whole.
void check_tiles(Checker& c, int m, int n, int k);

/// With as many groups as channels where `depthwise`.
void check_convolution(Checker& c, int channels, int filters, int stride, bool depthwise = false);
/// Of 5 channels to 32, and of these each by itself.
void check_expanded_depthwise(Checker& c, int stride);

}  // namespace ocellus::test
