#include "device_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>

#include "check.hpp"

namespace ocellus::opencl {
namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  text.erase(0, text.find_first_not_of(' '));
  return text;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string device_text(cl_device_id id, cl_device_info what) {
  size_t bytes = 0;
  if (clGetDeviceInfo(id, what, 0, nullptr, &bytes) != CL_SUCCESS) return {};
  std::string text(bytes, '\0');
  check(clGetDeviceInfo(id, what, bytes, text.data(), nullptr), "clGetDeviceInfo");
  return trimmed(text);
}

std::string platform_name(cl_platform_id id) {
  size_t bytes = 0;
  check(clGetPlatformInfo(id, CL_PLATFORM_NAME, 0, nullptr, &bytes), "clGetPlatformInfo");
  std::string text(bytes, '\0');
  check(clGetPlatformInfo(id, CL_PLATFORM_NAME, bytes, text.data(), nullptr), "clGetPlatformInfo");
  return trimmed(text);
}

/// A device that does not know a question answers with zero.
template <class T>
T device_value(cl_device_id id, cl_device_info what) {
  T value{};
  clGetDeviceInfo(id, what, sizeof value, &value, nullptr);
  return value;
}

bool contains(const std::string& text, const char* part) {
  return lower(text).find(part) != std::string::npos;
}

DeviceInfo describe(cl_device_id id, const std::string& platform) {
  DeviceInfo info;
  info.name = device_text(id, CL_DEVICE_NAME);
  info.vendor = device_text(id, CL_DEVICE_VENDOR);
  info.platform = platform;
  info.driver = device_text(id, CL_DRIVER_VERSION);
  info.version = device_text(id, CL_DEVICE_VERSION);
  info.type = device_value<cl_device_type>(id, CL_DEVICE_TYPE);
  info.compute_units = device_value<cl_uint>(id, CL_DEVICE_MAX_COMPUTE_UNITS);
  info.global_memory = device_value<cl_ulong>(id, CL_DEVICE_GLOBAL_MEM_SIZE);
  info.max_allocation = device_value<cl_ulong>(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  info.local_memory = device_value<cl_ulong>(id, CL_DEVICE_LOCAL_MEM_SIZE);
  info.max_work_group = device_value<size_t>(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
  info.local_memory_is_global =
      device_value<cl_device_local_mem_type>(id, CL_DEVICE_LOCAL_MEM_TYPE) == CL_GLOBAL;
  info.unified_memory = device_value<cl_bool>(id, CL_DEVICE_HOST_UNIFIED_MEMORY);
  info.fp64 = device_value<cl_device_fp_config>(id, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;
  // Of GPUs Arm's have no local memory of their own; vector kernels would still leave them idle.
  const bool cpu = (info.type & CL_DEVICE_TYPE_CPU) ||
                   (info.local_memory_is_global && !(info.type & CL_DEVICE_TYPE_GPU));
  info.family = cpu ? KernelFamily::vector : KernelFamily::tiled;
  info.emulated = contains(info.name, "llvmpipe") || contains(info.name, "softpipe") ||
                  contains(info.name, "oclgrind") || contains(platform, "oclgrind") ||
                  contains(platform, "clover");
  return info;
}

/// OCELLUS_DEVICE_LIMITS="local=16K,group=64,alloc=25%,vendor=intel": makes a device look smaller,
/// or like another vendor's, to test what is done on those.
void clamp(DeviceInfo& info, const std::string& limits) {
  const std::string where = "OCELLUS_DEVICE_LIMITS";
  for (size_t at = 0; at < limits.size();) {
    const size_t end = std::min(limits.find(',', at), limits.size());
    const std::string item = limits.substr(at, end - at);
    at = end + 1;
    const size_t equals = item.find('=');
    const std::string key = item.substr(0, equals);
    std::string value = equals == std::string::npos ? "" : item.substr(equals + 1);
    if (key == "vendor") {
      info.vendor = value;
    } else if (key == "local") {
      info.local_memory = std::min(info.local_memory, parse_bytes(value, where));
    } else if (key == "group") {
      info.max_work_group = std::min<size_t>(info.max_work_group, parse_bytes(value, where));
    } else if (key == "alloc" && value.ends_with('%')) {
      value.pop_back();
      const uint64_t bytes = info.global_memory / 100 * parse_bytes(value, where);
      info.max_allocation = std::min(info.max_allocation, bytes);
    } else if (key == "alloc") {
      info.max_allocation = std::min(info.max_allocation, parse_bytes(value, where));
    } else {
      throw Error(fmt::format("{}: '{}' is none of local=, group=, alloc=, vendor=", where, item),
                  ExitCode::usage);
    }
  }
}

int preference(const DeviceInfo& info) {
  if (info.emulated) return 4;
  if (info.type & CL_DEVICE_TYPE_GPU) return info.unified_memory ? 1 : 0;
  return info.type & CL_DEVICE_TYPE_CPU ? 2 : 3;
}

bool matches(const DeviceInfo& info, const std::string& selector) {
  if (selector.find_first_not_of("0123456789") == std::string::npos)
    return std::to_string(info.index) == selector;
  const std::string wanted = lower(selector);
  if (wanted == "cpu" || wanted == "gpu" || wanted == "accelerator")
    return info.type_name() == wanted;
  return contains(info.name, wanted.c_str()) || contains(info.platform, wanted.c_str());
}

}  // namespace

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

uint64_t parse_bytes(const std::string& text, const std::string& where) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const std::string suffix = lower(std::string(rest, end));
  const int shift = suffix.empty() || suffix == "b"    ? 0
                    : suffix == "k" || suffix == "kib" ? 10
                    : suffix == "m" || suffix == "mib" ? 20
                    : suffix == "g" || suffix == "gib" ? 30
                                                       : -1;
  if (error != std::errc() || shift < 0 || value > UINT64_MAX >> shift)
    throw Error(fmt::format("{}: '{}' is no size (such as 512M or 2G)", where, text),
                ExitCode::usage);
  return value << shift;
}

std::vector<FoundDevice> find_devices() {
  // PoCL compiles a kernel again for small grids and for offsets that are zero, and a third time
  // for a binary. Our kernels gain nothing by that: one compiled kernel serves all, unless the user
  // wants otherwise. It has to be told before the driver starts its threads.
  static std::once_flag told;
  std::call_once(told, [] { setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 0); });
  cl_uint platform_count = 0;
  // The loader reports "no platform" as an error; for us it is an empty list.
  if (clGetPlatformIDs(0, nullptr, &platform_count) != CL_SUCCESS || platform_count == 0) return {};
  std::vector<cl_platform_id> platforms(platform_count);
  check(clGetPlatformIDs(platform_count, platforms.data(), nullptr), "clGetPlatformIDs");

  const std::string limits = environment("OCELLUS_DEVICE_LIMITS");
  std::vector<FoundDevice> found;
  for (cl_platform_id platform : platforms) {
    cl_uint count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count) != CL_SUCCESS) continue;
    std::vector<cl_device_id> ids(count);
    check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids.data(), nullptr),
          "clGetDeviceIDs");
    for (cl_device_id id : ids) {
      DeviceInfo info = describe(id, platform_name(platform));
      clamp(info, limits);
      found.push_back({id, platform, std::move(info)});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const FoundDevice& a, const FoundDevice& b) {
    return preference(a.info) < preference(b.info);
  });
  for (size_t i = 0; i < found.size(); ++i) found[i].info.index = static_cast<int>(i);
  return found;
}

