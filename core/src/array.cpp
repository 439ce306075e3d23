#include "ocellus/core/array.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>

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
template <class T, class Byte>
std::span<T> view(std::span<Byte> bytes, DType held, DType wanted) {
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

struct Array::Storage {
  std::vector<std::byte> bytes;
  Reader reader;
  std::once_flag read;

  /// What a lazy array has not read yet is read now, and kept.
  std::vector<std::byte>& all(size_t count) {
    if (reader)
      std::call_once(read, [&] {
        std::vector<std::byte> loaded(count);
        reader(0, loaded);
        bytes = std::move(loaded);
      });
    return bytes;
  }
};

Array::Array(Shape shape, DType type)
    : shape_(shape), type_(type), storage_(std::make_shared<Storage>()) {
  storage_->bytes.resize(static_cast<size_t>(shape.elements()) * bytes_of(type));
}

Array::Array(Shape shape, std::vector<float> values) : Array(shape, DType::f32) {
  check_size(shape, values.size());
  if (!values.empty()) std::memcpy(storage_->bytes.data(), values.data(), byte_count());
}

Array Array::of_ints(Shape shape, std::span<const int32_t> values) {
  check_size(shape, values.size());
  Array a(shape, DType::i32);
  if (!values.empty()) std::memcpy(a.storage_->bytes.data(), values.data(), a.byte_count());
  return a;
}

Array Array::lazy(Shape shape, DType type, Reader reader) {
  Array a;
  a.shape_ = shape;
  a.type_ = type;
  a.storage_ = std::make_shared<Storage>();
  a.storage_->reader = std::move(reader);
  return a;
}

size_t Array::byte_count() const {
  return storage_ ? static_cast<size_t>(elements()) * bytes_of(type_) : 0;
}

std::span<const std::byte> Array::bytes() const {
  if (!storage_) return {};
  return storage_->all(byte_count());
}

std::span<std::byte> Array::bytes() {
  if (!storage_) return {};
  if (storage_.use_count() > 1 || storage_->reader) {
    auto own = std::make_shared<Storage>();
    own->bytes.resize(byte_count());
    copy_bytes(0, own->bytes);
    storage_ = std::move(own);
  }
  return storage_->bytes;
}

bool Array::is_lazy() const { return storage_ && storage_->reader; }

void Array::copy_bytes(size_t first, std::span<std::byte> to) const {
  if (first > byte_count() || to.size() > byte_count() - first)
    throw Error(fmt::format("an array of {} bytes has no bytes {} to {}", byte_count(), first,
                            first + to.size()));
  if (to.empty()) return;
  // A lazy array that was read has kept its bytes, but finding that out is not worth a lock.
  if (storage_->reader) return storage_->reader(first, to);
  std::copy_n(storage_->bytes.begin() + static_cast<ptrdiff_t>(first), to.size(), to.begin());
}

std::span<float> Array::f32() { return view<float>(bytes(), type_, DType::f32); }
std::span<const float> Array::f32() const { return view<const float>(bytes(), type_, DType::f32); }
std::span<int32_t> Array::i32() { return view<int32_t>(bytes(), type_, DType::i32); }
std::span<const int32_t> Array::i32() const {
  return view<const int32_t>(bytes(), type_, DType::i32);
}
std::span<uint8_t> Array::u8() { return view<uint8_t>(bytes(), type_, DType::u8); }
std::span<const uint8_t> Array::u8() const {
  return view<const uint8_t>(bytes(), type_, DType::u8);
}
std::span<int64_t> Array::i64() { return view<int64_t>(bytes(), type_, DType::i64); }
std::span<const int64_t> Array::i64() const {
  return view<const int64_t>(bytes(), type_, DType::i64);
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
  copy_bytes(out.byte_count() * static_cast<size_t>(i), out.storage_->bytes);
  return out;
}

}  // namespace ocellus
