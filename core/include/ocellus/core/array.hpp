#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ocellus/core/shape.hpp"

namespace ocellus {

enum class DType { f32, i32, u8, i64 };

OCELLUS_API size_t bytes_of(DType type);
OCELLUS_API const char* to_string(DType type);

/// A dense array on the host: weights read from a file, images, results. Row-major; the counterpart
/// of Tensor.
class OCELLUS_API Array {
 public:
  Array() = default;
  Array(Shape shape, DType type);  ///< zeros
  Array(Shape shape, std::vector<float> values);
  static Array of_ints(Shape shape, std::span<const int32_t> values);

  const Shape& shape() const { return shape_; }
  DType type() const { return type_; }
  int64_t elements() const { return shape_.elements(); }
  bool empty() const { return bytes_.empty(); }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<std::byte> bytes() { return bytes_; }

  /// Typed views; throw Error when the element type is another.
  std::span<float> f32();
  std::span<const float> f32() const;
  std::span<int32_t> i32();
  std::span<const int32_t> i32() const;
  std::span<uint8_t> u8();
  std::span<const uint8_t> u8() const;
  std::span<int64_t> i64();
  std::span<const int64_t> i64() const;

  /// Converted to float, element by element.
  Array to_f32() const;
  /// The same elements under another shape of the same size.
  Array reshaped(Shape shape) const;
  /// Item i of the first axis.
  Array item(int i) const;

 private:
  Shape shape_;
  DType type_ = DType::f32;
  std::vector<std::byte> bytes_;
};

}  // namespace ocellus
