// Groups of layers and operations that together say one thing.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "keras_operations.hpp"

namespace ocellus::keras {
namespace {

// The channel k of x[..., k].
std::optional<int> picked_channel(const LayerRecord& l) {
  if (l.type != operation_type || l.calls.size() != 1) return std::nullopt;
  const OperationCall c(l);
  const Json spec = c.argument(1, {"key", "slice_spec"});
  if (c.function != "get_item" || spec.size() != 2 || !spec.at(1).is_integer() ||
      spec.at(1).as_int() < 0 || spec.at(size_t{0}).get("class_name", "") != "__ellipsis__")
    return std::nullopt;
  return spec.at(1).as_int();
}

void remove_unused_picks(GraphRecord& graph) {
  std::set<std::string> used;
  for (const LayerRecord& l : graph.layers)
    for (const auto& call : l.calls)
      for (const TensorRef& t : call) used.insert(t.layer);
  for (const TensorRef& t : graph.outputs) used.insert(t.layer);
  std::erase_if(graph.layers,
                [&](const LayerRecord& l) { return picked_channel(l) && !used.count(l.name); });
}

// Parameters of a Slice of an image that turns its channels round.
Json reversed(int channels) {
  const Json all = Json::List{{}, {}, {}};
  return Json::Object{{"begin", Json::List{{}, {}, channels - 1}},
                      {"end", all},
                      {"stride", Json::List{{}, {}, -1}}};
}

// What write_operation() made of a Slice that turns the channels round: rows of channels, cut one
// by one and put together backwards.
void restore_reversals(GraphRecord& graph) {
  std::map<std::string, LayerRecord*> named;
  for (LayerRecord& l : graph.layers) named[l.name] = &l;
  const auto source = [&](const LayerRecord& l, size_t i, const char* type) -> LayerRecord* {
    const auto it = named.find(l.calls.front().at(i).layer);
    return it != named.end() && it->second->type == type ? it->second : nullptr;
  };
  const auto moves = [](const LayerRecord& l, const Json& dims) {
    const Json* given = l.parameters.find("dims");
    return l.type == "Permute" && given && *given == dims;
  };
  std::set<std::string> helpers;
  for (LayerRecord& l : graph.layers) {
    if (!moves(l, Json::List{2, 3, 1})) continue;
    LayerRecord* joined = source(l, 0, "Concatenate");
    if (!joined || !joined->name.ends_with("_joined")) continue;
    const size_t count = joined->calls.front().size();
    LayerRecord* first = nullptr;
    std::vector<LayerRecord*> parts;
    for (size_t i = 0; i < count; ++i) {
      LayerRecord* part = source(*joined, i, "Cropping2D");
      if (!part || !part->name.ends_with(fmt::format("_channel_{}", count - 1 - i))) break;
      LayerRecord* from = source(*part, 0, "Permute");
      if (!from || (first && from != first)) break;
      first = from;
      parts.push_back(part);
    }
    if (parts.size() != count || !moves(*first, Json::List{3, 1, 2})) continue;
    l.type = "Slice";
    l.parameters = reversed(static_cast<int>(count));
    l.foreign = Json::object();
    l.calls = first->calls;
    helpers.insert({joined->name, first->name});
    for (const LayerRecord* p : parts) helpers.insert(p->name);
  }
  std::erase_if(graph.layers, [&](const LayerRecord& l) { return helpers.count(l.name) != 0; });
}

// Whether each call of `l` is on x and on `helper` of the same x.
bool is_helper_of(const LayerRecord& l, const LayerRecord& helper) {
  const bool negative = helper.name.ends_with("_negative") && l.type == "Maximum";
  const Json* scale = helper.parameters.find("scale");
  if (helper.type != "Rescaling" || !(negative || helper.name.ends_with("_constant")) || !scale ||
      !scale->is_number() || scale->as_double() != (negative ? -1 : 0) ||
      helper.calls.size() != l.calls.size())
    return false;
  for (size_t k = 0; k < l.calls.size(); ++k) {
    const TensorRef expected{helper.name, static_cast<int>(k), 0};
    if (l.calls[k].size() != 2 || l.calls[k].back() != expected ||
        l.calls[k].front() != helper.calls[k].front())
      return false;
  }
  return true;
}

// What write_operation() made of |x|, max(x, c) and min(x, c).
void restore_helped(GraphRecord& graph) {
  std::map<std::string, const LayerRecord*> named;
  for (const LayerRecord& l : graph.layers) named[l.name] = &l;
  std::set<std::string> helpers;
  for (LayerRecord& l : graph.layers) {
    if ((l.type != "Maximum" && l.type != "Minimum") || l.calls.empty()) continue;
    if (l.calls.front().size() != 2) continue;
    const auto found = named.find(l.calls.front().back().layer);
    if (found == named.end() || !is_helper_of(l, *found->second)) continue;
    const LayerRecord& helper = *found->second;
    if (helper.name.ends_with("_negative")) {
      l.type = "UnaryOperation";
      l.parameters = Json::Object{{"operation", "abs"}};
    } else {
      l.parameters = Json::Object{{"operation", l.type == "Maximum" ? "maximum" : "minimum"},
                                  {"value", helper.parameters.at("offset")}};
      l.type = "ConstantOperation";
    }
    l.foreign = Json::object();
    for (auto& call : l.calls) call.pop_back();
    helpers.insert(helper.name);
  }
  std::erase_if(graph.layers, [&](const LayerRecord& l) { return helpers.count(l.name) != 0; });
}

}  // namespace

void restore_written(GraphRecord& graph) {
  restore_reversals(graph);
  restore_helped(graph);
}

void join_channel_picks(GraphRecord& graph) {
  std::map<std::string, LayerRecord*> named;
  for (LayerRecord& l : graph.layers) named[l.name] = &l;
  for (LayerRecord& l : graph.layers) {
    if (l.type != operation_type || l.calls.size() != 1) continue;
    const OperationCall c(l);
    if (c.function != "stack" || c.option({"axis"}) != Json(-1)) continue;
    std::vector<int> picks;
    const TensorRef* source = nullptr;
    for (const TensorRef& t : l.calls.front()) {
      const LayerRecord& from = *named.at(t.layer);
      const auto channel = picked_channel(from);
      if (!channel || (source && *source != from.calls.front().front())) break;
      source = &from.calls.front().front();
      picks.push_back(*channel);
    }
    const int step = picks.size() > 1 ? picks[1] - picks[0] : 0;
    bool even = picks.size() == l.calls.front().size() && (step == 1 || step == -1);
    for (size_t i = 1; even && i < picks.size(); ++i) even = picks[i] - picks[i - 1] == step;
    if (!even) continue;
    const int stop = picks.back() + step;
    l.calls.front() = {*source};
    l.parameters = Json::Object{
        {"function", "GetItem"},
        {"arguments", Json::List{tensor_argument(0),
                                 Json::List{Json::Object{{"class_name", "__ellipsis__"}},
                                            Json::Object{{"start", picks.front()},
                                                         {"stop", stop < 0 ? Json() : Json(stop)},
                                                         {"step", step}}}}},
        {"options", Json::object()}};
  }
  remove_unused_picks(graph);
}

}  // namespace ocellus::keras