FoundDevice select_device(const std::string& selector) {
  const std::vector<FoundDevice> found = find_devices();
  if (found.empty())
    throw DeviceError("no OpenCL device found (a CPU needs the package pocl-opencl-icd)");
  std::string names;
  for (const FoundDevice& device : found) {
    if (selector.empty() ? !device.info.emulated : matches(device.info, selector)) return device;
    names += fmt::format("{}{} {} [{}]", names.empty() ? "" : ", ", device.info.index,
                         device.info.name, device.info.type_name());
  }
  if (selector.empty())
    throw DeviceError(fmt::format(
        "every OpenCL device here is emulated; name one to use it (there are: {})", names));
  throw DeviceError(fmt::format("no OpenCL device matches '{}' (there are: {})", selector, names));
}

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> list;
  for (FoundDevice& device : find_devices()) list.push_back(std::move(device.info));
  return list;
}

std::string DeviceInfo::type_name() const {
  if (type & CL_DEVICE_TYPE_GPU) return "gpu";
  if (type & CL_DEVICE_TYPE_CPU) return "cpu";
  if (type & CL_DEVICE_TYPE_ACCELERATOR) return "accelerator";
  return "other";
}

const char* to_string(KernelFamily family) {
  return family == KernelFamily::vector ? "vector" : "tiled";
}

}  // namespace ocellus::opencl
