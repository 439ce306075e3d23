// ocellus fetch NAME...: published weights, class names and data sets into the cache.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "download.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/hash.hpp"
#include "ocellus/core/published.hpp"
#include "ocellus/core/text.hpp"
#include "tool.hpp"
#include "unpack.hpp"

namespace ocellus::tools {
namespace {
namespace fs = std::filesystem;

struct Flags {
  bool list = false;
  Path from;
  std::vector<std::string> published;
  int timeout = 30, retries = 3;
};

const Published& find(const std::vector<Published>& items, const std::string& name) {
  const auto found = std::ranges::find(items, name, &Published::name);
  if (found != items.end()) return *found;
  std::vector<std::string> known;
  for (const Published& item : items) known.push_back(item.name);
  throw UsageError(
      fmt::format("nothing is published as '{}'{}", name, suggestion(name, known, 40)));
}

/// Adds an item, and with `needed` those that it needs, each once.
void collect(const std::vector<Published>& items, const std::string& name, bool needed,
             std::vector<const Published*>& wanted) {
  const Published& item = find(items, name);
  if (std::ranges::find(wanted, &item) != wanted.end()) return;
  wanted.push_back(&item);
  if (!needed) return;
  for (const std::string& other : item.needs) collect(items, other, needed, wanted);
}

std::string size_of(const Published& item) {
  int64_t bytes = 0;
  for (const PublishedFile& f : item.files) {
    if (!f.size) return "unknown";
    bytes += *f.size;
  }
  return human_bytes(static_cast<double>(bytes));
}

void print_list(Tool& tool, const std::vector<Published>& items) {
  if (tool.json) {
    Json list = Json::list();
    for (const Published& item : items) {
      Json files = Json::list();
      for (const PublishedFile& f : item.files)
        files.push_back(Json::Object{{"name", f.name},
                                     {"address", f.address},
                                     {"size", f.size ? Json(*f.size) : Json()},
                                     {"hash", f.hash.empty() ? Json() : Json(f.hash)}});
      list.push_back(Json::Object{{"name", item.name},
                                  {"about", item.about},
                                  {"licence", item.licence},
                                  {"cached", item.is_cached()},
                                  {"folder", item.folder().string()},
                                  {"files", files}});
    }
    return tool.print(list);
  }
  std::vector<std::vector<std::string>> rows;
  for (const Published& item : items)
    rows.push_back(
        {item.name, size_of(item), item.is_cached() ? "yes" : "no", item.licence, item.about});
  tool.print(format_table({"name", "size", "cached", "licence", "what it is"}, rows));
}

/// An item's folder, which does not stay when nothing came to stay in it.
struct ItemFolder {
  fs::path path;
  explicit ItemFolder(const fs::path& p) : path(p) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error)
      throw Error(fmt::format("{}: cannot be made: {}; OCELLUS_CACHE names another place",
                              path.string(), error.message()));
  }
  ~ItemFolder() {
    std::error_code not_empty;
    fs::remove(path, not_empty);
  }
};

/// Brings single items into the cache.
class Fetcher {
 public:
  Fetcher(Tool& tool, const Flags& flags) : tool_(tool), flags_(flags) {}

  /// What --json prints of an item.
  Json fetch(const Published& item);

 private:
  void bring(const Published& item, const PublishedFile& file);
  void copy_from(const Published& item, const PublishedFile& file, const fs::path& partial);
  void verify(const PublishedFile& file, const fs::path& partial, const std::string& source);
  std::string hash(const fs::path& path, const std::string& algorithm);
  void check_room(const Published& item, const PublishedFile& file, const fs::path& partial);

  Tool& tool_;
  const Flags& flags_;
};

std::string Fetcher::hash(const fs::path& path, const std::string& algorithm) {
  const auto total = static_cast<int64_t>(fs::file_size(path));
  return hash_file(path, algorithm, [&](int64_t done) {
    tool_.terminal.update("verifying " + path.stem().string(), done, total, "");
    if (tool_.terminal.stop_requested())
      throw Interrupted("stopped while verifying; the same command does it again");
  });
}

/// Throws DataError, the partial file being removed, unless it is what was published.
void Fetcher::verify(const PublishedFile& file, const fs::path& partial,
                     const std::string& source) {
  const auto refuse = [&](const std::string& why) {
    remove_partial(partial);
    throw DataError(fmt::format(
        "{}: {}; nothing was kept: it is damaged, or its publisher has changed it", source, why));
  };
  const auto size = static_cast<int64_t>(fs::file_size(partial));
  if (file.size && size != *file.size)
    refuse(fmt::format("has {} bytes, expected are {}", size, *file.size));
  if (!file.hash.empty()) {
    const std::string found = hash(partial, file.hash.substr(0, file.hash.find(':')));
    if (found != file.hash) refuse(fmt::format("has {}, expected is {}", found, file.hash));
    return;
  }
  // A page of a hotel's network, or of a publisher that moved, comes as a good answer too.
  constexpr std::string_view hdf5 = "\x89HDF\r\n\x1a\n";
  std::string begin(hdf5.size(), '\0');
  std::ifstream(partial, std::ios::binary).read(begin.data(), static_cast<int>(begin.size()));
  if (file.name.ends_with(".h5") && begin != hdf5) refuse("is not an HDF5 file");
  tool_.terminal.warning(fmt::format("{}: no hash is published for it; what came has {}", file.name,
                                     hash(partial, "sha256")));
}

