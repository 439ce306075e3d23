#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <string>
#include <vector>

namespace ocellus::test {

struct Member {
  std::string path, content;
  std::string link;  ///< not empty: a symbolic link to it
};

/// Writes a .tar.gz.
inline void write_archive(const std::filesystem::path& file, const std::vector<Member>& members) {
  archive* to = archive_write_new();
  archive_write_add_filter_gzip(to);
  archive_write_set_format_pax_restricted(to);
  BOOST_REQUIRE(archive_write_open_filename(to, file.c_str()) == ARCHIVE_OK);
  for (const Member& m : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, m.path.c_str());
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_filetype(entry, m.link.empty() ? AE_IFREG : AE_IFLNK);
    if (!m.link.empty()) archive_entry_set_symlink(entry, m.link.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(m.content.size()));
    BOOST_REQUIRE(archive_write_header(to, entry) == ARCHIVE_OK);
    archive_write_data(to, m.content.data(), m.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(to);
  archive_write_free(to);
}

}  // namespace ocellus::test
