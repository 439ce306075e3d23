// What ocellus bench measures of the primitives: matrix products, dense layers, convolutions, and
// the peaks of the device that they are compared with.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "bench.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/gemm.hpp"

namespace ocellus::tools {

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const size_t half = v.size() / 2;
  return v.size() % 2 ? v[half] : (v[half - 1] + v[half]) / 2;
}

double time_of(opencl::Queue& queue, int repeat, const std::function<void()>& enqueue,
               double fill) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int runs) {
    const auto begin = Clock::now();
    for (int i = 0; i < runs; ++i) enqueue();
    queue.finish();
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count() / runs;
  };
  time(2);
  const int runs = fill > 0 ? std::clamp(static_cast<int>(fill / time(2)), 1, 1000) : 1;
  std::vector<double> ms;
  for (int i = 0; i < repeat; ++i) {
    ms.push_back(time(runs));
    if (interrupted()) throw Interrupted("stopped");
  }
  return median(ms);
}

Tensor random_tensor(opencl::Device& device, const Shape& shape) {
  const Tensor t = Tensor::make(device, shape, "benchmark");
  Random random(1);
  Array values(shape, DType::f32);
  for (float& v : values.f32()) v = static_cast<float>(random.uniform(-1, 1));
  upload(device.compute(), values, t);
  return t;
}

void add_rates(Json& row, const opencl::Peaks& peaks, double multiply_adds, double bytes,
               double ms) {
  const double gflops = 2 * multiply_adds / ms / 1e6, speed = bytes / ms / 1e6;
  row["gflops"] = gflops;
  row["gflops_share"] = 100 * gflops / peaks.gflops;
  row["gb_per_s"] = speed;
  row["gb_share"] = 100 * speed / peaks.gbytes_per_s;
}

