#pragma once

#include <span>
#include <string>
#include <vector>

#include "ocellus/core/random.hpp"
#include "ocellus/core/shape.hpp"

namespace ocellus {

/// Fills a parameter by the name of an initializer, as Keras defines them: zeros, ones,
/// glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal,
/// random_uniform (-0.05..0.05), random_normal (0.05), truncated_normal (0.05). Fans of a kernel
/// (KH, KW, Cin, Cout) are KH*KW*Cin and KH*KW*Cout (Glorot & Bengio 2010; He et al. 2015). Throws
/// UsageError for an unknown name, with the nearest one.
OCELLUS_API void initialize(const std::string& name, const Shape& shape, Random& random,
                            std::span<float> values);
OCELLUS_API const std::vector<std::string>& initializer_names();

}  // namespace ocellus
