// UnitNormalization: length 1 over `axis` in each item.
#include "normalizing.hpp"

namespace ocellus::layers {
namespace {

struct UnitNormalizationOptions {
  Json axis = -1;
};

class UnitNormalization : public AxisNormalization {
 public:
  explicit UnitNormalization(const UnitNormalizationOptions& o) : AxisNormalization(o.axis) {}

 private:
  std::vector<ParameterSpec> weights(const Shape&) const override { return {}; }
  void complete(Normalizing& n) const override {
    n.centered = n.scale = n.center = false;
    n.terms = 1;
    n.scale_of_sum = "rsqrt(fmax(y, 1e-12f))";  // an item of zeros stays one
  }
};

}  // namespace

void register_unit_normalization(Registrar& r) {
  Parameters<UnitNormalizationOptions> unit;
  unit.add("axis", &UnitNormalizationOptions::axis,
           "axis, or list of axes (0 is the batch), along which the length becomes 1");
  r.add<UnitNormalization>("UnitNormalization", "length 1 in each item", std::move(unit));
}

}  // namespace ocellus::layers
