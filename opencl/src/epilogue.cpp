#include "ocellus/opencl/epilogue.hpp"

#include <fmt/format.h>

#include "ocellus/opencl/error.hpp"

namespace ocellus::opencl {
namespace {

size_t operands_of(Stage::Kind kind) {
  switch (kind) {
    case Stage::Kind::affine:
      return 2;
    case Stage::Kind::bias:
    case Stage::Kind::merge:
      return 1;
    case Stage::Kind::expression:
      return 0;
  }
  return 0;
}

struct Names {
  std::string function, macro, operand;
};

/// One function a vector width: 1, 4, 8, 16.
std::string function(const Epilogue& epilogue, int width, const Names& names) {
  const auto load = [&](size_t operand, const std::string& index) {
    return width == 1 ? fmt::format("{}{}[{}]", names.operand, operand, index)
                      : fmt::format("vload{}(0, {}{} + {})", width, names.operand, operand, index);
  };
  const auto vector = [&](size_t operand) {
    return load(operand, fmt::format("{}{}_offset + channel", names.operand, operand));
  };
  std::string text = fmt::format("inline T {}{}(T x, uint pixel, uint channel {}_PARAMETERS) {{\n",
                                 names.function, width, names.macro);
  size_t n = 0;
  for (const Stage& s : epilogue.stages) {
    switch (s.kind) {
      case Stage::Kind::bias:
        text += fmt::format("  x = x + {};\n", vector(n));
        break;
      case Stage::Kind::affine:
        text += fmt::format("  x = x * {} + {};\n", vector(n), vector(n + 1));
        break;
      case Stage::Kind::expression:
        text += fmt::format("  x = {};\n", s.expression);
        break;
      case Stage::Kind::merge:
        text += fmt::format("  {{ const T x0 = x, x1 = {1}; x = {0}; }}\n", s.expression,
                            load(n, fmt::format("{0}{1}_offset + pixel * {0}{1}_stride + channel",
                                                names.operand, n)));
        break;
    }
    n += operands_of(s.kind);
  }
  return text + "  return x;\n}\n";
}

}  // namespace

size_t Epilogue::operand_count() const {
  size_t n = 0;
  for (const Stage& s : stages) n += operands_of(s.kind);
  return n;
}

std::string generate(const Epilogue& epilogue, const std::string& name) {
  Names names{name, name, name + "_"};
  for (char& c : names.macro) c = static_cast<char>(c - 'a' + 'A');
  std::string parameters, arguments, prefetch;
  size_t n = 0;
  for (const Stage& s : epilogue.stages) {
    for (size_t i = 0; i < operands_of(s.kind); ++i, ++n) {
      const std::string operand = names.operand + std::to_string(n);
      parameters += fmt::format(", __global const float* restrict {0}, uint {0}_offset", operand);
      arguments += fmt::format(", {0}, {0}_offset", operand);
      if (s.kind != Stage::Kind::merge) continue;
      parameters += fmt::format(", uint {}_stride", operand);
      arguments += fmt::format(", {}_stride", operand);
      prefetch +=
          fmt::format("PREFETCH({0} + {0}_offset + (pixel) * {0}_stride + (channel)); ", operand);
    }
  }
  std::string text = fmt::format(
      "#define {0}_PARAMETERS {1}\n#define {0}_ARGUMENTS {2}\n"
      "#define {0}_PREFETCH(pixel, channel) {3}\n",
      names.macro, parameters, arguments, prefetch);
  for (int width : {1, 4, 8, 16}) {
    text += fmt::format("#define T float{}\n", width == 1 ? "" : std::to_string(width));
    text += function(epilogue, width, names) + "#undef T\n";
  }
  return text;
}

void append(Arguments& arguments, const Epilogue& epilogue, std::span<const Operand> operands) {
  if (operands.size() != epilogue.operand_count())
    throw Error(fmt::format("the epilogue reads {} operands, {} were given",
                            epilogue.operand_count(), operands.size()));
  size_t n = 0;
  for (const Stage& s : epilogue.stages) {
    for (size_t i = 0; i < operands_of(s.kind); ++i, ++n) {
      arguments.add(operands[n].buffer).add(operands[n].offset);
      if (s.kind == Stage::Kind::merge) arguments.add(operands[n].stride);
    }
  }
}

}  // namespace ocellus::opencl
