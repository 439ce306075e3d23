#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace ocellus::tools {

/// Takes the named files out of an archive (tar, plain or packed with gzip, bzip2, xz or zstd; zip)
/// into a folder, whatever folders they lie in inside the archive. Nothing else of it is written,
/// so neither paths with ".." nor links can lead out of the folder. All files appear, or none.
/// Throws DataError for a damaged archive and for a name that it lacks or holds twice, Error where
/// the folder cannot be written, Interrupted when `stop` says so.
void unpack(const std::filesystem::path& archive, const std::vector<std::string>& names,
            const std::filesystem::path& folder, const std::function<bool()>& stop);

}  // namespace ocellus::tools
