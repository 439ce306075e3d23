#include "ocellus/core/zip.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <ctime>
#include <list>
#include <mutex>
#include <set>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"

namespace ocellus {
namespace fs = std::filesystem;
namespace {

// More than a text of one letter packs to, and than honest weights ever do.
constexpr uint64_t largest_expansion = 1000;

struct Discard {
  void operator()(zip_t* z) const { zip_discard(z); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

struct CloseEntry {
  void operator()(zip_file_t* f) const { zip_fclose(f); }
};

using OpenEntry = std::unique_ptr<zip_file_t, CloseEntry>;

std::string message_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Archive open(const fs::path& file, int flags, int& code) {
  return Archive(zip_open(file.c_str(), flags, &code));
}

// Whether a path leads out of the folder that an archive is unpacked to.
bool leads_out(const std::string& path) {
  if (path.empty() || path[0] == '/' || path.find('\\') != std::string::npos ||
      path.find(':') != std::string::npos)
    return true;
  const fs::path parts(path);
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

// `bytes`: of the archive.
void check(const zip_stat_t& entry, const std::string& archive, uint64_t bytes,
           std::set<std::string>& names) {
  constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                  ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_COMP_METHOD;
  if ((entry.valid & needed) != needed)
    throw DataError(fmt::format("{}: an entry of the archive lacks its name or size", archive));
  const auto refuse = [&](const char* why) {
    throw DataError(
        fmt::format("{}: the entry '{}' {}, which is refused", archive, entry.name, why));
  };
  if (leads_out(entry.name)) refuse("leads out of the archive");
  if (!names.insert(entry.name).second) refuse("stands in the archive twice");
  if (entry.encryption_method != ZIP_EM_NONE) refuse("is encrypted");
  if (entry.size / largest_expansion > entry.comp_size)
    refuse("unpacks to more than a thousand times its size");
  if (entry.comp_size > bytes ||
      (entry.comp_method == ZIP_CM_STORE && entry.size != entry.comp_size))
    refuse("claims a size that it cannot have");
}

}  // namespace

struct ZipReader::State {
  std::string name;
  Archive archive;
  std::vector<std::string> entries;
  mutable std::mutex mutex;  // libzip is not thread-safe

  DataError failure(const std::string& entry, const std::string& why) const {
    return DataError(fmt::format("{}: '{}': {}", name, entry, why));
  }

  zip_stat_t find(const std::string& entry) const {
    const auto it = std::find(entries.begin(), entries.end(), entry);
    if (it == entries.end()) throw failure(entry, "is missing");
    zip_stat_t stat;
    zip_stat_index(archive.get(), static_cast<zip_uint64_t>(it - entries.begin()), 0, &stat);
    return stat;
  }

  OpenEntry open(const zip_stat_t& stat) const {
    OpenEntry in(zip_fopen_index(archive.get(), stat.index, 0));
    if (!in)
      throw failure(stat.name, fmt::format("cannot be read: {}", zip_strerror(archive.get())));
    return in;
  }

  // The entry from its begin to its end, which checks its checksum. What the archive claims may be
  // a lie: so nothing is taken from it but the order to stop.
  void stream(const std::string& entry,
              const std::function<void(std::span<const std::byte>)>& take) const {
    const std::lock_guard lock(mutex);
    const zip_stat_t stat = find(entry);
    const OpenEntry in = open(stat);
    std::vector<std::byte> piece(size_t{1} << 20);
    for (uint64_t at = 0;;) {
      const zip_int64_t n = zip_fread(in.get(), piece.data(), piece.size());
      if (n < 0) throw failure(entry, fmt::format("damaged: {}", zip_file_strerror(in.get())));
      at += static_cast<uint64_t>(n);
      if (at > stat.size) throw failure(entry, "holds more than the archive claims");
      if (n == 0 && at != stat.size) throw failure(entry, "ends too early");
      if (n == 0) return;
      take(std::span(piece).first(static_cast<size_t>(n)));
    }
  }
};

ZipReader::ZipReader(const fs::path& file) {
  const auto state = std::make_shared<State>();
  state->name = file.string();
  int code = 0;
  state->archive = open(file, ZIP_RDONLY, code);
  if (!state->archive)
    throw DataError(
        fmt::format("{}: no zip archive that can be read: {}", state->name, message_of(code)));
  const zip_int64_t count = zip_get_num_entries(state->archive.get(), 0);
  const uint64_t bytes = fs::file_size(file);
  std::set<std::string> names;
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t entry;
    if (zip_stat_index(state->archive.get(), static_cast<zip_uint64_t>(i), 0, &entry) != 0)
      throw DataError(fmt::format("{}: its list of entries is damaged", state->name));
    check(entry, state->name, bytes, names);
    state->entries.emplace_back(entry.name);
  }
  state_ = state;
}

ZipReader::~ZipReader() = default;
ZipReader::ZipReader(ZipReader&&) noexcept = default;
ZipReader& ZipReader::operator=(ZipReader&&) noexcept = default;

const std::string& ZipReader::name() const { return state_->name; }
const std::vector<std::string>& ZipReader::entries() const { return state_->entries; }

bool ZipReader::has(std::string_view entry) const {
  return std::find(state_->entries.begin(), state_->entries.end(), entry) != state_->entries.end();
}

std::vector<std::byte> ZipReader::read(const std::string& entry) const {
  std::vector<std::byte> bytes;
  state_->stream(entry, [&](std::span<const std::byte> piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  });
  return bytes;
}

void ZipReader::verify() const {
  for (const std::string& entry : state_->entries)
    state_->stream(entry, [](std::span<const std::byte>) {});
}

ByteSource ZipReader::source(const std::string& entry) const {
  const std::string name = state_->name + ": " + entry;
  const zip_stat_t stat = state_->find(entry);
  if (stat.comp_method != ZIP_CM_STORE) return ByteSource::of_memory(read(entry), name);
  const std::shared_ptr<zip_file_t> in(state_->open(stat).release(),
                                       [state = state_](zip_file_t* file) {
                                         const std::lock_guard lock(state->mutex);
                                         zip_fclose(file);
                                       });
  return {name, stat.size, [state = state_, in, entry](uint64_t first, std::span<std::byte> to) {
            const std::lock_guard lock(state->mutex);
            bool good = zip_fseek(in.get(), static_cast<zip_int64_t>(first), SEEK_SET) == 0;
            while (good && !to.empty()) {
              const zip_int64_t n = zip_fread(in.get(), to.data(), to.size());
              good = n > 0;
              if (good) to = to.subspan(static_cast<size_t>(n));
            }
            if (!good) throw state->failure(entry, "cannot be read any more");
          }};
}

std::string ZipReader::read_text(const std::string& entry) const {
  const std::vector<std::byte> bytes = read(entry);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct ZipWriter::State {
  std::string name;
  fs::path temporary;
  Archive archive;
  // What libzip reads when the archive is closed.
  std::list<std::string> texts;
  std::vector<fs::path> files;

  ~State() {
    std::error_code ignored;
    for (const fs::path& f : files) fs::remove(f, ignored);
  }

  [[noreturn]] void fail() const {
    throw Error(fmt::format("{}: cannot be written: {}", name, zip_strerror(archive.get())));
  }

  void add(const std::string& entry, zip_source_t* source) {
    if (!source) fail();
    const zip_int64_t i = zip_file_add(archive.get(), entry.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
      zip_source_free(source);
      fail();
    }
    // The first day that the format knows, as local time, which is what it stores.
    std::tm day{};
    day.tm_year = 80;
    day.tm_mday = 1;
    day.tm_isdst = -1;
    const auto index = static_cast<zip_uint64_t>(i);
    if (zip_set_file_compression(archive.get(), index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_mtime(archive.get(), index, std::mktime(&day), 0) != 0)
      fail();
  }
};

ZipWriter::ZipWriter(const fs::path& temporary, const std::string& name)
    : state_(std::make_unique<State>()) {
  state_->name = name;
  state_->temporary = temporary;
  int code = 0;
  state_->archive = open(temporary, ZIP_CREATE | ZIP_TRUNCATE, code);
  if (!state_->archive)
    throw Error(fmt::format("{}: cannot be written: {}", name, message_of(code)));
}

ZipWriter::~ZipWriter() = default;

void ZipWriter::write(const fs::path& file, const std::function<void(ZipWriter&)>& fill) {
  write_atomically(file, [&](const fs::path& temporary) {
    ZipWriter writer(temporary, file.string());
    fill(writer);
    State& s = *writer.state_;
    if (zip_close(s.archive.get()) != 0) s.fail();
    (void)s.archive.release();  // closed
  });
}

void ZipWriter::add(const std::string& entry, std::string text) {
  const std::string& kept = state_->texts.emplace_back(std::move(text));
  state_->add(entry,
              zip_source_buffer(state_->archive.get(), kept.data(), kept.size(), /*freep=*/0));
}

void ZipWriter::add(const std::string& entry,
                    const std::function<void(const fs::path& temporary)>& write) {
  fs::path file = state_->temporary;
  file += fmt::format(".{}", state_->files.size());
  state_->files.push_back(file);
  write(file);
  state_->add(entry, zip_source_file(state_->archive.get(), file.c_str(), 0, -1));
}

}  // namespace ocellus
