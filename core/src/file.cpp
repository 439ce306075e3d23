#include "ocellus/core/file.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <system_error>

#include "ocellus/core/error.hpp"
#include "ocellus/core/text.hpp"
#include "platform/platform.hpp"

namespace ocellus {
namespace fs = std::filesystem;
namespace {

template <class Container>
Container read_all(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw DataError(fmt::format("{}: no such file", path.string()));
  if (fs::is_directory(path, ignored))
    throw DataError(fmt::format("{}: is a directory", path.string()));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw DataError(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  Container all;
  // In pieces, since a pipe or a file of /proc does not know its size.
  const auto size = fs::file_size(path, ignored);
  if (!ignored) all.reserve(size);
  std::array<char, 1 << 16> piece;
  while (in.read(piece.data(), piece.size()), in.gcount() > 0) {
    const auto* from = reinterpret_cast<const typename Container::value_type*>(piece.data());
    all.insert(all.end(), from, from + in.gcount());
  }
  if (in.bad())
    throw DataError(fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  return all;
}

[[noreturn]] void cannot_write(const fs::path& path, const char* reason) {
  throw Error(fmt::format("{}: cannot be written: {}", path.string(), reason));
}

// Removes the temporary file unless it has been renamed.
struct Temporary {
  fs::path path;
  ~Temporary() {
    std::error_code ignored;
    if (!path.empty()) fs::remove(path, ignored);
  }
};

}  // namespace

std::vector<std::byte> read_file(const fs::path& path) {
  return read_all<std::vector<std::byte>>(path);
}
std::string read_text(const fs::path& path) { return read_all<std::string>(path); }

std::vector<std::byte> read_maybe_gzip(const fs::path& path, size_t limit) {
  std::vector<std::byte> packed = read_file(path);
  if (packed.size() < 2 || packed[0] != std::byte{0x1f} || packed[1] != std::byte{0x8b})
    return packed;
  z_stream z{};
  if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) throw Error("zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&z, inflateEnd);
  std::vector<std::byte> out;
  std::array<Bytef, 1 << 16> piece;
  size_t at = 0;
  for (int status = Z_OK;;) {
    if (z.avail_in == 0) {
      const size_t n = std::min<size_t>(packed.size() - at, std::numeric_limits<uInt>::max());
      z.next_in = reinterpret_cast<Bytef*>(packed.data() + at);
      z.avail_in = static_cast<uInt>(n);
      at += n;
    }
    z.next_out = piece.data();
    z.avail_out = piece.size();
    status = inflate(&z, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END)
      throw DataError(fmt::format("{}: damaged or truncated gzip data", path.string()),
                      z.msg ? z.msg : "");
    const size_t n = piece.size() - z.avail_out;
    if (out.size() + n > limit)
      throw DataError(fmt::format("{}: unpacks to more than {}", path.string(),
                                  human_bytes(static_cast<double>(limit))));
    out.insert(out.end(), reinterpret_cast<std::byte*>(piece.data()),
               reinterpret_cast<std::byte*>(piece.data()) + n);
    if (status == Z_STREAM_END) {
      // gzip files may be joined end to end.
      if (z.avail_in == 0 && at == packed.size()) return out;
      inflateReset(&z);
    }
  }
}

void write_atomically(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  // The process id keeps two writers apart; a leftover of a crash is overwritten by its successor.
  Temporary temporary{directory /
                      fmt::format(".{}.{}.tmp", path.filename().string(), platform::process_id())};
  write(temporary.path);
  try {
    platform::flush_file(temporary.path);
    platform::rename_over(temporary.path, path);
    temporary.path.clear();
    platform::flush_directory(directory);
  } catch (const std::system_error& e) {
    cannot_write(path, e.what());
  }
}

void write_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  write_atomically(path, [&](const fs::path& temporary) {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (out)
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()))
          .flush();
    if (!out) cannot_write(path, std::strerror(errno));
  });
}

void write_atomically(const fs::path& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span(text)));
}

std::string checksum(std::span<const std::byte> bytes) {
  return fmt::format("crc32:{:08x}",
                     crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string checksum(const fs::path& file) { return checksum(read_file(file)); }

}  // namespace ocellus
