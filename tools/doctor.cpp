#include "doctor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

struct Vendor {
  const char* pci;  // as in /sys/class/drm/card0/device/vendor
  const char* name;
  const char* word;     // stands in the OpenCL vendor or device name, lower case
  const char* package;  // Debian's driver
};
constexpr Vendor vendors[] = {
    {"0x10de", "NVIDIA", "nvidia", "nvidia-opencl-icd (non-free)"},
    {"0x1002", "AMD", "amd", "mesa-opencl-icd (with RUSTICL_ENABLE=radeonsi) or AMD's ROCm"},
    {"0x8086", "Intel", "intel", "intel-opencl-icd"},
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

// PoCL reports Intel's vendor id on a CPU: only a GPU proves a GPU's driver.
bool has_gpu(const std::vector<opencl::DeviceInfo>& devices, const Vendor& v) {
  return std::any_of(devices.begin(), devices.end(), [&](const opencl::DeviceInfo& d) {
    return (d.type & CL_DEVICE_TYPE_GPU) && !d.emulated &&
           (mentions(d.vendor, v.word) || mentions(d.name, v.word));
  });
}

void examine_cards(const std::vector<opencl::DeviceInfo>& devices,
                   std::vector<std::string>& advice) {
  std::set<std::string> pci_ids;
  std::error_code error;
  for (fs::directory_iterator it("/sys/class/drm", error), end; !error && it != end;
       it.increment(error))
    if (const std::string id = first_line(it->path() / "device" / "vendor"); !id.empty())
      pci_ids.insert(id);
  for (const Vendor& v : vendors)
    if (pci_ids.contains(v.pci) && !has_gpu(devices, v))
      advice.push_back(fmt::format("there is a GPU by {} without an OpenCL driver; package: {}",
                                   v.name, v.package));
}

void examine_permissions(std::vector<std::string>& advice) {
  std::error_code error;
  for (fs::directory_iterator it("/dev/dri", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    if (name.starts_with("renderD") && access(it->path().c_str(), R_OK | W_OK) != 0)
      advice.push_back(
          fmt::format("{}: no permission; add this user to the group 'render' and log in again",
                      it->path().string()));
  }
}

void examine_drivers(const std::vector<opencl::DeviceInfo>& devices,
                     std::vector<std::string>& advice) {
  for (const opencl::DeviceInfo& d : devices) {
    if (mentions(d.platform, "clover"))
      advice.push_back(
          fmt::format("device {}: Mesa's Clover is unmaintained and fails on many kernels; use "
                      "rusticl (RUSTICL_ENABLE)",
                      d.index));
    if (d.max_work_group < 64 && (d.type & CL_DEVICE_TYPE_GPU))
      advice.push_back(
          fmt::format("device {}: work-groups of at most {} are too small for the tiled kernels",
                      d.index, d.max_work_group));
  }
  const bool real_gpu = std::any_of(devices.begin(), devices.end(), [](const auto& d) {
    return (d.type & CL_DEVICE_TYPE_GPU) && !d.emulated;
  });
  const bool cpu = std::any_of(devices.begin(), devices.end(),
                               [](const auto& d) { return d.type & CL_DEVICE_TYPE_CPU; });
  if (!real_gpu && !cpu)
    advice.push_back(
        "no device that is fit for work; package pocl-opencl-icd makes one of the CPU");
}

}  // namespace

std::vector<std::string> examine_machine(const std::vector<opencl::DeviceInfo>& devices) {
  std::vector<std::string> advice;
  examine_cards(devices, advice);
  examine_permissions(advice);
  examine_drivers(devices, advice);
  return advice;
}

}  // namespace ocellus::tools
