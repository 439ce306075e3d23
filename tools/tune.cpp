// ocellus tune: which algorithm is fastest for which problem on this device, measured and verified.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string_view>

#include "ocellus/core/error.hpp"
#include "ocellus/core/execution.hpp"
#include "tool.hpp"
#include "tune_worker.hpp"

namespace ocellus::tools {
namespace {

using opencl::TuningProblem;
using opencl::TuningTable;

struct Options {
  std::vector<std::string> models;
  int batch = 1;
  bool training = false, clear = false, list = false;
  std::string budget = "60s", limit = "20s";
};

// What stands for "the usual networks" where no model is named.
const std::vector<std::string> kUsualModels = {"vgg16", "resnet50", "mobilenet_v2"};
constexpr int kUsualProducts[] = {256, 512, 1024, 2048};

// One tuned problem.
struct Row {
  TuningProblem problem;
  std::string rule, fastest;
  std::optional<double> rule_ms;  // none: the rule's choice did not fit
  double ms = 0;
  std::vector<std::pair<std::string, std::string>> refused;  // algorithm, why
};

// Plans each model as it will run and notes what its layers ask of the device, plugins' layers too.
std::vector<TuningProblem> collect(Tool& tool, const Options& o) {
  std::vector<ModelDocument> documents;  // all before the device: see Tool
  for (const std::string& m : o.models.empty() ? kUsualModels : o.models)
    documents.push_back(tool.open_model(m));
  TuningTable& table = TuningTable::of(tool.device()->info());
  table.start_recording();
  for (size_t i = 0; i < documents.size() && !tool.terminal.stop_requested(); ++i) {
    tool.terminal.update("planning", static_cast<int64_t>(i),
                         static_cast<int64_t>(documents.size()), documents[i].graph.name);
    Network network(tool.registry(), documents[i]);
    network.place(tool.device(), 1, o.training ? Placement::arenas : Placement::apart);
    Execution(network,
              {.batch = o.batch, .training = o.training, .parameter_gradients = o.training});
  }
  if (o.models.empty())
    for (const int n : kUsualProducts) table.note(TuningProblem({.m = n, .n = n, .k = n}));
  tool.device()->trim();
  return table.recorded();
}

class Tuner {
 public:
  Tuner(opencl::Device& device, double limit, Terminal& terminal)
      : device_(device), terminal_(terminal), worker_(device.info().index, limit) {}

  // Empty where no algorithm fits.
  std::optional<Row> tune(const TuningProblem& problem) {
    std::vector<std::string> names = problem.algorithms(device_);
    Row row{problem, names.at(0)};
    // On any device the naive one is the last resort.
    if (names.size() > 1) std::erase(names, "naive");
    std::map<std::string, double> ms;
    const auto out = [&](const std::string& name) {
      return name != row.rule && strikes_[{problem.pass(), name}] >= kStrikes;
    };
    // Those that did badly with other problems get their chance where nothing else fits.
    std::ranges::stable_partition(names, std::not_fn(out));
    for (const std::string& name : names)
      if (ms.empty() || !out(name)) attempt(row, name, ms);
    if (ms.empty()) return {};
    // The fastest once more by each tile that it can take.
    for (const std::string& name : problem.with_tiles(device_, fastest(ms)))
      if (!out(name)) attempt(row, name, ms);
    // Whoever beat the rule's choice does it once more: chance must not decide.
    if (const auto best = fastest(ms); best != row.rule && ms.contains(row.rule)) {
      attempt(row, row.rule, ms);
      attempt(row, best, ms);
      if (ms.empty()) return {};
    }
    row.fastest = fastest(ms);
    if (ms.contains(row.rule)) {
      row.rule_ms = ms[row.rule];
      if (ms[row.fastest] > kWorthwhile * *row.rule_ms) row.fastest = row.rule;
    }
    row.ms = ms[row.fastest];
    strikes_[{problem.pass(), row.fastest}] = 0;
    return row;
  }

