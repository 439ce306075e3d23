#include <fmt/format.h>

#include <algorithm>

#include "h5_handle.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"

namespace ocellus {

using h5::checked;
using h5::Handle;

struct H5Writer::State {
  std::string name;
  Handle file, links;

  std::string place(std::string_view path) const { return h5::place(name, path); }

  Handle open(std::string_view path) const {
    const std::string p(path.empty() ? "/" : path);
    return checked(H5Oopen(file.id(), p.c_str(), H5P_DEFAULT), H5Oclose, place(path),
                   "cannot be opened");
  }

  Handle create_dataset(std::string_view path, hid_t type, const Handle& space) const {
    const Handle properties =
        checked(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, place(path), "cannot be made");
    // Without times the same content gives the same bytes.
    checked(H5Pset_obj_track_times(properties.id(), false), place(path), "cannot be made");
    return checked(H5Dcreate2(file.id(), std::string(path).c_str(), type, space.id(), links.id(),
                              properties.id(), H5P_DEFAULT),
                   H5Dclose, place(path), "cannot be made");
  }

  // Replaces an attribute of the same name.
  void put(std::string_view path, const std::string& attribute, hid_t type, const Handle& space,
           const void* data) const {
    const Handle object = open(path);
    const std::string where =
        fmt::format("{}: attribute '{}' of '{}'", name, attribute, path.empty() ? "/" : path);
    if (H5Aexists(object.id(), attribute.c_str()) > 0)
      checked(H5Adelete(object.id(), attribute.c_str()), where, "cannot be replaced");
    const Handle a = checked(
        H5Acreate2(object.id(), attribute.c_str(), type, space.id(), H5P_DEFAULT, H5P_DEFAULT),
        H5Aclose, where, "cannot be made");
    if (data) checked(H5Awrite(a.id(), type, data), where, "cannot be written");
  }
};

namespace {

Handle scalar() { return Handle(H5Screate(H5S_SCALAR), H5Sclose); }

Handle vector_of(hsize_t n) { return Handle(H5Screate_simple(1, &n, nullptr), H5Sclose); }

Handle space_of(const Shape& shape) {
  if (shape.rank() == 0) return scalar();
  const std::vector<hsize_t> extents(shape.extents().begin(), shape.extents().end());
  return Handle(H5Screate_simple(shape.rank(), extents.data(), nullptr), H5Sclose);
}

Handle string_type(size_t width) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), width);
  H5Tset_cset(type.id(), H5T_CSET_UTF8);
  if (width != H5T_VARIABLE) H5Tset_strpad(type.id(), H5T_STR_NULLPAD);
  return type;
}

hid_t file_type(DType type) {
  switch (type) {
    case DType::f32:
      return H5T_IEEE_F32LE;
    case DType::i32:
      return H5T_STD_I32LE;
    case DType::u8:
      return H5T_STD_U8LE;
    case DType::i64:
      return H5T_STD_I64LE;
  }
  throw Error("unknown element type");
}

}  // namespace

H5Writer::H5Writer(const std::filesystem::path& temporary, const std::string& name, bool existing)
    : state_(std::make_unique<State>()) {
  state_->name = name;
  state_->links = checked(H5Pcreate(H5P_LINK_CREATE), H5Pclose, name, "cannot be written");
  checked(H5Pset_create_intermediate_group(state_->links.id(), 1), name, "cannot be written");
  state_->file =
      checked(existing ? H5Fopen(temporary.c_str(), H5F_ACC_RDWR, H5P_DEFAULT)
                       : H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
              H5Fclose, name, "cannot be written");
}

H5Writer::~H5Writer() {
  const auto lock = h5::lock();
  state_.reset();
}

void H5Writer::write(const std::filesystem::path& file,
                     const std::function<void(H5Writer&)>& fill) {
  write_atomically(file, [&](const std::filesystem::path& temporary) {
    const auto lock = h5::lock();
    H5Writer writer(temporary, file.string(), false);
    fill(writer);
    writer.flush();
  });
}

