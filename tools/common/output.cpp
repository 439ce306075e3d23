#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cctype>
#include <ctime>

#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;

std::string short_name(const std::string& address) {
  if (address.find(':') != std::string::npos && !fs::exists(address)) return "typed";
  const std::string bare = address.substr(0, address.find('('));
  std::string name = fs::path(bare).stem().string();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.') c = '-';
  return name.empty() ? "model" : name;
}

fs::path Tool::output_folder(const std::string& name, const std::string& model) {
  if (out_.empty()) {
    for (int n = 1;; ++n) {
      const fs::path folder = fmt::format("ocellus-{}-{}-{}", name, short_name(model), n);
      if (fs::create_directory(folder)) return made_ = folder;
    }
  }
  const fs::path folder = out_;
  if (fs::exists(folder) && !fs::is_directory(folder))
    throw UsageError(fmt::format("--out {}: is a file, not a folder", out_));
  if (fs::exists(folder) && !fs::is_empty(folder) && !force)
    throw UsageError(
        fmt::format("--out {}: the folder is not empty; --force writes over what is there", out_));
  if (fs::create_directories(folder)) made_ = folder;
  return folder;
}

void Tool::refuse_overwriting(const std::string& file, const std::string& flag) const {
  if (!file.empty() && !force && fs::exists(file))
    throw UsageError(fmt::format("{} {}: exists; --force writes over it", flag, file));
}

void Tool::describe(Report& report, const std::string& model) {
  report.header("command line", command());
  const bool is_file = fs::is_regular_file(model);
  report.header("model",
                is_file ? fmt::format("{} ({})", model, checksum(fs::path(model))) : model);
  if (device_) {
    const opencl::DeviceInfo& i = device_->info();
    report.header("device", i.name);
    report.header("driver", fmt::format("{} {} ({})", i.platform, i.driver, i.version));
  }
  report.header("version", "ocellus " OCELLUS_VERSION);
  report.header("seed", fmt::format("{}", seed.value));
  report.header("time", fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(std::time(nullptr))));
}

}  // namespace ocellus::tools
