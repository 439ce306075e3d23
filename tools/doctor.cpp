#include "doctor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

struct Vendor {
  const char* name;
  const char* pci;      // as in /sys/class/drm/card0/device/vendor; "": its GPUs have none
  const char* modules;  // kernel drivers, where there is no PCI
  std::vector<const char*> words;  // stand in the OpenCL vendor or device name, lower case
  const char* rusticl;             // what RUSTICL_ENABLE calls it; "": Mesa does not serve it
  const char *debian12, *debian13, *ubuntu;  // packages
};
// docs/devices.md says more about each.
const Vendor vendors[] = {
    {"NVIDIA",
     "0x10de",
     "",
     {"nvidia"},
     "",
     "nvidia-opencl-icd (non-free)",
     "nvidia-opencl-icd (non-free)",
     "libnvidia-compute-NNN of the driver's version"},
    {"AMD",
     "0x1002",
     "",
     {"amd", "advanced micro"},
     "radeonsi",
     "mesa-opencl-icd from bookworm-backports, or AMD's ROCm",
     "mesa-opencl-icd, or AMD's ROCm",
     "mesa-opencl-icd, or AMD's ROCm"},
    {"Intel",
     "0x8086",
     "",
     {"intel"},
     "iris",
     "intel-opencl-icd",
     "mesa-opencl-icd (Debian 13 has no intel-opencl-icd), or Intel's own packages",
     "intel-opencl-icd"},
    {"Arm",
     "",
     "panfrost panthor",
     {"arm", "mali", "panfrost"},
     "panfrost",
     "mesa-opencl-icd",
     "mesa-opencl-icd",
     "mesa-opencl-icd"},
    {"Qualcomm",
     "",
     "msm",
     {"qualcomm", "adreno", "freedreno"},
     "freedreno",
     "mesa-opencl-icd",
     "mesa-opencl-icd",
     "mesa-opencl-icd"},
    {"Apple",
     "",
     "asahi",
     {"apple", "asahi"},
     "asahi",
     "mesa-opencl-icd",
     "mesa-opencl-icd",
     "mesa-opencl-icd"},
};

std::string first_line(const fs::path& file) {
  std::string line;
  std::getline(std::ifstream(file) >> std::ws, line);
  return line;
}

bool mentions(std::string text, const std::string& word) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text.find(word) != std::string::npos;
}

/// Value of KEY=VALUE in a file of such lines, without quotes; empty when there is none.
std::string value_of(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key + "=")) continue;
    line.erase(0, key.size() + 1);
    std::erase(line, '"');
    return line;
  }
  return {};
}

// PoCL reports Intel's vendor id on a CPU: only a GPU proves a GPU's driver.
bool has_gpu(const std::vector<opencl::DeviceInfo>& devices, const Vendor& v) {
  return std::any_of(devices.begin(), devices.end(), [&](const opencl::DeviceInfo& d) {
    return (d.type & CL_DEVICE_TYPE_GPU) && !d.emulated &&
           std::any_of(v.words.begin(), v.words.end(),
                       [&](const char* w) { return mentions(d.vendor, w) || mentions(d.name, w); });
  });
}

const char* package_of(const Vendor& v, const fs::path& root) {
  const fs::path release = root / "etc/os-release";
  if (value_of(release, "ID") == "ubuntu") return v.ubuntu;
  return std::atoi(value_of(release, "VERSION_ID").c_str()) >= 13 ? v.debian13 : v.debian12;
}

/// What stands between a GPU and OpenCL.
std::string missing_driver(const Vendor& v, bool nouveau, const fs::path& root) {
  if (nouveau)
    return fmt::format(
        "the GPU by {} runs with nouveau, which cannot compute; packages: "
        "nvidia-driver and {}",
        v.name, package_of(v, root));
  const bool mesa = *v.rusticl && fs::exists(root / "etc/OpenCL/vendors/rusticl.icd");
  const char* enabled = std::getenv("RUSTICL_ENABLE");
  if (mesa && !mentions(enabled ? enabled : "", v.rusticl))
    return fmt::format(
        "there is a GPU by {}, and Mesa's OpenCL shows it only with "
        "RUSTICL_ENABLE={} in the environment",
        v.name, v.rusticl);
  const std::string package = package_of(v, root);
  return fmt::format(
      "there is a GPU by {} without an OpenCL driver; package: {}{}", v.name, package,
      mentions(package, "mesa") ? fmt::format("; then set RUSTICL_ENABLE={}", v.rusticl) : "");
}

