// ocellus features: activations of a layer for a data set, to HDF5.

#include "ocellus/core/features.hpp"

#include <fmt/format.h>

#include "inputs.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {
namespace fs = std::filesystem;

void write_h5(const fs::path& file, const Features& f, const Network& network,
              const std::string& model) {
  H5Writer::write(file, [&](H5Writer& h5) {
    h5.dataset("features", f.values);
    if (!f.labels.empty())
      h5.dataset("labels", Array::of_ints(Shape{static_cast<int>(f.labels.size())}, f.labels));
    h5.dataset("classes", network.classes);
    h5.dataset("paths", f.names);
    h5.attribute("/", "layer", f.layer);
    h5.attribute("/", "pooling", f.pooling);
    h5.attribute("/", "preprocess",
                 network.preprocessing ? network.preprocessing->to_json().dump() : "{}");
    h5.attribute("/", "model", fs::is_regular_file(model) ? checksum(fs::path(model)) : model);
  });
}

void features(Tool& tool) {
  std::string model, data, split = "test", out;
  FeatureOptions options;
  tool.line.argument("MODEL", model);
  tool.line.argument("DATA", data);
  tool.line.flag(
      "layer", options.layer,
      "layer whose activations are taken; without it, what goes into the layer of the logits");
  tool.line.flag("pooling", options.pooling, "of maps over their pixels; auto is average for maps")
      .one_of({"auto", "average", "max", "none"});
  tool.line.flag("split", split, "part of the data").one_of({"train", "test", "all"});
  tool.line.flag("limit", options.limit, "take only the first so many images; 0: all").min(0);
  tool.line.flag("batch", options.batch, "images a step").min(1);
  tool.line.flag("out", out, "HDF5 file; without it ocellus-features-MODEL-N.h5");
  tool.line.flag("force", tool.force, "write over the file");
  tool.declare_model();
  tool.parse();
  if (out.empty()) {
    int n = 1;
    do out = fmt::format("ocellus-features-{}-{}.h5", short_name(model), n++);
    while (fs::exists(out));
  }
  if (fs::exists(out) && !tool.force)
    throw UsageError(fmt::format("--out {}: exists; --force writes over it", out));
  const ModelDocument document = tool.open_model(model);
  const auto dataset = open_data(tool, data, split);
  const auto network = tool.place(document);
  adopt_classes(*network, *dataset);
  const Features f = extract_features(*network, dataset, options, tool.terminal);
  write_h5(out, f, *network, model);
  const Shape& shape = f.values.shape();
  if (tool.json)
    return tool.print(Json(Json::Object{{"file", out},
                                        {"layer", f.layer},
                                        {"pooling", f.pooling},
                                        {"n", shape[0]},
                                        {"dimensions", shape[1]}}));
  tool.print(fmt::format("{}: {} x {} features of layer '{}' (pooling: {})", out,
                         thousands(shape[0]), shape[1], f.layer, f.pooling));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"features", "MODEL DATA [flags]",
       "Writes the activations of a layer for every image of a data set to an HDF5 file."},
      argc, argv, ocellus::tools::features);
}
