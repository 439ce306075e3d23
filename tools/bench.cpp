// ocellus bench: how fast primitives, networks and training are on a device. Medians over repeated
// runs.

#include "bench.hpp"

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
#include "ocellus/opencl/profiler.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

// Bytes that a forward pass moves at least where each node by itself writes its outputs and the
// next one reads them: what stays in a cache, and what fusion never stores, is counted all the
// same.
double traffic(const Network& network, int batch) {
  double floats = static_cast<double>(network.parameter_count());
  for (const NetworkNode& node : network.nodes())
    for (const Shape& s : node.outputs) floats += 2.0 * static_cast<double>(s.elements()) * batch;
  return floats * sizeof(float);
}

// Before there is a network, so that its memory and that of the measurement do not add up.
opencl::Peaks measured_peaks(Tool& tool) {
  const opencl::Peaks peaks = opencl::measure_peaks(*tool.device());
  tool.device()->trim();
  return peaks;
}

Json bench_network(Tool& tool, const BenchOptions& o) {
  const ModelDocument document = tool.open_model(o.model);
  const opencl::Peaks peaks = measured_peaks(tool);
  const auto network = tool.place(document);
  const int batch = o.batch ? o.batch : 1;
  Execution run(*network, {.batch = batch});
  const Tensor image = random_tensor(*tool.device(), run.feed().shape);
  tool.device()->compute().copy(image.buffer, 0, run.feed().buffer,
                                run.feed().offset * sizeof(float),
                                static_cast<size_t>(image.shape.elements()) * sizeof(float));
  for (const std::string& step : run.steps()) tool.terminal.debug(step);
  run.forward();  // compiles, which is not the layers' time
  tool.device()->compute().finish();
  tool.device()->profiler().clear();
  const double ms = time_of(tool.device()->compute(), o.repeat, [&] { run.forward(); });
  Json row = Json::Object{{"model", o.model},
                          {"batch", batch},
                          {"ms_per_batch", ms},
                          {"ms_per_image", ms / batch},
                          {"images_per_second", 1000 * batch / ms}};
  add_rates(row, peaks, network->multiply_adds() * batch, traffic(*network, batch), ms);
  row["memory"] = run.memory();
  row["peak_resident"] = peak_resident_memory();
  if (tool.json) row["steps"] = Json::list_of(run.steps());
  return row;
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

Json bench_training(Tool& tool, const BenchOptions& o) {
  const ModelDocument document = tool.open_model(o.model);
  const opencl::Peaks peaks = measured_peaks(tool);
  const auto network = tool.place(document, Placement::arenas);
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
  const double ms = 1000.0 * batch / median(speed);
  Json row = Json::Object{{"model", o.model},
                          {"batch", batch},
                          {"images_per_second", median(speed)},
                          {"ms_per_step", ms}};
  // Forward, by the data, by the weights: a step counts as three forward passes.
  add_rates(row, peaks, 3 * network->multiply_adds() * batch, 3 * traffic(*network, batch), ms);
  return row;
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
Json bench_load(Tool& tool, const BenchOptions& o) {
  if (!std::filesystem::is_regular_file(o.model))
    throw UsageError(
        fmt::format("{}: is no file; 'bench load' measures how a file is opened", o.model));
  const bool trusted = std::exchange(tool.trust, true);
  const auto open = [&] { return tool.open_model(o.model); };
  const double trial = trusted ? 0 : milliseconds([&] {
    trial_read(o.model, [&] {
      format_of(tool.registry(), o.model)->verify(o.model);
      open();
    });
  });
  ModelDocument document = open();
  tool.device();  // opening a driver is no part of opening a file
  const size_t before = resident_memory();
  std::vector<double> ms;
  size_t after = 0, peak = 0, weights = 0, after_run = 0, resident_run = 0;
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
    resident_run = resident_memory();
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
                      {"device_after_inference", bytes(after_run)},
                      {"resident_after_inference", bytes(resident_run)}};
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
  BenchOptions o;
  tool.line.argument("WHAT", o.what);
  tool.line.argument("MODEL", o.model, false);
  tool.line
      .flag("batch", o.batch,
            "images a step; 0: 1, or 128 in training, or 1 and 8 for dense. gemm: rows of the left "
            "matrix; 0: as many as "
            "columns")
      .min(0);
  tool.line.flag("repeat", o.repeat, "timed runs, whose median counts").min(1);
  tool.line.flag("sizes", o.sizes, "gemm: sides of the square matrices").min(1);
  tool.line.flag("algorithm", o.algorithm,
                 "gemm, dense and conv: one algorithm instead of the rule's choice");
  tool.line
      .flag("layers", o.layers,
            "conv: which shapes, each layer of a network once; all: all networks' and odd ones")
      .one_of(convolution_lists());
  tool.declare_model();
  tool.parse();
  const std::vector<std::string> known = {"peaks",   "gemm",  "dense", "conv",
                                          "network", "train", "load"};
  if (std::find(known.begin(), known.end(), o.what) == known.end())
    throw UsageError(fmt::format("bench: no benchmark '{}'{}", o.what, suggestion(o.what, known)));
  const bool needs_model = o.what == "network" || o.what == "train" || o.what == "load";
  if (needs_model && o.model.empty())
    throw UsageError(fmt::format("MODEL is missing: ocellus bench {} MODEL", o.what));
  if (!needs_model && !o.model.empty())
    throw UsageError(fmt::format("superfluous argument '{}'", o.model));
  print_rows(tool, o.what == "peaks"     ? bench_peaks(tool)
                   : o.what == "gemm"    ? bench_gemm(tool, o)
                   : o.what == "dense"   ? bench_dense(tool, o)
                   : o.what == "conv"    ? bench_convolution(tool, o)
                   : o.what == "network" ? bench_network(tool, o)
                   : o.what == "load"    ? bench_load(tool, o)
                                         : bench_training(tool, o));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"bench", "peaks|gemm|dense|conv|network|train|load [MODEL] [flags]",
       "Measures what the device reaches at best (multiply-adds, copies), matrix products, dense "
       "layers, convolutions (all three passes), the forward pass of a network, its training, or "
       "how a model file is opened. Shares are percent of the measured peaks; Winograd's "
       "convolutions may exceed 100."},
      argc, argv, ocellus::tools::bench);
}
