#include "binary_function.hpp"

#include <fmt/format.h>

#include <cstring>

#include "ocellus/core/error.hpp"

namespace ocellus::layers {
namespace {

constexpr BinaryFunction functions[] = {
    {"add", "{0} + {1}", "(T)(1.0f)", "(T)(1.0f)"},
    {"subtract", "{0} - {1}", "(T)(1.0f)", "(T)(-1.0f)"},
    {"multiply", "{0} * {1}", "{1}", "{0}"},
    {"divide", "{0} / {1}", "1.0f / {1}", "-{0} / ({1} * {1})"},
    {"power", "pow({0}, {1})", "{1} * pow({0}, {1} - 1.0f)", "pow({0}, {1}) * log({0})"},
    {"maximum", "fmax({0}, {1})", "{0} >= {1} ? (T)(1.0f) : (T)(0.0f)",
     "{0} >= {1} ? (T)(0.0f) : (T)(1.0f)"},
    {"minimum", "fmin({0}, {1})", "{0} <= {1} ? (T)(1.0f) : (T)(0.0f)",
     "{0} <= {1} ? (T)(0.0f) : (T)(1.0f)"},
};

}  // namespace

bool BinaryFunction::is_linear() const { return !std::strchr(d0, '{') && !std::strchr(d1, '{'); }

std::string BinaryFunction::put(const char* text, const std::string& a, const std::string& b) {
  return fmt::format(fmt::runtime(text), a, b);
}

const BinaryFunction& binary_function(const std::string& name) {
  for (const BinaryFunction& f : functions)
    if (name == f.name) return f;
  throw UsageError("no function of two numbers is named '" + name + "'");
}

}  // namespace ocellus::layers
