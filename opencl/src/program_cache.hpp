#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

using Program = std::shared_ptr<struct _cl_program>;

/// Shares the ownership of a program that the driver gave.
Program own(cl_program program);

/// Compiled programs on disk, for drivers that do not keep them themselves or are slow to find them
/// again: PoCL 3.1 runs the preprocessor over 10,000 lines before it looks into its own cache, 24
/// ms a program, where a binary is loaded in 1 ms.
///
/// One file a program, `<cache folder>/programs/<hash>`: a magic word, the key, a checksum and the
/// binary. The key is all that the binary depends on (device, driver, options, text) in full, so a
/// collision of hashes is a miss. Files are written under another name and renamed; whatever is
/// missing, damaged or refused by the driver is a miss, and the caller compiles.
/// `OCELLUS_PROGRAM_CACHE=off` turns it off.
class ProgramCache {
 public:
  ProgramCache(cl_context context, cl_device_id device, const DeviceInfo& info);
  ~ProgramCache();

  bool enabled() const { return !folder_.empty(); }
  /// True where asking for a binary compiles every kernel of the program that has not run yet: only
  /// programs all of whose kernels did are worth keeping.
  bool compiles_at_launch() const { return compiles_at_launch_; }

  /// True for PoCL where a binary has all kernels, ready to run, and its own cache takes them over.
  bool binaries_hold_kernels() const { return binaries_hold_kernels_; }

  /// The program, built; null when there is none.
  Program load(const std::string& text, const std::string& options) const noexcept;
  void save(cl_program program, const std::string& text, const std::string& options) const noexcept;
  /// The same program in this cache's context, and saved; null when the driver refuses its binary.
  Program adopt(cl_program program, const std::string& text, const std::string& options) const;

 private:
  std::string key(const std::string& text, const std::string& options) const;
  std::filesystem::path file(const std::string& key) const;
  Program build(const std::string& binary, const std::string& options) const;
  void keep(const std::string& binary, const std::string& text,
            const std::string& options) const noexcept;
  void prune() const;

  const cl_context context_;
  const cl_device_id device_;
  std::string identity_;  ///< of device and driver
  std::filesystem::path folder_;
  bool compiles_at_launch_ = false, binaries_hold_kernels_ = false;
  mutable std::atomic<bool> saved_ = false;
};

}  // namespace ocellus::opencl
