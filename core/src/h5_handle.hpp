#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "ocellus/core/array.hpp"

namespace ocellus::h5 {

/// HDF5 keeps its state in globals: one lock for all of its calls.
std::unique_lock<std::recursive_mutex> lock();

/// An HDF5 identifier with the call that gives it back.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { reset(); }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }
  hid_t id() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// HDF5's own explanation of the last failure, innermost first; clears it.
std::string last_error();

/// Where a call works, for messages: "FILE: '/model_weights/conv1'".
std::string place(const std::string& file, std::string_view path);

/// `id` or `status` if the call went well, else DataError "PLACE: WHAT (HDF5: ...)".
Handle checked(hid_t id, Handle::Close close, const std::string& place, const char* what);
void checked(herr_t status, const std::string& place, const char* what);

/// Element type of an Array in memory.
hid_t memory_type(DType type);

/// Largest attribute, in bytes, that Keras puts into one piece: object headers end at 64 KiB.
inline constexpr size_t largest_attribute = 64512;

}  // namespace ocellus::h5
