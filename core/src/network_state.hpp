#pragma once

#include <unordered_map>

#include "ocellus/core/network.hpp"

namespace ocellus {

/// A parameter or state on the host, until place() takes it to the device.
struct HostWeight {
  Array values;
  bool given = false;  ///< read from a document; otherwise initialized by place()
};

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
  std::vector<Tensor> states;
  uint64_t values_version = 1, states_version = 1;

  /// Lays the parameters of all layers out and makes room for them on the host.
  void make_parameters();
  void make_layout(uint64_t largest_arena_bytes);
  Tensor parameter_tensor(int segment) const;
};

/// layer.plan() with the layer's name in front of a ShapeError.
LayerPlan plan_layer(const Layer& layer, const PlanRequest& request, const std::string& where);

}  // namespace ocellus
