#include "checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ocellus/core/error.hpp"

namespace ocellus::training {
namespace {

Json to_json(const EpochRecord& r) {
  Json j;
  j["epoch"] = r.epoch;
  j["loss"] = r.loss;
  j["metrics"] = Json::list_of(r.metrics);
  if (r.validated) {
    j["validation_loss"] = r.validation_loss;
    j["validation_metrics"] = Json::list_of(r.validation_metrics);
  }
  j["learning_rate"] = r.learning_rate;
  j["seconds"] = r.seconds;
  j["images_per_second"] = r.images_per_second;
  return j;
}

std::vector<double> numbers(const Json& list) {
  std::vector<double> v;
  for (const Json& j : list.as_list()) v.push_back(j.is_null() ? NAN : j.as_double());
  return v;
}

EpochRecord record_from_json(const Json& j) {
  EpochRecord r;
  r.epoch = j.at("epoch").as_int();
  r.loss = j.get("loss", double(NAN));
  r.metrics = numbers(j.at("metrics"));
  r.validated = j.find("validation_loss") != nullptr;
  if (r.validated) {
    r.validation_loss = j.get("validation_loss", double(NAN));
    r.validation_metrics = numbers(j.at("validation_metrics"));
  }
  r.learning_rate = j.get("learning_rate", 0.);
  r.seconds = j.get("seconds", 0.);
  r.images_per_second = j.get("images_per_second", 0.);
  return r;
}

/// Calls f(segment index, shape) for each parameter of the network.
template <class F>
void for_each_parameter(const Network& network, F&& f) {
  const std::vector<NetworkLayer>& layers = network.layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    const std::vector<Parameter> parameters = network.parameters(static_cast<int>(l));
    for (size_t i = 0; i < parameters.size(); ++i)
      f(layers[l].segments[i], parameters[i].tensor.shape);
  }
}

Tensor slot_tensor(const Network& network, const Arenas& slot, int segment, const Shape& shape) {
  const Segment& s = network.layout().segments[segment];
  return {slot.buffers[s.arena], s.offset, static_cast<uint32_t>(shape.channels()), DType::f32,
          shape};
}

}  // namespace

Json Position::to_json() const {
  Json j;
  j["epoch"] = epoch;
  j["step"] = step;
  j["iteration"] = iteration;
  j["sums"] = sums;
  j["seconds"] = seconds;
  j["history"] = Json::list();
  for (const EpochRecord& r : history) j["history"].push_back(training::to_json(r));
  if (best_epoch >= 0) {
    j["best_loss"] = best_loss;
    j["best_epoch"] = best_epoch;
  }
  j["waited"] = waited;
  j["stopped"] = stopped;
  return j;
}

Position Position::from_json(const Json& j) {
  Position p;
  p.epoch = j.at("epoch").as_int();
  p.step = j.at("step").as_int64();
  p.iteration = j.at("iteration").as_int64();
  p.sums = j.at("sums");
  p.seconds = j.get("seconds", 0.);
  for (const Json& r : j.at("history").as_list()) p.history.push_back(record_from_json(r));
  p.best_loss = j.get("best_loss", p.best_loss);
  p.best_epoch = j.get("best_epoch", -1);
  p.waited = j.get("waited", 0);
  p.stopped = j.get("stopped", false);
  return p;
}

std::vector<std::vector<Array>> read_slots(const Network& network,
                                           const std::vector<Arenas>& slots) {
  std::vector<std::vector<Array>> out;
  for (const Arenas& slot : slots) {
    std::vector<Array>& list = out.emplace_back();
    for_each_parameter(network, [&](int segment, const Shape& shape) {
      list.push_back(
          download(network.device().compute(), slot_tensor(network, slot, segment, shape)));
    });
  }
  return out;
}

void write_slots(const Network& network, const std::vector<std::vector<Array>>& from,
                 const std::vector<Arenas>& slots, const std::string& file) {
  if (from.size() != slots.size())
    throw DataError(
        fmt::format("{}: {} optimizer slots, expected {}", file, from.size(), slots.size()));
  for (size_t s = 0; s < slots.size(); ++s) {
    size_t p = 0;
    for_each_parameter(network, [&](int segment, const Shape& shape) {
      if (p >= from[s].size() || from[s][p].shape() != shape)
        throw DataError(fmt::format("{}: the optimizer's slots do not fit parameter '{}' {}", file,
                                    network.layout().segments[segment].name, shape.str()));
      upload(network.device().compute(), from[s][p++].to_f32(),
             slot_tensor(network, slots[s], segment, shape));
    });
  }
}

std::string find_not_finite(const std::vector<WeightsRecord>& weights) {
  for (const WeightsRecord& w : weights)
    for (const Array& a : w.values)
      if (a.type() == DType::f32 &&
          !std::ranges::all_of(a.f32(), [](float v) { return std::isfinite(v); }))
        return w.layer;
  return {};
}

}  // namespace ocellus::training
