#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

// What differs between operating systems; one implementation file a system.
namespace ocellus::platform {

/// File from which the dynamic linker loaded this library. Throws Error.
std::filesystem::path this_library();

int process_id();

/// Waits until a file, or the names in a directory, are on the disk. Throws std::system_error.
void flush_file(const std::filesystem::path& file);
void flush_directory(const std::filesystem::path& directory);

/// Replaces `to` by `from` in one step. Throws std::system_error.
void rename_over(const std::filesystem::path& from, const std::filesystem::path& to);

/// Bytes of this process in main memory, now and at most; 0: not known.
size_t resident_memory();
size_t peak_resident_memory();

/// How a child process ended.
struct ChildEnd {
  int signal = 0;     ///< that killed it; 0: it returned
  int exit_code = 0;  ///< what `work` returned
  std::string says;   ///< what `work` left in `message`
  bool out_of_time = false;
};

struct ChildLimits {
  size_t extra_memory = 0;  ///< bytes of address space beyond what the process has now
  unsigned seconds = 0;     ///< of computing; three times that by the clock
};

/// Runs `work` in a forked child, without its standard output and error, and waits for it. Throws
/// std::system_error.
ChildEnd run_in_child(const ChildLimits& limits,
                      const std::function<int(std::string& message)>& work);

}  // namespace ocellus::platform
