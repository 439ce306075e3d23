#include "program_cache.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <vector>

#include "check.hpp"
#include "device_list.hpp"
#include "ocellus/opencl/cache.hpp"

namespace ocellus::opencl {
namespace fs = std::filesystem;
namespace {

constexpr char kMagic[16] = "ocellus program";
constexpr uint64_t kLargestFolder = uint64_t{256} << 20;  // bytes; beyond it the oldest files go

/// FNV-1a (Fowler, Noll, Vo), 64 bits: of names and against damage, not against malice.
uint64_t hash_of(const std::string& bytes) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

/// The binary in a file of that key; nothing when the file is another's or damaged.
std::optional<std::string> read_binary(const fs::path& file, const std::string& key) {
  std::ifstream in(file, std::ios::binary);
  const std::string all(std::istreambuf_iterator<char>(in), {});
  const std::string start = std::string(kMagic, sizeof kMagic) + key + '\0';
  uint64_t sum = 0;
  if (all.size() < start.size() + sizeof sum || !all.starts_with(start)) return {};
  std::memcpy(&sum, all.data() + start.size(), sizeof sum);
  std::string binary = all.substr(start.size() + sizeof sum);
  if (hash_of(binary) != sum) return {};
  return binary;
}

/// Replaces the file as a whole, or leaves what was there.
void write_binary(const fs::path& file, const std::string& key, const std::string& binary) {
  fs::create_directories(file.parent_path());
  const fs::path temporary = file.string() + fmt::format(".{}", getpid());
  const uint64_t sum = hash_of(binary);
  {
    std::ofstream out(temporary, std::ios::binary);
    out.write(kMagic, sizeof kMagic) << key << '\0';
    out.write(reinterpret_cast<const char*>(&sum), sizeof sum) << binary;
    out.close();
    if (!out) {
      fs::remove(temporary);
      return;
    }
  }
  fs::rename(temporary, file);
}

std::string binary_of(cl_program program) {
  size_t size = 0;  // of the only device
  check(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr), "binary");
  std::string binary(size, '\0');
  char* place = binary.data();
  check(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof place, &place, nullptr), "binary");
  return binary;
}

}  // namespace

Program own(cl_program program) {
  return Program(program, [](cl_program p) {
    if (p) clReleaseProgram(p);
  });
}

fs::path cache_folder() {
  if (const fs::path own = environment("OCELLUS_CACHE"); !own.empty()) return own;
  if (const fs::path xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "ocellus";
  const fs::path home = environment("HOME");
  return home.empty() ? home : home / ".cache" / "ocellus";
}

ProgramCache::ProgramCache(cl_context context, cl_device_id device, const DeviceInfo& info)
    : context_(context),
      device_(device),
      identity_(fmt::format("{}\n{}\n{}\n{}\n{}", info.platform, info.vendor, info.name,
                            info.driver, info.version)),
      compiles_at_launch_(info.platform == "Portable Computing Language") {
  // PoCL's binaries have the kernels of its own cache; those that it would run must be of the one
  // kind that find_devices() asks for.
  binaries_hold_kernels_ = compiles_at_launch_ && environment("POCL_KERNEL_CACHE") != "0" &&
                           environment("POCL_WORK_GROUP_SPECIALIZATION") == "0";
  const bool caches_itself = info.platform.find("NVIDIA") != std::string::npos;
  if (caches_itself || environment("OCELLUS_PROGRAM_CACHE") == "off") return;
  if (compiles_at_launch_ && !binaries_hold_kernels_) return;
  folder_ = cache_folder();
  if (!folder_.empty()) folder_ /= "programs";
}

ProgramCache::~ProgramCache() {
  if (!saved_) return;
  try {
    prune();
  } catch (...) {  // another process prunes at the same time
  }
}

std::string ProgramCache::key(const std::string& text, const std::string& options) const {
  return identity_ + '\n' + options + '\n' + text;
}

fs::path ProgramCache::file(const std::string& key) const {
  return folder_ / fmt::format("{:016x}", hash_of(key));
}

Program ProgramCache::build(const std::string& binary, const std::string& options) const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(binary.data());
  const size_t size = binary.size();
  cl_int status = CL_SUCCESS, whether_valid = CL_SUCCESS;
  Program program =
      own(clCreateProgramWithBinary(context_, 1, &device_, &size, &bytes, &whether_valid, &status));
  if (status != CL_SUCCESS || whether_valid != CL_SUCCESS) return nullptr;
  if (clBuildProgram(program.get(), 1, &device_, options.c_str(), nullptr, nullptr) != CL_SUCCESS)
    return nullptr;
  return program;
}

Program ProgramCache::load(const std::string& text, const std::string& options) const noexcept try {
  if (!enabled()) return nullptr;
  const std::string wanted = key(text, options);
  const auto binary = read_binary(file(wanted), wanted);
  if (!binary) return nullptr;
  const Program program = build(*binary, options);
  std::error_code ignored;  // a folder that may only be read
  if (program) fs::last_write_time(file(wanted), fs::file_time_type::clock::now(), ignored);
  return program;
} catch (...) {
  return nullptr;
}

void ProgramCache::save(cl_program program, const std::string& text,
                        const std::string& options) const noexcept try {
  if (enabled()) keep(binary_of(program), text, options);
} catch (...) {  // no binary: the next run compiles again
}

Program ProgramCache::adopt(cl_program program, const std::string& text,
                            const std::string& options) const {
  const std::string binary = binary_of(program);
  const Program own = build(binary, options);
  if (own && enabled()) keep(binary, text, options);
  return own;
}

void ProgramCache::keep(const std::string& binary, const std::string& text,
                        const std::string& options) const noexcept try {
  const std::string own_key = key(text, options);
  write_binary(file(own_key), own_key, binary);
  saved_ = true;
} catch (...) {  // no place to write: the next run compiles again
}

void ProgramCache::prune() const {
  struct Entry {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const fs::directory_entry& e : fs::directory_iterator(folder_)) {
    entries.push_back({e.last_write_time(), e.file_size(), e.path()});
    total += entries.back().bytes;
  }
  std::ranges::sort(entries, {}, &Entry::used);
  for (const Entry& e : entries) {
    if (total <= kLargestFolder) return;
    fs::remove(e.path);
    total -= e.bytes;
  }
}

}  // namespace ocellus::opencl
