#pragma once

#include "ocellus/core/array.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus {

/// A view of device memory: buffer, element offset, pixel stride, element type, shape. It owns
/// nothing but a reference to the buffer. A pixel stride over the number of channels makes it a
/// slice of channels: this is how concatenation is written in place.
struct OCELLUS_API Tensor {
  opencl::Buffer buffer;
  uint32_t offset = 0;        ///< elements
  uint32_t pixel_stride = 0;  ///< elements between two pixels, at least shape.channels()
  DType type = DType::f32;
  Shape shape;

  explicit operator bool() const { return static_cast<bool>(buffer); }
  bool contiguous() const { return static_cast<int>(pixel_stride) == shape.channels(); }
  /// What the primitives take: rows = shape.pixels(), columns = shape.channels().
  opencl::Operand operand() const { return {buffer, offset, pixel_stride}; }
  /// Operand of a contiguous tensor seen as a matrix of other columns: rows x columns with row
  /// distance = columns.
  opencl::Operand matrix(int columns) const;
  /// Channels [first, first + count).
  Tensor channels(int first, int count) const;
  /// Items [first, first + count) of the batch.
  Tensor items(int first, int count) const;
  /// Same elements, another shape; the tensor must be contiguous.
  Tensor reshaped(Shape shape) const;

  /// A new contiguous tensor.
  static Tensor make(opencl::Device& device, const Shape& shape, const std::string& what,
                     DType type = DType::f32);
};

/// Host to device and back; shapes and types must agree, strided tensors are packed and unpacked.
OCELLUS_API void upload(opencl::Queue& queue, const Array& from, const Tensor& to);
OCELLUS_API Array download(opencl::Queue& queue, const Tensor& from);

}  // namespace ocellus
