#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/opencl/api.hpp"
#include "ocellus/opencl/buffer.hpp"

namespace ocellus::opencl {

class Queue;

/// The text of one .cl file, embedded at build time (see ocellus_embed_kernels in cmake/) or
/// generated at run time.
/// `#include "ocellus/x.cl"` finds the shared kernels. `OCELLUS_KERNEL_PATH=DIR` overrides embedded
/// files by name.
struct KernelSource {
  std::string file;  ///< "gemm_vector.cl", as errors show it
  std::string text;
  std::string owner;  ///< plugin or library it belongs to, as errors and the profiler show it

  /// The same source with generated text in front; line numbers in errors still count from the
  /// file's first line.
  OCELLUS_API KernelSource with_preamble(const std::string& preamble) const;
};

/// Arguments of a launch whose number is known at run time only (epilogues, generated kernels).
class OCELLUS_API Arguments {
 public:
  Arguments& add(const Buffer& b);
  Arguments& add(int32_t v) { return add_scalar(&v, sizeof v); }
  Arguments& add(uint32_t v) { return add_scalar(&v, sizeof v); }
  Arguments& add(int64_t v) { return add_scalar(&v, sizeof v); }
  Arguments& add(uint64_t v) { return add_scalar(&v, sizeof v); }
  Arguments& add(float v) { return add_scalar(&v, sizeof v); }

  struct Item {
    Buffer buffer;                       ///< used when bytes == 0
    std::array<unsigned char, 8> value;  ///< a scalar of `bytes` bytes
    size_t bytes = 0;
  };
  const std::vector<Item>& items() const { return items_; }

 private:
  Arguments& add_scalar(const void* value, size_t bytes);
  std::vector<Item> items_;
};

/// Work-items per dimension, and the work-group, which is always fixed: PoCL compiles a kernel anew
/// for each.
struct Range {
  std::array<size_t, 3> global{1, 1, 1};
  std::array<size_t, 3> local{1, 1, 1};

  static Range of(size_t x, size_t local_x) {
    return {{round_up(x, local_x), 1, 1}, {local_x, 1, 1}};
  }
  static Range of(size_t x, size_t y, size_t local_x, size_t local_y) {
    return {{round_up(x, local_x), round_up(y, local_y), 1}, {local_x, local_y, 1}};
  }
  static Range of(size_t x, size_t y, size_t z, size_t lx, size_t ly, size_t lz) {
    return {{round_up(x, lx), round_up(y, ly), round_up(z, lz)}, {lx, ly, lz}};
  }
  static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
};

/// A compiled kernel. Calling it enqueues one launch; it never waits:
///     kernel(queue, Range::of(n, 64), x, y, n, 0.5f);
/// Arguments: Buffer, int32_t, uint32_t, int64_t, uint64_t, float. Their number and sizes are
/// checked against the kernel. A range with a zero extent launches nothing.
class OCELLUS_API Kernel {
 public:
  Kernel() = default;
  explicit operator bool() const { return state_ != nullptr; }
  const std::string& name() const;

  template <class... Args>
  void operator()(Queue& queue, const Range& range, const Args&... args) const {
    Arguments list;
    (list.add(args), ...);
    launch(queue, range, list);
  }
  void launch(Queue& queue, const Range& range, const Arguments& arguments) const;

  struct State;
  explicit Kernel(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

}  // namespace ocellus::opencl
