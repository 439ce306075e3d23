#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "ocellus/core/shape.hpp"

namespace ocellus {

enum class DType { f32, i32, u8, i64 };

OCELLUS_API size_t bytes_of(DType type);
OCELLUS_API const char* to_string(DType type);

/// A dense array on the host: weights read from a file, images, results. Row-major; the counterpart
/// of Tensor. Copies share their elements until one of them is changed: a span taken for writing
/// must not be used once the array was copied.
class OCELLUS_API Array {
 public:
  Array() = default;
  Array(Shape shape, DType type);  ///< zeros
  Array(Shape shape, std::vector<float> values);
  static Array of_ints(Shape shape, std::span<const int32_t> values);
  /// Reads bytes [first, first + to.size()) of the elements into `to`; throws DataError.
  using Reader = std::function<void(size_t first, std::span<std::byte> to)>;
  /// Elements that stay where they are, in a file say, until somebody looks at them. Safe to be
  /// looked at by several threads where `reader` is.
  static Array lazy(Shape shape, DType type, Reader reader);

  const Shape& shape() const { return shape_; }
  DType type() const { return type_; }
  int64_t elements() const { return shape_.elements(); }
  bool empty() const { return byte_count() == 0; }
  size_t byte_count() const;
  std::span<const std::byte> bytes() const;
  std::span<std::byte> bytes();

  /// Whether the elements can be read again from their source: dropping them loses nothing.
  bool is_lazy() const;
  /// Bytes [first, first + to.size()) of the elements, without keeping what a lazy array has not
  /// read yet.
  void copy_bytes(size_t first, std::span<std::byte> to) const;

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
  struct Storage;
  std::shared_ptr<Storage> storage_;
};

}  // namespace ocellus
