#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "execution/plan.hpp"

namespace ocellus::execution {

/// Works out a Plan. The methods that run() calls are its chapters; each reads what those before it
/// wrote. They stand in plan.cpp (nodes, gradients, layer plans), plan_forward.cpp (fusion, places)
/// and plan_backward.cpp.
class Planner {
 public:
  Planner(const Network& network, const ExecutionOptions& options, bool absorb)
      : net_(network), options_(options), absorb_(absorb) {}
  Plan run();

 private:
  const NetworkNode& node(int n) const { return net_.nodes()[n]; }
  const NetworkLayer& layer(int n) const { return net_.layers()[node(n).layer]; }
  PlanTensor& tensor(int t) { return plan_.tensors[t]; }
  int input(int n, size_t i) const { return plan_.input(net_, n, i); }
  std::string title(int n) const;

  // which nodes run
  void select_nodes();
  /// Zeros round an image are no step of their own where the one layer that reads them can see them
  /// without.
  void absorb_paddings();
  bool is_fed(NodeOutput t) const { return std::count(feeds_.begin(), feeds_.end(), t) > 0; }
  void connect();

  // which tensors have gradients
  void find_gradients();
  int known_tensor(const std::string& name) const;

  // plans of the nodes, with this execution's shapes
  void plan_nodes();
  PlanRequest request(int n, opencl::Epilogue epilogue);
  bool wants_parameters(int n) const;
  bool can_go_back(int n) const;
  void mark_saved();
  /// Whether the backward pass of a node reads its inputs, and its outputs.
  std::pair<bool, bool> saves(int n) const;

  // forward steps: heads, and the pointwise chains that run in their store
  void build_forward();
  bool vector_family() const;
  /// Identities cost nothing: their output is a view of their input.
  bool is_view(int n) const;
  void extend(ForwardStep& step, std::vector<bool>& claimed);
  /// The pointwise node, and its input index, that alone reads tensor t and may run in the store of
  /// t's producer.
  std::optional<std::pair<int, int>> follower(int t);
  /// Appends what node n does to a chain that comes in as its input `position`; false when it does
  /// not fit a chain.
  bool append_stages(int n, int position, std::vector<ChainStage>& stages);
  /// 1x1 convolutions whose result one layer reads that can compute it on the way.
  void absorb_expansions();
  bool absorb_expansion(const ForwardStep& expansion, ForwardStep& reader);

  // where tensors lie
  int new_storage(int64_t elements);
  Place new_place(const Shape& shape);
  void place_forward();
  bool exists(int t) { return tensor(t).place.storage >= 0; }
  /// A concatenation whose inputs can all be written where they belong needs no launch of its own.
  void place_concatenations();
  bool can_be_slice(int t, const ForwardStep& writer, int concatenation);

  // backward steps
  void build_backward();
  bool wanted(int t) const;
  int contributors(int t);
  void add_backward(int n, std::vector<bool>& written, std::set<int>& layers_done);
  BackwardStep::Kind backward_kind(int n) const;
  bool becomes_view(int n, std::vector<bool>& written);
  /// An op has one flag for all its inputs: where one of them holds something already, the others
  /// are cleared first.
  void push_op(BackwardStep step, const std::vector<int>& inputs, std::vector<bool>& written);
  /// Generated kernels take a flag an input; the same tensor twice needs a launch each.
  void push_pointwise(BackwardStep step, const std::vector<int>& inputs,
                      std::vector<bool>& written);

  // lifetimes
  void measure_lifetimes();
  void share_in_place();
  /// Lets `to`, first written now, lie where `from` lay, if that dies now.
  bool share(const Place& to, const Place& from, int now);

  const Network& net_;
  const ExecutionOptions& options_;
  const bool absorb_;  ///< steps that only move data may go into others
  Plan plan_;
  std::vector<NodeOutput> feeds_, fetches_;
  std::vector<bool> runs_, goes_back_;
};

}  // namespace ocellus::execution
