// ocellus VERB ...: runs the program ocellus-VERB, as git does; a name that is no verb is an
// analyzer.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/registry.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::tools {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view prefix = "ocellus-";

// Folders that are searched for verbs: the program's own, then the PATH.
std::vector<fs::path> folders() {
  std::error_code error;
  std::vector<fs::path> found;
  if (const fs::path self = fs::read_symlink("/proc/self/exe", error); !error)
    found.push_back(self.parent_path());
  if (const char* path = std::getenv("PATH"))
    for (const std::string& folder : split(path, ':'))
      if (!folder.empty()) found.emplace_back(folder);
  return found;
}

// Verb -> program; the first folder wins.
std::map<std::string, fs::path> verbs() {
  std::map<std::string, fs::path> found;
  for (const fs::path& folder : folders()) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename();
      if (name.starts_with(prefix) && access(it->path().c_str(), X_OK) == 0 &&
          !it->is_directory(error))
        found.emplace(name.substr(prefix.size()), it->path());
    }
  }
  return found;
}

// --plugin files take part: their analyzers are names too. One that cannot be loaded is the
// program's to report.
std::vector<std::string> analyzers(const std::vector<std::string>& words) {
  Registry registry;
  std::vector<fs::path> extra;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--plugin" && i + 1 < words.size()) extra.emplace_back(words[i + 1]);
    if (words[i].starts_with("--plugin=")) extra.emplace_back(words[i].substr(9));
  }
  try {
    registry.load_default(extra);
  } catch (const PluginError&) {
  }
  std::vector<std::string> names;
  for (const TypeInfo* t : registry.all(Kind::analyzer)) names.push_back(t->name);
  return names;
}

void print_help() {
  std::vector<std::string> names;
  for (const auto& [verb, program] : verbs()) names.push_back(verb);
  fmt::print(
      "usage: ocellus VERB [arguments]\n\n"
      "Runs, trains and looks into convolutional networks, on any OpenCL device.\n\n"
      "Verbs: {}\n"
      "Analyzers, each a verb too: {}\n\n"
      "'ocellus VERB --help' explains one; 'ocellus plugins NAME' the parameters of anything that "
      "has a name.\n",
      fmt::join(names, ", "), fmt::join(analyzers({}), ", "));
}

[[noreturn]] void execute(const fs::path& program, std::vector<std::string> words) {
  std::vector<char*> argv;
  words.insert(words.begin(), program.string());
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  throw Error(fmt::format("{}: cannot be run: {}", program.string(), std::strerror(errno)));
}

void dispatch(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help")
    return print_help();
  if (words[0] == "--version") return fmt::print("ocellus {}\n", OCELLUS_VERSION);
  if (words[0].starts_with("-"))
    throw UsageError(
        fmt::format("'{}' stands where a verb is expected; see 'ocellus --help'", words[0]));
  const auto programs = verbs();
  const auto program = programs.find(words[0]);
  const auto names = analyzers(words);
  const bool is_analyzer = std::find(names.begin(), names.end(), words[0]) != names.end();
  if (program != programs.end()) {
    if (is_analyzer)
      throw UsageError(fmt::format(
          "'{0}' is both the program {1} and an analyzer; run {1}, or 'ocellus analyze {0}'",
          words[0], program->second.string()));
    execute(program->second, {words.begin() + 1, words.end()});
  }
  if (is_analyzer) {
    const auto analyze = programs.find("analyze");
    if (analyze == programs.end()) throw Error("ocellus-analyze is not installed");
    execute(analyze->second, words);
  }
  std::vector<std::string> known = names;
  for (const auto& [verb, path] : programs) known.push_back(verb);
  throw UsageError(
      fmt::format("no verb or analyzer '{}'{}", words[0], suggestion(words[0], known, 40)));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  try {
    ocellus::tools::dispatch({argv + std::min(1, argc), argv + argc});
    return 0;
  } catch (const ocellus::Error& e) {
    fmt::print(stderr, "ocellus: {}\n", e.what());
    return static_cast<int>(e.exit_code());
  } catch (const std::exception& e) {
    fmt::print(stderr, "ocellus: {}\n", e.what());
    return 1;
  }
}
