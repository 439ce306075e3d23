// mean_squared_error, mean_absolute_error: mean over the outputs of (p - t)^2 and |p - t|; as
// losses and as metrics. A class an item stands for its one-hot row, or for the number itself where
// there is one output.
#include "kernel_loss.hpp"

namespace ocellus::losses {
namespace {

// Registered types are told apart by their class, so the kernel's name is a template argument.
template <class Base, const char* kernel>
class MeanError : public Base {
 public:
  std::unique_ptr<LossOp> prepare(opencl::Device& device,
                                  const LossRequest& request) const override {
    return make_loss(device, request, {kernel}, kernel);
  }
};

constexpr char squared[] = "mean_squared_error";
constexpr char absolute[] = "mean_absolute_error";

}  // namespace

void register_mean_error(Registrar& r) {
  r.add<MeanError<Loss, squared>>(squared, "mean of the squared differences");
  r.add<MeanError<Loss, absolute>>(absolute, "mean of the absolute differences");
  r.add<MeanError<Metric, squared>>(squared, "mean of the squared differences");
  r.add<MeanError<Metric, absolute>>(absolute, "mean of the absolute differences");
}

}  // namespace ocellus::losses
