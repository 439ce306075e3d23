#pragma once

#include <memory>
#include <string>

#include "ocellus/core/model_format.hpp"
#include "ocellus/core/network.hpp"
#include "ocellus/core/progress.hpp"

namespace ocellus {

/// How a person names a model: a file, a zoo name with options ("lenet5",
/// "cifar_small(classes=10)"), a short-form JSON file, or typed on the line: "28x28x1: conv3(32)
/// conv3(64) pool dense(10)".
struct ModelRequest {
  std::string address;
  Json architecture = Json::object();  ///< parameters for a zoo name, over those in the address
  /// File whose weights replace the model's; "imagenet": the published ones of a zoo name, with
  /// their preprocessing; empty: none.
  std::string weights;
  WeightsMatching matching;      ///< of `weights`
  std::vector<int> input_shape;  ///< without batch, for a model that leaves its input's open
  bool trust = false;            ///< skip the trial read of a file that is not ours
};

/// Opens any of them as a document. Throws UsageError with near names, DataError for bad files.
OCELLUS_API ModelDocument open_model(const Registry& registry, const ModelRequest& request,
                                     Log& log);
/// The format that knows a file by its content. Throws DataError naming the formats that are
/// loaded.
OCELLUS_API std::shared_ptr<ModelFormat> format_of(const Registry& registry,
                                                   const std::filesystem::path& file);
/// Writes a model, whole or not at all. Format by name ("keras_hdf5", "keras", "keras_weights");
/// empty: by the file's ending (.keras, .weights.h5), else keras_hdf5, the native one.
OCELLUS_API void save_model(const Registry& registry, const ModelDocument& document,
                            const std::string& file, Log& log, const std::string& format = {});

/// The typed form. Words: conv3(32), conv5x3(16,s2,same), pool, pool3(s2), avgpool, gap, flatten,
/// dense(10), dropout(0.5), bn, relu, softmax, and any registered layer by its own name with
/// parameters: LeakyReLU(negative_slope=0.1). docs/formats.md has the grammar.
OCELLUS_API GraphRecord parse_typed_model(const Registry& registry, const std::string& text);
/// The short JSON form: {"input": [28, 28, 1], "layers": [["Conv2D", {"filters": 32, ...}], ...]};
/// a layer may be named and may name its inputs.
OCELLUS_API GraphRecord parse_short_model(const Registry& registry, const Json& j,
                                          const std::string& where);

}  // namespace ocellus
