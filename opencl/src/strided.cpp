#include "ocellus/opencl/strided.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "matrix.hpp"

namespace ocellus::opencl {
namespace {

/// One axis of the index space; strides of the inputs, then of the output.
struct Axis {
  int extent = 1;
  std::vector<int> strides;
};
using Axes = std::vector<Axis>;

/// Neighbours that every operand walks as one axis become one; axes of one element vanish.
Axes collapse(const Axes& axes) {
  Axes out;
  for (const Axis& a : axes) {
    if (a.extent == 1) continue;
    const auto continues = [&](const Axis& outer) {
      for (size_t i = 0; i < a.strides.size(); ++i)
        if (outer.strides[i] != a.strides[i] * a.extent) return false;
      return true;
    };
    if (!out.empty() && continues(out.back()))
      out.back() = {out.back().extent * a.extent, a.strides};
    else
      out.push_back(a);
  }
  return out;
}

int64_t elements(const Axes& axes) {
  int64_t n = 1;
  for (const Axis& a : axes) n *= a.extent;
  return n;
}

/// The axes that remain and those that are reduced. `across`: lanes run along the last reduced
/// axis, because it is the one that lies contiguous in memory; otherwise along the last kept one.
struct Geometry {
  Axes kept, reduced;
  bool across = false;

