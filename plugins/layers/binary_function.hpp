#pragma once

#include <string>

namespace ocellus::layers {

/// A function of two numbers, of which one may be a constant: the merges and ConstantOperation.
struct BinaryFunction {
  const char* name;
  /// OpenCL C over {0} and {1}, and its two derivatives.
  const char *f, *d0, *d1;

  std::string value(const std::string& a, const std::string& b) const { return put(f, a, b); }
  /// By argument 0 or 1.
  std::string derivative(int argument, const std::string& a, const std::string& b) const {
    return put(argument == 0 ? d0 : d1, a, b);
  }
  /// Both derivatives are numbers.
  bool is_linear() const;

 private:
  static std::string put(const char* text, const std::string& a, const std::string& b);
};

/// add, subtract, multiply, divide, power, maximum, minimum. Where two are equal, the first is the
/// larger and the smaller, and takes the gradient.
const BinaryFunction& binary_function(const std::string& name);

}  // namespace ocellus::layers
