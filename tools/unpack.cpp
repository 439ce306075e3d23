#include "unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>

#include "ocellus/core/error.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

/// Files that go away unless they are put in place.
struct Unpacked {
  fs::path folder;
  std::set<std::string> names;
  fs::path temporary(const std::string& name) const { return folder / ("." + name + ".part"); }
  void put_in_place() {
    while (!names.empty()) {
      fs::rename(temporary(*names.begin()), folder / *names.begin());
      names.erase(names.begin());
    }
  }
  ~Unpacked() {
    std::error_code ignored;
    for (const std::string& name : names) fs::remove(temporary(name), ignored);
  }
};

[[noreturn]] void damaged(const fs::path& file, archive* from) {
  const char* why = archive_error_string(from);
  throw DataError(fmt::format("{}: cannot be unpacked: {}", file.string(), why ? why : "unknown"));
}

Archive open(const fs::path& file) {
  Archive from(archive_read_new(), archive_read_free);
  // Not "all": some of the rest run other programs.
  archive_read_support_filter_gzip(from.get());
  archive_read_support_filter_bzip2(from.get());
  archive_read_support_filter_xz(from.get());
  archive_read_support_filter_zstd(from.get());
  archive_read_support_format_tar(from.get());
  archive_read_support_format_zip(from.get());
  constexpr size_t block = 1 << 16;
  if (archive_read_open_filename(from.get(), file.c_str(), block) != ARCHIVE_OK)
    damaged(file, from.get());
  return from;
}

void copy(archive* from, const fs::path& archive_file, const fs::path& to,
          const std::function<bool()>& stop) {
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  for (;;) {
    if (stop()) throw Interrupted("stopped while unpacking; the same command does it again");
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(from, &data, &size, &offset);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK) damaged(archive_file, from);
    out.seekp(offset);
    out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    if (!out) break;
  }
  if (!out.flush())
    throw Error(
        fmt::format("{}: cannot be written: {}; make room, or set OCELLUS_CACHE to a folder "
                    "on another disk",
                    to.string(), std::strerror(errno)));
}

}  // namespace

void unpack(const fs::path& file, const std::vector<std::string>& names, const fs::path& folder,
            const std::function<bool()>& stop) {
  const Archive from = open(file);
  Unpacked unpacked{folder, {}};
  archive_entry* entry = nullptr;
  int status;
  while ((status = archive_read_next_header(from.get(), &entry)) == ARCHIVE_OK) {
    const char* path = archive_entry_pathname(entry);
    const std::string name = path ? fs::path(path).filename().string() : std::string();
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        std::ranges::find(names, name) == names.end())
      continue;
    if (!unpacked.names.insert(name).second)
      throw DataError(fmt::format("{}: holds two files '{}'", file.string(), name));
    copy(from.get(), file, unpacked.temporary(name), stop);
  }
  if (status != ARCHIVE_EOF) damaged(file, from.get());
  for (const std::string& name : names)
    if (!unpacked.names.count(name))
      throw DataError(fmt::format("{}: holds no file '{}'", file.string(), name));
  unpacked.put_in_place();
}

}  // namespace ocellus::tools
