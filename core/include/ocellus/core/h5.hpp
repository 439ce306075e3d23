#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/core/array.hpp"
#include "ocellus/core/byte_source.hpp"

namespace ocellus {

// HDF5, wrapped once. Objects are named by absolute paths ("/model_weights/conv1"); "" and "/" are
// the root.
//
// Every failure is a DataError that names the file and the object; HDF5 prints nothing. What could
// lead out of the file or blow up memory is refused: soft and external links, external and virtual
// datasets, user filters, shapes that are larger than the file can hold. Debian's HDF5 may still
// crash on a damaged file: read files of strangers through trial_read().
//
// Thread safety: HDF5 is not thread-safe; all calls here are serialised by one lock in the wrapper.

/// An HDF5 file open for reading. Movable; the file closes with the last use.
class OCELLUS_API H5Reader {
 public:
  explicit H5Reader(const std::filesystem::path& file);
  /// From any source of bytes: the weights inside a .keras archive.
  explicit H5Reader(ByteSource source);
  ~H5Reader();
  H5Reader(H5Reader&&) noexcept;
  H5Reader& operator=(H5Reader&&) noexcept;

  const std::string& name() const;

  bool has_group(std::string_view path) const;
  bool has_dataset(std::string_view path) const;
  /// Names of a group's members, sorted.
  std::vector<std::string> members(std::string_view path) const;

  /// Shape of a dataset, without reading it.
  Shape shape(std::string_view path) const;
  /// A dataset of numbers: floats of 16, 32 and 64 bits become f32; unsigned bytes and booleans u8;
  /// integers that fit 32 bits i32; wider ones i64. Scalars have rank 0. Large plain floats come as
  /// a lazy array, which keeps the file open: an error of reading may then come later.
  Array read(std::string_view path) const;
  /// Rows [first, first + count) of the first axis.
  Array read_rows(std::string_view path, int first, int count) const;
  /// A dataset of strings (scalar or 1-D), in every kind of string that HDF5 has.
  std::vector<std::string> read_texts(std::string_view path) const;

  bool has_attribute(std::string_view path, const std::string& attribute) const;
  std::vector<std::string> attributes(std::string_view path) const;
  /// A string attribute: scalar or one element; variable or fixed length; ASCII or UTF-8; any
  /// padding.
  std::string text(std::string_view path, const std::string& attribute) const;
  std::string text(std::string_view path, const std::string& attribute,
                   const std::string& otherwise) const;
  /// A list of strings by Keras' rule: `name`, or name0, name1, ... joined where the list was too
  /// long for one attribute. An empty attribute of any type is an empty list.
  bool has_texts(std::string_view path, const std::string& attribute) const;
  std::vector<std::string> texts(std::string_view path, const std::string& attribute) const;
  /// Numbers, scalar (one) or 1-D.
  std::vector<double> numbers(std::string_view path, const std::string& attribute) const;
  double number(std::string_view path, const std::string& attribute) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes an HDF5 file that old readers understand (earliest format, contiguous datasets, no
/// filters, no time stamps: the same content gives the same bytes). Groups on the way to a path are
/// made.
class OCELLUS_API H5Writer {
 public:
  /// Makes the file all or nothing, as write_atomically(): if `fill` throws, the old file stays.
  static void write(const std::filesystem::path& file, const std::function<void(H5Writer&)>& fill);

  /// The same with a copy of the file `from` that is changed, not made anew. `from` may be `to`.
  static void edit(const std::filesystem::path& from, const std::filesystem::path& to,
                   const std::function<void(H5Writer&)>& change);

  bool has_group(std::string_view path) const;
  /// Takes a group or dataset out of the file.
  void remove(std::string_view path);
  void group(std::string_view path);
  void dataset(std::string_view path, const Array& values);
  /// A dataset that is filled piece by piece with write_rows().
  void create(std::string_view path, const Shape& shape, DType type);
  void write_rows(std::string_view path, int first, const Array& rows);
  /// 1-D, variable length, UTF-8.
  void dataset(std::string_view path, const std::vector<std::string>& texts);

  /// Attributes; the object must exist. A string is scalar, variable length, UTF-8.
  void attribute(std::string_view path, const std::string& name, const std::string& text);
  void attribute(std::string_view path, const std::string& name, const char* text) {
    attribute(path, name, std::string(text));
  }
  void attribute(std::string_view path, const std::string& name, double number);
  void attribute(std::string_view path, const std::string& name, int64_t number);
  void attribute(std::string_view path, const std::string& name, int number) {
    attribute(path, name, int64_t{number});
  }
  void attribute(std::string_view path, const std::string& name,
                 const std::vector<double>& numbers);
  /// Keras' rule: fixed length, split into name0, name1, ... where it exceeds 64,512 bytes. Throws
  /// Error when one string does.
  void attribute(std::string_view path, const std::string& name,
                 const std::vector<std::string>& texts);

  ~H5Writer();
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;

 private:
  /// `existing`: opens the temporary, instead of making it.
  H5Writer(const std::filesystem::path& temporary, const std::string& name, bool existing);
  void flush() const;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
