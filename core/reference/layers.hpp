#pragma once

#include <functional>
#include <map>
#include <string>

#include "ocellus/core/reference.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus::reference {

/// Forward passes of the built-in layers by name. A parameter `activation` is not applied: core
/// makes it a node of its own. Layers of other plugins bring theirs along (TypeInfo::reference).
const std::map<std::string, Reference>& layers();

/// A layer's own reference, else the built-in one; null where there is none.
const Reference* reference_of(const TypeInfo& info);

/// The built-in activations by name, each element by itself ("softmax" looks at rows: see
/// primitives.hpp).
const std::map<std::string, std::function<double(double)>>& activations();

// Parts of layers(), in files of their own.
std::vector<ReferenceTensor> batch_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> rescaling(const ReferenceCall& call);
std::vector<ReferenceTensor> dropout(const ReferenceCall& call);
std::vector<ReferenceTensor> convolution(const ReferenceCall& call);
std::vector<ReferenceTensor> depthwise_convolution(const ReferenceCall& call);
std::vector<ReferenceTensor> separable_convolution(const ReferenceCall& call);
std::vector<ReferenceTensor> transposed_convolution(const ReferenceCall& call);
std::vector<ReferenceTensor> max_pooling(const ReferenceCall& call);
std::vector<ReferenceTensor> average_pooling(const ReferenceCall& call);
std::vector<ReferenceTensor> global_max_pooling(const ReferenceCall& call);
std::vector<ReferenceTensor> global_average_pooling(const ReferenceCall& call);
std::vector<ReferenceTensor> zero_padding(const ReferenceCall& call);
std::vector<ReferenceTensor> cropping(const ReferenceCall& call);
std::vector<ReferenceTensor> up_sampling(const ReferenceCall& call);
std::vector<ReferenceTensor> resizing(const ReferenceCall& call);
std::vector<ReferenceTensor> permute(const ReferenceCall& call);
std::vector<ReferenceTensor> local_response_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> constant_operation(const ReferenceCall& call);
std::vector<ReferenceTensor> unary_operation(const ReferenceCall& call);
std::vector<ReferenceTensor> slice(const ReferenceCall& call);
enum class Reduced { mean, sum, max, min };
std::vector<ReferenceTensor> reduction(const ReferenceCall& call, Reduced kind);
enum class Merged { sum, difference, product, quotient, average, largest, smallest };
std::vector<ReferenceTensor> merge(const ReferenceCall& call, Merged kind);
std::vector<ReferenceTensor> layer_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> group_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> rms_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> unit_normalization(const ReferenceCall& call);
std::vector<ReferenceTensor> dot(const ReferenceCall& call);
std::vector<ReferenceTensor> axes_softmax(const ReferenceCall& call);
std::vector<ReferenceTensor> prelu(const ReferenceCall& call);
std::vector<ReferenceTensor> repeat_vector(const ReferenceCall& call);
enum class Noise { gaussian, gaussian_dropout, alpha, spatial };
std::vector<ReferenceTensor> noise(const ReferenceCall& call, Noise kind);

}  // namespace ocellus::reference
