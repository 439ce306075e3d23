// ocellus predict: the best classes of images.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "inputs.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/h5.hpp"
#include "tool.hpp"

namespace ocellus::tools {
namespace {

constexpr int batch = 64;

// Inputs of a run, read batch by batch: a list of image files, or the items of a data set.
class Source {
 public:
  Source(Tool& tool, const std::vector<std::string>& words, const std::string& split)
      : registry_(tool.registry()), files_(words) {
    if (words.size() == 1 && is_data_address(registry_, words[0]))
      dataset_ = open_data(tool, words[0], split);
  }
  const Dataset* dataset() const { return dataset_.get(); }
  int64_t size() const { return dataset_ ? dataset_->size() : static_cast<int64_t>(files_.size()); }
  std::vector<AnalysisImage> read(int64_t first, int count, const Network& network) const {
    std::vector<AnalysisImage> images;
    if (dataset_) {
      std::vector<int64_t> indices;
      for (int i = 0; i < count; ++i) indices.push_back(first + i);
      return take_images(*dataset_, indices, count);
    }
    for (int i = 0; i < count; ++i) {
      const std::string& file = files_[static_cast<size_t>(first + i)];
      images.push_back({file, load_image(registry_, file, network), {}});
    }
    return images;
  }

 private:
  const Registry& registry_;
  std::vector<std::string> files_;
  std::shared_ptr<Dataset> dataset_;
};

Array stacked(const std::vector<AnalysisImage>& images) {
  const Array& first = images.at(0).pixels;
  Array all(first.shape().batched(static_cast<int>(images.size())), first.type());
  for (size_t i = 0; i < images.size(); ++i) {
    const auto from = images[i].pixels.bytes();
    std::copy(from.begin(), from.end(),
              all.bytes().begin() + static_cast<ptrdiff_t>(i * from.size()));
  }
  return all;
}

// Indices of the `count` best scores, best first.
std::vector<int> best(std::span<const float> scores, int count) {
  std::vector<int> order(scores.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  order.resize(std::min(order.size(), static_cast<size_t>(count)));
  return order;
}

struct Prediction {
  std::vector<std::string> names;
  std::vector<int> labels;
  std::vector<float> scores;  // row after row
  int classes = 0;
};

void write_h5(const std::string& file, const Prediction& p,
              const std::vector<std::string>& classes) {
  H5Writer::write(file, [&](H5Writer& h5) {
    h5.dataset("scores", Array(Shape{static_cast<int>(p.names.size()), p.classes}, p.scores));
    h5.dataset("paths", p.names);
    h5.dataset("classes", classes);
    if (p.labels.size() == p.names.size())
      h5.dataset("labels", Array::of_ints(Shape{static_cast<int>(p.labels.size())}, p.labels));
  });
}

void predict(Tool& tool) {
  std::string model, split = "test", out;
  std::vector<std::string> inputs;
  int count = 5;
  tool.line.argument("MODEL", model);
  tool.line.rest("INPUT", inputs, true);
  tool.line.flag("top", count, "classes to show of each image").min(1);
  tool.line.flag("split", split, "part of the data, where INPUT is a data set")
      .one_of({"train", "test", "all"});
  tool.line.flag("out", out, "HDF5 file for all scores (N, classes)");
  tool.line.flag("force", tool.force, "write over the file");
  tool.declare_model();
  tool.parse();
  if (!out.empty() && std::filesystem::exists(out) && !tool.force)
    throw UsageError(fmt::format("--out {}: exists; --force writes over it", out));
  const ModelDocument document = tool.open_model(model);
  const Source source(tool, inputs, split);
  const auto network = tool.place(document);
  if (source.dataset()) adopt_classes(*network, *source.dataset());
  assume_classes(tool, *network, model);
  const AnalysisContext context(tool.registry(), *network, tool.terminal, tool.terminal);

  Prediction p;
  p.classes = context.class_count();
  Json list = Json::list();
  std::vector<std::vector<std::string>> rows;
  for (int64_t first = 0; first < source.size(); first += batch) {
    context.check_stop();
    const auto images = source.read(
        first, static_cast<int>(std::min<int64_t>(batch, source.size() - first)), *network);
    const Array scores = context.probabilities(stacked(images));
    p.scores.insert(p.scores.end(), scores.f32().begin(), scores.f32().end());
    for (size_t i = 0; i < images.size(); ++i) {
      p.names.push_back(images[i].name);
      if (images[i].label) p.labels.push_back(*images[i].label);
      const auto row =
          scores.f32().subspan(i * static_cast<size_t>(p.classes), static_cast<size_t>(p.classes));
      Json top = Json::list();
      for (const int c : best(row, count)) {
        const double probability = row[static_cast<size_t>(c)];
        top.push_back(Json::Object{
            {"index", c}, {"class", context.class_name(c)}, {"probability", probability}});
        rows.push_back({top.size() == 1 ? images[i].name : "", context.class_name(c),
                        fmt::format("{:.2f}", 100 * probability)});
      }
      list.push_back(Json::Object{{"file", images[i].name}, {"top", top}});
    }
    tool.terminal.update("predict", static_cast<int64_t>(p.names.size()), source.size(), "");
  }
  if (!out.empty()) {
    std::vector<std::string> classes;
    for (int c = 0; c < p.classes; ++c) classes.push_back(context.class_name(c));
    write_h5(out, p, classes);
  }
  tool.json ? tool.print(list) : tool.print(format_table({"image", "class", "%"}, rows));
}

}  // namespace
}  // namespace ocellus::tools

int main(int argc, char** argv) {
  return ocellus::tools::run({"predict", "MODEL INPUT... [flags]",
                              "The best classes of images. INPUT: image files, or one data set "
                              "(fashion-mnist, folder:DIR)."},
                             argc, argv, ocellus::tools::predict);
}