void Fetcher::check_room(const Published& item, const PublishedFile& file,
                         const fs::path& partial) {
  std::error_code error;
  const auto have = static_cast<int64_t>(fs::file_size(partial, error));
  const fs::space_info space = fs::space(item.folder(), error);
  if (error || !file.size) return;
  const int64_t needed = *file.size - std::max<int64_t>(have, 0);
  if (needed > 0 && static_cast<uint64_t>(needed) > space.available)
    throw Error(
        fmt::format("{}: needs {}, {} are free; make room, or set OCELLUS_CACHE to a folder "
                    "on another disk",
                    item.folder().string(), human_bytes(static_cast<double>(needed)),
                    human_bytes(static_cast<double>(space.available))));
}

void Fetcher::copy_from(const Published& item, const PublishedFile& file, const fs::path& partial) {
  fs::path source = flags_.from.value;
  if (fs::is_directory(source)) {
    source /= file.name;
  } else if (item.files.size() > 1 && source.filename() != file.name) {
    throw UsageError(fmt::format("--from {}: {} has {} files; name the folder that holds them",
                                 flags_.from.value, item.name, item.files.size()));
  }
  if (!fs::is_regular_file(source))
    throw DataError(fmt::format("{}: no such file", source.string()));
  remove_partial(partial);
  std::error_code error;
  fs::copy_file(source, partial, error);
  if (error) {
    remove_partial(partial);
    throw Error(fmt::format("{}: cannot be copied to {}: {}", source.string(), partial.string(),
                            error.message()));
  }
  verify(file, partial, source.string());
}

void Fetcher::bring(const Published& item, const PublishedFile& file) {
  const fs::path partial = item.folder() / (file.name + ".part");
  check_room(item, file, partial);
  if (!flags_.from.value.empty()) {
    copy_from(item, file, partial);
  } else {
    const Download what{file.address, file.size,      !file.hash.empty(),
                        item.name,    flags_.timeout, flags_.retries};
    const bool one_piece = download(what, partial, tool_.terminal);
    try {
      verify(file, partial, file.address);
    } catch (const DataError&) {
      if (one_piece) throw;
      tool_.terminal.warning(
          fmt::format("{}: the pieces do not fit together; fetching all of it again", file.name));
      download(what, partial, tool_.terminal);
      verify(file, partial, file.address);
    }
  }
  if (!file.unpack.empty()) {
    tool_.terminal.info(fmt::format("{}: unpacking", file.name));
    unpack(partial, file.unpack, item.folder(), [&] { return tool_.terminal.stop_requested(); });
  } else {
    write_atomically(item.folder() / file.name,
                     [&](const fs::path& temporary) { fs::rename(partial, temporary); });
  }
  remove_partial(partial);
}

Json Fetcher::fetch(const Published& item) {
  const bool whole = item.is_cached() && !tool_.force;
  if (!whole) {
    const ItemFolder folder(item.folder());
    for (const PublishedFile& file : item.files) {
      const Published alone{item.name, {}, {}, {file}, {}, {}, {}};
      if (alone.is_cached() && !tool_.force) continue;
      bring(item, file);
    }
  }
  tool_.terminal.info(fmt::format("{}: {} {} (licence: {})", item.name,
                                  whole ? "was there already," : "is in", item.folder().string(),
                                  item.licence.empty() ? "unknown" : item.licence));
  return Json::Object{{"name", item.name},
                      {"folder", item.folder().string()},
                      {"files", Json::list_of(item.contents())},
                      {"licence", item.licence},
                      {"fetched", !whole}};
}

void run_fetch(Tool& tool) {
  Flags flags;
  std::vector<std::string> names;
  tool.line.rest("name", names);
  tool.line.flag("list", flags.list, "what there is, without fetching anything");
  tool.line.flag("from", flags.from,
                 "take the files from this file or folder instead of the network");
  tool.line.flag("published", flags.published,
                 "a further list of published items (docs/formats.md); so is $OCELLUS_PUBLISHED");
  tool.line.flag("force", tool.force, "fetch again what is there");
  tool.line.flag("timeout", flags.timeout, "seconds to wait for a connection, and for a byte")
      .min(1);
  tool.line.flag("retries", flags.retries, "how often a connection that broke is tried again")
      .min(0);
  tool.parse();

  const auto items = published_items({flags.published.begin(), flags.published.end()});
  if (flags.list || names.empty()) return print_list(tool, items);
  if (cache_folder().empty())
    throw Error("there is no place for a cache: set OCELLUS_CACHE to a folder");
  if (!flags.from.value.empty() && !fs::exists(flags.from.value))
    throw DataError(fmt::format("--from {}: no such file or folder", flags.from.value));
  std::vector<const Published*> wanted;
  for (const std::string& name : names) collect(items, name, flags.from.value.empty(), wanted);
  Fetcher fetcher(tool, flags);
  Json report = Json::list();
  for (const Published* item : wanted) report.push_back(fetcher.fetch(*item));
  if (tool.json) return tool.print(report);
  for (const Json& item : report.as_list()) tool.print(item.at("folder").as_string());
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"fetch", "[NAME...] [flags]",
       "Brings published weights, class names and data sets into the cache "
       "($OCELLUS_CACHE, else ~/.cache/ocellus), verified. Without a name: what there is. What "
       "stopped half way is gone on with."},
      argc, argv, ocellus::tools::run_fetch);
}
