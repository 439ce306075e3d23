#include "first_use.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/published.hpp"

extern char** environ;

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

// Compiling takes a minute of a slow or busy machine; what takes longer than this hangs.
constexpr auto longest = std::chrono::minutes(10);

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// What must stay the same for a pass to hold.
std::string identity(const opencl::DeviceInfo& d) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n", OCELLUS_VERSION, d.name, d.platform, d.driver,
                     d.version, opencl::to_string(d.family), environment("OCELLUS_KERNEL_PATH"));
}

/// Where a pass is remembered; empty when the user has no place for it.
fs::path marker(const opencl::DeviceInfo& d) {
  const fs::path cache = cache_folder();
  if (cache.empty()) return {};
  return cache / "selftest" / fmt::format("{:016x}", std::hash<std::string>()(identity(d)));
}

bool remembered(const opencl::DeviceInfo& d) {
  std::ifstream in(marker(d), std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {}) == identity(d);
}

/// A cache that cannot be written costs a selftest a run, no more.
void remember(const opencl::DeviceInfo& d) {
  std::error_code error;
  fs::create_directories(marker(d).parent_path(), error);
  std::ofstream(marker(d), std::ios::binary) << identity(d);
}

/// Runs the selftest of a device and waits for it: a driver that crashes or hangs takes only that
/// process along.
bool run_selftest(const opencl::DeviceInfo& d) {
  const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "ocellus-selftest";
  std::string index = std::to_string(d.index);
  std::string words[] = {program, "--device", index, "--quiet"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0);
  pid_t child = 0;
  const int failed = posix_spawn(&child, program.c_str(), &files, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed) throw Error(fmt::format("{} cannot be started: {}", program, std::strerror(failed)));
  const auto end = std::chrono::steady_clock::now() + longest;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  // The terminal sends Ctrl-C to both of us.
  const bool stopped = (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) ||
                       (WIFEXITED(status) && WEXITSTATUS(status) == 130);
  if (stopped) throw Interrupted("stopped during the selftest of " + d.name);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool passes_selftest(const opencl::DeviceInfo& device, Terminal& terminal) {
  if (environment("OCELLUS_SELFTEST") == "off" || marker(device).empty() || remembered(device))
    return true;
  terminal.info(fmt::format(
      "first use of {} with this driver: a selftest, once; it compiles many kernels", device.name));
  const auto begin = std::chrono::steady_clock::now();
  if (!run_selftest(device)) return false;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  terminal.info(fmt::format("it passed in {}", human_seconds(took.count())));
  remember(device);
  return true;
}

std::shared_ptr<opencl::Device> open_trusted(opencl::DeviceOptions options, Terminal& terminal) {
  const auto complaint = [](const opencl::DeviceInfo& d) {
    return fmt::format(
        "{} fails its selftest with driver {} ('ocellus selftest --device {}' says where)", d.name,
        d.driver, d.index);
  };
  if (!options.selector.empty() || !environment("OCELLUS_DEVICE").empty()) {
    auto device = opencl::Device::open(options);
    if (!passes_selftest(device->info(), terminal))
      terminal.warning(complaint(device->info()) + ": do not trust its numbers");
    return device;
  }
  std::string failures;
  for (const opencl::DeviceInfo& d : opencl::list_devices()) {
    if (d.emulated) continue;
    if (passes_selftest(d, terminal)) {
      options.selector = std::to_string(d.index);
      return opencl::Device::open(options);
    }
    failures = complaint(d);
    terminal.warning(failures + ": trying the next device");
  }
  if (!failures.empty())
    throw DeviceError(failures +
                      ", and there is no other; name it with --device to use it all the same");
  return opencl::Device::open(options);  // throws, and says what is missing
}

}  // namespace ocellus::tools
