// ocellus convert: a model, or a folder of them, from one format into another.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "ocellus/core/error.hpp"
#include "ocellus/core/inspection.hpp"
#include "ocellus/core/replace.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

struct Conversion {
  std::string in, out, format, report;
  std::vector<std::string> replacements;
  bool training_state = true;
};

// What became of one file.
struct Outcome {
  std::string file, output;
  bool opened = false, runs = false;
  size_t layers = 0;
  int64_t parameters = 0;
  std::string reason;                      ///< why it does not open, or does not run
  std::set<std::string> missing;           ///< types of layers that a plugin would have to supply
  std::vector<std::string> warnings = {};  ///< what opening and writing had to say
};

class Lines : public Log {
 public:
  void write(Level level, const std::string& line) override {
    if (level == Level::warning) lines.push_back(line);
  }
  std::vector<std::string> lines;
};

// A list flag parts its words at commas, also at those between brackets: joined again.
std::vector<std::string> whole_calls(const std::vector<std::string>& parts) {
  std::vector<std::string> calls;
  int open = 0;
  for (const std::string& part : parts) {
    if (open > 0)
      calls.back() += "," + part;
    else
      calls.push_back(part);
    for (const char c : part) open += (c == '(' || c == '[') - (c == ')' || c == ']');
  }
  return calls;
}

void change(const Registry& registry, const Conversion& c, ModelDocument& document) {
  for (const std::string& text : c.replacements) replace_layer(registry, document, text);
  if (c.training_state) return;
  document.optimizer.reset();
  document.training_state = {};
  document.best_weights.clear();
}

// Where a model is written, unless the person said it.
std::string ending_of(const std::string& format) {
  return format == "keras" ? ".keras" : format == "keras_weights" ? ".weights.h5" : ".h5";
}

bool looks_like_a_model(const fs::path& file) {
  const std::string ending = file.extension().string();
  if (ending == ".h5" || ending == ".hdf5" || ending == ".keras") return true;
  std::string start(8, '\0');
  std::ifstream in(file, std::ios::binary);
  return in.read(start.data(), 8) && start == "\x89HDF\r\n\x1a\n";
}

