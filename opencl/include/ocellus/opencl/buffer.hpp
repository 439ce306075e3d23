#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ocellus/opencl/api.hpp"

using cl_mem = struct _cl_mem*;

namespace ocellus::opencl {

/// Device memory, shared by reference: the last handle gives it back to the device's pool.
/// A default-constructed Buffer is "no buffer" and reaches a kernel as a null pointer.
class OCELLUS_API Buffer {
 public:
  Buffer() = default;
  explicit operator bool() const { return storage_ != nullptr; }
  size_t bytes() const;  ///< as asked for, not as pooled
  cl_mem handle() const;
  bool operator==(const Buffer&) const = default;

  struct Storage;
  explicit Buffer(std::shared_ptr<Storage> storage) : storage_(std::move(storage)) {}
  Storage* storage() const { return storage_.get(); }

 private:
  std::shared_ptr<Storage> storage_;
};

/// A matrix of pixels x channels somewhere in a buffer: what the primitives take and give.
/// `offset` and `stride` count elements; `stride` is the distance between two pixels (or matrix
/// rows), at least the number of channels. Offsets travel as kernel arguments: sub-buffers would
/// want 128-byte alignment.
struct Operand {
  Buffer buffer;
  uint32_t offset = 0;
  uint32_t stride = 0;
  explicit operator bool() const { return static_cast<bool>(buffer); }
};

}  // namespace ocellus::opencl
