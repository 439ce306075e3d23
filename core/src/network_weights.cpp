// A network's parameters and states: their places in the arenas, their way to the device and back.
#include <fmt/format.h>

#include <algorithm>

#include "network_state.hpp"
#include "ocellus/core/initializers.hpp"
#include "ocellus/core/random.hpp"

namespace ocellus {
namespace {

/// Segments begin on 256-byte boundaries, so that vector loads of one never share a cache line with
/// another.
constexpr uint32_t segment_alignment = 64;
/// Until a device is known; place() lays out anew where the device wants smaller arenas.
constexpr uint64_t default_arena_bytes = uint64_t{1} << 30;

HostWeight fit(const WeightsRecord& record, size_t index, const ParameterSpec& spec) {
  const Array& from = record.values[index];
  if (!(from.shape() == spec.shape))
    throw DataError(fmt::format("layer '{}': its {} has shape {} in the file, the network needs {}",
                                record.layer, spec.name, from.shape().str(), spec.shape.str()));
  return from.to_f32();
}

/// Takes a weight to the device, its values made here where no file gave them.
void settle(opencl::Queue& queue, HostWeight& host, const ParameterSpec& spec, Random random,
            const Tensor& to) {
  if (host.empty()) {
    host = Array(spec.shape, DType::f32);
    initialize(spec.initializer, spec.shape, random, host.f32());
  }
  upload(queue, host, to);
  if (!host.is_lazy()) host = Array();
}

}  // namespace

void Network::State::make_parameters() {
  for (NetworkLayer& l : layers) {
    for (const ParameterSpec& p : l.plan.parameters) {
      l.segments.push_back(static_cast<int>(layout.segments.size()));
      Segment s;
      s.name = l.name + "/" + p.name;
      s.count = static_cast<uint32_t>(p.shape.elements());
      s.decay = p.role == Role::kernel;
      s.frozen = !l.trainable;
      layout.segments.push_back(std::move(s));
      parameter_specs.push_back(p);
      host_parameters.emplace_back();
    }
    for (const ParameterSpec& p : l.plan.states) {
      l.states.push_back(static_cast<int>(state_specs.size()));
      state_specs.push_back(p);
      host_states.emplace_back();
    }
  }
  make_layout(default_arena_bytes);
}

void Network::State::make_layout(uint64_t largest_arena_bytes) {
  const uint64_t limit = std::min<uint64_t>(largest_arena_bytes / sizeof(float), uint64_t{1} << 31);
  layout.elements.clear();
  for (Segment& s : layout.segments) {
    const uint32_t room = (s.count + segment_alignment - 1) / segment_alignment * segment_alignment;
    if (layout.elements.empty() || placement == Placement::apart ||
        layout.elements.back() + uint64_t{room} > limit)
      layout.elements.push_back(0);
    s.arena = static_cast<int>(layout.elements.size()) - 1;
    s.offset = layout.elements.back();
    layout.elements.back() += room;
  }
}

Tensor Network::State::parameter_tensor(int segment) const {
  const Segment& s = layout.segments[segment];
  const Shape& shape = parameter_specs[segment].shape;
  return {values.buffers[s.arena], s.offset, static_cast<uint32_t>(shape.channels()), DType::f32,
          shape};
}

void Network::place(std::shared_ptr<opencl::Device> device, uint64_t seed, Placement placement) {
  State& s = *state_;
  if (s.device) s.fetch_back();
  s.device = std::move(device);
  s.placement = placement;
  s.make_layout(std::min(default_arena_bytes, s.device->info().max_allocation));
  s.values = Arenas::make(*s.device, s.layout, "the parameters");
  opencl::Queue& queue = s.device->compute();
  s.copies.clear();
  for (size_t i = 0; i < s.host_parameters.size(); ++i) {
    const int segment = static_cast<int>(i);
    s.clear_gap(queue, segment);
    // One stream a parameter: adding a layer leaves the others' values as they were.
    settle(queue, s.host_parameters[i], s.parameter_specs[i], Random(seed, i),
           s.parameter_tensor(segment));
    s.copies.push_back(std::make_unique<PackedCopies>([state = state_.get(), segment] {
      state->hold(segment);
      return state->parameter_tensor(segment);
    }));
  }
  s.states.clear();
  for (size_t i = 0; i < s.host_states.size(); ++i) {
    s.states.push_back(Tensor::make(*s.device, s.state_specs[i].shape, "a layer's state"));
    settle(queue, s.host_states[i], s.state_specs[i], Random(seed, (uint64_t{1} << 32) + i),
           s.states.back());
    s.host_states[i] = Array();
  }
  ++s.values_version;
  touch_states();
}

// Optimizers pass over the gaps of alignment between segments: they hold zeros.
void Network::State::clear_gap(opencl::Queue& queue, int segment) const {
  const Segment& s = layout.segments[segment];
  const opencl::Buffer& arena = values.buffers[s.arena];
  const size_t end = (size_t{s.offset} + s.count) * sizeof(float);
  const bool last = segment + 1 == static_cast<int>(layout.segments.size()) ||
                    layout.segments[segment + 1].arena != s.arena;
  const size_t next = last ? arena.bytes() : layout.segments[segment + 1].offset * sizeof(float);
  if (next > end) queue.fill(arena, end, next - end);
}

// Before the network moves: what only the device has comes to the host.
void Network::State::fetch_back() {
  opencl::Queue& queue = device->compute();
  for (size_t i = 0; i < host_parameters.size(); ++i)
    if (host_parameters[i].empty())
      host_parameters[i] = download(queue, parameter_tensor(static_cast<int>(i)));
  for (size_t i = 0; i < host_states.size(); ++i) host_states[i] = download(queue, states[i]);
}

void Network::State::hold(int segment) {
  opencl::Buffer& buffer = values.buffers[layout.segments[segment].arena];
  if (buffer) return;
  buffer = device->allocate(layout.elements[layout.segments[segment].arena] * sizeof(float),
                            "the parameters");
  opencl::Queue& queue = device->compute();
  clear_gap(queue, segment);
  upload(queue, host_parameters[segment], parameter_tensor(segment));
}

void Network::State::hold_all() {
  for (size_t i = 0; i < copies.size(); ++i) hold(static_cast<int>(i));
}

bool Network::release(int layer, int index) {
  State& s = *state_;
  const int segment = s.layers.at(layer).segments.at(index);
  opencl::Buffer& buffer = s.values.buffers[s.layout.segments[segment].arena];
  if (!buffer || s.placement != Placement::apart || !s.host_parameters[segment].is_lazy())
    return false;
  buffer = {};
  return true;
}

opencl::Device& Network::device() const { return *shared_device(); }

std::shared_ptr<opencl::Device> Network::shared_device() const {
  if (!state_->device) throw Error("the network has not been placed on a device");
  return state_->device;
}

const ArenaLayout& Network::layout() const { return state_->layout; }

const Arenas& Network::values() const {
  state_->hold_all();
  return state_->values;
}

std::vector<Parameter> Network::parameters(int layer, std::span<const int> unread) const {
  std::vector<Parameter> list;
  for (int s : state_->layers.at(layer).segments) {
    const bool read = !std::ranges::count(unread, static_cast<int>(list.size()));
    if (read) state_->hold(s);
    list.push_back({state_->parameter_tensor(s), state_->values_version, state_->copies[s].get()});
    // Whoever kept it would keep the memory that release() gives back.
    if (!read) list.back().tensor.buffer = {};
  }
  return list;
}

std::vector<Parameter> Network::states(int layer) const {
  std::vector<Parameter> list;
  for (int s : state_->layers.at(layer).states)
    list.push_back({state_->states[s], state_->states_version});
  return list;
}

void Network::touch() {
  ++state_->values_version;
  if (!state_->device) return;
  state_->hold_all();
  // From here on the device alone has the values.
  for (HostWeight& w : state_->host_parameters) w = Array();
}
void Network::touch_states() { ++state_->states_version; }
uint64_t Network::version() const { return state_->values_version + state_->states_version; }

std::vector<WeightsRecord> Network::read_weights() const {
  const State& s = *state_;
  std::vector<WeightsRecord> list;
  const auto get = [&](const HostWeight& host, const ParameterSpec& spec, const Tensor& tensor) {
    if (!host.empty()) return host;
    return s.device ? download(s.device->compute(), tensor) : Array(spec.shape, DType::f32);
  };
  for (const NetworkLayer& l : s.layers) {
    if (l.segments.empty() && l.states.empty()) continue;
    WeightsRecord r;
    r.layer = l.name;
    for (int i : l.segments) {
      r.names.push_back(s.parameter_specs[i].name);
      r.values.push_back(get(s.host_parameters[i], s.parameter_specs[i],
                             s.device ? s.parameter_tensor(i) : Tensor()));
    }
    for (int i : l.states) {
      r.names.push_back(s.state_specs[i].name);
      r.values.push_back(
          get(s.host_states[i], s.state_specs[i], s.device ? s.states[i] : Tensor()));
    }
    list.push_back(std::move(r));
  }
  return list;
}

void Network::write_weights(const std::vector<WeightsRecord>& weights) {
  State& s = *state_;
  std::unordered_map<std::string, const WeightsRecord*> by_layer;
  for (const WeightsRecord& r : weights) by_layer[r.layer] = &r;
  // All of it is checked before any of it is taken: nothing stays half written.
  std::vector<HostWeight> parameters(s.host_parameters.size()), states(s.host_states.size());
  for (const NetworkLayer& l : s.layers) {
    const size_t wanted = l.segments.size() + l.states.size();
    if (wanted == 0) continue;
    const auto it = by_layer.find(l.name);
    if (it == by_layer.end())
      throw DataError(fmt::format("the file has no weights for layer '{}' ({})", l.name, l.type));
    const WeightsRecord& r = *it->second;
    // A record without values leaves the layer to its initializers.
    if (r.values.empty() && !s.device) {
      for (int i : l.segments) parameters[i] = s.host_parameters[i];
      for (int i : l.states) states[i] = s.host_states[i];
      continue;
    }
    if (r.values.size() != wanted)
      throw DataError(fmt::format("layer '{}' ({}) needs {} weights, the file has {}", l.name,
                                  l.type, wanted, r.values.size()));
    size_t index = 0;
    for (int i : l.segments) parameters[i] = fit(r, index++, s.parameter_specs[i]);
    for (int i : l.states) states[i] = fit(r, index++, s.state_specs[i]);
  }
  if (s.device) {
    opencl::Queue& queue = s.device->compute();
    s.hold_all();
    for (size_t i = 0; i < parameters.size(); ++i)
      upload(queue, parameters[i], s.parameter_tensor(static_cast<int>(i)));
    for (size_t i = 0; i < states.size(); ++i) upload(queue, states[i], s.states[i]);
    touch();
    touch_states();
  } else {
    s.host_parameters = std::move(parameters);
    s.host_states = std::move(states);
  }
}

}  // namespace ocellus
