#pragma once

#include <string>
#include <vector>

#include "ocellus/core/json.hpp"

namespace ocellus {

/// From stored pixels (0..255) to what the network was trained on: y[c] = (x[order[c]] * scale -
/// mean[c]) / deviation[c]. Stored with the model.
struct OCELLUS_API Preprocessing {
  std::string name = "none";  ///< "none", "unit" (x / 255), "tf" (x / 127.5 - 1), "torch", "caffe",
                              ///< "standard" (data's own mean and deviation), "custom"
  double scale = 1;
  std::vector<double> mean;       ///< a channel, or empty: 0
  std::vector<double> deviation;  ///< a channel, or empty: 1
  bool bgr = false;               ///< channels reversed
  std::string resize =
      "stretch";  ///< how an image of another size is brought to the input's: stretch, crop, pad

  /// By name, or "scale=1/255,mean=0.5,0.4,std=0.2,order=bgr,resize=crop", or both: the keys change
  /// what the name says; "torch,order=bgr" turns its means and deviations round with the channels.
  /// Throws UsageError.
  static Preprocessing named(const std::string& name);
  Json to_json() const;
  static Preprocessing from_json(const Json& j);
  /// y = x[order] * scale[c] + shift[c], as opencl::convert_u8 takes it.
  void affine(int channels, std::vector<float>& scale_out, std::vector<float>& shift_out,
              std::vector<int>& order_out) const;
  /// "x / 255", for headers and reports.
  std::string str() const;
};

}  // namespace ocellus
