#pragma once

#include <vector>

#include "ocellus/core/reference.hpp"
#include "ocellus/opencl/axis.hpp"

/// The compute primitives as their definitions read, in double precision.
namespace ocellus::reference {

/// A tensor of zeros (or another value).
ReferenceTensor filled(const Shape& shape, double value = 0);

/// op(A) (m, k) * op(B) (k, n), row-major; a transposed A is stored (k, m), a transposed B (n, k).
std::vector<double> gemm(const std::vector<double>& a, const std::vector<double>& b, int m, int n,
                         int k, bool transpose_a = false, bool transpose_b = false);

/// Cross-correlation; x (N, H, W, C), kernel (kh, kw, C / groups, F) -> (N, h.out, w.out, F).
ReferenceTensor convolve(const ReferenceTensor& x, const ReferenceTensor& kernel,
                         const opencl::Axis& h, const opencl::Axis& w, int groups = 1);

/// Largest value, or mean, of what of each window lies inside the image; x (N, H, W, C).
enum class Pool { max, average };
ReferenceTensor pool(const ReferenceTensor& x, Pool mode, const opencl::Axis& h,
                     const opencl::Axis& w);

/// Softmax over the last axis, and its logarithm.
ReferenceTensor softmax(const ReferenceTensor& x);
ReferenceTensor log_softmax(const ReferenceTensor& x);
/// The first half of the last axis times the sigmoid of the second.
ReferenceTensor glu(const ReferenceTensor& x);

/// x * scale[c] + shift[c], c the last axis.
ReferenceTensor channel_affine(const ReferenceTensor& x, const std::vector<double>& scale,
                               const std::vector<double>& shift);

/// Mean and biased variance of each channel.
void moments(const ReferenceTensor& x, std::vector<double>& mean, std::vector<double>& variance);

/// The uniform number in [0, 1) that the device draws for element `element` of a sample (see
/// opencl::RandomStream).
double uniform(uint64_t seed, uint32_t step, uint32_t node, int sample, uint32_t element);
/// The same of the normal distribution.
double normal(uint64_t seed, uint32_t step, uint32_t node, int sample, uint32_t element);

/// The coordinates of an element, and the element at coordinates.
std::vector<int> place_of(const Shape& shape, size_t element);
size_t index_of(const Shape& shape, const std::vector<int>& place);

}  // namespace ocellus::reference
