#include "tool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <new>

#include "first_use.hpp"
#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/opencl/profiler.hpp"
#include "ocellus/opencl/tuning.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

// Thrown when --help or --version has been answered.
struct Answered {};

std::string quoted(const std::string& word) {
  const bool plain =
      !word.empty() && word.find_first_of(" \t\n'\"\\$`*?()[]{}<>|&;#!~") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

Tool::Tool(ToolInfo info, std::vector<std::string> words)
    : line("ocellus " + info.verb, info.usage, info.summary),
      info_(std::move(info)),
      words_(std::move(words)) {}
Tool::~Tool() {
  std::error_code ignored;
  if (!made_.empty()) fs::remove(made_, ignored);  // only where it is empty
}

std::string Tool::take_word() {
  if (words_.empty() || words_[0].starts_with('-')) return {};
  first_word_ = words_[0];
  words_.erase(words_.begin());
  return first_word_;
}

void Tool::load_early() {
  std::vector<fs::path> files;
  for (size_t i = 0; i < words_.size(); ++i) {
    if (words_[i] == "--plugin" && i + 1 < words_.size()) files.emplace_back(words_[i + 1]);
    if (words_[i].starts_with("--plugin=")) files.emplace_back(words_[i].substr(9));
  }
  registry_ = std::make_unique<Registry>();
  registry_->load_default(files);
}

void Tool::declare_output() {
  line.flag("out", out_, "folder for the results; without it a new one named after verb and model");
  line.flag("force", force, "write over what is there");
}

void Tool::parse() {
  bool help = false, version = false;
  line.heading("Flags of every program");
  line.flag("device", device_selector_,
            "OpenCL device: index, type (cpu, gpu) or part of its name; see 'ocellus devices'");
  line.flag("plugin", plugins_, "plugin file to load besides the installed ones; may be repeated");
  line.flag("seed", seed, "same seed, same result");
  line.flag("json", json, "results as JSON on standard output");
  line.flag("profile", profile, "time a layer and kernel took on the device, on standard error");
  line.flag("quiet", terminal.quiet, "no progress and no remarks; warnings stay");
  line.flag("verbose", terminal.verbose, "more remarks, and the details of an error");
  line.flag("help", help, "this text");
  line.flag("version", version, "print the version");
  line.parse(words_);
  if (!help && !version) return;
  print(help ? line.help() : fmt::format("ocellus {}\n", OCELLUS_VERSION));
  throw Answered();
}

std::string Tool::command() const {
  std::string text = "ocellus " + info_.verb;
  if (!first_word_.empty()) text += " " + quoted(first_word_);
  for (const std::string& w : words_) text += " " + quoted(w);
  return text;
}

Registry& Tool::registry() {
  if (!registry_) {
    registry_ = std::make_unique<Registry>();
    registry_->load_default({plugins_.begin(), plugins_.end()});
  }
  return *registry_;
}

std::shared_ptr<opencl::Device> Tool::device() {
  if (!device_) {
    opencl::DeviceOptions options;
    options.selector = device_selector_;
    options.profile = profile;
    // The selftest itself must not ask whether the device passed it.
    device_ =
        info_.verb == "selftest" ? opencl::Device::open(options) : open_trusted(options, terminal);
    const opencl::DeviceInfo& i = device_->info();
    terminal.info(fmt::format("device: {} ({}, {}, driver {}, {} kernels)", i.name, i.type_name(),
                              i.platform, i.driver, opencl::to_string(i.family)));
    const opencl::TuningTable& tuned = opencl::TuningTable::of(i);
    if (!tuned.complaint().empty()) terminal.warning(tuned.complaint());
    terminal.debug(
        fmt::format("algorithms: by the rule, but for {} problems that were tuned", tuned.size()));
  }
  return device_;
}

void Tool::print(const std::string& text) const {
  std::fputs(text.c_str(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Tool::print(const Json& value) const { print(value.dump(2)); }

void Tool::print_profile() {
  if (!profile || !device_) return;
  std::vector<std::vector<std::string>> rows;
  double total = 0;
  const auto measured = device_->profiler().rows();
  for (const auto& r : measured) total += r.milliseconds;
  for (const auto& r : measured)
    rows.push_back({r.label, r.kernel, r.owner, thousands(static_cast<int64_t>(r.launches)),
                    fmt::format("{:.2f}", r.milliseconds),
                    fmt::format("{:.1f}", total > 0 ? 100 * r.milliseconds / total : 0)});
  const std::string table = format_table({"layer", "kernel", "from", "launches", "ms", "%"}, rows);
  std::fprintf(stderr, "%s", table.c_str());
}

int run(const ToolInfo& info, int argc, char** argv, const std::function<void(Tool&)>& body) {
  catch_signals();
  Tool tool(info, {argv + std::min(1, argc), argv + argc});
  const auto fail = [&](const std::string& what, ExitCode code, const std::string& detail = {}) {
    tool.terminal.finish_line();
    std::fprintf(stderr, "ocellus %s: %s\n", info.verb.c_str(), what.c_str());
    if (tool.terminal.verbose && !detail.empty()) std::fprintf(stderr, "%s\n", detail.c_str());
    return static_cast<int>(code);
  };
  try {
    body(tool);
    tool.terminal.finish_line();
    tool.print_profile();
    return 0;
  } catch (const Answered&) {
    return 0;
  } catch (const Error& e) {
    return fail(e.what(), e.exit_code(), e.detail());
  } catch (const std::bad_alloc&) {
    return fail("out of memory", ExitCode::failed);
  } catch (const std::exception& e) {
    return fail(e.what(), ExitCode::failed);
  }
}

std::string format_table(const std::vector<std::string>& columns,
                         const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> width(columns.size());
  std::vector<bool> numeric(columns.size(), true);
  for (size_t c = 0; c < columns.size(); ++c) {
    width[c] = columns[c].size();
    for (const auto& row : rows) {
      width[c] = std::max(width[c], row[c].size());
      numeric[c] = numeric[c] && row[c].find_first_not_of("0123456789.,-+e%") == std::string::npos;
    }
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t c = 0; c < columns.size(); ++c) {
      const std::string pad(width[c] - row[c].size(), ' ');
      line += (c ? "  " : "") + (numeric[c] ? pad + row[c] : row[c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add(columns);
  for (const auto& row : rows) add(row);
  return text;
}

std::string thousands(int64_t n) {
  const std::string digits = fmt::format("{}", n < 0 ? -n : n);
  std::string text = n < 0 ? "-" : "";
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace ocellus::tools
