#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "ocellus/core/tensor.hpp"

namespace ocellus {

/// Rearranged copies of one parameter, such as a convolution's kernel in the layout of Winograd's
/// products. The Network owns one of these a parameter, so the ops of all its Executions share the
/// copies.
class OCELLUS_API PackedCopies {
 public:
  /// `original` gives the parameter itself, brought back to the device where its memory was given
  /// back.
  explicit PackedCopies(std::function<Tensor()> original) : original_(std::move(original)) {}

  /// The copy in layout `layout`. `pack` enqueues its making; called only where there is none of
  /// this version of the values. Ops whose packing differs must name different layouts.
  const opencl::Buffer& get(
      opencl::Device& device, const std::string& layout, size_t bytes, uint64_t version,
      const std::function<void(const opencl::Operand& original, const opencl::Buffer& to)>& pack);

 private:
  struct Copy {
    opencl::Buffer buffer;
    uint64_t version = 0;
  };
  std::function<Tensor()> original_;
  std::map<std::string, Copy> copies_;
};

}  // namespace ocellus
