#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/core/byte_source.hpp"

namespace ocellus {

// Zip archives, wrapped once (libzip).

/// A zip archive open for reading. Every failure is a DataError that names the archive and the
/// entry. Refused when the archive is opened: encrypted entries, two of one name, absolute paths
/// and those with "..", and entries that claim to unpack to more than 1000 times their packed size
/// or to be larger than the archive. Nothing is ever unpacked to the disk.
class OCELLUS_API ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& file);
  ~ZipReader();
  ZipReader(ZipReader&&) noexcept;
  ZipReader& operator=(ZipReader&&) noexcept;

  const std::string& name() const;
  /// Names of the entries, in the archive's order.
  const std::vector<std::string>& entries() const;
  bool has(std::string_view entry) const;
  /// Contents of an entry, checked against the size and the checksum that the archive gives for it.
  std::vector<std::byte> read(const std::string& entry) const;
  std::string read_text(const std::string& entry) const;
  /// An entry to be read at any place. One that is stored, not packed, stays in the archive and is
  /// not checked against its checksum: verify() does that. A packed one is read into memory.
  ByteSource source(const std::string& entry) const;
  /// Checks sizes and checksums of all entries, without keeping what they hold.
  void verify() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// Writes a zip archive: entries are stored, not packed, and bear no time: the same content gives
/// the same bytes.
class OCELLUS_API ZipWriter {
 public:
  /// Makes the file all or nothing, as write_atomically(): if `fill` throws, the old file stays.
  static void write(const std::filesystem::path& file, const std::function<void(ZipWriter&)>& fill);

  void add(const std::string& entry, std::string text);
  /// An entry that `write` writes to a temporary file, whose name it is given: for what may be
  /// large.
  void add(const std::string& entry,
           const std::function<void(const std::filesystem::path& temporary)>& write);

  ~ZipWriter();
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

 private:
  ZipWriter(const std::filesystem::path& temporary, const std::string& name);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
