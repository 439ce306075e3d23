#include "ocellus/opencl/tuning.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

#include "device_list.hpp"
#include "ocellus/opencl/cache.hpp"

namespace ocellus::opencl {
namespace fs = std::filesystem;
namespace {

using Pass = TuningProblem::Pass;
constexpr std::array kPassNames{"gemm", "forward", "backward_data", "backward_weights"};
constexpr const char* kFirstLine = "ocellus tuning 1";
// Both ways: what fmt writes and sscanf reads.
constexpr const char* kGemmText = "gemm {}x{} * {}x{} {}{}";
constexpr const char* kGemmScan = "gemm %dx%d * %dx%d %c%c%n";
constexpr const char* kConvolutionText =
    "{} {}x{}x{}x{} -> {}x{}x{} kernel {}x{} stride {}x{} dilation {}x{} pad {},{} groups {}";
constexpr const char* kConvolutionScan =
    "%16s %dx%dx%dx%d -> %dx%dx%d kernel %dx%d stride %dx%d dilation %dx%d pad %d,%d groups %d%n";

/// FNV-1a (Fowler, Noll, Vo), 64 bits, to name files.
uint64_t hash_of(const std::string& bytes) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

}  // namespace

TuningProblem::TuningProblem(const GemmProblem& problem) : pass_(Pass::gemm), gemm_(problem) {
  gemm_.accumulate = false;
  gemm_.epilogue = {};
}

TuningProblem::TuningProblem(Pass pass, const ConvolutionProblem& problem)
    : pass_(pass), convolution_(problem) {
  convolution_.batch =
      static_cast<int>(std::bit_ceil(static_cast<uint32_t>(std::max(1, problem.batch))));
  convolution_.accumulate = false;
  convolution_.epilogue = {};
}

std::string TuningProblem::text() const {
  if (pass_ == Pass::gemm)
    return fmt::format(kGemmText, gemm_.m, gemm_.k, gemm_.k, gemm_.n, gemm_.transpose_a ? 't' : 'n',
                       gemm_.transpose_b ? 't' : 'n');
  const ConvolutionProblem& p = convolution_;
  return fmt::format(kConvolutionText, kPassNames[static_cast<size_t>(pass_)], p.batch, p.h.in,
                     p.w.in, p.in_channels, p.h.out, p.w.out, p.out_channels, p.h.kernel,
                     p.w.kernel, p.h.stride, p.w.stride, p.h.dilation, p.w.dilation, p.h.pad_before,
                     p.w.pad_before, p.groups);
}

TuningProblem TuningProblem::parse(const std::string& text) {
  GemmProblem g;
  ConvolutionProblem p;
  char a = 0, b = 0, name[17] = {};
  int inner = 0, read = -1;
  const char* from = text.c_str();
  std::sscanf(from, kGemmScan, &g.m, &g.k, &inner, &g.n, &a, &b, &read);
  g.transpose_a = a == 't';
  g.transpose_b = b == 't';
  // The text that a problem gives must be the text that it came from: whatever else was read is
  // refused.
  if (read > 0)
    if (TuningProblem found(g); found.text() == text) return found;
  std::sscanf(from, kConvolutionScan, name, &p.batch, &p.h.in, &p.w.in, &p.in_channels, &p.h.out,
              &p.w.out, &p.out_channels, &p.h.kernel, &p.w.kernel, &p.h.stride, &p.w.stride,
              &p.h.dilation, &p.w.dilation, &p.h.pad_before, &p.w.pad_before, &p.groups, &read);
  const auto pass = std::find(kPassNames.begin() + 1, kPassNames.end(), std::string(name));
  if (read > 0 && pass != kPassNames.end())
    if (TuningProblem found(static_cast<Pass>(pass - kPassNames.begin()), p); found.text() == text)
      return found;
  throw Error(fmt::format("'{}' is not a problem to tune", text));
}

double TuningProblem::multiply_adds() const {
  return pass_ == Pass::gemm ? 1.0 * gemm_.m * gemm_.n * gemm_.k : convolution_.multiply_adds();
}

std::vector<std::string> TuningProblem::algorithms(const Device& device) const {
  switch (pass_) {
    case Pass::gemm:
      return Gemm::algorithms(device, gemm_);
    case Pass::forward:
      return ConvolutionForward::algorithms(device, convolution_);
    case Pass::backward_data:
      return ConvolutionBackwardData::algorithms(device, convolution_);
    case Pass::backward_weights:
      return ConvolutionBackwardWeights::algorithms(device, convolution_);
  }
  return {};
}

std::vector<std::string> TuningProblem::with_tiles(const Device& device,
                                                   const std::string& algorithm) const {
  switch (pass_) {
    case Pass::gemm:
      return Gemm::with_tiles(device, gemm_, algorithm);
    case Pass::forward:
      return ConvolutionForward::with_tiles(device, convolution_, algorithm);
    case Pass::backward_data:
      return ConvolutionBackwardData::with_tiles(device, convolution_, algorithm);
    case Pass::backward_weights:
      return ConvolutionBackwardWeights::with_tiles(device, convolution_, algorithm);
  }
  return {};
}

std::string TuningTable::identity(const DeviceInfo& d) {
  std::string line = fmt::format(
      "Ocellus {} | {} | {} | {} | {} | {} | {} kernels | {} units | {} local | {} a group | {}",
      OCELLUS_OPENCL_VERSION, d.platform, d.vendor, d.name, d.driver, d.version,
      to_string(d.family), d.compute_units, d.local_memory, d.max_work_group,
      environment("OCELLUS_KERNEL_PATH"));
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

TuningTable& TuningTable::of(const DeviceInfo& device) {
  static std::mutex mutex;
  static std::map<fs::path, std::unique_ptr<TuningTable>> tables;
  fs::path file;
  const std::string own = identity(device);
  const fs::path folder = cache_folder();
  if (!folder.empty() && environment("OCELLUS_TUNING") != "off")
    file = folder / "tuning" / fmt::format("{:016x}", hash_of(own));
  const std::lock_guard lock(mutex);
  std::unique_ptr<TuningTable>& table = tables[file];
  if (!table) table = std::make_unique<TuningTable>(file, own);
  return *table;
}

TuningTable::TuningTable(fs::path file, std::string identity)
    : file_(std::move(file)), identity_(std::move(identity)) {
  load();
}

void TuningTable::load() {
  std::error_code ignored;
  if (file_.empty() || !fs::exists(file_, ignored)) return;
  std::ifstream in(file_, std::ios::binary);
  const auto refuse = [&](const char* why) {
    choices_.clear();
    complaint_ =
        fmt::format("{}: {}: not used ('ocellus tune --clear' removes it)", file_.string(), why);
  };
  std::string line, end;
  if (!std::getline(in, line) || line != kFirstLine) return refuse("is no tuning table");
  if (!std::getline(in, line) || line != identity_)
    return refuse("is of another device, driver or version");
  while (std::getline(in, line) && line.find('\t') != std::string::npos) {
    const size_t tab = line.find('\t');
    try {
      choices_[TuningProblem::parse(line.substr(tab + 1)).text()] = line.substr(0, tab);
    } catch (const Error&) {
      return refuse("is damaged");
    }
  }
  if (line != fmt::format("end {}", choices_.size())) refuse("is damaged");
}

size_t TuningTable::size() const {
  const std::lock_guard lock(mutex_);
  return choices_.size();
}

std::string TuningTable::choice(const TuningProblem& problem) const {
  const std::lock_guard lock(mutex_);
  if (choices_.empty()) return {};
  const auto found = choices_.find(problem.text());
  return found == choices_.end() ? std::string() : found->second;
}

void TuningTable::choose(const TuningProblem& problem, const std::string& algorithm) {
  const std::lock_guard lock(mutex_);
  choices_[problem.text()] = algorithm;
}

void TuningTable::clear() {
  const std::lock_guard lock(mutex_);
  choices_.clear();
  complaint_.clear();
  std::error_code ignored;
  if (!file_.empty()) fs::remove(file_, ignored);
}

void TuningTable::save() const {
  const std::lock_guard lock(mutex_);
  if (file_.empty())
    throw Error("there is no place to keep what was tuned: set OCELLUS_CACHE to a folder");
  std::string text = fmt::format("{}\n{}\n", kFirstLine, identity_);
  for (const auto& [problem, algorithm] : choices_)
    text += fmt::format("{}\t{}\n", algorithm, problem);
  text += fmt::format("end {}\n", choices_.size());
  const fs::path temporary = file_.string() + fmt::format(".{}", getpid());
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  if (out) fs::rename(temporary, file_, error);
  if (out && !error) return;
  std::error_code ignored;
  fs::remove(temporary, ignored);
  throw Error(fmt::format("{}: cannot be written", file_.string()));
}

void TuningTable::start_recording() {
  const std::lock_guard lock(mutex_);
  recording_ = true;
}

std::vector<TuningProblem> TuningTable::recorded() {
  const std::lock_guard lock(mutex_);
  recording_ = false;
  return std::exchange(recorded_, {});
}

void TuningTable::note(const TuningProblem& problem) {
  const std::lock_guard lock(mutex_);
  if (!recording_) return;
  const std::string text = problem.text();
  if (std::ranges::none_of(recorded_, [&](const auto& r) { return r.text() == text; }))
    recorded_.push_back(problem);
}

}  // namespace ocellus::opencl
