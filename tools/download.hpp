#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "terminal.hpp"

namespace ocellus::tools {

/// What a download needs to know, and how patient it is.
struct Download {
  std::string address;          ///< http or https; a redirection never leaves https
  std::optional<int64_t> size;  ///< bytes of the whole file; a server that tells another is refused
  bool verifiable = false;      ///< a hash will tell afterwards whether the pieces fit together
  std::string label;            ///< before the bar
  int timeout = 30;             ///< seconds without a connection, or without a byte
  int retries = 3;              ///< when the connection breaks, each a little later
};

/// Gets a file into `partial`. What an earlier try left there is gone on with (Range), if the
/// server still has the same file: its ETag or date, kept beside as PARTIAL.json, says so
/// (If-Range); a server that cannot send a part sends all of it (RFC 9110, sections 13.1.5
/// and 14.2). When it returns, the file is as long as the server said. Throws
/// - Interrupted, and Error for a connection that breaks, stalls or never comes: `partial` stays;
/// - DataError where the server has no such file, or one of another size;
/// - Error where `partial` cannot be written: it is removed, since the disk may be full.
bool download(const Download& what, const std::filesystem::path& partial, Terminal& terminal);

/// Removes a partial file and what is kept beside it.
void remove_partial(const std::filesystem::path& partial);

}  // namespace ocellus::tools
