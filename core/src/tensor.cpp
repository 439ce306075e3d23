#include "ocellus/core/tensor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ocellus/core/error.hpp"

namespace ocellus {

opencl::Operand Tensor::matrix(int columns) const {
  if (!contiguous())
    throw Error(fmt::format("a strided tensor {} cannot be seen as a matrix", shape.str()));
  if (columns <= 0 || shape.elements() % columns)
    throw Error(fmt::format("{} has no whole rows of {} elements", shape.str(), columns));
  return {buffer, offset, static_cast<uint32_t>(columns)};
}

Tensor Tensor::channels(int first, int count) const {
  if (first < 0 || count < 0 || first + count > shape.channels())
    throw Error(fmt::format("{} has no channels {} to {}", shape.str(), first, first + count));
  Tensor t = *this;
  t.offset += static_cast<uint32_t>(first);
  t.shape.set(-1, count);
  return t;
}

Tensor Tensor::items(int first, int count) const {
  if (first < 0 || count < 0 || first + count > shape[0])
    throw Error(fmt::format("{} has no items {} to {}", shape.str(), first, first + count));
  Tensor t = *this;
  // A vector of rank 1 keeps one item an element: its only axis is batch and channels at once.
  const int64_t step = shape.rank() == 1 ? 1 : int64_t{shape.with_batch(1).pixels()} * pixel_stride;
  t.offset += static_cast<uint32_t>(first * step);
  t.shape.set(0, count);
  if (shape.rank() == 1) t.pixel_stride = static_cast<uint32_t>(count);
  return t;
}

Tensor Tensor::reshaped(Shape to) const {
  if (!contiguous())
    throw Error(fmt::format("a strided tensor {} cannot be reshaped", shape.str()));
  if (to.elements() != shape.elements())
    throw ShapeError(fmt::format("{} cannot be reshaped to {}", shape.str(), to.str()));
  Tensor t = *this;
  t.shape = to;
  t.pixel_stride = static_cast<uint32_t>(to.channels());
  return t;
}

Tensor Tensor::make(opencl::Device& device, const Shape& shape, const std::string& what,
                    DType type) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * bytes_of(type);
  return {device.allocate(std::max<size_t>(bytes, 1), what), 0,
          static_cast<uint32_t>(shape.channels()), type, shape};
}

namespace {

// A slice of channels as OpenCL's rectangles see it: one row a pixel.
struct Rectangle {
  size_t origin[3], host[3] = {0, 0, 0}, region[3], pitch;
  explicit Rectangle(const Tensor& t) {
    const size_t size = bytes_of(t.type), row = t.pixel_stride * size, at = t.offset * size;
    origin[0] = at % row;
    origin[1] = at / row;
    origin[2] = 0;
    region[0] = t.shape.channels() * size;
    region[1] = t.shape.pixels();
    region[2] = 1;
    pitch = row;
  }
  // OpenCL wants each row of a region to lie within the pitch; a slice may start anywhere in the
  // buffer.
  bool wraps() const { return origin[0] + region[0] > pitch; }
};

void check_same(const Shape& a, DType at, const Shape& b, DType bt) {
  if (a != b || at != bt)
    throw Error(fmt::format("an array {} of {} and a tensor {} of {} do not fit", a.str(),
                            to_string(at), b.str(), to_string(bt)));
}

void check_cl(cl_int status, const char* call) {
  if (status != CL_SUCCESS)
    throw DeviceError(fmt::format("{} failed with OpenCL error {}", call, status));
}

}  // namespace

void upload(opencl::Queue& queue, const Array& from, const Tensor& to) {
  check_same(from.shape(), from.type(), to.shape, to.type);
  if (from.empty()) return;
  const size_t size = bytes_of(to.type);
  if (to.contiguous() && from.is_lazy()) {
    queue.write_with(
        to.buffer, to.offset * size, from.byte_count(),
        [&](size_t first, std::span<std::byte> part) { from.copy_bytes(first, part); });
    return;
  }
  if (to.contiguous()) {
    queue.write(to.buffer, to.offset * size, from.bytes().data(), from.bytes().size());
    return;
  }
  const Rectangle r(to);
  if (!r.wraps()) {
    check_cl(clEnqueueWriteBufferRect(queue.handle(), to.buffer.handle(), CL_TRUE, r.origin, r.host,
                                      r.region, r.pitch, 0, r.region[0], 0, from.bytes().data(), 0,
                                      nullptr, nullptr),
             "clEnqueueWriteBufferRect");
    return;
  }
  for (size_t i = 0; i < r.region[1]; ++i)
    queue.write(to.buffer, to.offset * size + i * r.pitch, from.bytes().data() + i * r.region[0],
                r.region[0]);
}

Array download(opencl::Queue& queue, const Tensor& from) {
  Array to(from.shape, from.type);
  if (to.empty()) return to;
  const size_t size = bytes_of(from.type);
  if (from.contiguous()) {
    queue.read(from.buffer, from.offset * size, to.bytes().data(), to.bytes().size());
    return to;
  }
  const Rectangle r(from);
  if (!r.wraps()) {
    check_cl(clEnqueueReadBufferRect(queue.handle(), from.buffer.handle(), CL_TRUE, r.origin,
                                     r.host, r.region, r.pitch, 0, r.region[0], 0,
                                     to.bytes().data(), 0, nullptr, nullptr),
             "clEnqueueReadBufferRect");
    return to;
  }
  for (size_t i = 0; i < r.region[1]; ++i)
    queue.read(from.buffer, from.offset * size + i * r.pitch, to.bytes().data() + i * r.region[0],
               r.region[0]);
  return to;
}

}  // namespace ocellus
