// ocellus summary: what a model is made of, without a device.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "ocellus/core/error.hpp"
#include "ocellus/core/inspection.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

struct Summary {
  std::string address;
  Inspection inspection;
  std::optional<Preprocessing> preprocessing;
  std::vector<std::string> classes, warnings;
};

// One number where both axes agree, else [height, width].
Json whole(double v) { return v == std::floor(v) ? Json(static_cast<int64_t>(v)) : Json(v); }
Json both_axes(double h, double w) {
  return h == w ? whole(h) : Json(Json::List{whole(h), whole(w)});
}

// Null for the batch, and for what the file leaves open; null as a whole where it is not known.
Json shape_json(const LayerRow& r) {
  if (!r.shape && r.open_shape.empty()) return {};
  Json shape = Json::List{nullptr};
  if (r.shape)
    for (const int e : r.shape->without_batch().extents()) shape.push_back(e);
  else
    for (const int e : r.open_shape) shape.push_back(e < 0 ? Json() : Json(e));
  return shape;
}

Json to_json(const LayerRow& r) {
  Json field;
  if (r.field && !r.field->global)
    field = Json::Object{{"size", both_axes(r.field->h.size, r.field->w.size)},
                         {"jump", both_axes(r.field->h.jump, r.field->w.jump)},
                         {"start", both_axes(r.field->h.start, r.field->w.start)}};
  Json j = Json::Object{
      {"name", r.name},
      {"type", r.type},
      {"shape", shape_json(r)},
      {"parameters", r.parameters},
      {"multiply_adds", r.multiply_adds ? Json(static_cast<int64_t>(*r.multiply_adds)) : Json()},
      {"receptive_field", field}};
  if (!r.problem.empty()) j["problem"] = r.problem;
  return j;
}

Json to_json(const Summary& s) {
  const Inspection& i = s.inspection;
  Json layers = Json::list();
  for (const LayerRow& r : i.layers) layers.push_back(to_json(r));
  return Json::Object{{"model", s.address},
                      {"name", i.name},
                      {"parameters", i.parameters},
                      {"multiply_adds", static_cast<int64_t>(i.multiply_adds)},
                      {"depth", i.depth},
                      {"runs", i.refusal.empty()},
                      {"refusal", i.refusal.empty() ? Json() : Json(i.refusal)},
                      {"preprocessing", s.preprocessing ? s.preprocessing->to_json() : Json()},
                      {"classes", Json::list_of(s.classes)},
                      {"warnings", Json::list_of(s.warnings)},
                      {"layers", layers}};
}

std::string shape_text(const std::optional<Shape>& s) {
  if (!s) return "?";
  std::string text;
  for (int axis = 1; axis < s->rank(); ++axis)
    text += fmt::format("{}{}", axis > 1 ? "x" : "", (*s)[axis]);
  return text;
}

std::string shape_text(const LayerRow& r) {
  std::string text;
  for (const int e : r.open_shape)
    text += (text.empty() ? "" : "x") + (e < 0 ? "None" : fmt::format("{}", e));
  return text.empty() ? shape_text(r.shape) : text;
}

std::string shapes_text(const std::vector<std::optional<Shape>>& shapes) {
  std::string text;
  for (const auto& s : shapes) text += (text.empty() ? "" : ", ") + shape_text(s);
  return text;
}

std::string axes_text(double h, double w) {
  return h == w ? fmt::format("{:g}", h) : fmt::format("{:g}x{:g}", h, w);
}

std::string count_text(const std::optional<double>& n) {
  return n ? thousands(static_cast<int64_t>(*n)) : "?";
}