  explicit Geometry(const StridedProblem& p) {
    const size_t rank = p.extents.size(), operands = p.inputs.size() + 1;
    for (size_t i = 0; i < rank; ++i) {
      Axis a{p.extents[i], {}};
      for (const auto& s : p.inputs) a.strides.push_back(s.at(i));
      a.strides.push_back(p.output.at(i));
      (p.output[i] == 0 ? reduced : kept).push_back(std::move(a));
    }
    kept = collapse(kept);
    reduced = collapse(reduced);
    if (kept.empty()) kept.push_back({1, std::vector<int>(operands, 1)});
    across = !reduced.empty() && reduced.back().strides[0] == 1 &&
             (kept.back().extent == 1 || kept.back().strides[0] != 1);
  }
  int columns() const { return across ? 1 : kept.back().extent; }
  /// Stride of an operand along the lanes.
  int lane_stride(size_t operand) const {
    return (across && operand + 1 < kept.back().strides.size() ? reduced : kept)
        .back()
        .strides[operand];
  }
};

/// Loads and stores along the lanes by the kind of stride.
const char* const helpers = R"(
#include "ocellus/matrix.cl"
#ifdef TILED
#define LANES 1
#define LOAD_STRIDED(p, s, n) (*(p))
#define STORE_STRIDED(v, p, s, n) (*(p) = (v))
#define MASKED(v, n, other) (v)
#define SUM_LANES(v) (v)
#define MAX_LANES(v) (v)
#else
#define LANES 16
#define LOAD_STRIDED(p, s, n) load_strided(p, s, n)
#define STORE_STRIDED(v, p, s, n) store_strided(v, p, s, n)
#define MASKED(v, n, other) \
  select((float16)(other), v, (int16)(n) > (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define SUM_LANES(v) (float16)(sum16(v))
#define MAX_LANES(v) (float16)(max16(v))

inline float16 load_strided(__global const float* p, int stride, int n) {
  float lanes[16] = {0};
  for (int i = 0; i < n; ++i) lanes[i] = p[i * stride];
  return vload16(0, lanes);
}

inline void store_strided(float16 v, __global float* p, int stride, int n) {
  float lanes[16];
  vstore16(v, 0, lanes);
  for (int i = 0; i < n; ++i) p[i * stride] = lanes[i];
}
#endif
)";

/// The kernel's text depends on the number of axes and the kinds of lane strides; extents and
/// strides are arguments. Own names end in an underscore.
class Text {
 public:
  Text(const StridedProblem& p, const Geometry& g) : p_(p), g_(g), last_(p.inputs.size()) {}

  std::string str() const {
    std::string t =
        helpers + fmt::format("__kernel MATRIX_ATTRIBUTES void {}(MATRIX_PARAMETERS", p_.name);
    for (size_t a = 0; a < g_.kept.size(); ++a) t += fmt::format(", int kept{}_", a);
    for (size_t a = 0; a < g_.reduced.size(); ++a) t += fmt::format(", int reduced{}_", a);
    for (size_t k = 0; k <= last_; ++k) {
      t += fmt::format(",\n  __global {0}float* p{1}_, uint offset{1}_", k < last_ ? "const " : "",
                       k);
      for (size_t a = 0; a < g_.kept.size(); ++a) t += fmt::format(", int k{}_{}_", k, a);
      for (size_t a = 0; k < last_ && a < g_.reduced.size(); ++a)
        t += fmt::format(", int r{}_{}_", k, a);
    }
    // Whether it adds is an argument: what overwrites and what adds is one program to compile.
    t += ", int accumulate_) {\n  FOR_EACH(row_, column_, lanes_) {\n" + places();
    t += g_.reduced.empty() ? values("lanes_") + fmt::format("T y = {};\n", p_.expression)
                            : reduction();
    return t + store() + "  }\n}\n";
  }

 private:
  /// Where the operands of this element lie: at0_, at1_, ...
  std::string places() const {
    std::string t = "int rest_ = row_;\n";
    const size_t n = g_.kept.size();
    const bool has_lanes = !g_.across;  // then the last kept axis is the column
    for (size_t a = n - has_lanes; a-- > 0;) {
      t += a == 0 ? "const int i0_ = rest_;\n"
                  : fmt::format("const int i{0}_ = rest_ % kept{0}_; rest_ /= kept{0}_;\n", a);
    }
    if (has_lanes) t += fmt::format("const int i{}_ = column_;\n", n - 1);
    for (size_t k = 0; k <= last_; ++k) {
      t += fmt::format("const int at{0}_ = (int)offset{0}_", k);
      for (size_t a = 0; a < n; ++a) t += fmt::format(" + i{0}_ * k{1}_{0}_", a, k);
      t += ";\n";
    }
    return t;
  }

  /// x0, x1, ... of one step.
  std::string values(const char* lanes) const {
    std::string t;
    for (size_t k = 0; k < last_; ++k) {
      std::string place = fmt::format("p{0}_ + at{0}_", k);
      for (size_t a = 0; a < g_.reduced.size(); ++a)
        place += fmt::format(" + j{0}_ * r{1}_{0}_", a, k);
      const int stride = g_.lane_stride(k);
      t += fmt::format("const T x{} = ", k);
      if (stride == 1)
        t += fmt::format("LOAD({}, {});\n", place, lanes);
      else if (stride == 0)
        t += fmt::format("(T)(*({}));\n", place);
      else
        t += fmt::format("LOAD_STRIDED({}, {}, {});\n", place, lane_argument(k), lanes);
    }
    if (last_ > 0) t += "const T x = x0;\n";
    return t + p_.prologue + "\n";
  }
  std::string lane_argument(size_t k) const {
    return g_.across && k < last_ ? fmt::format("r{}_{}_", k, g_.reduced.size() - 1)
                                  : fmt::format("k{}_{}_", k, g_.kept.size() - 1);
  }

  std::string reduction() const {
    const bool sum = p_.combine == StridedProblem::Combine::sum;
    std::string t = sum ? "T y = 0.0f;\n" : "T y = -INFINITY;\n";
    const size_t n = g_.reduced.size();
    for (size_t a = 0; a < n; ++a) {
      const bool stepped = g_.across && a == n - 1;
      t += fmt::format("for (int j{0}_ = 0; j{0}_ < reduced{0}_; j{0}_ += {1}) {{\n", a,
                       stepped ? "LANES" : "1");
      if (stepped) t += fmt::format("const uint n_ = min(LANES, reduced{0}_ - j{0}_);\n", a);
    }
    t += values(g_.across ? "n_" : "lanes_");
    const std::string value = g_.across ? fmt::format("MASKED((T)({}), n_, {})", p_.expression,
                                                      sum ? "0.0f" : "-INFINITY")
                                        : "(T)(" + p_.expression + ")";
    t += sum ? "y += " + value + ";\n" : "y = fmax(y, " + value + ");\n";
    t += std::string(n, '}') + "\n";
    if (g_.across) t += sum ? "y = SUM_LANES(y);\n" : "y = MAX_LANES(y);\n";
    return t;
  }

  std::string store() const {
    const bool packed = g_.across || g_.lane_stride(last_) == 1;
    std::string t =
        fmt::format("__global float* to_ = p{0}_ + at{0}_;\nT result_ = {1};\n", last_, p_.finish);
    const std::string stride = fmt::format("k{}_{}_", last_, g_.kept.size() - 1);
    t +=
        "if (accumulate_) result_ += " +
        (packed ? "LOAD(to_, lanes_);\n" : fmt::format("LOAD_STRIDED(to_, {}, lanes_);\n", stride));
    return t + (packed ? "STORE(result_, to_, lanes_);\n"
                       : fmt::format("STORE_STRIDED(result_, to_, {}, lanes_);\n", stride));
  }

  const StridedProblem& p_;
  const Geometry& g_;
  size_t last_;  ///< index of the output
};

/// One kernel of one stage.
class Launch {
 public:
  Launch(Device& device, const StridedProblem& p)
      : geometry_(p),
        kernel_(device.kernel({p.name + ".cl", Text(p, geometry_).str(), "ocellus"}, p.name,
                              family_options(device))),
        accumulate_(p.accumulate) {
    const int64_t work = elements(geometry_.reduced);
    split_ = split_matrix(device, elements(geometry_.kept) / geometry_.columns(),
                          geometry_.columns(), static_cast<size_t>(std::max<int64_t>(1, work)));
    empty_ = elements(geometry_.kept) == 0;
  }

  void run(Queue& queue, std::span<const Operand> inputs, const Operand& output) const {
    if (empty_) return;
    Arguments arguments;
    split_.append(arguments);
    for (const Axis& a : geometry_.kept) arguments.add(a.extent);
    for (const Axis& a : geometry_.reduced) arguments.add(a.extent);
    for (size_t k = 0; k <= inputs.size(); ++k) {
      const Operand& o = k < inputs.size() ? inputs[k] : output;
      arguments.add(o.buffer).add(o.offset);
      for (const Axis& a : geometry_.kept) arguments.add(a.strides[k]);
      for (size_t i = 0; k < inputs.size() && i < geometry_.reduced.size(); ++i)
        arguments.add(geometry_.reduced[i].strides[k]);
    }
    arguments.add(int32_t{accumulate_});
    kernel_.launch(queue, split_.range, arguments);
  }

 private:
  Geometry geometry_;
  Kernel kernel_;
  MatrixSplit split_;
  bool accumulate_, empty_ = false;
};

/// The largest divisor of `extent` up to 64.
int parts_of(int extent) {
  int best = 1;
  for (int d = 2; d <= std::min(extent, 64); ++d)
    if (extent % d == 0) best = d;
  return best;
}

}  // namespace

struct Strided::State {
  std::vector<Launch> stages;
  size_t inputs = 0, scratch_bytes = 0;
};

Strided::Strided(Device& device, const StridedProblem& problem) : state_(new State) {
  state_->inputs = problem.inputs.size();
  if (problem.inputs.empty()) throw Error("a strided kernel without inputs");
  // Few results of long sums: split the longest reduced axis, then join the parts.
  constexpr int64_t few = 4096, long_sum = 1024;
  int64_t results = 1, terms = 1;
  size_t longest = 0;
  int parts = 1;
  for (size_t i = 0; i < problem.extents.size(); ++i) {
    (problem.output[i] == 0 ? terms : results) *= problem.extents[i];
    if (problem.output[i] == 0 && parts_of(problem.extents[i]) > parts) {
      longest = i;
      parts = parts_of(problem.extents[i]);
    }
  }
  if (results > few || terms < long_sum || parts < 4) {
    state_->stages.emplace_back(device, problem);
    return;
  }
  StridedProblem first = problem, second;
  const int size = problem.extents[longest] / parts;
  first.extents[longest] = size;
  first.extents.insert(first.extents.begin(), parts);
  for (auto& s : first.inputs) s.insert(s.begin(), s[longest] * size);
  // The partial results are contiguous: part first, then the kept axes.
  std::vector<int> packed(problem.extents.size());
  int next = 1;
  for (size_t i = packed.size(); i-- > 0;) {
    if (problem.output[i] == 0) continue;
    packed[i] = next;
    next *= problem.extents[i];
  }
  first.output = packed;
  first.output.insert(first.output.begin(), next);
  first.accumulate = false;
  first.finish = "y";
  second.extents = {parts};
  second.inputs = {{next}};
  second.output = {0};
  for (size_t i = 0; i < packed.size(); ++i) {
    if (problem.output[i] == 0) continue;
    second.extents.push_back(problem.extents[i]);
    second.inputs[0].push_back(packed[i]);
    second.output.push_back(problem.output[i]);
  }
  second.combine = problem.combine;
  second.finish = problem.finish;
  second.accumulate = problem.accumulate;
  second.name = problem.name + "_join";
  state_->scratch_bytes = size_t{sizeof(float)} * parts * next;
  state_->stages.emplace_back(device, first);
  state_->stages.emplace_back(device, second);
}
Strided::~Strided() = default;
Strided::Strided(Strided&&) noexcept = default;

size_t Strided::scratch_bytes() const { return state_->scratch_bytes; }

void Strided::run(Queue& queue, std::span<const Operand> inputs, const Operand& output,
                  const Operand& scratch) const {
  if (inputs.size() != state_->inputs)
    throw Error(
        fmt::format("a strided kernel of {} inputs was given {}", state_->inputs, inputs.size()));
  if (state_->stages.size() == 1) return state_->stages[0].run(queue, inputs, output);
  if (!scratch) throw Error("a strided sum in two stages needs scratch memory");
  state_->stages[0].run(queue, inputs, scratch);
  const Operand partial[] = {scratch};
  state_->stages[1].run(queue, partial, output);
}

}  // namespace ocellus::opencl
