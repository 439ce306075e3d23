// ocellus set: what a model says of its input and its classes, stored in its file.

#include <fmt/format.h>

#include <algorithm>

#include "inputs.hpp"
#include "ocellus/core/analyzer.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/inspection.hpp"
#include "ocellus/core/labels.hpp"
#include "ocellus/core/model_format.hpp"
#include "ocellus/core/text.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace fs = std::filesystem;
namespace {

struct Wishes {
  std::string resize, sample;
  std::vector<std::string> classes;
};

// "cat,dog", or a file of names.
std::vector<std::string> class_names(const std::vector<std::string>& words) {
  if (words.size() == 1 && fs::is_regular_file(words[0])) return read_labels(words[0]);
  if (words.size() == 1 && words[0].find_first_of("/.") != std::string::npos)
    throw UsageError(fmt::format("--classes {}: no such file of class names", words[0]));
  return words;
}

// The image as the network takes it, and the logits that this device computes from it.
SampleRecord sample_of(Tool& tool, Network& network, const std::string& file) {
  const AnalysisContext context(tool.registry(), network, tool.terminal, tool.terminal);
  const std::string logits = network.tensor_name(network.logits());
  Execution run(network, {.fetches = {logits}});
  const Array pixels = load_image(tool.registry(), file, network);
  context.load(pixels.reshaped(pixels.shape().batched(1)), run.feed());
  run.forward();
  return {download(context.queue(), run.feed()), download(context.queue(), run.fetch())};
}

// Throws UsageError where classes or channels are not as many as the model's, as far as its shapes
// are known.
void check(const Registry& registry, const ModelDocument& document) {
  const Inspection i = inspect(registry, document);
  if (!document.classes.empty() && !i.outputs.empty() && i.outputs[0]) {
    const int units = i.outputs[0]->channels(), classes = units == 1 ? 2 : units;
    if (static_cast<int>(document.classes.size()) != classes)
      throw UsageError(fmt::format("{} class names for a model of {} classes",
                                   document.classes.size(), classes));
  }
  std::vector<float> scale, shift;
  std::vector<int> order;
  if (document.preprocessing && !i.inputs.empty() && i.inputs[0])
    document.preprocessing->affine(i.inputs[0]->channels(), scale, shift, order);
}

void set(Tool& tool) {
  std::string model, out;
  Wishes w;
  tool.line.argument("MODEL", model);
  tool.line.flag("preprocess", tool.preprocess,
                 "how pixels reach the network: none, unit, tf, torch, caffe, or "
                 "scale=1/255,mean=0.5,std=0.2,order=bgr");
  tool.line.flag("resize", w.resize, "how images of another size are brought to the input's")
      .one_of({"stretch", "crop", "pad"});
  tool.line.flag("classes", w.classes, "names of the classes, or a file that holds one a line");
  tool.line.flag("sample", w.sample,
                 "image that is stored with the logits that this device computes for it: whoever "
                 "opens the model can check that it still computes the same");
  tool.line.flag("out", out, "file to write; without it MODEL itself is replaced");
  tool.line.flag("force", tool.force, "write over the file that --out names");
  tool.line.flag("trust", tool.trust,
                 "read a model file without the trial read in a process of its own");
  tool.parse();
  if (tool.preprocess.empty() && w.resize.empty() && w.classes.empty() && w.sample.empty())
    throw UsageError("nothing to set; give --preprocess, --resize, --classes or --sample");
  if (!fs::is_regular_file(model))
    throw UsageError(fmt::format("{}: not a file; set stores in model files", model));
  if (out != model) tool.refuse_overwriting(out, "--out");

  ModelDocument document = tool.open_model(model);
  if (!tool.preprocess.empty()) {
    const std::string resize = document.preprocessing ? document.preprocessing->resize : "stretch";
    document.preprocessing = Preprocessing::named(tool.preprocess);
    if (tool.preprocess.find("resize=") == std::string::npos)
      document.preprocessing->resize = resize;
  }
  if (!w.resize.empty()) {
    if (!document.preprocessing)
      throw UsageError(
          "--resize belongs to a preprocessing, of which the model says nothing; give "
          "--preprocess too");
    document.preprocessing->resize = w.resize;
  }
  if (!w.classes.empty()) document.classes = class_names(w.classes);

  check(tool.registry(), document);
  if (!w.sample.empty()) {
    tool.preprocess.clear();  // it stands in the document
    document.sample.reset();  // the old one need not hold any more
    document.sample = sample_of(tool, *tool.place(document), w.sample);
  } else if (!tool.preprocess.empty() && document.sample) {
    tool.terminal.info("the stored sample stays: it is an input as the network takes it");
  }
  const std::string to = out.empty() ? model : out;
  format_of(tool.registry(), model)->annotate(document, model, to, tool.registry(), tool.terminal);

  const std::string preprocessing =
      document.preprocessing ? document.preprocessing->str() : "not said";
  const std::string resize = document.preprocessing ? document.preprocessing->resize : "";
  if (tool.json)
    return tool.print(Json(Json::Object{
        {"model", to},
        {"preprocessing", document.preprocessing ? document.preprocessing->to_json() : Json()},
        {"classes", Json::list_of(document.classes)},
        {"sample", document.sample.has_value()}}));
  tool.print(fmt::format("{}: preprocessing {}{}; {} class names; {}", to, preprocessing,
                         resize.empty() ? "" : ", resize " + resize, document.classes.size(),
                         document.sample ? "a sample" : "no sample"));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run(
      {"set", "MODEL [--preprocess P] [--resize R] [--classes C] [--sample IMAGE] [flags]",
       "Stores preprocessing, resize rule, class names and a sample in a model file. Weights, "
       "optimizer and training state stay as they are."},
      argc, argv, ocellus::tools::set);
}
