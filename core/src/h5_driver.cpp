#include "h5_driver.hpp"

#include <cstring>
#include <exception>

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

namespace ocellus::h5 {
namespace {

// What HDF5 holds for an open file: its own part comes first.
struct OpenSource {
  H5FD_t base;
  ByteSource source;
  haddr_t end_of_addresses;
};

OpenSource& opened(H5FD_t* file) { return *reinterpret_cast<OpenSource*>(file); }
const OpenSource& opened(const H5FD_t* file) { return *reinterpret_cast<const OpenSource*>(file); }

H5FD_t* open(const char*, unsigned flags, hid_t access, haddr_t) {
  const auto* source = static_cast<const ByteSource* const*>(H5Pget_driver_info(access));
  if (!source || (flags & H5F_ACC_RDWR)) return nullptr;
  try {
    return &(new OpenSource{{}, **source, 0})->base;
  } catch (const std::exception&) {
    return nullptr;
  }
}

herr_t close(H5FD_t* file) {
  delete &opened(file);
  return 0;
}

haddr_t end_of_addresses(const H5FD_t* file, H5FD_mem_t) { return opened(file).end_of_addresses; }

herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  opened(file).end_of_addresses = end;
  return 0;
}

haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) { return opened(file).source.size; }

// HDF5 is C: no exception may leave. Behind the end there are zeros, as in HDF5's own drivers.
herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t first, size_t count, void* to) {
  const ByteSource& source = opened(file).source;
  const size_t there = first < source.size ? std::min<uint64_t>(count, source.size - first) : 0;
  auto* bytes = static_cast<std::byte*>(to);
  try {
    source.read(first, {bytes, there});
  } catch (const std::exception&) {
    return -1;
  }
  std::memset(bytes + there, 0, count - there);
  return 0;
}

herr_t write(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, size_t, const void*) { return -1; }

hid_t driver() {
  static const H5FD_class_t description = [] {
    H5FD_class_t d{};
#if H5_VERSION_GE(1, 13, 0)
    d.version = H5FD_CLASS_VERSION;
    d.value = static_cast<H5FD_class_value_t>(512);  // of those that HDF5 leaves for private use
#endif
    d.name = "ocellus_source";
    d.maxaddr = HADDR_MAX;
    d.fc_degree = H5F_CLOSE_WEAK;
    d.fapl_size = sizeof(const ByteSource*);
    d.open = open;
    d.close = close;
    d.get_eoa = end_of_addresses;
    d.set_eoa = set_end_of_addresses;
    d.get_eof = end_of_file;
    d.read = read;
    d.write = write;
    return d;
  }();
  static const hid_t id = H5FDregister(&description);
  return id;
}

}  // namespace

Handle open_source(const ByteSource& source) {
  const std::string& name = source.name;
  const Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name, "cannot be opened");
  const ByteSource* place = &source;
  checked(H5Pset_driver(access.id(), driver(), &place), name, "cannot be opened");
  return checked(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, name,
                 "is no HDF5 data that can be read");
}

}  // namespace ocellus::h5
