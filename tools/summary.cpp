// ocellus summary: what a model is made of, without a device.

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "ocellus/core/error.hpp"
#include "ocellus/core/network.hpp"
#include "ocellus/core/receptive_field.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

// A line of the table: one layer of the model, its activation folded in, all its calls together.
struct Row {
  std::string name, type;
  Shape shape;
  int64_t parameters = 0;
  double multiply_adds = 0;
  std::optional<ReceptiveField> field;
};

// Fields of the nodes; none where the paths of the graph do not agree (the reason goes to the log).
std::vector<std::optional<ReceptiveField>> fields_of(const Network& network, Log& log) {
  std::vector<std::optional<ReceptiveField>> fields(network.nodes().size());
  try {
    const auto known = receptive_fields(network);
    for (size_t i = 0; i < fields.size(); ++i) fields[i] = known[i];
  } catch (const ShapeError& e) {
    log.warning(fmt::format("no receptive fields: {}", e.what()));
  }
  return fields;
}

std::vector<Row> rows_of(const Network& network, Log& log) {
  const auto fields = fields_of(network, log);
  std::vector<Row> rows;
  std::map<int, size_t> row_of_layer;
  for (size_t i = 0; i < network.nodes().size(); ++i) {
    const NetworkNode& node = network.nodes()[i];
    if (node.layer < 0) {
      rows.push_back({node.name, "Input", node.outputs.at(0), 0, 0, fields[i]});
      continue;
    }
    const NetworkLayer& layer = network.layers()[static_cast<size_t>(node.layer)];
    PlanRequest request;
    for (const NodeOutput in : node.inputs) request.inputs.push_back(network.shape(in));
    const double multiply_adds = layer.layer->plan(request).multiply_adds;
    if (layer.record < 0) {  // an activation parameter: part of the row of the layer before it
      const auto owner =
          row_of_layer.find(network.nodes()[static_cast<size_t>(node.inputs.at(0).node)].layer);
      if (owner != row_of_layer.end()) rows[owner->second].multiply_adds += multiply_adds;
      continue;
    }
    const auto [at, first_call] = row_of_layer.try_emplace(node.layer, rows.size());
    if (first_call) {
      Row row{layer.name, layer.type, node.outputs.at(0), 0, 0, fields[i]};
      for (const ParameterSpec& p : layer.plan.parameters) row.parameters += p.shape.elements();
      for (const ParameterSpec& p : layer.plan.states) row.parameters += p.shape.elements();
      rows.push_back(row);
    }
    rows[at->second].multiply_adds += multiply_adds;
  }
  return rows;
}

// One number where both axes agree, else [height, width].
Json whole(double v) { return v == std::floor(v) ? Json(static_cast<int64_t>(v)) : Json(v); }
Json both_axes(double h, double w) {
  return h == w ? whole(h) : Json(Json::List{whole(h), whole(w)});
}

Json to_json(const Row& r) {
  Json shape = Json::List{nullptr};
  for (int axis = 1; axis < r.shape.rank(); ++axis) shape.push_back(r.shape[axis]);
  Json field;
  if (r.field && !r.field->global)
    field = Json::Object{{"size", both_axes(r.field->h.size, r.field->w.size)},
                         {"jump", both_axes(r.field->h.jump, r.field->w.jump)},
                         {"start", both_axes(r.field->h.start, r.field->w.start)}};
  return Json::Object{{"name", r.name},
                      {"type", r.type},
                      {"shape", shape},
                      {"parameters", r.parameters},
                      {"multiply_adds", static_cast<int64_t>(r.multiply_adds)},
                      {"receptive_field", field}};
}

std::string shape_text(const Shape& s) {
  std::string text;
  for (int axis = 1; axis < s.rank(); ++axis)
    text += fmt::format("{}{}", axis > 1 ? "x" : "", s[axis]);
  return text;
}

std::string axes_text(double h, double w) {
  return h == w ? fmt::format("{:g}", h) : fmt::format("{:g}x{:g}", h, w);
}

std::vector<std::string> to_cells(const Row& r) {
  std::vector<std::string> cells = {r.name, r.type, shape_text(r.shape), thousands(r.parameters),
                                    thousands(static_cast<int64_t>(r.multiply_adds))};
  if (!r.field) return cells.insert(cells.end(), {"?", "", ""}), cells;
  if (r.field->global) return cells.insert(cells.end(), {"all", "", ""}), cells;
  cells.push_back(axes_text(r.field->h.size, r.field->w.size));
  cells.push_back(axes_text(r.field->h.jump, r.field->w.jump));
  cells.push_back(axes_text(r.field->h.start, r.field->w.start));
  return cells;
}

void print_text(Tool& tool, const std::string& address, const Network& network,
                const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const Row& r : rows) cells.push_back(to_cells(r));
  tool.print(fmt::format("{} ({})", network.graph().name, address));
  tool.print(format_table(
      {"layer", "type", "shape", "parameters", "multiply-adds", "field", "jump", "start"}, cells));
  tool.print(fmt::format("parameters {}, multiply-adds {} an image",
                         thousands(network.parameter_count()),
                         thousands(static_cast<int64_t>(network.multiply_adds()))));
  tool.print(fmt::format("preprocessing: {}\n",
                         network.preprocessing ? network.preprocessing->str() : "not said"));
}

void summary(Tool& tool) {
  std::vector<std::string> models;
  tool.line.rest("MODEL", models, true);
  tool.declare_model();
  tool.parse();
  Json all = Json::list();
  std::vector<std::vector<std::string>> comparison;
  for (const std::string& address : models) {
    const Network network(tool.registry(), tool.open_model(address));
    const std::vector<Row> rows = rows_of(network, tool.terminal);
    Json layers = Json::list();
    for (const Row& r : rows) layers.push_back(to_json(r));
    all.push_back(Json::Object{{"model", address},
                               {"parameters", network.parameter_count()},
                               {"multiply_adds", static_cast<int64_t>(network.multiply_adds())},
                               {"layers", layers}});
    comparison.push_back({address, shape_text(network.shape(network.inputs().at(0))),
                          shape_text(network.shape(network.outputs().at(0))),
                          fmt::format("{}", rows.size()), thousands(network.parameter_count()),
                          thousands(static_cast<int64_t>(network.multiply_adds()))});
    if (!tool.json) print_text(tool, address, network, rows);
  }
  if (tool.json) return tool.print(models.size() == 1 ? all.at(size_t{0}) : all);
  if (models.size() > 1)
    tool.print(format_table({"model", "input", "output", "layers", "parameters", "multiply-adds"},
                            comparison));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"summary", "MODEL... [flags]",
       "Layers, output shapes, parameters, multiply-adds and receptive fields (size, jump and "
       "start, in pixels of "
       "the input) of one or several models: files, architectures, or typed."},
      argc, argv, ocellus::tools::summary);
}
