#include "ocellus/core/array.hpp"

#include <fmt/format.h>

#include <cstring>

#include "ocellus/core/error.hpp"

namespace ocellus {

size_t bytes_of(DType type) {
  switch (type) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::u8:
      return 1;
    case DType::i64:
      return 8;
  }
  throw Error("unknown element type");
}

const char* to_string(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::i64:
      return "i64";
  }
  return "unknown";
}

namespace {

// The vector's storage comes from operator new, so it is aligned for every element type.
template <class T, class Bytes>
std::span<T> view(Bytes& bytes, DType held, DType wanted) {
  if (held != wanted)
    throw Error(fmt::format("an array of {} was read as {}", to_string(held), to_string(wanted)));
  return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
}

void check_size(const Shape& shape, size_t given) {
  if (static_cast<int64_t>(given) != shape.elements())
    throw Error(fmt::format("shape {} has {} elements, {} were given", shape.str(),
                            shape.elements(), given));
}

}  // namespace

Array::Array(Shape shape, DType type)
    : shape_(shape), type_(type), bytes_(static_cast<size_t>(shape.elements()) * bytes_of(type)) {}

Array::Array(Shape shape, std::vector<float> values) : Array(shape, DType::f32) {
  check_size(shape, values.size());
  if (!values.empty()) std::memcpy(bytes_.data(), values.data(), bytes_.size());
}

Array Array::of_ints(Shape shape, std::span<const int32_t> values) {
  check_size(shape, values.size());
  Array a(shape, DType::i32);
  if (!values.empty()) std::memcpy(a.bytes_.data(), values.data(), a.bytes_.size());
  return a;
}

std::span<float> Array::f32() { return view<float>(bytes_, type_, DType::f32); }
std::span<const float> Array::f32() const { return view<const float>(bytes_, type_, DType::f32); }
std::span<int32_t> Array::i32() { return view<int32_t>(bytes_, type_, DType::i32); }
std::span<const int32_t> Array::i32() const {
  return view<const int32_t>(bytes_, type_, DType::i32);
}
std::span<uint8_t> Array::u8() { return view<uint8_t>(bytes_, type_, DType::u8); }
std::span<const uint8_t> Array::u8() const { return view<const uint8_t>(bytes_, type_, DType::u8); }
std::span<int64_t> Array::i64() { return view<int64_t>(bytes_, type_, DType::i64); }
std::span<const int64_t> Array::i64() const {
  return view<const int64_t>(bytes_, type_, DType::i64);
}

Array Array::to_f32() const {
  if (type_ == DType::f32) return *this;
  Array out(shape_, DType::f32);
  const auto convert = [to = out.f32()](auto from) {
    for (size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]);
  };
  switch (type_) {
    case DType::f32:
      break;
    case DType::i32:
      convert(i32());
      break;
    case DType::u8:
      convert(u8());
      break;
    case DType::i64:
      convert(i64());
      break;
  }
  return out;
}

Array Array::reshaped(Shape shape) const {
  if (shape.elements() != elements())
    throw ShapeError(fmt::format("{} cannot be reshaped to {}", shape_.str(), shape.str()));
  Array out = *this;
  out.shape_ = shape;
  return out;
}

Array Array::item(int i) const {
  if (shape_.rank() == 0 || i < 0 || i >= shape_[0])
    throw Error(fmt::format("an array of shape {} has no item {}", shape_.str(), i));
  Array out(shape_.without_batch(), type_);
  const size_t size = out.bytes_.size();
  if (size) std::memcpy(out.bytes_.data(), bytes_.data() + size * i, size);
  return out;
}

}  // namespace ocellus