 private:
  static constexpr double kWorthwhile = 0.97;  // of the rule's time: below it a change is noise
  static constexpr int kStrikes = 2;           // then an algorithm is not tried in that pass again
  static constexpr double kFarBehind = 5;      // times the best

  static std::string fastest(const std::map<std::string, double>& ms) {
    return std::ranges::min_element(ms, {}, [](const auto& e) { return e.second; })->first;
  }

  void attempt(Row& row, const std::string& name, std::map<std::string, double>& ms) {
    const double best = ms.empty() ? std::numeric_limits<double>::max() : ms[fastest(ms)];
    const auto answer = worker_.ask(row.problem, name, 3 * best);
    const auto& m = answer.measurement;
    int& strikes = strikes_[{row.problem.pass(), name}];
    if (answer.fits()) {
      const auto [it, is_new] = ms.try_emplace(name, m.milliseconds);
      it->second = std::min(it->second, m.milliseconds);
      terminal_.debug(fmt::format("{}: {} {:.3f} ms, error {:.1e} of {:.1e}", row.problem.text(),
                                  name, m.milliseconds, m.error, m.allowed));
      if (is_new && m.milliseconds > kFarBehind * best) ++strikes;
      return;
    }
    strikes += 2;
    ms.erase(name);
    const std::string why =
        !answer.failure.empty() ? answer.failure
        : !m.repeatable         ? std::string("does not give the same bits twice")
                        : fmt::format("is wrong by {:.1e}, {:.1e} is allowed", m.error, m.allowed);
    row.refused.emplace_back(name, why);
    const std::string line = fmt::format("{}: {} {}", row.problem.text(), name, why);
    // Slow is no fault, unless it is the algorithm that runs without tuning.
    if (answer.late && name != row.rule)
      terminal_.debug(line);
    else
      terminal_.warning(line);
  }

