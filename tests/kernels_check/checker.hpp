#pragma once

#include <fmt/format.h>

#include <cstdio>

#include "opencl/operands.hpp"

namespace ocellus::test {

using Doubles = std::vector<double>;

/// A device and the count of what went wrong on it.
class Checker {
 public:
  /// `own`: only algorithms that belong to the family, not all that run in it.
  Checker(Device& device, const std::string& family, bool own)
      : device_(device), family_(family), own_(own) {}

  int failures() const { return failures_; }
  const std::string& family() const { return family_; }
  bool skips(const std::string& algorithm) const {
    if (algorithm == "clblast") return true;  // not ours to check
    return own_ && algorithm.ends_with("tiled") != (family_ == "tiled");
  }
  void fail(const std::string& why) {
    fmt::print("{:6} FAILED: {}\n", family_, why);
    ++failures_;
  }
  Device& device() { return device_; }
  Queue& queue() { return device_.compute(); }

  /// Where matrices begin and how far apart their rows are: odd, or at vectors of four floats.
  bool at_fours = false;

  GuardedMatrix matrix(int rows, int columns, const std::vector<float>& values = {}) {
    if (at_fours) return {device_, rows, columns, 4, 8, values};
    return {device_, rows, columns, 3, 7, values};
  }
  /// Full of NaNs: a kernel that reads what nobody wrote gives one.
  Buffer scratch(size_t bytes) {
    if (bytes == 0) return {};
    return upload(device_, std::vector<uint32_t>(bytes / 4, GuardedMatrix::kGuard));
  }

  void check(const std::string& what, const GuardedMatrix& actual, const Doubles& expected,
             double terms = 1) {
    std::string wrong;
    try {
      const double error = error_ratio(actual.values(), expected, terms);
      if (error > 1) wrong = fmt::format("FAILED: {:.3g} times the error bound", error);
    } catch (const std::runtime_error& e) {
      wrong = fmt::format("FAILED: {}", e.what());
    }
    fmt::print("{:6} {:40} {}\n", family_, what, wrong.empty() ? "ok" : wrong);
    std::fflush(stdout);  // a crash of the driver must not hide how far it came
    failures_ += !wrong.empty();
  }

 private:
  Device& device_;
  std::string family_;
  bool own_;
  int failures_ = 0;
};

}  // namespace ocellus::test