void H5Writer::edit(const std::filesystem::path& from, const std::filesystem::path& to,
                    const std::function<void(H5Writer&)>& change) {
  write_atomically(to, [&](const std::filesystem::path& temporary) {
    std::filesystem::copy_file(from, temporary, std::filesystem::copy_options::overwrite_existing);
    // Who may read a model may not be allowed to write it; the copy is ours.
    std::filesystem::permissions(temporary, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    const auto lock = h5::lock();
    H5Writer writer(temporary, to.string(), true);
    change(writer);
    writer.flush();
  });
}

// A full disk shows here at the latest, where it can still be told.
void H5Writer::flush() const {
  checked(H5Fflush(state_->file.id(), H5F_SCOPE_GLOBAL), state_->name, "cannot be written");
}

bool H5Writer::has_group(std::string_view path) const {
  const auto lock = h5::lock();
  return H5Lexists(state_->file.id(), std::string(path).c_str(), H5P_DEFAULT) > 0;
}

void H5Writer::remove(std::string_view path) {
  const auto lock = h5::lock();
  checked(H5Ldelete(state_->file.id(), std::string(path).c_str(), H5P_DEFAULT), state_->place(path),
          "cannot be removed");
}

void H5Writer::group(std::string_view path) {
  const auto lock = h5::lock();
  checked(H5Gcreate2(state_->file.id(), std::string(path).c_str(), state_->links.id(), H5P_DEFAULT,
                     H5P_DEFAULT),
          H5Gclose, state_->place(path), "cannot be made");
}

void H5Writer::create(std::string_view path, const Shape& shape, DType type) {
  const auto lock = h5::lock();
  state_->create_dataset(path, file_type(type), space_of(shape));
}

void H5Writer::dataset(std::string_view path, const Array& values) {
  const auto lock = h5::lock();
  const Handle d = state_->create_dataset(path, file_type(values.type()), space_of(values.shape()));
  if (!values.empty())
    checked(H5Dwrite(d.id(), h5::memory_type(values.type()), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                     values.bytes().data()),
            state_->place(path), "cannot be written");
}

void H5Writer::write_rows(std::string_view path, int first, const Array& rows) {
  if (rows.empty()) return;
  const auto lock = h5::lock();
  const std::string where = state_->place(path);
  const Handle d = state_->open(path);
  const Handle space = checked(H5Dget_space(d.id()), H5Sclose, where, "is no dataset");
  std::vector<hsize_t> start(static_cast<size_t>(rows.shape().rank()), 0);
  const std::vector<hsize_t> extent(rows.shape().extents().begin(), rows.shape().extents().end());
  if (H5Sget_simple_extent_ndims(space.id()) != rows.shape().rank())
    throw Error(fmt::format("{}: rows of shape {} have another rank", where, rows.shape().str()));
  start[0] = static_cast<hsize_t>(first);
  checked(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                              nullptr),
          where, "cannot be written");
  const Handle memory = space_of(rows.shape());
  checked(H5Dwrite(d.id(), h5::memory_type(rows.type()), memory.id(), space.id(), H5P_DEFAULT,
                   rows.bytes().data()),
          where, "cannot be written");
}

void H5Writer::dataset(std::string_view path, const std::vector<std::string>& texts) {
  const auto lock = h5::lock();
  const Handle type = string_type(H5T_VARIABLE);
  const Handle d = state_->create_dataset(path, type.id(), vector_of(texts.size()));
  std::vector<const char*> pointers;
  for (const std::string& t : texts) pointers.push_back(t.c_str());
  if (!texts.empty())
    checked(H5Dwrite(d.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()),
            state_->place(path), "cannot be written");
}

void H5Writer::attribute(std::string_view path, const std::string& name, const std::string& text) {
  const auto lock = h5::lock();
  const char* pointer = text.c_str();
  state_->put(path, name, string_type(H5T_VARIABLE).id(), scalar(), &pointer);
}

void H5Writer::attribute(std::string_view path, const std::string& name, double number) {
  const auto lock = h5::lock();
  state_->put(path, name, H5T_NATIVE_DOUBLE, scalar(), &number);
}

void H5Writer::attribute(std::string_view path, const std::string& name, int64_t number) {
  const auto lock = h5::lock();
  state_->put(path, name, H5T_NATIVE_INT64, scalar(), &number);
}

void H5Writer::attribute(std::string_view path, const std::string& name,
                         const std::vector<double>& numbers) {
  const auto lock = h5::lock();
  state_->put(path, name, H5T_NATIVE_DOUBLE, vector_of(numbers.size()),
              numbers.empty() ? nullptr : numbers.data());
}

void H5Writer::attribute(std::string_view path, const std::string& name,
                         const std::vector<std::string>& texts) {
  const auto lock = h5::lock();
  // What h5py makes of an empty list.
  if (texts.empty()) return state_->put(path, name, H5T_IEEE_F64LE, vector_of(0), nullptr);
  size_t width = 1;
  for (const std::string& t : texts) width = std::max(width, t.size());
  if (width > h5::largest_attribute)
    throw Error(fmt::format("{}: attribute '{}': a string of {} bytes exceeds HDF5's {}",
                            state_->place(path), name, width, h5::largest_attribute));
  // numpy's array_split: the first n mod k parts hold one more.
  const size_t n = texts.size();
  size_t parts = 1;
  while ((n + parts - 1) / parts * width > h5::largest_attribute) ++parts;
  size_t at = 0;
  for (size_t part = 0; part < parts; ++part) {
    const size_t count = n / parts + (part < n % parts);
    std::vector<char> packed(count * width, '\0');
    for (size_t i = 0; i < count; ++i, ++at)
      std::copy(texts[at].begin(), texts[at].end(),
                packed.begin() + static_cast<std::ptrdiff_t>(i * width));
    state_->put(path, parts == 1 ? name : fmt::format("{}{}", name, part), string_type(width).id(),
                vector_of(count), packed.data());
  }
}

}  // namespace ocellus