std::vector<fs::path> models_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied))
    if (entry.is_regular_file() && looks_like_a_model(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void describe(const Registry& registry, const ModelDocument& document, Outcome& o) {
  const Inspection i = inspect(registry, document);
  o.layers = i.layers.size();
  o.parameters = i.parameters;
  o.runs = i.refusal.empty();
  for (const LayerRow& row : i.layers) {
    if (row.problem.empty()) continue;
    if (o.reason.empty()) o.reason = row.problem;
    if (!registry.find(Kind::layer, row.type) && !registry.find(Kind::augmenter, row.type))
      o.missing.insert(row.type);
  }
  if (o.reason.empty()) o.reason = i.refusal;
}

Outcome convert_file(Tool& tool, const Conversion& c, const fs::path& file,
                     const fs::path& target) {
  Outcome o;
  o.file = file.lexically_relative(c.in).string();
  Lines log;
  try {
    ModelRequest request;
    request.address = file.string();
    request.trust = tool.trust;
    ModelDocument document = ocellus::open_model(tool.registry(), request, log);
    o.opened = true;
    change(tool.registry(), c, document);
    describe(tool.registry(), document, o);
    if (!target.empty()) {
      if (fs::exists(target) && !tool.force)
        throw UsageError(fmt::format("{}: exists; --force writes over it", target.string()));
      fs::create_directories(target.parent_path());
      save_model(tool.registry(), document, target.string(), log, c.format);
      o.output = target.string();
    }
  } catch (const Error& e) {
    o.reason = e.what();
  }
  // The file stands in a column of its own.
  if (const std::string prefix = file.string() + ": "; o.reason.starts_with(prefix))
    o.reason.erase(0, prefix.size());
  o.warnings = std::move(log.lines);
  return o;
}

const char* verdict(const Outcome& o) { return o.runs ? "runs" : o.opened ? "opens" : "refused"; }

Json to_json(const Outcome& o) {
  return Json::Object{
      {"file", o.file},
      {"opened", o.opened},
      {"runs", o.runs},
      {"layers", o.layers},
      {"parameters", o.parameters},
      {"reason", o.reason},
      {"missing", Json::list_of(std::vector<std::string>(o.missing.begin(), o.missing.end()))},
      {"warnings", Json::list_of(o.warnings)},
      {"output", o.output}};
}

const std::vector<std::string> columns = {"file",       "verdict",        "layers",
                                          "parameters", "missing layers", "reason"};

std::string totals_text(const std::vector<Outcome>& all) {
  const auto count = [&](bool Outcome::*what) { return std::ranges::count(all, true, what); };
  return fmt::format("{} files: {} open, {} of them run; {} refused", all.size(),
                     count(&Outcome::opened), count(&Outcome::runs),
                     static_cast<int64_t>(all.size()) - count(&Outcome::opened));
}

void write_report(Tool& tool, const Conversion& c, const std::vector<Outcome>& all) {
  Report report("Models below " + c.in);
  tool.describe(report, c.in);
  Results section{"convert", "Opened and refused", {}};
  section.add(Note{totals_text(all) + "."});
  // What happened and why come first: they are what one opens the report for.
  Table table{"Files", {"file", "verdict", "reason", "missing layers", "layers", "parameters"}, {}};
  std::map<std::string, int> files_of_missing;
  for (const Outcome& o : all) {
    table.rows.push_back({o.file, verdict(o), o.reason,
                          fmt::format("{}", fmt::join(o.missing, ", ")), o.layers, o.parameters});
    for (const std::string& type : o.missing) ++files_of_missing[type];
  }
  section.add(std::move(table));
  if (!files_of_missing.empty()) {
    Table wanted{"Layers that a plugin would have to supply", {"layer", "files"}, {}};
    for (const auto& [type, files] : files_of_missing) wanted.rows.push_back({type, files});
    section.add(std::move(wanted));
  }
  report.add(std::move(section));
  report.write_html(c.report);
}

void convert_folder(Tool& tool, const Conversion& c) {
  if (c.out.empty() && c.report.empty() && !tool.json)
    tool.terminal.info("no OUT: the files are tried, nothing is written");
  if (!c.out.empty() && fs::exists(c.out) && !fs::is_directory(c.out))
    throw UsageError(fmt::format("{}: is a file; a folder becomes a folder", c.out));
  if (!c.out.empty() && fs::exists(c.out) && !fs::is_empty(c.out) && !tool.force)
    throw UsageError(
        fmt::format("{}: the folder is not empty; --force writes over what is there", c.out));
  const std::vector<fs::path> files = models_below(c.in);
  if (files.empty()) throw DataError(fmt::format("{}: no model files below it", c.in));
  std::vector<Outcome> all;
  std::set<fs::path> targets;
  for (const fs::path& file : files) {
    if (tool.terminal.stop_requested())
      throw Interrupted(fmt::format("stopped after {} of {} files", all.size(), files.size()));
    tool.terminal.update("convert", static_cast<int64_t>(all.size()),
                         static_cast<int64_t>(files.size()), file.filename().string());
    fs::path target;
    if (!c.out.empty()) {
      target = fs::path(c.out) / file.lexically_relative(c.in);
      target.replace_extension();
      // model.h5 and model.keras of one folder keep apart.
      if (targets.contains(target)) target += "_" + file.extension().string().substr(1);
      targets.insert(target);
      target += ending_of(c.format);
    }
    all.push_back(convert_file(tool, c, file, target));
  }
  tool.terminal.finish_line();
  if (!c.report.empty()) write_report(tool, c, all);
  Json list = Json::list();
  std::vector<std::vector<std::string>> rows;
  for (const Outcome& o : all) {
    list.push_back(to_json(o));
    rows.push_back({o.file, verdict(o), fmt::format("{}", o.layers), thousands(o.parameters),
                    fmt::format("{}", fmt::join(o.missing, ", ")), o.reason});
  }
  if (tool.json) return tool.print(list);
  tool.print(format_table(columns, rows));
  tool.print(totals_text(all));
}

void convert_model(Tool& tool, const Conversion& c) {
  if (c.out.empty()) throw UsageError("OUT is missing; usage: ocellus convert IN OUT [flags]");
  if (!c.report.empty()) throw UsageError("--report is for a folder of models");
  const std::string ending = fs::path(c.out).extension().string();
  if (c.format.empty() && ending != ".h5" && ending != ".hdf5" && ending != ".keras")
    throw UsageError(fmt::format(
        "{}: the ending names no format (.h5, .weights.h5, .keras); --format does", c.out));
  tool.refuse_overwriting(c.out, "OUT");
  ModelDocument document = tool.open_model(c.in);
  change(tool.registry(), c, document);
  if (!tool.preprocess.empty()) document.preprocessing = Preprocessing::named(tool.preprocess);
  Outcome o;
  o.file = c.in;
  o.output = c.out;
  o.opened = true;
  describe(tool.registry(), document, o);
  if (!o.runs) tool.terminal.warning("converted as it is, though it cannot run here: " + o.reason);
  if (document.weights.empty() && o.parameters > 0)
    tool.terminal.warning(c.in + " has no weights: only its architecture is written");
  save_model(tool.registry(), document, c.out, tool.terminal, c.format);
  if (tool.json) return tool.print(to_json(o));
  tool.print(fmt::format("{}: {} layers, {} parameters{}", c.out, o.layers, thousands(o.parameters),
                         document.optimizer ? ", with the optimizer's state" : ""));
}

void convert(Tool& tool) {
  Conversion c;
  tool.line.argument("IN", c.in);
  tool.line.argument("OUT", c.out, false);
  tool.line.flag("format", c.format,
                 "format to write: keras_hdf5, keras, keras_weights; without it by OUT's ending "
                 "(.keras, .weights.h5), else keras_hdf5");
  tool.line.flag("replace", c.replacements,
                 "another layer in the place of one: 'lambda_1=Rescaling(scale=1/255)'; may be "
                 "repeated");
  tool.line.flag("training_state", c.training_state,
                 "keep the optimizer's state and how far training came; --no-training-state leaves "
                 "them out");
  tool.line.flag("report", c.report,
                 "of a folder: HTML file with what opened, what did not and why");
  tool.line.flag("force", tool.force, "write over what is there");
  tool.declare_model();
  tool.parse();
  c.replacements = whole_calls(c.replacements);
  tool.refuse_overwriting(c.report, "--report");
  if (fs::is_directory(c.in)) return convert_folder(tool, c);
  convert_model(tool, c);
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"convert", "IN OUT [flags]",
       "Reads a model and writes it in another format. IN may be a folder: every model file below "
       "it is tried, and the table says what opened, what was refused and why, and which layers a "
       "plugin would have to supply; OUT is then a folder, and may be left out."},
      argc, argv, ocellus::tools::convert);
}
