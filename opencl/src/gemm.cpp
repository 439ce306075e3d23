#include "ocellus/opencl/gemm.hpp"

#include <fmt/format.h>

#include <array>

#include "choice.hpp"
#include "gemm_algorithm.hpp"
#include "ocellus/opencl/tuning.hpp"

namespace ocellus::opencl {
namespace {

const auto& entries() {
  static const std::array kEntries{&kGemmThinVector, &kGemmVector, &kGemmTiled, &kGemmClblast,
                                   &kGemmNaive};
  return kEntries;
}

std::string tuned(const Device& device, const GemmProblem& problem) {
  return TuningTable::of(device.info()).choice(TuningProblem(problem));
}

auto able(const Device& device, const GemmProblem& problem) {
  auto list = ranked(entries(), [&](const GemmEntry& e) { return e.rank(device, problem); });
  prefer(list, tuned(device, problem));
  prefer_wanted(list);
  return list;
}

/// A matrix of rows x columns must lie within its buffer.
void check_matrix(const char* name, const Operand& x, int rows, int columns) {
  const uint64_t last = x.offset + uint64_t{x.stride} * static_cast<uint64_t>(rows - 1) + columns;
  if (x.stride < static_cast<uint32_t>(columns) || last * sizeof(float) > x.buffer.bytes())
    throw Error(fmt::format(
        "gemm: {} is {} x {} with a row distance of {} at offset {}, its buffer holds {} floats",
        name, rows, columns, x.stride, x.offset, x.buffer.bytes() / sizeof(float)));
}

}  // namespace

std::vector<std::string> gemm_algorithm_names() { return names_of(entries()); }

struct Gemm::State {
  GemmProblem problem;
  std::string name;
  std::unique_ptr<GemmAlgorithm> algorithm;

  void run(Queue& queue, const GemmAlgorithm::Call& call) const {
    const GemmProblem& p = problem;
    check_matrix("A", call.a, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k);
    if (!call.packed)
      check_matrix("B", call.b, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
    check_matrix("C", call.c, p.m, p.n);
    if (call.workspace.bytes() < algorithm->workspace_bytes())
      throw Error(fmt::format("gemm: {} bytes of workspace are needed, {} were given",
                              algorithm->workspace_bytes(), call.workspace.bytes()));
    algorithm->run(queue, call);
  }
};

Gemm::Gemm(Device& device, const GemmProblem& problem, const std::string& algorithm) {
  if (problem.m < 1 || problem.n < 1 || problem.k < 1)
    throw Error(fmt::format("gemm: m, n, k = {}, {}, {} must be positive", problem.m, problem.n,
                            problem.k));
  if (algorithm.empty()) TuningTable::of(device.info()).note(TuningProblem(problem));
  const auto list = able(device, problem);
  const std::string name =
      algorithm.empty() ? names_of(device, list, tuned(device, problem)).at(0) : algorithm;
  const GemmEntry& entry = chosen(list, name, "gemm");
  state_ = std::make_unique<State>(State{problem, name, make_named(device, entry, name, problem)});
}
Gemm::~Gemm() = default;
Gemm::Gemm(Gemm&&) noexcept = default;

std::vector<std::string> Gemm::algorithms(const Device& device, const GemmProblem& problem) {
  return names_of(device, able(device, problem), tuned(device, problem));
}

std::vector<std::string> Gemm::with_tiles(const Device& device, const GemmProblem& problem,
                                          const std::string& algorithm) {
  return tiled_names(device, chosen(able(device, problem), algorithm, "gemm"));
}

std::string Gemm::algorithm() const { return state_->name; }
size_t Gemm::workspace_bytes() const { return state_->algorithm->workspace_bytes(); }
size_t Gemm::packed_bytes() const { return state_->algorithm->packed_bytes(); }

void Gemm::pack(Queue& queue, const Operand& b, const Buffer& packed) const {
  const GemmProblem& p = state_->problem;
  check_matrix("B", b, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
  if (packed_bytes() == 0 || packed.bytes() < packed_bytes())
    throw Error(fmt::format("gemm '{}': the packed B takes {} bytes, {} were given", state_->name,
                            packed_bytes(), packed.bytes()));
  state_->algorithm->pack(queue, b, packed);
}

void Gemm::run(Queue& queue, const Operand& a, const Operand& b, const Operand& c,
               std::span<const Operand> epilogue, const Buffer& workspace) const {
  state_->run(queue, {a, b, c, {}, epilogue, workspace});
}

void Gemm::run_packed(Queue& queue, const Operand& a, const Buffer& packed_b, const Operand& c,
                      std::span<const Operand> epilogue, const Buffer& workspace) const {
  if (packed_bytes() == 0 || packed_b.bytes() < packed_bytes())
    throw Error(fmt::format("gemm '{}': the packed B takes {} bytes, {} were given", state_->name,
                            packed_bytes(), packed_b.bytes()));
  state_->run(queue, {a, {}, c, packed_b, epilogue, workspace});
}

}  // namespace ocellus::opencl