std::vector<std::string> to_cells(const LayerRow& r) {
  std::vector<std::string> cells = {r.name, r.type, shape_text(r), thousands(r.parameters),
                                    count_text(r.multiply_adds)};
  if (!r.field) return cells.insert(cells.end(), {"?", "", ""}), cells;
  if (r.field->global) return cells.insert(cells.end(), {"all", "", ""}), cells;
  cells.push_back(axes_text(r.field->h.size, r.field->w.size));
  cells.push_back(axes_text(r.field->h.jump, r.field->w.jump));
  cells.push_back(axes_text(r.field->h.start, r.field->w.start));
  return cells;
}

const std::vector<std::string> layer_columns = {"layer",         "type",  "shape", "parameters",
                                                "multiply-adds", "field", "jump",  "start"};

// What keeps the model from running: the first problem of each type of layer; the model's own
// refusal where it is none of them.
std::vector<std::string> problems_of(const Inspection& i) {
  std::map<std::string, int> count;
  for (const LayerRow& r : i.layers)
    if (!r.problem.empty()) ++count[r.type];
  std::vector<std::string> problems;
  for (const LayerRow& r : i.layers) {
    if (r.problem.empty() || count[r.type] == 0) continue;
    const int more = std::exchange(count[r.type], 0) - 1;
    problems.push_back(r.problem + (more ? fmt::format(" (and {} more {})", more, r.type) : ""));
  }
  if (problems.empty() && !i.refusal.empty()) problems.push_back(i.refusal);
  return problems;
}

void print_text(Tool& tool, const Summary& s, bool weights) {
  const Inspection& i = s.inspection;
  std::vector<std::vector<std::string>> cells;
  for (const LayerRow& r : i.layers) {
    cells.push_back(to_cells(r));
    if (!weights) continue;
    for (const std::string& w : r.weights) cells.push_back({"  " + w, "", "", "", "", "", "", ""});
  }
  tool.print(fmt::format("{} ({})", i.name, s.address));
  tool.print(format_table(layer_columns, cells));
  const char* least = i.refusal.empty() ? "" : "at least ";
  tool.print(fmt::format("parameters {}, multiply-adds {}{} an image, depth {}",
                         thousands(i.parameters), least,
                         thousands(static_cast<int64_t>(i.multiply_adds)), i.depth));
  tool.print(
      fmt::format("preprocessing: {}", s.preprocessing ? s.preprocessing->str() : "not said"));
  if (!s.classes.empty())
    tool.print(fmt::format("classes: {}, '{}' to '{}'", s.classes.size(), s.classes.front(),
                           s.classes.back()));
  for (const std::string& problem : problems_of(i)) tool.print("cannot run: " + problem);
  tool.print(std::string());
}

void print_comparison(Tool& tool, const std::vector<Summary>& all) {
  std::vector<std::vector<std::string>> rows;
  for (const Summary& s : all) {
    const Inspection& i = s.inspection;
    rows.push_back({s.address, shapes_text(i.inputs), shapes_text(i.outputs),
                    fmt::format("{}", i.layers.size()), fmt::format("{}", i.depth),
                    thousands(i.parameters), thousands(static_cast<int64_t>(i.multiply_adds)),
                    i.refusal.empty() ? "yes" : "no"});
  }
  tool.print(format_table(
      {"model", "input", "output", "layers", "depth", "parameters", "multiply-adds", "runs"},
      rows));
}

// --- The report

Table layers_table(const Inspection& i) {
  Table t{"Layers", layer_columns, {}};
  for (const LayerRow& r : i.layers) {
    std::vector<Json> row;
    for (const std::string& cell : to_cells(r)) row.emplace_back(cell);
    row[3] = r.parameters;
    row[4] = r.multiply_adds ? Json(static_cast<int64_t>(*r.multiply_adds)) : Json();
    t.rows.push_back(std::move(row));
  }
  return t;
}