namespace {

constexpr double kFill = 10;  ///< milliseconds of primitives between two waits

opencl::Buffer scratch(opencl::Device& device, size_t bytes) {
  return bytes ? device.allocate(bytes, "benchmark") : opencl::Buffer();
}

// C (m, n) = A (m, k) * B (k, n); B packed beforehand when `weights`, as a dense layer has it.
Json product(opencl::Device& device, const opencl::Peaks& peaks, const BenchOptions& o, int m,
             int n, int k, bool weights) {
  opencl::Queue& queue = device.compute();
  const opencl::Gemm gemm(device, {.m = m, .n = n, .k = k}, o.algorithm);
  const Tensor a = random_tensor(device, {m, k}), b = random_tensor(device, {k, n}),
               c = Tensor::make(device, {m, n}, "product");
  const opencl::Buffer workspace = scratch(device, gemm.workspace_bytes()),
                       packed = scratch(device, weights ? gemm.packed_bytes() : 0);
  if (packed) gemm.pack(queue, b.operand(), packed);
  const double ms = time_of(
      queue, o.repeat,
      [&] {
        if (packed)
          gemm.run_packed(queue, a.operand(), packed, c.operand(), {}, workspace);
        else
          gemm.run(queue, a.operand(), b.operand(), c.operand(), {}, workspace);
      },
      kFill);
  Json row =
      Json::Object{{"m", m}, {"n", n}, {"k", k}, {"algorithm", gemm.algorithm()}, {"ms", ms}};
  add_rates(row, peaks, 1.0 * m * n * k, 4.0 * (1.0 * m * k + 1.0 * k * n + 1.0 * m * n), ms);
  return row;
}

struct ConvolutionCase {
  int size, in, out, kernel, stride = 1, groups = 1, dilation = 1;
};

struct ConvolutionList {
  std::string name;
  std::vector<ConvolutionCase> cases;
};

const std::vector<ConvolutionList>& lists() {
  static const std::vector<ConvolutionList> all = {
      // A short look: the 3x3 ones are VGG16's, those in groups MobileNet's and EfficientNet's.
      {"common",
       {{224, 3, 64, 3},
        {112, 64, 128, 3},
        {56, 128, 256, 3},
        {28, 256, 512, 3},
        {14, 512, 512, 3},
        {28, 1, 16, 5},
        {56, 64, 256, 1},
        {224, 3, 64, 7, 2},
        {56, 128, 128, 3, 2},
        {112, 32, 32, 3, 1, 32},
        {112, 64, 64, 3, 2, 64},
        {56, 128, 128, 3, 1, 128},
        {28, 256, 256, 3, 1, 256},
        {14, 512, 512, 3, 1, 512},
        {7, 1024, 1024, 3, 1, 1024},
        {28, 240, 240, 5, 1, 240}}},
      // Each different layer once.
      {"vgg16",
       {{224, 3, 64, 3},
        {224, 64, 64, 3},
        {112, 64, 128, 3},
        {112, 128, 128, 3},
        {56, 128, 256, 3},
        {56, 256, 256, 3},
        {28, 256, 512, 3},
        {28, 512, 512, 3},
        {14, 512, 512, 3}}},
      {"resnet50",
       {{224, 3, 64, 7, 2},     {56, 64, 64, 1},      {56, 64, 64, 3},      {56, 64, 256, 1},
        {56, 256, 64, 1},       {56, 256, 128, 1, 2}, {56, 256, 512, 1, 2}, {28, 128, 128, 3},
        {28, 128, 512, 1},      {28, 512, 128, 1},    {28, 512, 256, 1, 2}, {28, 512, 1024, 1, 2},
        {14, 256, 256, 3},      {14, 256, 1024, 1},   {14, 1024, 256, 1},   {14, 1024, 512, 1, 2},
        {14, 1024, 2048, 1, 2}, {7, 512, 512, 3},     {7, 512, 2048, 1},    {7, 2048, 512, 1}}},
      {"mobilenet_v2",
       {{224, 3, 32, 3, 2},        {112, 32, 32, 3, 1, 32},   {112, 32, 16, 1},
        {112, 16, 96, 1},          {112, 96, 96, 3, 2, 96},   {56, 96, 24, 1},
        {56, 24, 144, 1},          {56, 144, 144, 3, 1, 144}, {56, 144, 24, 1},
        {56, 144, 144, 3, 2, 144}, {28, 144, 32, 1},          {28, 32, 192, 1},
        {28, 192, 192, 3, 1, 192}, {28, 192, 32, 1},          {28, 192, 192, 3, 2, 192},
        {14, 192, 64, 1},          {14, 64, 384, 1},          {14, 384, 384, 3, 1, 384},
        {14, 384, 64, 1},          {14, 384, 96, 1},          {14, 96, 576, 1},
        {14, 576, 576, 3, 1, 576}, {14, 576, 96, 1},          {14, 576, 576, 3, 2, 576},
        {7, 576, 160, 1},          {7, 160, 960, 1},          {7, 960, 960, 3, 1, 960},
        {7, 960, 160, 1},          {7, 960, 320, 1},          {7, 320, 1280, 1}}},
      // Primes, single channels, large windows, dilation, groups.
      {"odd",
       {{31, 17, 23, 3},
        {61, 13, 7, 5, 2},
        {28, 1, 1, 3},
        {28, 1, 16, 5},
        {56, 16, 1, 3},
        {64, 16, 16, 11},
        {56, 32, 32, 31, 1, 32},
        {64, 32, 32, 3, 1, 1, 2},
        {33, 48, 48, 3, 1, 1, 12},
        {28, 64, 64, 3, 1, 4},
        {56, 128, 128, 3, 1, 32},
        {28, 240, 240, 5, 1, 240},
        {1, 512, 512, 1}}},
  };
  return all;
}

std::vector<ConvolutionCase> cases_of(const std::string& name) {
  std::vector<ConvolutionCase> cases;
  for (const ConvolutionList& list : lists())
    if (list.name == name || (name == "all" && list.name != "common"))
      cases.insert(cases.end(), list.cases.begin(), list.cases.end());
  return cases;
}

// One convolution: its rows, a pass each.
class ConvolutionBench {
 public:
  ConvolutionBench(opencl::Device& device, const opencl::Peaks& peaks, const BenchOptions& options,
                   const ConvolutionCase& c, Json& rows)
      : device_(device), queue_(device.compute()), peaks_(peaks), o_(options), c_(c), rows_(rows) {
    p_.batch = std::max(1, o_.batch);
    p_.h = p_.w = opencl::Axis::same(c.size, c.kernel, c.stride, c.dilation);
    p_.in_channels = c.in;
    p_.out_channels = c.out;
    p_.groups = c.groups;
  }

