#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "h5_driver.hpp"
#include "h5_handle.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"

namespace ocellus {

using h5::checked;
using h5::Handle;

namespace {

// A compressed dataset may be larger than its file, but an honest one not by this factor.
constexpr uint64_t largest_expansion = 1000;

std::string normal(std::string_view path) {
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  return std::string(path);
}

struct Extents {
  std::vector<hsize_t> of;
  hsize_t elements = 1;
};

Extents extents_of(hid_t space, const std::string& place) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) return {{0}, 0};
  const int rank = H5Sget_simple_extent_ndims(space);
  checked(rank, place, "has no readable shape");
  Extents e;
  e.of.resize(static_cast<size_t>(rank));
  checked(H5Sget_simple_extent_dims(space, e.of.data(), nullptr), place, "has no readable shape");
  for (hsize_t n : e.of)
    if (__builtin_mul_overflow(e.elements, n, &e.elements))
      throw DataError(fmt::format("{}: its shape overflows", place));
  return e;
}

// The file's own string type serves as memory type: so nothing is converted, whatever its character
// set and padding.
std::vector<std::string> strings_of(hid_t type, hid_t space, hsize_t count,
                                    const std::string& place,
                                    const std::function<herr_t(void*)>& read) {
  std::vector<std::string> out;
  if (count == 0) return out;
  if (H5Tget_class(type) != H5T_STRING) throw DataError(fmt::format("{}: holds no strings", place));
  out.reserve(count);
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(count, nullptr);
    checked(read(pointers.data()), place, "cannot be read");
    for (const char* p : pointers) out.emplace_back(p ? p : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
    return out;
  }
  const size_t width = H5Tget_size(type);
  std::vector<char> bytes(width * count);
  checked(read(bytes.data()), place, "cannot be read");
  const bool spaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  for (hsize_t i = 0; i < count; ++i) {
    const char* at = bytes.data() + i * width;
    std::string text(at, strnlen(at, width));
    if (spaces) text.erase(text.find_last_not_of(' ') + 1);
    out.push_back(std::move(text));
  }
  return out;
}

