#include "reference/verify.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "ocellus/core/error.hpp"
#include "ocellus/core/execution.hpp"
#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

ReferenceTensor to_reference(const Array& a) {
  return {a.shape(), {a.f32().begin(), a.f32().end()}};
}

// NaN is an infinite error: it must not pass.
void compare(NodeCheck& c, const Array& found, const ReferenceTensor& expected) {
  c.checked = true;
  if (found.elements() != static_cast<int64_t>(expected.values.size())) c.error = HUGE_VAL;
  for (size_t i = 0; c.error < HUGE_VAL && i < expected.values.size(); ++i) {
    const double d = std::abs(found.f32()[i] - expected.values[i]);
    c.error = std::isfinite(d) ? std::max(c.error, d) : HUGE_VAL;
    c.largest = std::max(c.largest, std::abs(expected.values[i]));
  }
}

class Verifier {
 public:
  Verifier(const Registry& registry, Network& network, const std::vector<Array>& inputs)
      : registry_(registry), network_(network), inputs_(inputs) {
    for (const WeightsRecord& r : network.read_weights())
      for (const Array& a : r.values) weights_[r.layer].push_back(to_reference(a));
    for (int i = 0; i < inputs.at(0).shape()[0]; ++i) samples_.push_back(i);
  }

  Verification run(Progress& progress) {
    run_device();
    Verification v;
    const auto& nodes = network_.nodes();
    const NodeOutput logits = network_.logits();
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (progress.stop_requested()) throw Interrupted("verify stopped");
      progress.update("verify", static_cast<int64_t>(n), static_cast<int64_t>(nodes.size()),
                      nodes[n].name);
      if (nodes[n].layer >= 0) v.nodes.push_back(check(static_cast<int>(n)));
    }
    v.logits.name = network_.tensor_name(logits);
    v.logits.type = "logits, end to end";
    compare(v.logits, whole_, exact_.at(logits));
    v.logits.allowed = 1e-4 * v.logits.largest;
    return v;
  }

 private:
  Array run_one(Execution& run) {
    opencl::Queue& queue = network_.device().compute();
    for (size_t i = 0; i < inputs_.size(); ++i) upload(queue, inputs_[i], run.feed(i));
    run.forward();
    return download(queue, run.fetch());
  }

  void run_device() {
    const int batch = static_cast<int>(samples_.size());
    Execution whole(network_,
                    {.batch = batch, .fetches = {network_.tensor_name(network_.logits())}});
    whole_ = run_one(whole);
    std::vector<NodeOutput> outputs;
    ExecutionOptions options{.batch = batch};
    for (size_t i = 0; i < network_.inputs().size(); ++i) {
      device_[network_.inputs()[i]] = inputs_.at(i);
      exact_[network_.inputs()[i]] = to_reference(inputs_[i]);
    }
    for (size_t n = 0; n < network_.nodes().size(); ++n)
      for (size_t o = 0; network_.nodes()[n].layer >= 0 && o < network_.nodes()[n].outputs.size();
           ++o) {
        outputs.push_back({static_cast<int>(n), static_cast<int>(o)});
        options.fetches.push_back(network_.tensor_name(outputs.back()));
      }
    Execution each(network_, options);
    run_one(each);
    for (size_t i = 0; i < outputs.size(); ++i)
      device_[outputs[i]] = download(network_.device().compute(), each.fetch(i));
  }

  // Empty where there is no reference.
  std::vector<ReferenceTensor> compute(int node, const std::vector<ReferenceTensor>& inputs) const {
    const NetworkLayer& layer = network_.layers()[network_.nodes()[node].layer];
    if (layer.record < 0) {  // an activation parameter
      static const std::map<std::string, ReferenceTensor (*)(const ReferenceTensor&)> of_rows = {
          {"softmax", softmax}, {"log_softmax", log_softmax}, {"glu", glu}};
      if (const auto row = of_rows.find(layer.type); row != of_rows.end())
        return {row->second(inputs.at(0))};
      const auto f = activations().find(layer.type);
      if (f == activations().end()) return {};
      ReferenceTensor y = inputs.at(0);
      for (double& x : y.values) x = f->second(x);
      return {y};
    }
    if (layer.plan.pointwise.kind == Pointwise::Kind::identity) return {inputs.at(0)};
    const TypeInfo* info = registry_.find(Kind::layer, layer.type);
    const Reference* reference = info ? reference_of(*info) : nullptr;
    if (!reference) return {};
    const Json parameters =
        info->schema.check(network_.graph().layers[layer.record].parameters, layer.name);
    const auto w = weights_.find(layer.name);
    const std::vector<ReferenceTensor> none;
    return (*reference)({parameters, inputs, w == weights_.end() ? none : w->second, false, 0, 0,
                         static_cast<uint32_t>(node), samples_});
  }

  NodeCheck check(int n) {
    const NetworkNode& node = network_.nodes()[n];
    const NetworkLayer& layer = network_.layers()[node.layer];
    NodeCheck c{node.name, layer.type};
    std::vector<ReferenceTensor> given, exact;
    PlanRequest request;
    for (const NodeOutput in : node.inputs) {
      given.push_back(to_reference(device_.at(in)));
      exact.push_back(exact_.at(in));
      request.inputs.push_back(network_.shape(in));
    }
    const std::vector<ReferenceTensor> expected = compute(n, given), through = compute(n, exact);
    for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o) {
      const Array& found = device_.at({n, o});
      if (o < static_cast<int>(expected.size())) compare(c, found, expected[o]);
      exact_[{n, o}] = o < static_cast<int>(through.size())
                           ? ReferenceTensor{found.shape(), through[o].values}
                           : to_reference(found);
    }
    const double out = static_cast<double>(node.outputs[0].elements());
    const double terms = std::max({1.0, layer.layer->plan(request).multiply_adds / out,
                                   static_cast<double>(request.inputs.at(0).elements()) / out});
    c.allowed = 1e-5 * std::sqrt(terms) * c.largest;
    return c;
  }

  const Registry& registry_;
  Network& network_;
  const std::vector<Array>& inputs_;
  std::map<std::string, std::vector<ReferenceTensor>> weights_;
  std::vector<int> samples_;
  std::map<NodeOutput, Array> device_;
  std::map<NodeOutput, ReferenceTensor> exact_;
  Array whole_;
};

}  // namespace

Verification verify(const Registry& registry, Network& network, const std::vector<Array>& inputs,
                    Progress& progress) {
  return Verifier(registry, network, inputs).run(progress);
}

}  // namespace ocellus::reference