  void run() {
    const auto able = opencl::ConvolutionForward::algorithms(device_, p_);
    if (!o_.algorithm.empty() && std::ranges::find(able, o_.algorithm) == able.end()) return;
    const Tensor x = random_tensor(device_, {p_.batch, c_.size, c_.size, c_.in}),
                 k = random_tensor(device_, {c_.kernel, c_.kernel, c_.in / c_.groups, c_.out}),
                 dy = random_tensor(device_, {p_.batch, p_.h.out, p_.w.out, c_.out}),
                 y = Tensor::make(device_, dy.shape, "output");
    bytes_ =
        4.0 * static_cast<double>(x.shape.elements() + k.shape.elements() + y.shape.elements());
    const opencl::ConvolutionForward forward(device_, p_, o_.algorithm);
    packed_run("forward", forward, k, [&](const auto& packed, const auto& workspace) {
      forward.run(queue_, x.operand(), k.operand(), packed, y.operand(), {}, workspace);
    });
    if (!o_.algorithm.empty()) return;  // names of algorithms are the forward pass's
    const opencl::ConvolutionBackwardData data(device_, p_);
    packed_run("backward data", data, k, [&](const auto& packed, const auto& workspace) {
      data.run(queue_, dy.operand(), k.operand(), packed, x.operand(), workspace);
    });
    const opencl::ConvolutionBackwardWeights weights(device_, p_);
    const opencl::Buffer workspace = scratch(device_, weights.workspace_bytes());
    add("backward weights", weights.algorithm(),
        time_of(
            queue_, o_.repeat,
            [&] { weights.run(queue_, x.operand(), dy.operand(), k.operand(), workspace); },
            kFill));
  }

 private:
  void add(const char* pass, const std::string& algorithm, double ms) {
    Json row =
        Json::Object{{"pass", pass},
                     {"input", fmt::format("{}x{}x{}x{}", p_.batch, c_.size, c_.size, c_.in)},
                     {"kernel", fmt::format("{0}x{0}", c_.kernel)},
                     {"stride", c_.stride},
                     {"dilation", c_.dilation},
                     {"filters", c_.out},
                     {"groups", c_.groups},
                     {"algorithm", algorithm},
                     {"ms", ms}};
    add_rates(row, peaks_, p_.multiply_adds(), bytes_, ms);
    rows_.push_back(std::move(row));
  }

  template <class Op, class Run>
  void packed_run(const char* pass, const Op& op, const Tensor& kernel, Run&& run) {
    const opencl::Buffer packed = scratch(device_, op.packed_bytes()),
                         workspace = scratch(device_, op.workspace_bytes());
    if (packed) op.pack(queue_, kernel.operand(), packed);
    add(pass, op.algorithm(),
        time_of(
            queue_, o_.repeat, [&] { run(packed, workspace); }, kFill));
  }

  opencl::Device& device_;
  opencl::Queue& queue_;
  const opencl::Peaks& peaks_;
  const BenchOptions& o_;
  const ConvolutionCase c_;
  Json& rows_;
  opencl::ConvolutionProblem p_;
  double bytes_ = 0;
};

}  // namespace

const std::vector<std::string>& convolution_lists() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> n;
    for (const ConvolutionList& list : lists()) n.push_back(list.name);
    n.emplace_back("all");
    return n;
  }();
  return names;
}

Json bench_peaks(Tool& tool) {
  const opencl::Peaks peaks = opencl::measure_peaks(*tool.device());
  return Json::Object{{"device", tool.device()->info().name},
                      {"gflops", peaks.gflops},
                      {"gb_per_s", peaks.gbytes_per_s}};
}

Json bench_gemm(Tool& tool, const BenchOptions& o) {
  opencl::Device& device = *tool.device();
  const opencl::Peaks peaks = opencl::measure_peaks(device);
  Json rows = Json::list();
  for (const int n : o.sizes.empty() ? std::vector<int>{256, 512, 1024, 2048} : o.sizes)
    rows.push_back(product(device, peaks, o, o.batch ? o.batch : n, n, n, false));
  return rows;
}

Json bench_dense(Tool& tool, const BenchOptions& o) {
  opencl::Device& device = *tool.device();
  const opencl::Peaks peaks = opencl::measure_peaks(device);
  struct Layer {
    int in, out;
  };
  constexpr Layer layers[] = {{25088, 4096}, {4096, 4096}, {4096, 1000},
                              {2048, 1000},  {1280, 1000}, {400, 120}};
  Json rows = Json::list();
  for (const int batch : o.batch ? std::vector<int>{o.batch} : std::vector<int>{1, 8})
    for (const Layer& l : layers)
      rows.push_back(product(device, peaks, o, batch, l.out, l.in, true));
  return rows;
}

Json bench_convolution(Tool& tool, const BenchOptions& o) {
  opencl::Device& device = *tool.device();
  const opencl::Peaks peaks = opencl::measure_peaks(device);
  Json rows = Json::list();
  for (const ConvolutionCase& c : cases_of(o.layers))
    ConvolutionBench(device, peaks, o, c, rows).run();
  return rows;
}

}  // namespace ocellus::tools
