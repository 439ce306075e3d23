#include "update.hpp"

#include "optimizers_kernels.hpp"

namespace ocellus::optimizers {
namespace {

class UpdateOp : public OptimizerOp {
 public:
  UpdateOp(opencl::Device& device, const ArenaLayout& layout, Update update)
      : update_(std::move(update)), runs_(layout.runs(update_.decay.decay_kernels_only)) {
    const bool vector = device.family() == opencl::KernelFamily::vector;
    elements_ = vector ? 2048 : 1;
    group_ = vector ? 1 : 64;
    kernel_ = device.kernel(kernels::optimizers_cl(), update_.kernel,
                            update_.options + " -DELEMENTS=" + std::to_string(elements_) +
                                " -DGROUP=" + std::to_string(group_));
  }

  void step(opencl::Queue& queue, const OptimizerArgs& args) override {
    const double rate =
        args.learning_rate * (update_.correction ? update_.correction(args.iteration) : 1);
    for (const ArenaLayout::Run& run : runs_) {
      opencl::Arguments a;
      a.add(args.values.buffers[run.arena]).add(args.gradients.buffers[run.arena]);
      for (const Arenas& slot : args.slots) a.add(slot.buffers[run.arena]);
      a.add(run.offset).add(run.count).add(static_cast<float>(rate * run.rate_factor));
      const Decay& d = update_.decay;
      const bool decays = run.decay || !d.decay_kernels_only;
      a.add(static_cast<float>(decays ? d.weight_decay * args.learning_rate * run.rate_factor : 0));
      for (const double c : update_.constants) a.add(static_cast<float>(c));
      const size_t items = (size_t{run.count} + elements_ - 1) / elements_;
      kernel_.launch(queue, opencl::Range::of(items, group_), a);
    }
  }

 private:
  Update update_;
  std::vector<ArenaLayout::Run> runs_;
  opencl::Kernel kernel_;
  size_t elements_ = 1, group_ = 1;
};

}  // namespace

std::unique_ptr<OptimizerOp> make_update(opencl::Device& device, const ArenaLayout& layout,
                                         Update update) {
  return std::make_unique<UpdateOp>(device, layout, std::move(update));
}

}  // namespace ocellus::optimizers
