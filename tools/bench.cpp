// ocellus bench: how fast primitives, networks and training are on a device. Medians over repeated
// runs.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>

#include "ocellus/core/error.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/core/memory.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/core/text.hpp"
#include "ocellus/core/trainer.hpp"
#include "ocellus/core/trial.hpp"
#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/gemm.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

struct Options {
  std::string what, model, algorithm;
  std::vector<int> sizes;
  int batch = 0, repeat = 15;
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const size_t half = v.size() / 2;
  return v.size() % 2 ? v[half] : (v[half - 1] + v[half]) / 2;
}

// Median milliseconds of `enqueue` and the device's work behind it. The first runs compile and warm
// up.
double time_of(opencl::Queue& queue, int repeat, const std::function<void()>& enqueue) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 2; ++i) enqueue();
  queue.finish();
  std::vector<double> ms;
  for (int i = 0; i < repeat; ++i) {
    const auto begin = Clock::now();
    enqueue();
    queue.finish();
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
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

opencl::Buffer scratch(opencl::Device& device, size_t bytes) {
  return bytes ? device.allocate(bytes, "benchmark") : opencl::Buffer();
}

Json bench_gemm(Tool& tool, const Options& o) {
  opencl::Device& device = *tool.device();
  Json rows = Json::list();
  for (const int n : o.sizes.empty() ? std::vector<int>{256, 512, 1024, 2048} : o.sizes) {
    const int m = o.batch ? o.batch : n;
    const opencl::Gemm gemm(device, {.m = m, .n = n, .k = n}, o.algorithm);
    const Tensor a = random_tensor(device, {m, n}), b = random_tensor(device, {n, n}),
                 c = Tensor::make(device, {m, n}, "product");
    const opencl::Buffer workspace = scratch(device, gemm.workspace_bytes());
    const double ms = time_of(device.compute(), o.repeat, [&] {
      gemm.run(device.compute(), a.operand(), b.operand(), c.operand(), {}, workspace);
    });
    rows.push_back(Json::Object{{"m", m},
                                {"n", n},
                                {"k", n},
                                {"algorithm", gemm.algorithm()},
                                {"ms", ms},
                                {"gflops", 2.0 * m * n * n / ms / 1e6},
                                {"gb_per_s", 4.0 * (1.0 * n * n + 2.0 * m * n) / ms / 1e6}});
  }
  return rows;
}

struct ConvolutionCase {
  int size, in, out, kernel, stride;
  int groups = 1;
};
// Shapes that common networks are made of; the 3x3 ones are VGG16's, those in groups MobileNet's
// and EfficientNet's.
constexpr ConvolutionCase convolution_cases[] = {
    {224, 3, 64, 3, 1},        {112, 64, 128, 3, 1},      {56, 128, 256, 3, 1},
    {28, 256, 512, 3, 1},      {14, 512, 512, 3, 1},      {28, 1, 16, 5, 1},
    {56, 64, 256, 1, 1},       {224, 3, 64, 7, 2},        {56, 128, 128, 3, 2},
    {112, 32, 32, 3, 1, 32},   {112, 64, 64, 3, 2, 64},   {56, 128, 128, 3, 1, 128},
    {28, 256, 256, 3, 1, 256}, {14, 512, 512, 3, 1, 512}, {7, 1024, 1024, 3, 1, 1024},
    {28, 240, 240, 5, 1, 240},
};

Json bench_convolution(Tool& tool, const Options& o) {
  opencl::Device& device = *tool.device();
  opencl::Queue& queue = device.compute();
  Json rows = Json::list();
  for (const ConvolutionCase& c : convolution_cases) {
    opencl::ConvolutionProblem p;
    p.batch = std::max(1, o.batch);
    p.h = p.w = opencl::Axis::same(c.size, c.kernel, c.stride);
    p.in_channels = c.in;
    p.out_channels = c.out;
    p.groups = c.groups;
    const auto able = opencl::ConvolutionForward::algorithms(device, p);
    if (!o.algorithm.empty() && std::ranges::find(able, o.algorithm) == able.end()) continue;
    const Tensor x = random_tensor(device, {p.batch, c.size, c.size, c.in}),
                 k = random_tensor(device, {c.kernel, c.kernel, c.in / c.groups, c.out}),
                 dy = random_tensor(device, {p.batch, p.h.out, p.w.out, c.out}),
                 y = Tensor::make(device, dy.shape, "output");
    const double bytes =
        4.0 * static_cast<double>(x.shape.elements() + k.shape.elements() + y.shape.elements());
    const auto add = [&](const char* pass, const std::string& algorithm, double ms) {
      rows.push_back(
          Json::Object{{"pass", pass},
                       {"input", fmt::format("{}x{}x{}x{}", p.batch, c.size, c.size, c.in)},
                       {"kernel", fmt::format("{0}x{0}", c.kernel)},
                       {"stride", c.stride},
                       {"filters", c.out},
                       {"groups", c.groups},
                       {"algorithm", algorithm},
                       {"ms", ms},
                       {"gflops", 2 * p.multiply_adds() / ms / 1e6},
                       {"gbytes_per_s", bytes / ms / 1e6}});
    };
    const auto packed_run = [&](const char* pass, const auto& op, auto&& run) {
      const opencl::Buffer packed = scratch(device, op.packed_bytes()),
                           workspace = scratch(device, op.workspace_bytes());
      if (packed) op.pack(queue, k.operand(), packed);
      add(pass, op.algorithm(), time_of(queue, o.repeat, [&] { run(packed, workspace); }));
    };
    const opencl::ConvolutionForward forward(device, p, o.algorithm);
    packed_run("forward", forward, [&](const auto& packed, const auto& workspace) {
      forward.run(queue, x.operand(), k.operand(), packed, y.operand(), {}, workspace);
    });
    if (!o.algorithm.empty()) continue;  // names of algorithms are the forward pass's
    const opencl::ConvolutionBackwardData data(device, p);
    packed_run("backward data", data, [&](const auto& packed, const auto& workspace) {
      data.run(queue, dy.operand(), k.operand(), packed, x.operand(), workspace);
    });
    const opencl::ConvolutionBackwardWeights weights(device, p);
    const opencl::Buffer workspace = scratch(device, weights.workspace_bytes());
    add("backward weights", weights.algorithm(), time_of(queue, o.repeat, [&] {
          weights.run(queue, x.operand(), dy.operand(), k.operand(), workspace);
        }));
  }
  return rows;
}

Json bench_network(Tool& tool, const Options& o) {
  const ModelDocument document = tool.open_model(o.model);
  const auto network = tool.place(document);
  const int batch = o.batch ? o.batch : 1;
  Execution run(*network, {.batch = batch});
  const Tensor image = random_tensor(*tool.device(), run.feed().shape);
  tool.device()->compute().copy(image.buffer, 0, run.feed().buffer,
                                run.feed().offset * sizeof(float),
                                static_cast<size_t>(image.shape.elements()) * sizeof(float));
  for (const std::string& step : run.steps()) tool.terminal.debug(step);
  const double ms = time_of(tool.device()->compute(), o.repeat, [&] { run.forward(); });
  return Json::Object{{"model", o.model},
                      {"batch", batch},
                      {"ms_per_batch", ms},
                      {"ms_per_image", ms / batch},
                      {"images_per_second", 1000 * batch / ms},
                      {"gflops", 2 * network->multiply_adds() * batch / ms / 1e6},
                      {"memory", run.memory()}};
}

// Random pictures with random labels: training speed does not depend on what is learnt.
class NoiseDataset : public Dataset {
 public:
  NoiseDataset(Shape item, int classes, int64_t size)
      : item_(std::move(item)), classes_(classes), size_(size) {}
  int64_t size() const override { return size_; }
  Shape item_shape() const override { return item_; }
  DType item_type() const override { return DType::u8; }
  std::vector<std::string> classes() const override {
    return std::vector<std::string>(static_cast<size_t>(classes_), "noise");
  }
  std::string describe(int64_t index) const override { return fmt::format("noise {}", index); }
  void read(std::span<const int64_t> indices, Samples& out) const override {
    const int n = static_cast<int>(indices.size());
    out.images = Array(item_.batched(n), DType::u8);
    std::vector<int32_t> labels;
    const size_t bytes = out.images.u8().size() / static_cast<size_t>(std::max(1, n));
    for (size_t i = 0; i < indices.size(); ++i) {
      Random random(2, static_cast<uint64_t>(indices[i]));
      for (uint8_t& v : out.images.u8().subspan(i * bytes, bytes))
        v = static_cast<uint8_t>(random.bits());
      labels.push_back(static_cast<int32_t>(random.below(classes_)));
    }
    out.targets = Array::of_ints(Shape{n}, labels);
    out.weights = Array();
  }

 private:
  Shape item_;
  int classes_;
  int64_t size_;
};

Json bench_training(Tool& tool, const Options& o) {
  const auto network = tool.place(tool.open_model(o.model), Placement::arenas);
  const int batch = o.batch ? o.batch : 128,
            classes = network->shape(network->outputs().at(0)).channels();
  const auto data =
      std::make_shared<NoiseDataset>(network->shape(network->inputs().at(0)).without_batch(),
                                     std::max(2, classes), int64_t{batch} * 50);
  TrainingOptions options;
  options.epochs = 1 + std::max(2, o.repeat / 5);  // the first compiles
  options.batch = batch;
  options.validation_split = 0;
  options.metrics = {};
  Trainer trainer(tool.registry(), *network, data, nullptr, options);
  const History history = trainer.run(tool.terminal, tool.terminal);
  std::vector<double> speed;
  for (size_t i = 1; i < history.size(); ++i) speed.push_back(history[i].images_per_second);
  return Json::Object{{"model", o.model},
                      {"batch", batch},
                      {"images_per_second", median(speed)},
                      {"ms_per_step", 1000.0 * batch / median(speed)}};
}

double milliseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

// A file's bytes into memory, as a program that wants all of them reads it.
void read_plainly(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const auto size = std::filesystem::file_size(file);
  const std::unique_ptr<char[]> bytes(new char[size]);
  if (!in.read(bytes.get(), static_cast<std::streamsize>(size)))
    throw DataError(fmt::format("{}: cannot be read", file));
}

// From the file to weights on the device, and what that takes of memory. The first opening, in a
// process that held nothing yet, tells the peak; the file is in the system's cache by then, since
// the trial has read what it reads.
Json bench_load(Tool& tool, const Options& o) {
  if (!std::filesystem::is_regular_file(o.model))
    throw UsageError(
        fmt::format("{}: is no file; 'bench load' measures how a file is opened", o.model));
  const bool trusted = std::exchange(tool.trust, true);
  const auto open = [&] { return tool.open_model(o.model); };
  const double trial = trusted ? 0 : milliseconds([&] { trial_read(o.model, [&] { open(); }); });
  ModelDocument document = open();
  tool.device();  // opening a driver is no part of opening a file
  const size_t before = resident_memory();
  std::vector<double> ms;
  size_t after = 0, peak = 0, weights = 0, after_run = 0;
  for (int i = 0; i < std::max(3, o.repeat / 3); ++i) {
    std::unique_ptr<Network> network;
    ms.push_back(milliseconds([&] {
      document =
          ocellus::open_model(tool.registry(), {.address = o.model, .trust = true}, tool.terminal);
      network = tool.place(document);
      tool.device()->compute().finish();
    }));
    if (i > 0) continue;
    after = resident_memory();
    peak = peak_resident_memory();
    weights = static_cast<size_t>(network->parameter_count()) * sizeof(float);
    Execution run(*network, {});
    run.forward();
    tool.device()->compute().finish();
    after_run = tool.device()->memory_in_use();
  }
  std::vector<double> plain;
  for (int i = 0; i < 5; ++i) plain.push_back(milliseconds([&] { read_plainly(o.model); }));
  const auto bytes = [](size_t n) { return static_cast<int64_t>(n); };
  return Json::Object{{"model", o.model},
                      {"file_bytes", bytes(std::filesystem::file_size(o.model))},
                      {"weight_bytes", bytes(weights)},
                      {"plain_read_ms", median(plain)},
                      {"trial_ms", trial},
                      {"open_ms", median(ms)},
                      {"first_open_ms", ms.front()},
                      {"open_to_plain", median(ms) / median(plain)},
                      {"resident_before", bytes(before)},
                      {"resident_after", bytes(after)},
                      {"peak", bytes(peak)},
                      {"peak_to_weights", static_cast<double>(peak) / static_cast<double>(weights)},
                      {"device_after_inference", bytes(after_run)}};
}

std::string cell(const Json& v) {
  if (v.is_string()) return v.as_string();
  return v.is_integer() ? thousands(v.as_int64()) : fmt::format("{:.3f}", v.as_double());
}

void print_rows(Tool& tool, const Json& result) {
  if (tool.json) return tool.print(result);
  const Json::List rows = result.is_list() ? result.as_list() : Json::List{result};
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> cells;
  for (const auto& [key, value] : rows.at(0).as_object()) columns.push_back(key);
  for (const Json& row : rows) {
    cells.emplace_back();
    for (const auto& [key, value] : row.as_object()) cells.back().push_back(cell(value));
  }
  tool.print(format_table(columns, cells));
}

void bench(Tool& tool) {
  Options o;
  tool.line.argument("WHAT", o.what);
  tool.line.argument("MODEL", o.model, false);
  tool.line
      .flag("batch", o.batch,
            "images a step; 0: 1, or 128 in training. gemm: rows of the left matrix; 0: as many as "
            "columns")
      .min(0);
  tool.line.flag("repeat", o.repeat, "timed runs, whose median counts").min(1);
  tool.line.flag("sizes", o.sizes, "gemm: sides of the square matrices").min(1);
  tool.line.flag("algorithm", o.algorithm,
                 "gemm and conv: one algorithm instead of the rule's choice");
  tool.declare_model();
  tool.parse();
  const std::vector<std::string> known = {"gemm", "conv", "network", "train", "load"};
  if (std::find(known.begin(), known.end(), o.what) == known.end())
    throw UsageError(fmt::format("bench: no benchmark '{}'{}", o.what, suggestion(o.what, known)));
  const bool needs_model = o.what == "network" || o.what == "train" || o.what == "load";
  if (needs_model && o.model.empty())
    throw UsageError(fmt::format("MODEL is missing: ocellus bench {} MODEL", o.what));
  if (!needs_model && !o.model.empty())
    throw UsageError(fmt::format("superfluous argument '{}'", o.model));
  print_rows(tool, o.what == "gemm"      ? bench_gemm(tool, o)
                   : o.what == "conv"    ? bench_convolution(tool, o)
                   : o.what == "network" ? bench_network(tool, o)
                   : o.what == "load"    ? bench_load(tool, o)
                                         : bench_training(tool, o));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"bench", "gemm|conv|network|train|load [MODEL] [flags]",
       "Measures matrix products, convolutions (all three passes), the "
       "forward pass of a network, its training, or how a model file is opened."},
      argc, argv, ocellus::tools::bench);
}
