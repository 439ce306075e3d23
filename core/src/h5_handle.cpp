#include "h5_handle.hpp"

#include <fmt/format.h>

#include "ocellus/core/error.hpp"

namespace ocellus::h5 {

std::unique_lock<std::recursive_mutex> lock() {
  static std::recursive_mutex mutex;
  std::unique_lock<std::recursive_mutex> held(mutex);
  // Errors become exceptions; nothing is printed.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  return held;
}

std::string last_error() {
  std::string text;
  const auto visit = [](unsigned, const H5E_error2_t* e, void* out) -> herr_t {
    auto& text = *static_cast<std::string*>(out);
    if (e->desc && *e->desc) text += fmt::format("{}{}", text.empty() ? "" : "; ", e->desc);
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, visit, &text);
  H5Eclear2(H5E_DEFAULT);
  return text;
}

std::string place(const std::string& file, std::string_view path) {
  return fmt::format("{}: '{}{}'", file, path.starts_with('/') ? "" : "/", path);
}

namespace {

[[noreturn]] void fail(const std::string& place, const char* what) {
  const std::string reason = last_error();
  // The innermost reason is the telling one; the whole chain is for -v.
  throw DataError(
      fmt::format(
          "{}: {}{}", place, what,
          reason.empty() ? "" : fmt::format(" (HDF5: {})", reason.substr(0, reason.find(';')))),
      reason);
}

}  // namespace

Handle checked(hid_t id, Handle::Close close, const std::string& place, const char* what) {
  if (id < 0) fail(place, what);
  return Handle(id, close);
}

void checked(herr_t status, const std::string& place, const char* what) {
  if (status < 0) fail(place, what);
}

hid_t memory_type(DType type) {
  switch (type) {
    case DType::f32:
      return H5T_NATIVE_FLOAT;
    case DType::i32:
      return H5T_NATIVE_INT32;
    case DType::u8:
      return H5T_NATIVE_UINT8;
    case DType::i64:
      return H5T_NATIVE_INT64;
  }
  throw Error("unknown element type");
}

}  // namespace ocellus::h5
