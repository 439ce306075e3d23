#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/augmenter.hpp"

namespace ocellus::augmenters {

/// A kernel of augmenters.cl over images of one shape; `numbers` and `integers` are its last
/// arguments.
struct RowKernel {
  std::string name, options;
  std::vector<int> integers;
  std::vector<double> numbers;
};
std::unique_ptr<AugmenterOp> make_row_kernel(opencl::Device& device, const Shape& images,
                                             RowKernel kernel);

// Each file registers the types that it holds.
void register_random_flip(Registrar& r);
void register_random_translation(Registrar& r);

}  // namespace ocellus::augmenters