void examine_cards(const std::vector<opencl::DeviceInfo>& devices, const fs::path& root,
                   std::vector<std::string>& advice) {
  std::set<std::string> pci_ids, modules;
  std::error_code error;
  for (fs::directory_iterator it(root / "sys/class/drm", error), end; !error && it != end;
       it.increment(error)) {
    const fs::path device = it->path() / "device";
    if (const std::string id = first_line(device / "vendor"); !id.empty()) pci_ids.insert(id);
    if (const std::string m = value_of(device / "uevent", "DRIVER"); !m.empty()) modules.insert(m);
  }
  for (const Vendor& v : vendors) {
    const bool present = *v.pci ? pci_ids.contains(v.pci)
                                : std::any_of(modules.begin(), modules.end(), [&](const auto& m) {
                                    return mentions(v.modules, m);
                                  });
    const bool nouveau = modules.contains("nouveau") && v.pci == std::string("0x10de");
    if (present && !has_gpu(devices, v)) advice.push_back(missing_driver(v, nouveau, root));
  }
}

void examine_permissions(const fs::path& root, std::vector<std::string>& advice) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(root / "dev/dri", error), end; !error && it != end;
       it.increment(error))
    if (it->path().filename().string().starts_with("renderD")) files.push_back(it->path());
  if (fs::exists(root / "dev/kfd")) files.push_back(root / "dev/kfd");  // ROCm's
  for (const fs::path& file : files)
    if (access(file.c_str(), R_OK | W_OK) != 0)
      advice.push_back(
          fmt::format("{}: no permission; add this user to the group 'render' and log in again",
                      file.string()));
}

/// What is known to be bad of a device's driver; empty: nothing.
std::string complaint(const opencl::DeviceInfo& d) {
  if (mentions(d.platform, "clover"))
    return "Mesa's Clover is unmaintained and fails on many kernels; use rusticl (RUSTICL_ENABLE)";
  if (mentions(d.platform, "intel gen ocl")) return "Beignet is unmaintained; use intel-opencl-icd";
  if (!(d.type & CL_DEVICE_TYPE_GPU)) return {};
  int major = 0, minor = 0;
  std::sscanf(d.driver.c_str(), "%d.%d", &major, &minor);
  if (mentions(d.platform, "rusticl") && major > 0 && major * 100 + minor < 2301)
    return fmt::format("rusticl in Mesa {} is an early version; use Mesa 23.1 or newer (backports)",
                       d.driver);
  if (d.max_work_group < 64)
    return fmt::format("work-groups of at most {} are too small for the tiled kernels",
                       d.max_work_group);
  return {};
}

void examine_drivers(const std::vector<opencl::DeviceInfo>& devices,
                     std::vector<std::string>& advice) {
  for (const opencl::DeviceInfo& d : devices)
    if (const std::string bad = complaint(d); !bad.empty())
      advice.push_back(fmt::format("device {}: {}", d.index, bad));
  const bool fit = std::any_of(devices.begin(), devices.end(), [](const auto& d) {
    return !d.emulated && (d.type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_CPU));
  });
  if (!fit)
    advice.push_back(
        "no device that is fit for work; package pocl-opencl-icd makes one of the CPU");
}

}  // namespace

std::vector<std::string> examine_machine(const std::vector<opencl::DeviceInfo>& devices,
                                         const fs::path& root) {
  std::vector<std::string> advice;
  examine_cards(devices, root, advice);
  examine_permissions(root, advice);
  examine_drivers(devices, advice);
  return advice;
}

}  // namespace ocellus::tools
