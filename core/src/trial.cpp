#include "ocellus/core/trial.hpp"

#include <fmt/format.h>

#include <new>
#include <system_error>

#include "ocellus/core/error.hpp"
#include "platform/platform.hpp"

namespace ocellus {
namespace {

// Exit codes of the child beside those of Error.
constexpr int no_memory = 100, foreign_exception = 101;
// What a child says that came to its end: a parser that calls exit() does not get to say it.
constexpr const char* finished = "finished";

int attempt(const std::function<void()>& read, std::string& message) {
  try {
    read();
    message = finished;
    return 0;
  } catch (const Error& e) {
    message = e.what();
    return static_cast<int>(e.exit_code());
  } catch (const std::bad_alloc&) {
    return no_memory;
  } catch (const std::exception& e) {
    message = e.what();
    return foreign_exception;
  } catch (...) {
    return foreign_exception;
  }
}

}  // namespace

void trial_read(const std::filesystem::path& file, const std::function<void()>& read) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(file, ignored);
  const size_t bytes = ignored ? 0 : size;
  // Generous for an honest file (weights are held a few times over), tight for a bomb.
  const platform::ChildLimits limits{(size_t{512} << 20) + 8 * bytes,
                                     static_cast<unsigned>(10 + bytes / (20 << 20))};
  platform::ChildEnd end;
  try {
    end = platform::run_in_child(limits,
                                 [&](std::string& message) { return attempt(read, message); });
  } catch (const std::system_error& e) {
    throw Error(
        fmt::format("{}: cannot be tried in a process of its own: {}", file.string(), e.what()));
  }
  const std::string name = file.string();
  if (end.exit_code == 0 && end.says == finished) return;
  if (end.out_of_time) throw DataError(fmt::format("{}: damaged: reading it does not end", name));
  if (end.signal)
    throw DataError(fmt::format("{}: damaged: reading it crashes (signal {})", name, end.signal));
  if (end.exit_code == no_memory)
    throw DataError(fmt::format(
        "{}: damaged: reading it takes more memory than a file of its size should", name));
  if (end.exit_code == foreign_exception)
    throw DataError(fmt::format("{}: cannot be read: {}", name, end.says));
  // An Error has a message; without one the process was ended by a library, or by a sanitizer.
  if (end.exit_code == 0 || end.says.empty())
    throw DataError(fmt::format("{}: damaged: reading it ends the process (exit code {})", name,
                                end.exit_code));
  if (end.exit_code == static_cast<int>(ExitCode::data)) throw DataError(end.says);
  if (end.exit_code == static_cast<int>(ExitCode::usage)) throw UsageError(end.says);
  throw Error(end.says, static_cast<ExitCode>(end.exit_code));
}

}  // namespace ocellus
