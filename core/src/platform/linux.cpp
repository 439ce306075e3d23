#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "ocellus/core/error.hpp"
#include "platform/platform.hpp"

namespace ocellus::platform {
namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

// A file descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  ~Descriptor() { reset(); }
  void reset() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

void flush(const std::filesystem::path& path, int flags) {
  const Descriptor d{::open(path.c_str(), flags | O_CLOEXEC)};
  if (d.fd < 0) fail("open");
  if (::fsync(d.fd) != 0) fail("fsync");
}

[[maybe_unused]] size_t address_space_in_use() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

void limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard) {
  const rlimit l{soft, hard};
  ::setrlimit(resource, &l);
}

// In the child: limits, silence, work, and out without running the parent's destructors.
[[noreturn]] void be_child(const ChildLimits& limits, int pipe,
                           const std::function<int(std::string&)>& work) {
  // The address sanitizer reserves terabytes of address space: there the memory limit cannot hold.
#if !defined(__SANITIZE_ADDRESS__)
  const rlim_t space = address_space_in_use() + limits.extra_memory;
  limit(RLIMIT_AS, space, space);
#endif
  limit(RLIMIT_CPU, limits.seconds, limits.seconds + 1);
  limit(RLIMIT_CORE, 0, 0);
  for (int s : {SIGALRM, SIGXCPU, SIGSEGV, SIGBUS, SIGABRT, SIGFPE}) ::signal(s, SIG_DFL);
  ::alarm(limits.seconds * 3);
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) {
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
  }
  std::string message;
  const int code = work(message);
  const char* at = message.data();
  for (size_t left = message.size(); left > 0;) {
    const ssize_t n = ::write(pipe, at, left);
    if (n <= 0) break;
    at += n;
    left -= static_cast<size_t>(n);
  }
  ::_exit(code);
}

}  // namespace

std::filesystem::path this_library() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&this_library), &info) || !info.dli_fname)
    throw Error("the dynamic linker does not say where libocellus_core.so lies");
  return std::filesystem::canonical(info.dli_fname);
}

namespace {

// A line of /proc/self/status: "VmRSS:     1234 kB".
size_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":"))
      return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
  return 0;
}

}  // namespace

size_t resident_memory() { return status_bytes("VmRSS"); }
size_t peak_resident_memory() { return status_bytes("VmHWM"); }

int process_id() { return ::getpid(); }

void flush_file(const std::filesystem::path& file) { flush(file, O_RDWR); }
void flush_directory(const std::filesystem::path& directory) {
  flush(directory, O_RDONLY | O_DIRECTORY);
}

void rename_over(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) fail("rename");
}

ChildEnd run_in_child(const ChildLimits& limits, const std::function<int(std::string&)>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
  Descriptor from_child{ends[0]}, to_parent{ends[1]};
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) be_child(limits, to_parent.fd, work);
  to_parent.reset();

  ChildEnd end;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t n = ::read(from_child.fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    end.says.append(piece.data(), static_cast<size_t>(n));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  end.out_of_time = end.signal == SIGXCPU || end.signal == SIGALRM || end.signal == SIGKILL;
  return end;
}

}  // namespace ocellus::platform
