#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "architectures.hpp"

namespace ocellus::architectures {

Net::Net(const char* name, const ImageClassifier& options, int smallest)
    : options_(options), builder_(name) {
  const std::vector<int>& shape = options.input_shape;
  const std::string where = std::string(name) + ": parameter 'input_shape': ";
  if (shape.size() != 3)
    throw UsageError(where + "expected height, width, channels, such as [28, 28, 1]");
  if (shape[0] < smallest || shape[1] < smallest)
    throw UsageError(where + "the image must have at least " + std::to_string(smallest) + " x " +
                     std::to_string(smallest) + " pixels");
  x = builder_.input(shape);
}

void Net::add(const std::string& type, Json::Object parameters, std::string name) {
  x = builder_.add(type, std::move(parameters), {x}, std::move(name));
}

void Net::merge(const std::string& type, std::vector<TensorRef> inputs, std::string name,
                Json::Object parameters) {
  x = builder_.add(type, std::move(parameters), std::move(inputs), std::move(name));
}

void Net::conv(int filters, Json kernel, Json::Object more, std::string name) {
  more.emplace_back("filters", filters);
  more.emplace_back("kernel_size", std::move(kernel));
  add("Conv2D", std::move(more), std::move(name));
}

void Net::bare_conv(int filters, Json kernel, Json::Object more, std::string name) {
  more.emplace_back("use_bias", false);
  conv(filters, std::move(kernel), std::move(more), std::move(name));
}

void Net::max_pool(int size, int stride, std::string name, const char* padding) {
  add("MaxPooling2D", {{"pool_size", size}, {"strides", stride}, {"padding", padding}},
      std::move(name));
}

void Net::predictions(std::string name) {
  add("Dense", {{"units", options_.classes}, {"activation", options_.classifier_activation}},
      std::move(name));
}

void Net::average_and_predict(std::string pool_name, double dropout, std::string dropout_name) {
  if (!has_top()) return;
  add("GlobalAveragePooling2D", {}, std::move(pool_name));
  if (dropout > 0) add("Dropout", {{"rate", dropout}}, std::move(dropout_name));
  predictions();
}

namespace {

// Keras lists the layers of a functional model by their distance from the output, farthest first,
// and those at one distance as a walk from the output to the inputs meets them. Files of weights
// follow this list.
void sort_as_keras(GraphRecord& graph) {
  const size_t n = graph.layers.size();
  std::map<std::string, size_t> index;
  for (size_t i = 0; i < n; ++i) index[graph.layers[i].name] = i;
  std::vector<std::vector<size_t>> inputs(n);
  for (size_t i = 0; i < n; ++i)
    for (const TensorRef& t : graph.layers[i].calls.at(0)) inputs[i].push_back(index.at(t.layer));

  // Users come after their inputs, so that a distance is final when its layer's turn comes.
  std::vector<int> distance(n, 0), turn(n, -1);
  for (size_t i = n; i-- > 0;)
    for (const size_t j : inputs[i]) distance[j] = std::max(distance[j], distance[i] + 1);
  int turns = 0;
  const std::function<void(size_t)> walk = [&](size_t i) {
    if (turn[i] >= 0) return;
    turn[i] = turns++;
    for (const size_t j : inputs[i]) walk(j);
  };
  walk(index.at(graph.outputs.at(0).layer));

  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(-distance[a], turn[a]) < std::pair(-distance[b], turn[b]);
  });
  std::vector<LayerRecord> sorted;
  for (const size_t i : order) sorted.push_back(std::move(graph.layers[i]));
  graph.layers = std::move(sorted);
}

}  // namespace

GraphRecord Net::finish() {
  GraphRecord graph = builder_.finish({x});
  sort_as_keras(graph);
  return graph;
}

Json padding_to_halve(Size extent, int kernel) {
  const int behind = kernel / 2;
  const auto axis = [&](int n) {
    return Json::list_of(std::vector{behind - (n % 2 == 0 ? 1 : 0), behind});
  };
  return Json(Json::List{axis(extent.h), axis(extent.w)});
}

int multiple_of_8(double channels) {
  const int nearest = std::max(8, static_cast<int>(channels + 4) / 8 * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

}  // namespace ocellus::architectures