// Which Array type holds the numbers of a file's type without loss (but f64, which becomes f32).
std::optional<DType> array_type(hid_t type) {
  const size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return DType::f32;
    case H5T_OPAQUE:  // numpy's bfloat16, which HDF5 does not know
      return size == 2 ? std::optional(DType::f32) : std::nullopt;
    case H5T_ENUM:
      return size == 1 ? std::optional(DType::u8) : std::nullopt;  // h5py's bool
    case H5T_INTEGER: {
      const bool is_unsigned = H5Tget_sign(type) == H5T_SGN_NONE;
      if (size == 1 && is_unsigned) return DType::u8;
      if (size < 4 || (size == 4 && !is_unsigned)) return DType::i32;
      return size <= 8 ? std::optional(DType::i64) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

// Refuses a shape whose data cannot lie in a file of `file_bytes`; compression allows a factor.
void check_size(uint64_t elements, uint64_t size, uint64_t file_bytes, const std::string& place,
                uint64_t factor = 1) {
  uint64_t needed = 0;
  if (__builtin_mul_overflow(elements, size, &needed) || needed / factor > file_bytes)
    throw DataError(fmt::format("{}: claims {} elements of {} bytes, the file has {} bytes", place,
                                elements, size, file_bytes));
}

// Smaller datasets are read at once. Larger ones can leave the device while packed copies serve
// (Network::release), as the file still has them.
constexpr size_t smallest_lazy = size_t{16} << 10;

// An open dataset whose storage and size are in order.
struct Dataset {
  Handle object, type, space;
  Extents extents;

  Dataset(Handle opened, const std::string& place, uint64_t file_bytes)
      : object(std::move(opened)) {
    if (H5Iget_type(object.id()) != H5I_DATASET)
      throw DataError(fmt::format("{}: is no dataset", place));
    type = checked(H5Dget_type(object.id()), H5Tclose, place, "has no readable type");
    space = checked(H5Dget_space(object.id()), H5Sclose, place, "has no readable shape");
    extents = extents_of(space.id(), place);
    const Handle layout =
        checked(H5Dget_create_plist(object.id()), H5Pclose, place, "has no readable layout");
    if (H5Pget_layout(layout.id()) == H5D_VIRTUAL || H5Pget_external_count(layout.id()) > 0)
      throw DataError(fmt::format("{}: keeps its data in other files, which is refused", place));
    check_size(extents.elements, H5Tget_size(type.id()), file_bytes, place,
               H5Pget_nfilters(layout.id()) > 0 ? largest_expansion : 1);
  }

  // Where in the file the elements lie as they are in memory; nothing if they do not.
  std::optional<uint64_t> raw_place(uint64_t file_bytes) const {
    if (H5Tequal(type.id(), H5T_NATIVE_FLOAT) <= 0) return std::nullopt;
    const haddr_t place = H5Dget_offset(object.id());  // undefined unless contiguous and allocated
    const uint64_t size = extents.elements * sizeof(float);
    if (place == HADDR_UNDEF || place > file_bytes || size > file_bytes - place)
      return std::nullopt;
    return place;
  }

  DType number_type(const std::string& place) const {
    const auto t = array_type(type.id());
    if (!t) throw DataError(fmt::format("{}: holds no numbers", place));
    return *t;
  }

  bool is_bfloat16() const { return H5Tget_class(type.id()) == H5T_OPAQUE; }

  // Booleans and bfloat16 are read as they are stored: HDF5 does not convert them to numbers.
  hid_t memory_type(DType t) const {
    return H5Tget_class(type.id()) == H5T_ENUM || is_bfloat16() ? type.id() : h5::memory_type(t);
  }
};

// The first half of `values` holds bfloat16 numbers: the upper halves of floats.
void widen_bfloat16(std::span<float> values) {
  const auto* narrow = reinterpret_cast<const std::byte*>(values.data());
  for (size_t i = values.size(); i-- > 0;) {
    uint16_t upper;
    std::memcpy(&upper, narrow + 2 * i, sizeof upper);
    values[i] = std::bit_cast<float>(uint32_t{upper} << 16);
  }
}

Shape shape_of(const Extents& e, const std::string& place) {
  std::vector<int> of;
  for (hsize_t n : e.of) {
    if (n > 0x7fffffff) throw DataError(fmt::format("{}: an extent of {} is too large", place, n));
    of.push_back(static_cast<int>(n));
  }
  try {
    return Shape(of);
  } catch (const Error& error) {
    throw DataError(fmt::format("{}: {}", place, error.what()));
  }
}

}  // namespace

struct H5Reader::State {
  std::string name;
  uint64_t bytes = 0;
  Handle file;
  /// The file's bytes beside the library: what is plain float32 there needs no conversion. Nothing
  /// where addresses are not places in the file.
  std::optional<ByteSource> raw;

  // Behind a user block addresses are not places in the file.
  void read_beside(ByteSource source) {
    const Handle made =
        checked(H5Fget_create_plist(file.id()), H5Pclose, name, "has no readable header");
    hsize_t user_block = 0;
    checked(H5Pget_userblock(made.id(), &user_block), name, "has no readable header");
    if (user_block == 0) raw = std::move(source);
  }

  std::string place(std::string_view path) const { return h5::place(name, path); }
  std::string place(std::string_view path, const std::string& attribute) const {
    return fmt::format("{}: attribute '{}' of '{}'", name, attribute, path.empty() ? "/" : path);
  }

  // Whether an object is there, refusing every link that leads elsewhere.
  bool exists(std::string_view path) const {
    const std::string all = normal(path);
    for (size_t end = 0; end != std::string::npos && !all.empty();) {
      end = all.find('/', end + 1);
      const std::string part = all.substr(0, end);
      const htri_t there = H5Lexists(file.id(), part.c_str(), H5P_DEFAULT);
      checked(there, place(part), "cannot be looked up");
      if (there == 0) return false;
      H5L_info_t link;
      checked(H5Lget_info(file.id(), part.c_str(), &link, H5P_DEFAULT), place(part),
              "cannot be looked up");
      if (link.type != H5L_TYPE_HARD)
        throw DataError(
            fmt::format("{}: is a soft or external link, which is refused", place(part)));
    }
    return true;
  }

  // A group, a dataset or a named type.
  Handle open(std::string_view path) const {
    if (!exists(path)) throw DataError(fmt::format("{}: is missing", place(path)));
    const std::string p = normal(path);
    return checked(H5Oopen(file.id(), p.empty() ? "/" : p.c_str(), H5P_DEFAULT), H5Oclose,
                   place(path), "cannot be opened");
  }

  bool is(std::string_view path, H5I_type_t type) const {
    return exists(path) && H5Iget_type(open(path).id()) == type;
  }

  Handle attribute(hid_t object, std::string_view path, const std::string& attribute) const {
    return checked(H5Aopen(object, attribute.c_str(), H5P_DEFAULT), H5Aclose,
                   place(path, attribute), "is missing");
  }

  std::vector<std::string> attribute_texts(std::string_view path, const std::string& name) const {
    const Handle object = open(path), a = attribute(object.id(), path, name);
    const std::string where = place(path, name);
    const Handle space = checked(H5Aget_space(a.id()), H5Sclose, where, "has no readable shape");
    const Handle type = checked(H5Aget_type(a.id()), H5Tclose, where, "has no readable type");
    const Extents e = extents_of(space.id(), where);
    check_size(e.elements, H5Tget_size(type.id()), bytes, where);
    return strings_of(type.id(), space.id(), e.elements, where,
                      [&](void* to) { return H5Aread(a.id(), type.id(), to); });
  }
};

H5Reader::H5Reader(const std::filesystem::path& file) : state_(std::make_unique<State>()) {
  const auto lock = h5::lock();
  state_->name = file.string();
  ByteSource source = ByteSource::of_file(file);
  state_->bytes = source.size;
  state_->file = checked(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, state_->name,
                         "is no HDF5 file that can be read");
  state_->read_beside(std::move(source));
}

H5Reader::H5Reader(ByteSource source) : state_(std::make_unique<State>()) {
  const auto lock = h5::lock();
  state_->name = source.name;
  state_->bytes = source.size;
  state_->file = h5::open_source(source);
  state_->read_beside(std::move(source));
}

H5Reader::~H5Reader() {
  const auto lock = h5::lock();
  state_.reset();
}
H5Reader::H5Reader(H5Reader&&) noexcept = default;
H5Reader& H5Reader::operator=(H5Reader&&) noexcept = default;

const std::string& H5Reader::name() const { return state_->name; }

bool H5Reader::has_group(std::string_view path) const {
  const auto lock = h5::lock();
  return state_->is(path, H5I_GROUP);
}

bool H5Reader::has_dataset(std::string_view path) const {
  const auto lock = h5::lock();
  return state_->is(path, H5I_DATASET);
}

std::vector<std::string> H5Reader::members(std::string_view path) const {
  const auto lock = h5::lock();
  const Handle group = state_->open(path);
  if (H5Iget_type(group.id()) != H5I_GROUP)
    throw DataError(fmt::format("{}: is no group", state_->place(path)));
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  checked(H5Literate(group.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names),
          state_->place(path), "cannot be listed");
  return names;
}

Shape H5Reader::shape(std::string_view path) const {
  const auto lock = h5::lock();
  const std::string where = state_->place(path);
  return shape_of(Dataset(state_->open(path), where, state_->bytes).extents, where);
}

Array H5Reader::read(std::string_view path) const {
  const auto lock = h5::lock();
  const std::string where = state_->place(path);
  const Dataset d(state_->open(path), where, state_->bytes);
  const DType type = d.number_type(where);
  const Shape shape = shape_of(d.extents, where);
  if (state_->raw && d.extents.elements * bytes_of(type) >= smallest_lazy)
    if (const auto at = d.raw_place(state_->bytes))
      return Array::lazy(shape, type,
                         [raw = *state_->raw, at = *at](size_t first, std::span<std::byte> to) {
                           raw.read(at + first, to);
                         });
  Array out(shape, type);
  if (!out.empty())
    checked(H5Dread(d.object.id(), d.memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                    out.bytes().data()),
            where, "cannot be read");
  if (d.is_bfloat16()) widen_bfloat16(out.f32());
  return out;
}

Array H5Reader::read_rows(std::string_view path, int first, int count) const {
  const auto lock = h5::lock();
  const std::string where = state_->place(path);
  const Dataset d(state_->open(path), where, state_->bytes);
  const DType type = d.number_type(where);
  const Shape shape = shape_of(d.extents, where);
  if (shape.rank() == 0 || first < 0 || count < 0 || int64_t{first} + count > shape[0])
    throw DataError(fmt::format("{}: has no rows {} to {}; its shape is {}", where, first,
                                int64_t{first} + count, shape.str()));
  Array out(shape.with_batch(count), type);
  if (out.empty()) return out;
  std::vector<hsize_t> start(d.extents.of.size(), 0), extent = d.extents.of;
  start[0] = static_cast<hsize_t>(first);
  extent[0] = static_cast<hsize_t>(count);
  checked(H5Sselect_hyperslab(d.space.id(), H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                              nullptr),
          where, "cannot be read");
  const Handle memory =
      checked(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose,
              where, "cannot be read");
  checked(H5Dread(d.object.id(), d.memory_type(type), memory.id(), d.space.id(), H5P_DEFAULT,
                  out.bytes().data()),
          where, "cannot be read");
  if (d.is_bfloat16()) widen_bfloat16(out.f32());
  return out;
}

std::vector<std::string> H5Reader::read_texts(std::string_view path) const {
  const auto lock = h5::lock();
  const std::string where = state_->place(path);
  const Dataset d(state_->open(path), where, state_->bytes);
  return strings_of(d.type.id(), d.space.id(), d.extents.elements, where, [&](void* to) {
    return H5Dread(d.object.id(), d.type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
  });
}

bool H5Reader::has_attribute(std::string_view path, const std::string& attribute) const {
  const auto lock = h5::lock();
  const Handle object = state_->open(path);
  const htri_t there = H5Aexists(object.id(), attribute.c_str());
  checked(there, state_->place(path, attribute), "cannot be looked up");
  return there > 0;
}

std::vector<std::string> H5Reader::attributes(std::string_view path) const {
  const auto lock = h5::lock();
  const Handle object = state_->open(path);
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  checked(H5Aiterate2(object.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names),
          state_->place(path), "cannot be listed");
  return names;
}

std::string H5Reader::text(std::string_view path, const std::string& attribute) const {
  const auto lock = h5::lock();
  const auto all = state_->attribute_texts(path, attribute);
  if (all.size() > 1)
    throw DataError(fmt::format("{}: expected one string, found {}", state_->place(path, attribute),
                                all.size()));
  return all.empty() ? std::string() : all[0];
}

std::string H5Reader::text(std::string_view path, const std::string& attribute,
                           const std::string& otherwise) const {
  return has_attribute(path, attribute) ? text(path, attribute) : otherwise;
}

bool H5Reader::has_texts(std::string_view path, const std::string& attribute) const {
  return has_attribute(path, attribute) || has_attribute(path, attribute + "0");
}

std::vector<std::string> H5Reader::texts(std::string_view path,
                                         const std::string& attribute) const {
  const auto lock = h5::lock();
  if (has_attribute(path, attribute) || !has_attribute(path, attribute + "0"))
    return state_->attribute_texts(path, attribute);
  std::vector<std::string> all;
  for (int i = 0; has_attribute(path, fmt::format("{}{}", attribute, i)); ++i)
    for (std::string& text : state_->attribute_texts(path, fmt::format("{}{}", attribute, i)))
      all.push_back(std::move(text));
  return all;
}

std::vector<double> H5Reader::numbers(std::string_view path, const std::string& attribute) const {
  const auto lock = h5::lock();
  const Handle object = state_->open(path), a = state_->attribute(object.id(), path, attribute);
  const std::string where = state_->place(path, attribute);
  const Handle space = checked(H5Aget_space(a.id()), H5Sclose, where, "has no readable shape");
  const Handle type = checked(H5Aget_type(a.id()), H5Tclose, where, "has no readable type");
  const Extents e = extents_of(space.id(), where);
  const H5T_class_t kind = H5Tget_class(type.id());
  if (kind != H5T_FLOAT && kind != H5T_INTEGER)
    throw DataError(fmt::format("{}: holds no numbers", where));
  check_size(e.elements, H5Tget_size(type.id()), state_->bytes, where);
  std::vector<double> out(e.elements);
  if (!out.empty())
    checked(H5Aread(a.id(), H5T_NATIVE_DOUBLE, out.data()), where, "cannot be read");
  return out;
}

double H5Reader::number(std::string_view path, const std::string& attribute) const {
  const auto all = numbers(path, attribute);
  if (all.size() != 1)
    throw DataError(fmt::format("{}: expected one number, found {}", state_->place(path, attribute),
                                all.size()));
  return all[0];
}

}  // namespace ocellus
