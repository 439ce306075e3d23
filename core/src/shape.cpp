#include "ocellus/core/shape.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ocellus/opencl/error.hpp"

namespace ocellus {

Shape::Shape(std::initializer_list<int> extents)
    : Shape(std::span(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const int> extents) {
  if (extents.size() > max_rank)
    throw Error(fmt::format("a tensor has at most {} axes, ({}) has {}", max_rank,
                            fmt::join(extents, ", "), extents.size()));
  for (int e : extents) extents_[rank_++] = e;
  check();
}

void Shape::check() const {
  for (int e : extents())
    if (e < 0) throw Error(fmt::format("shape {} has a negative extent", str()));
  if (elements() >= int64_t{1} << 31)
    throw Error(
        fmt::format("a tensor of shape {} has 2^31 elements or more; use a smaller batch", str()));
}

int Shape::operator[](int axis) const {
  const int i = axis < 0 ? axis + rank_ : axis;
  if (i < 0 || i >= rank_) throw Error(fmt::format("shape {} has no axis {}", str(), axis));
  return extents_[i];
}

void Shape::set(int axis, int extent) {
  (void)(*this)[axis];
  extents_[axis < 0 ? axis + rank_ : axis] = extent;
  check();
}

int64_t Shape::elements() const {
  int64_t n = 1;
  for (int e : extents()) {
    // Saturates instead of overflowing: five extents of 2^31 do not fit 64 bits.
    if (e != 0 && n > (int64_t{1} << 40) / e) return int64_t{1} << 40;
    n *= e;
  }
  return n;
}

int Shape::pixels() const {
  const int c = channels();
  return c ? static_cast<int>(elements() / c) : 0;
}

Shape Shape::without_batch() const {
  if (rank_ == 0) throw Error("a shape without axes has no batch");
  return Shape(extents().subspan(1));
}

Shape Shape::with_batch(int n) const {
  Shape s = *this;
  s.set(0, n);
  return s;
}

Shape Shape::batched(int n) const {
  std::array<int, max_rank + 1> e{n};
  for (int i = 0; i < rank_; ++i) e[i + 1] = extents_[i];
  return Shape(std::span<const int>(e.data(), rank_ + 1));
}

std::string Shape::str() const { return fmt::format("({})", fmt::join(extents(), ", ")); }

}  // namespace ocellus