Results comparison_section(const std::vector<Summary>& all) {
  Results section{"comparison", "Side by side", {}};
  Table table{
      "", {"model", "input", "output", "layers", "depth", "parameters", "multiply-adds"}, {}};
  Bars parameters{"Parameters", "millions", {}, {}};
  Bars multiply_adds{"Multiply-adds of an image", "millions", {}, {}};
  Bars depth{"Depth", "layers with a kernel on the longest path", {}, {}};
  for (const Summary& s : all) {
    const Inspection& i = s.inspection;
    table.rows.push_back({short_name(s.address), shapes_text(i.inputs), shapes_text(i.outputs),
                          i.layers.size(), i.depth, i.parameters,
                          static_cast<int64_t>(i.multiply_adds)});
    const auto add = [&](Bars& bars, double value) {
      bars.names.push_back(short_name(s.address));
      bars.values.push_back(value);
    };
    add(parameters, static_cast<double>(i.parameters) / 1e6);
    add(multiply_adds, i.multiply_adds / 1e6);
    add(depth, i.depth);
  }
  section.items = {table, parameters, multiply_adds, depth};
  return section;
}

void write_report(Tool& tool, const std::vector<Summary>& all, const std::string& file) {
  Report report(all.size() == 1 ? "Summary of " + all[0].address : "Summary of models");
  tool.describe(report, all.size() == 1 ? all[0].address : fmt::format("{} models", all.size()));
  if (all.size() > 1) report.add(comparison_section(all));
  for (const Summary& s : all) {
    const Inspection& i = s.inspection;
    Results section{"summary", short_name(s.address), {}};
    for (const std::string& p : problems_of(i)) section.add(Note{"Cannot run: " + p, true});
    for (const std::string& w : s.warnings) section.add(Note{w, true});
    section.add(Note{fmt::format(
        "{}: {} parameters, {} multiply-adds an image, depth {}; input {}, output {}; "
        "preprocessing: {}",
        i.name, thousands(i.parameters), thousands(static_cast<int64_t>(i.multiply_adds)), i.depth,
        shapes_text(i.inputs), shapes_text(i.outputs),
        s.preprocessing ? s.preprocessing->str() : "not said")});
    section.add(layers_table(i));
    report.add(std::move(section));
  }
  report.write_html(file);
}

void summary(Tool& tool) {
  std::vector<std::string> models;
  std::string html;
  bool weights = false;
  tool.line.rest("MODEL", models, true);
  tool.line.flag("list-weights", weights, "also name and shape of each weight");
  tool.line.flag("html", html,
                 "report to write, with a chart of parameters, multiply-adds and depth where there "
                 "are several models");
  tool.line.flag("force", tool.force, "write over the report");
  tool.declare_model();
  tool.parse();
  tool.refuse_overwriting(html, "--html");
  std::vector<Summary> all;
  Json list = Json::list();
  for (const std::string& address : models) {
    const ModelDocument document = tool.open_model(address);
    all.push_back({address, inspect(tool.registry(), document), document.preprocessing,
                   document.classes, document.warnings});
    if (!tool.json) print_text(tool, all.back(), weights);
    list.push_back(to_json(all.back()));
  }
  if (tool.json) tool.print(models.size() == 1 ? list.at(size_t{0}) : list);
  if (!tool.json && models.size() > 1) print_comparison(tool, all);
  if (!html.empty()) write_report(tool, all, html);
  // A missing layer or an open size is no fault of the model; a layer that is wrongly put together
  // is.
  for (const Summary& s : all) {
    const Inspection& i = s.inspection;
    const bool open = std::any_of(i.layers.begin(), i.layers.end(),
                                  [](const LayerRow& r) { return !r.open_shape.empty(); });
    if (i.code != ExitCode::good && i.code != ExitCode::plugin && !open)
      throw Error(i.refusal, i.code);
  }
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"summary", "MODEL... [flags]",
       "Layers, output shapes, parameters, multiply-adds and receptive fields (size, jump and "
       "start, in pixels of the input) of one or several models: files, architectures, or typed. "
       "A model with a layer that no plugin supplies is shown as far as it is known."},
      argc, argv, ocellus::tools::summary);
}
