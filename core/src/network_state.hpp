#pragma once

#include <unordered_map>

#include "ocellus/core/network.hpp"
#include "ocellus/core/packed.hpp"

namespace ocellus {

/// A parameter or state on the host, until place() takes it to the device. Empty: initialized by
/// place(). What is still in its file stays here, so that the device can have it again.
using HostWeight = Array;

struct Network::State {
  GraphRecord graph;
  std::vector<NetworkLayer> layers;
  std::vector<NetworkNode> nodes;
  std::vector<NodeOutput> inputs, outputs;
  std::unordered_map<std::string, int> node_by_name;
  double multiply_adds = 0;

  ArenaLayout layout;
  std::vector<HostWeight> host_parameters, host_states;  ///< by segment, by state index
  std::vector<ParameterSpec> parameter_specs, state_specs;

  std::shared_ptr<opencl::Device> device;
  Arenas values;
  std::vector<std::unique_ptr<PackedCopies>> copies;  ///< by segment
  Placement placement = Placement::arenas;
  std::vector<Tensor> states;
  uint64_t values_version = 1, states_version = 1;

  /// Lays the parameters of all layers out and makes room for them on the host.
  void make_parameters();
  void make_layout(uint64_t largest_arena_bytes);
  Tensor parameter_tensor(int segment) const;
  void fetch_back();
  void clear_gap(opencl::Queue& queue, int segment) const;
  /// Brings back what release() gave away.
  void hold(int segment);
  void hold_all();
};

/// layer.plan() with the layer's name in front of a ShapeError.
LayerPlan plan_layer(const Layer& layer, const PlanRequest& request, const std::string& where);

}  // namespace ocellus