  opencl::Device& device_;
  Terminal& terminal_;
  TuneWorker worker_;
  std::map<std::pair<TuningProblem::Pass, std::string>, int> strikes_;
};

Json to_json(const Row& r) {
  Json refused = Json::list();
  for (const auto& [name, why] : r.refused)
    refused.push_back(Json::Object{{"algorithm", name}, {"why", why}});
  return Json::Object{{"problem", r.problem.text()},
                      {"rule", r.rule},
                      {"rule_ms", r.rule_ms ? Json(*r.rule_ms) : Json()},
                      {"fastest", r.fastest},
                      {"ms", r.ms},
                      {"refused", refused}};
}

void print_rows(Tool& tool, const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const Row& r : rows)
    cells.push_back({r.problem.text(), r.rule, r.rule_ms ? fmt::format("{:.3f}", *r.rule_ms) : "-",
                     r.fastest, fmt::format("{:.3f}", r.ms),
                     r.rule_ms ? fmt::format("{:.2f}", *r.rule_ms / r.ms) : "-"});
  if (!rows.empty())
    tool.print(format_table({"problem", "rule", "ms", "fastest", "ms", "gain"}, cells));
}

// Forgets what was tuned on the device.
void clear(Tool& tool) {
  TuningTable& table = TuningTable::of(tool.device()->info());
  const size_t known = table.size();
  table.clear();
  if (tool.json)
    tool.print(Json(Json::Object{{"table", table.file().string()}, {"forgotten", known}}));
  else
    tool.print(fmt::format("{} problems forgotten", known));
}

// What models ask of the device, and which algorithm answers.
void list(Tool& tool, const Options& o) {
  const std::vector<TuningProblem> problems = collect(tool, o);
  const TuningTable& table = TuningTable::of(tool.device()->info());
  Json rows = Json::list();
  std::vector<std::vector<std::string>> cells;
  for (const TuningProblem& p : problems) {
    const std::string algorithm = p.algorithms(*tool.device()).at(0);
    const bool tuned = table.choice(p) == algorithm;
    rows.push_back(Json::Object{{"problem", p.text()}, {"algorithm", algorithm}, {"tuned", tuned}});
    cells.push_back({p.text(), algorithm, tuned ? "tuned" : "rule"});
  }
  tool.terminal.finish_line();
  if (tool.json)
    tool.print(rows);
  else
    tool.print(format_table({"problem", "algorithm", "chosen by"}, cells));
}

void tune_all(Tool& tool, const Options& o, double limit) {
  Terminal& terminal = tool.terminal;
  std::vector<TuningProblem> problems = collect(tool, o);
  TuningTable& table = TuningTable::of(tool.device()->info());
  const size_t found = problems.size();
  std::erase_if(problems, [&](const auto& p) { return !table.choice(p).empty(); });
  const size_t known = found - problems.size();
  // What takes longest first: it is where a better choice gains most.
  std::ranges::stable_sort(problems, std::greater(), &TuningProblem::multiply_adds);
  table.save();  // a place where nothing can be written is found out before the work
  Tuner tuner(*tool.device(), limit, terminal);
  std::vector<Row> rows;
  size_t done = 0, failed = 0;
  try {
    for (; done < problems.size() && !terminal.stop_requested(); ++done) {
      terminal.update("tuning", static_cast<int64_t>(done), static_cast<int64_t>(problems.size()),
                      problems[done].text());
      const std::optional<Row> row = tuner.tune(problems[done]);
      if (!row) {
        ++failed;
        terminal.warning(
            fmt::format("{}: no algorithm fits; the rule stays", problems[done].text()));
        continue;
      }
      table.choose(row->problem, row->fastest);
      table.save();
      rows.push_back(*row);
    }
  } catch (const Interrupted&) {  // what was saved stays
  }
  terminal.finish_line();
  const size_t left = problems.size() - done;
  if (tool.json) {
    Json list = Json::list();
    for (const Row& r : rows) list.push_back(to_json(r));
    tool.print(Json(Json::Object{{"device", tool.device()->info().name},
                                 {"table", table.file().string()},
                                 {"problems", found},
                                 {"known", known},
                                 {"left", left},
                                 {"failed", failed},
                                 {"results", list}}));
  } else {
    print_rows(tool, rows);
    tool.print(
        fmt::format("{} problems tuned, {} known before, {} without an algorithm that fits, "
                    "{} left for another call; kept in {}",
                    rows.size(), known, failed, left, table.file().string()));
  }
  if (interrupted()) throw Interrupted("stopped; the same command goes on");
  if (failed)
    throw DeviceError(fmt::format("{} problems have no algorithm that is right on {}", failed,
                                  tool.device()->info().name));
}

void tune(Tool& tool) {
  Options o;
  tool.line.rest("MODEL", o.models);
  tool.line.flag("batch", o.batch, "images a step").min(1);
  tool.line.flag("training", o.training, "the passes of a training step, backward ones too");
  tool.line.flag("budget", o.budget,
                 "time that it may take, as 60s or 10m; the next call goes on with what is left");
  tool.line.flag("limit", o.limit, "time that one candidate may take, compiling included");
  tool.line.flag("list", o.list, "time nothing: say which algorithm does which problem");
  tool.line.flag("clear", o.clear, "forget what was tuned on this device, and end");
  tool.declare_model();
  tool.parse();
  tool.terminal.budget_seconds = seconds_of("--budget", o.budget);
  const double limit = seconds_of("--limit", o.limit);
  if (limit <= 0) throw UsageError("--limit must be more than nothing");
  if (o.clear && !o.models.empty())
    throw UsageError("--clear forgets all that was tuned on the device: it goes without a MODEL");
  if (o.clear) return clear(tool);
  if (o.list) return list(tool, o);
  tune_all(tool, o, limit);
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  // The process that tries candidates for another one of this program: see TuneWorker.
  if (argc == 3 && std::string_view(argv[1]) == "--worker")
    return ocellus::tools::serve_tuning(std::atoi(argv[2]));
  return ocellus::tools::run(
      {"tune", "[MODEL...] [flags]",
       "Times every algorithm that can do what models ask of a device, checks its numbers, and "
       "keeps "
       "the fastest for all later runs. Without MODEL: some usual networks and matrix products."},
      argc, argv, ocellus::tools::tune);
}
