#pragma once

#include <vector>

#include "ocellus/core/shape.hpp"

namespace ocellus::reference {

/// One line of the table that drives the tests of every layer, and the selftest.
struct LayerCase {
  const char* type;
  const char* parameters;  ///< JSON
  std::vector<Shape> inputs;
  bool training = false;
  bool trainable = true;
};

/// Shapes are ones, primes, not square, of one channel, and just under and over the tiles (12 x 32
/// and 64) of the kernels. Windows repeat where they can, since each is compiled anew.
inline const std::vector<LayerCase>& layer_cases() {
  static const std::vector<LayerCase> cases = {
      {"Input", R"({"shape": [5, 3, 2]})", {{2, 5, 3, 2}}},
      {"Dense", R"({"units": 1})", {{1, 1}}},
      {"Dense", R"({"units": 10})", {{7, 33}}},
      {"Dense", R"({"units": 33, "use_bias": false})", {{13, 31}}},
      {"Dense", R"({"units": 5})", {{2, 3, 5, 7}}},
      {"Conv2D", R"({"filters": 1, "kernel_size": 1})", {{1, 1, 1, 1}}},
      {"Conv2D", R"({"filters": 7, "kernel_size": 3, "padding": "same"})", {{2, 7, 11, 1}}},
      {"Conv2D", R"({"filters": 33, "kernel_size": 3})", {{1, 13, 9, 17}}},
      {"Conv2D",
       R"({"filters": 16, "kernel_size": 3, "padding": "same", "use_bias": false})",
       {{2, 8, 8, 16}}},
      {"Conv2D",
       R"({"filters": 5, "kernel_size": [3, 2], "strides": [2, 3], "padding": "same"})",
       {{3, 8, 13, 3}}},
      {"Conv2D",
       R"({"filters": 6, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "groups": 2})",
       {{1, 9, 6, 4}}},
      {"Conv2D", R"({"filters": 31, "kernel_size": 1, "strides": 2})", {{2, 5, 7, 13}}},
      {"MaxPooling2D", "{}", {{2, 7, 4, 5}}},
      {"MaxPooling2D", R"({"pool_size": 3, "strides": 2, "padding": "same"})", {{1, 8, 11, 17}}},
      {"MaxPooling2D", R"({"pool_size": [1, 2]})", {{1, 3, 5, 1}}},
      {"AveragePooling2D", "{}", {{2, 7, 4, 5}}},
      {"AveragePooling2D",
       R"({"pool_size": 3, "strides": 2, "padding": "same"})",
       {{1, 8, 11, 17}}},
      {"AveragePooling2D",
       R"({"pool_size": [3, 2], "strides": 1, "padding": "same"})",
       {{2, 4, 3, 1}}},
      {"GlobalMaxPooling2D", "{}", {{3, 5, 7, 13}}},
      {"GlobalMaxPooling2D", R"({"keepdims": true})", {{1, 1, 2, 1}}},
      {"GlobalAveragePooling2D", "{}", {{3, 5, 7, 13}}},
      {"GlobalAveragePooling2D", R"({"keepdims": true})", {{1, 1, 2, 1}}},
      {"Flatten", "{}", {{3, 2, 5, 3}}},
      {"Flatten", "{}", {{3, 7}}},
      {"Reshape", R"({"target_shape": [3, -1, 2]})", {{2, 5, 6}}},
      {"Activation", R"({"activation": "relu"})", {{2, 3, 5, 1}}},
      {"ReLU", "{}", {{2, 5, 3, 7}}},
      {"ReLU", R"({"max_value": 0.5})", {{1, 101}}},
      {"ReLU", R"({"max_value": 0.7, "negative_slope": 0.1, "threshold": 0.2})", {{2, 5, 3, 17}}},
      {"LeakyReLU", "{}", {{2, 5, 3, 7}}},
      {"ELU", R"({"alpha": 0.7})", {{2, 5, 3, 7}}},
      {"Softmax", "{}", {{1, 1}}},
      {"Softmax", "{}", {{7, 10}}},
      {"Softmax", "{}", {{2, 3, 2, 33}}},
      {"Dropout", R"({"rate": 0.3})", {{3, 5, 7, 2}}},
      {"Dropout", R"({"rate": 0.3})", {{3, 5, 7, 2}}, true},
      {"Dropout", R"({"rate": 0.6})", {{5, 1}}, true},
      {"BatchNormalization", "{}", {{3, 5, 7, 13}}, true, false},
      {"BatchNormalization", "{}", {{3, 5, 7, 13}}},
      {"BatchNormalization", "{}", {{3, 5, 7, 13}}, true},
      {"BatchNormalization",
       R"({"momentum": 0.9, "epsilon": 0.01, "scale": false})",
       {{67, 33}},
       true},
      {"BatchNormalization", R"({"center": false})", {{2, 13, 11, 1}}, true},
      {"BatchNormalization", R"({"center": false, "scale": false})", {{6, 5}}},
      {"ZeroPadding2D", "{}", {{1, 1, 1, 1}}},
      {"ZeroPadding2D", R"({"padding": [[1, 2], [0, 3]]})", {{2, 5, 3, 17}}},
      {"Add", "{}", {{2, 5, 3, 7}, {2, 5, 3, 7}}},
      {"Add", "{}", {{3, 5}, {3, 5}, {3, 5}}},
      {"Concatenate", "{}", {{2, 5, 3, 7}, {2, 5, 3, 1}, {2, 5, 3, 16}}},
      {"Concatenate", R"({"axis": 1})", {{2, 5, 3, 7}, {2, 1, 3, 7}}},
      {"Rescaling", R"({"scale": 0.25, "offset": -1})", {{2, 5, 3, 1}}},
      {"Rescaling", R"({"scale": [0.5, 2, 3], "offset": 0.5})", {{2, 5, 7, 3}}},
      {"Normalization", "{}", {{2, 5, 7, 3}}},
      {"Normalization", R"({"mean": [0.1, 0.2], "variance": [0.5, 0.25]})", {{5, 2}}},
      {"Normalization", R"({"mean": 0.3, "variance": 4, "invert": true})", {{5, 2}}},
  };
  return cases;
}

}  // namespace ocellus::reference
