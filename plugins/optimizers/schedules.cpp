// constant, exponential_decay, cosine_decay, step: a factor on the learning rate over the
// optimizer's steps. Each may begin with a linear warm-up from 0, after which its own time starts.
//   exponential_decay  decay_rate^(t / decay_steps); staircase: whole quotients only
//   cosine_decay       from 1 to alpha along half a cosine (Loshchilov and Hutter, ICLR 2017,
//   without restarts) step               values[i] between boundaries i - 1 and i, which count
//   epochs
#include <algorithm>
#include <cmath>
#include <numbers>

#include "update.hpp"

namespace ocellus::optimizers {
namespace {

struct WarmUp {
  int64_t warmup_steps = 0;
};

// The part before the schedule proper: P has warmup_steps.
template <class P>
class WarmedSchedule : public Schedule {
 public:
  explicit WarmedSchedule(P options) : o_(std::move(options)) {}
  double factor(int64_t step, int64_t steps_per_epoch, int64_t total) const final {
    const int64_t warm = o_.warmup_steps;
    if (step < warm) return static_cast<double>(step + 1) / static_cast<double>(warm);
    return after(step - warm, std::max<int64_t>(steps_per_epoch, 1),
                 std::max<int64_t>(total - warm, 1));
  }

 protected:
  virtual double after(int64_t step, int64_t steps_per_epoch, int64_t total) const = 0;
  P o_;
};

struct ConstantOptions : WarmUp {};
class Constant : public WarmedSchedule<ConstantOptions> {
  using WarmedSchedule::WarmedSchedule;
  double after(int64_t, int64_t, int64_t) const override { return 1; }
};

struct ExponentialOptions : WarmUp {
  double decay_rate = 0.96;
  int64_t decay_steps = 0;
  bool staircase = false;
};
class Exponential : public WarmedSchedule<ExponentialOptions> {
  using WarmedSchedule::WarmedSchedule;
  double after(int64_t step, int64_t steps_per_epoch, int64_t) const override {
    const double t = static_cast<double>(step) /
                     static_cast<double>(o_.decay_steps ? o_.decay_steps : steps_per_epoch);
    return std::pow(o_.decay_rate, o_.staircase ? std::floor(t) : t);
  }
};

struct CosineOptions : WarmUp {
  int64_t decay_steps = 0;
  double alpha = 0;
};
class Cosine : public WarmedSchedule<CosineOptions> {
  using WarmedSchedule::WarmedSchedule;
  double after(int64_t step, int64_t, int64_t total) const override {
    const double t =
        static_cast<double>(step) / static_cast<double>(o_.decay_steps ? o_.decay_steps : total);
    return o_.alpha + (1 - o_.alpha) * 0.5 * (1 + std::cos(std::numbers::pi * std::min(t, 1.)));
  }
};

struct StepOptions : WarmUp {
  std::vector<double> boundaries = {}, values = {};
};
class Step : public WarmedSchedule<StepOptions> {
 public:
  explicit Step(StepOptions options) : WarmedSchedule(std::move(options)) {
    if (!std::ranges::is_sorted(o_.boundaries)) throw UsageError("step: boundaries must rise");
    if (o_.values.empty())
      for (size_t i = 0; i <= o_.boundaries.size(); ++i) o_.values.push_back(std::pow(0.1, i));
    if (o_.values.size() != o_.boundaries.size() + 1)
      throw UsageError("step: " + std::to_string(o_.boundaries.size()) + " boundaries need " +
                       std::to_string(o_.boundaries.size() + 1) + " values, not " +
                       std::to_string(o_.values.size()));
  }

 private:
  double after(int64_t step, int64_t steps_per_epoch, int64_t) const override {
    const double epoch = static_cast<double>(step) / static_cast<double>(steps_per_epoch);
    return o_.values[std::ranges::upper_bound(o_.boundaries, epoch) - o_.boundaries.begin()];
  }
};

template <class P>
Parameters<P> with_warmup() {
  Parameters<P> p;
  p.add("warmup_steps", static_cast<int64_t P::*>(&P::warmup_steps),
        "steps of linear warm-up from 0")
      .min(0);
  return p;
}

}  // namespace

void register_schedules(Registrar& r) {
  r.add<Constant>("constant", "the learning rate as it is", with_warmup<ConstantOptions>());

  auto e = with_warmup<ExponentialOptions>();
  e.add("decay_rate", &ExponentialOptions::decay_rate, "factor after decay_steps").min(0);
  e.add("decay_steps", &ExponentialOptions::decay_steps, "steps; 0: one epoch").min(0);
  e.add("staircase", &ExponentialOptions::staircase, "change only every decay_steps");
  r.add<Exponential>("exponential_decay", "falls by a factor every so many steps", e);

  auto c = with_warmup<CosineOptions>();
  c.add("decay_steps", &CosineOptions::decay_steps, "steps to the lowest; 0: the whole training")
      .min(0);
  c.add("alpha", &CosineOptions::alpha, "lowest factor").min(0).max(1);
  r.add<Cosine>("cosine_decay", "falls along half a cosine", c);

  auto s = with_warmup<StepOptions>();
  s.add("boundaries", &StepOptions::boundaries, "epochs at which the factor changes");
  s.add("values", &StepOptions::values,
        "factors, one more than boundaries; empty: 1, 0.1, 0.01, ...");
  r.add<Step>("step", "piecewise constant", s);
}

}  // namespace ocellus::optimizers
