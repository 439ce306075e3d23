// The analyzers on small networks: what they report against what the network says when it is asked
// by hand; one channel and three, heights that are not widths, every kind of output; names that are
// wrong; stopping.
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <numeric>

#include "plugins/analysis_testing.hpp"

using namespace ocellus;
using namespace ocellus::testing;

namespace {

bool same_bits(const Array& a, const Array& b) {
  return a.bytes().size() == b.bytes().size() &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

std::shared_ptr<MemoryDataset> data(int n, Shape item, int classes) {
  return std::make_shared<MemoryDataset>(n, item, classes);
}

double cell(const Table& t, const std::string& row, size_t column) {
  for (const auto& r : t.rows)
    if (r[0].as_string() == row) return r[column].as_double();
  throw Error("no row " + row);
}

bool has_warning(const Results& r, const std::string& part) {
  for (const Result& item : r.items)
    if (const Note* n = std::get_if<Note>(&item); n && n->text.find(part) != std::string::npos)
      return true;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(probabilities_of_every_kind_of_output) {
  const Array image = random_image(9, 6, 1, 1).reshaped(Shape{1, 9, 6, 1});
  for (const auto& [activation, units] : {std::pair<std::string, int>{"softmax", 3},
                                          {"sigmoid", 3},
                                          {"linear", 3},
                                          {"sigmoid", 1},
                                          {"linear", 1}}) {
    BOOST_TEST_CONTEXT(activation << " " << units) {
      Case c(small_net(9, 6, 1, units, activation));
      c.randomize();
      const Array logits = c.context->evaluate(image, c.context->logits()),
                  outputs = c.context->evaluate(image, "classes");
      const Array p = c.context->probabilities(image);
      BOOST_TEST(p.shape().channels() == std::max(units, 2));
      double z = 0;
      for (float v : logits.f32()) z += std::exp(double{v});
      for (int k = 0; k < units; ++k) {
        const double logit = logits.f32()[k], wanted = units == 1 || activation == "sigmoid"
                                                           ? 1 / (1 + std::exp(-logit))
                                                           : std::exp(logit) / z;
        BOOST_TEST(std::abs(p.f32()[units == 1 ? 1 : k] - wanted) < 1e-5);
        if (activation != "linear") BOOST_TEST(std::abs(outputs.f32()[k] - wanted) < 1e-5);
      }
      if (units == 1) BOOST_TEST(p.f32()[0] + p.f32()[1] == 1, boost::test_tools::tolerance(1e-5f));
    }
  }
}

BOOST_AUTO_TEST_CASE(items_of_any_number_and_bad_pixels) {
  Case c(small_net(9, 6, 1, 3, "softmax"));
  c.randomize();
  std::vector<float> pixels(70 * 54);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * 37 % 251);
  Array all(Shape{70, 9, 6, 1}, pixels);
  const Array together =
      c.context->evaluate(all, "classes");  // more than a batch, not a multiple of it
  for (int i : {0, 63, 64, 69}) {
    const Array alone = c.context->evaluate(all.item(i).reshaped(Shape{1, 9, 6, 1}), "classes");
    for (int k = 0; k < 3; ++k)
      BOOST_TEST(std::abs(alone.f32()[k] - together.f32()[i * 3 + k]) < 1e-5);
  }
  BOOST_CHECK_THROW(c.context->evaluate(Array(Shape{1, 6, 9, 1}, DType::u8), "classes"),
                    ShapeError);
  all.f32()[5] = NAN;
  BOOST_CHECK_THROW(c.context->evaluate(all, "classes"), DataError);
}

BOOST_AUTO_TEST_CASE(wrong_names_get_a_suggestion_and_missing_things_a_word) {
  Case c(small_net(9, 6, 1, 3, "softmax"));
  c.context->images = {{"i", random_image(9, 6, 1, 1), 0}};
  c.context->dataset = data(12, Shape{9, 6, 1}, 3);
  const auto suggests = [](const UsageError& e) {
    return std::string(e.what()).find("conv2") != std::string::npos;
  };
  for (const auto& [analyzer, parameter, is_list] : {std::tuple{"occlusion", "layer", false},
                                                     {"feature_maps", "layers", true},
                                                     {"receptive_field", "layers", true},
                                                     {"activation_maximization", "layer", false},
                                                     {"tsne", "layer", false}}) {
    BOOST_TEST_CONTEXT(analyzer) {
      const Json wrong = is_list ? Json(Json::List{"convv2"}) : Json("convv2");
      BOOST_CHECK_EXCEPTION(c.run(analyzer, {{parameter, wrong}}), UsageError, suggests);
    }
  }
  BOOST_CHECK_THROW(c.run("feature_maps", {{"layers", Json::List{"flat"}}}), UsageError);
  BOOST_CHECK_THROW(c.run("activation_maximization", {{"units", Json::List{3}}}), UsageError);
  Case empty(small_net(9, 6, 1, 3, "softmax"));
  for (const char* analyzer : {"occlusion", "feature_maps", "tsne", "confusion"})
    BOOST_CHECK_THROW(empty.run(analyzer), UsageError);
}

BOOST_AUTO_TEST_CASE(work_stops_on_request_and_when_the_budget_is_spent) {
  for (const char* analyzer : {"occlusion", "activation_maximization", "tsne", "confusion"}) {
    BOOST_TEST_CONTEXT(analyzer) {
      Case c(small_net(9, 6, 1, 3, "softmax"), 2);
      c.context->images = {{"i", random_image(9, 6, 1, 1), 0},
                           {"j", random_image(9, 6, 1, 2), 0},
                           {"k", random_image(9, 6, 1, 3), 0}};
      c.context->dataset = data(600, Shape{9, 6, 1}, 3);
      BOOST_CHECK_THROW(c.run(analyzer), Interrupted);
    }
  }
  Case c(small_net(9, 6, 1, 3, "softmax"));
  c.context->budget_seconds = 1e-9;
  BOOST_CHECK_THROW(c.run("activation_maximization"), Interrupted);
}

BOOST_AUTO_TEST_CASE(confusion_counts_what_the_network_says) {
  for (const auto& [activation, units, classes] :
       {std::tuple{"softmax", 3, 3}, {"sigmoid", 1, 2}, {"linear", 3, 3}}) {
    Case c(small_net(7, 10, 3, units, activation));
    c.randomize(0.3);
    c.network.classes = {"ant", "bee", "cat"};
    const auto set = data(300, Shape{7, 10, 3}, classes);
    c.context->dataset = set;
    const Results r = c.run("confusion", {{"worst", 7}});
    std::vector<double> counts(classes * classes);
    int right = 0, wrong = 0;
    for (int i = 0; i < 300; ++i) {
      const Array p = c.context->probabilities(set->images()[i].reshaped(Shape{1, 7, 10, 3}));
      const int guess =
          static_cast<int>(std::max_element(p.f32().begin(), p.f32().end()) - p.f32().begin());
      ++counts[set->labels()[i] * classes + guess];
      ++(guess == set->labels()[i] ? right : wrong);
    }
    const Matrix& m = result<Matrix>(r);
    for (size_t i = 0; i < counts.size(); ++i) BOOST_TEST(m.values.f32()[i] == counts[i]);
    BOOST_TEST(m.rows[1] == "bee");
    BOOST_TEST(result<Note>(r).text.find(std::to_string(right) + " of 300 right") == 0u);
    BOOST_TEST(cell(result<Table>(r), "ant", 1) == 300 / classes);
    BOOST_TEST(cell(result<Table>(r), "ant", 3) == counts[0] / (300 / classes),
               boost::test_tools::tolerance(1e-9));
    if (wrong > 7) BOOST_TEST(result<ImageGrid>(r).images.size() == 7u);
  }
  // A label beyond the classes is an error that names the item.
  Case c(small_net(7, 10, 3, 2, "softmax"));
  c.context->dataset = data(9, Shape{7, 10, 3}, 3);
  BOOST_CHECK_EXCEPTION(c.run("confusion"), DataError, [](const DataError& e) {
    return std::string(e.what()).find("item 2") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(feature_maps_show_the_activations) {
  Case c(small_net(8, 7, 1, 3, "softmax"));
  c.randomize();
  c.context->images = {{"i", random_image(8, 7, 1, 1), 0}};
  const Results r = c.run("feature_maps");
  BOOST_TEST(count<ImageGrid>(r) == 4);  // filters, the image, two convolutions
  const ImageGrid &filters = result<ImageGrid>(r, 0), &conv1 = result<ImageGrid>(r, 2),
                  &conv2 = result<ImageGrid>(r, 3);
  BOOST_TEST(filters.images.size() == 5u);
  BOOST_TEST(filters.images[0].shape().str() == "(3, 3, 1)");
  BOOST_TEST(conv1.images.size() == 5u);
  BOOST_TEST(conv2.images.size() == 4u);
  const Array maps =
      c.context->evaluate(c.context->images[0].pixels.reshaped(Shape{1, 8, 7, 1}), "conv1");
  const float high = *std::max_element(maps.f32().begin(), maps.f32().end());
  BOOST_REQUIRE(high > 0);
  for (int p = 0; p < 56; ++p)
    for (int k = 0; k < 5; ++k)
      BOOST_TEST(std::abs(conv1.images[k].f32()[p] - maps.f32()[p * 5 + k] / high) < 1e-5);
}

BOOST_AUTO_TEST_CASE(receptive_fields_in_a_table_and_as_gradients) {
  Case c(small_net(12, 15, 1, 3, "softmax"));
  c.randomize();
  const Results r = c.run("receptive_field", {{"effective", true}});
  const Table& t = result<Table>(r);
  const auto row = [&](const std::string& name) {
    for (const auto& line : t.rows)
      if (line[0].as_string() == name)
        return line[2].as_string() + " " + line[3].as_string() + " " + line[4].as_string();
    return std::string();
  };
  BOOST_TEST(row("conv1") == "3 1 -1");
  BOOST_TEST(row("pool") == "4 2 -1");
  BOOST_TEST(row("conv2") == "6x8 2 -1");
  BOOST_TEST(row("flat") == "everything  ");
  // No gradient leaves the field, and some reaches it. conv2's centre is (2, 2) of 5 x 5.
  const Attribution& effective = result<Attribution>(r, count<Attribution>(r) - 1);
  BOOST_TEST(effective.target == "conv2, centre unit, all channels");
  double inside = 0, outside = 0;
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 15; ++x) {
      const bool in = y >= 3 && y < 9 && x >= 3 && x < 11;
      (in ? inside : outside) += effective.map.f32()[y * 15 + x];
    }
  BOOST_TEST(outside == 0);
  BOOST_TEST(inside > 0);
}

BOOST_AUTO_TEST_CASE(activation_maximization_raises_what_it_is_asked_to) {
  for (const auto& [activation, units] : {std::pair{"softmax", 4}, {"sigmoid", 1}, {"linear", 3}}) {
    BOOST_TEST_CONTEXT(activation) {
      Case c(small_net(14, 11, 1, units, activation));
      c.randomize(0.3);
      const Results r = c.run("activation_maximization", {{"steps", 60}, {"rate", 0.1}});
      const ImageGrid& grid = result<ImageGrid>(r);
      const int classes = std::max(units, 2);
      BOOST_REQUIRE(grid.images.size() == static_cast<size_t>(classes));
      for (int k = 0; k < classes; ++k) {
        Array pixels = grid.images[k].reshaped(Shape{1, 14, 11, 1});
        for (float& v : pixels.f32()) {
          BOOST_TEST((v >= 0 && v <= 1));
          v *= 255;
        }
        const auto logit = [&](const Array& p) {
          const Array z = c.context->class_logits(c.context->evaluate(p, c.context->logits()));
          return z.f32()[k];
        };
        BOOST_TEST(logit(pixels) > logit(Array(Shape{1, 14, 11, 1}, DType::u8)) + 0.1);
      }
      BOOST_TEST(same_bits(grid.images[0], result<ImageGrid>(c.run("activation_maximization",
                                                                   {{"steps", 60}, {"rate", 0.1}}))
                                               .images[0]));
    }
  }
  Case c(small_net(14, 11, 3, 4, "softmax"));
  c.randomize(0.3);
  for (const char* objective : {"channel", "unit"}) {
    const Results r = c.run(
        "activation_maximization",
        {{"layer", "conv2"}, {"units", Json::List{1, 3}}, {"objective", objective}, {"steps", 40}});
    const Curves& curves = result<Curves>(r);
    BOOST_REQUIRE(curves.series.size() == 2u);
    for (const Curves::Series& s : curves.series) BOOST_TEST(s.y.back() >= s.y.front());
    BOOST_TEST(result<ImageGrid>(r).images[0].shape().str() == "(14, 11, 3)");
  }
}

// With a prior the images keep what all images of the data set have in common: here a black left
// half, on which the network's answer depends no less than on the right.
BOOST_AUTO_TEST_CASE(activation_maximization_stays_among_the_data) {
  Case c(small_net(10, 12, 1, 3, "softmax"));
  c.randomize(0.3);
  const auto set = data(60, Shape{10, 12, 1}, 3);
  for (int i = 0; i < 60; ++i)
    for (int p = 0; p < 120; ++p)
      if (p % 12 < 6) set->image(i).u8()[p] = 0;
  c.context->dataset = set;
  const auto left = [](const Array& image) {
    float largest = 0;
    for (int p = 0; p < 120; ++p)
      if (p % 12 < 6) largest = std::max(largest, image.f32()[p]);
    return largest;
  };
  const auto logit = [&](Array image, int k) {
    for (float& v : image.f32()) v *= 255;
    return c.context->evaluate(image.reshaped(Shape{1, 10, 12, 1}), c.context->logits()).f32()[k];
  };
  Array mean(Shape{10, 12, 1}, DType::f32);
  for (int i = 0; i < 60; ++i)
    for (int p = 0; p < 120; ++p)
      mean.f32()[p] += static_cast<float>(set->images()[i].u8()[p]) / 255 / 60;
  const Results with = c.run("activation_maximization", {{"steps", 60}, {"jitter", 0}}),
                without = c.run("activation_maximization", {{"steps", 60}, {"prior", "none"}});
  for (int k = 0; k < 3; ++k) {
    const Array& image = result<ImageGrid>(with).images[k];
    BOOST_TEST(left(image) < 1e-3);
    BOOST_TEST(left(result<ImageGrid>(without).images[k]) > 0.05);
    BOOST_TEST(logit(image, k) > logit(mean, k));
  }
  BOOST_TEST(
      same_bits(result<ImageGrid>(with).images[1],
                result<ImageGrid>(c.run("activation_maximization", {{"steps", 60}, {"jitter", 0}}))
                    .images[1]));
  c.context->dataset = nullptr;
  BOOST_CHECK_THROW(c.run("activation_maximization", {{"prior", "data"}}), UsageError);
}

BOOST_AUTO_TEST_CASE(tsne_guards_and_repeats) {
  Case c(small_net(8, 6, 1, 3, "softmax"));
  c.randomize();
  const auto set = data(40, Shape{8, 6, 1}, 3);
  c.context->dataset = set;
  for (int i = 0; i < 40; ++i) set->image(i).u8()[7] = 9;  // a pixel that never changes
  std::ranges::copy(std::vector<uint8_t>(set->image(3).u8().begin(), set->image(3).u8().end()),
                    set->image(6).u8().begin());
  const Json::Object parameters{
      {"pixels", true}, {"iterations", 100}, {"exaggerated", 40}, {"rate", 10.0}};
  const Results a = c.run("tsne", parameters), b = c.run("tsne", parameters);
  BOOST_TEST(same_bits(result<Scatter>(a).points, result<Scatter>(b).points));
  BOOST_TEST(result<Scatter>(a).points.shape().str() == "(40, 2)");
  BOOST_TEST(result<Scatter>(a).labels == set->labels());
  BOOST_TEST(result<Scatter>(a).thumbnails.size() == 40u);
  BOOST_TEST(has_warning(a, "lowered to 13"));
  BOOST_TEST(has_warning(a, "1 of 48 features are the same"));
  BOOST_TEST(has_warning(a, "1 points repeat"));
  const auto& y = result<Scatter>(a).points;
  // Twins attract each other most. (At the default rate, far too high for 40 points, even they are
  // thrown about.)
  BOOST_TEST(std::hypot(y.f32()[6] - y.f32()[12], y.f32()[7] - y.f32()[13]) <
             1e-3 * std::abs(*std::ranges::max_element(y.f32())));
  // Features of the layer before the logits by default.
  const Results features = c.run("tsne", {{"iterations", 20}});
  BOOST_TEST(std::any_of(result<Table>(features).rows.begin(), result<Table>(features).rows.end(),
                         [](const auto& r) {
                           return r[0].as_string() == "features from" && r[1].as_string() == "flat";
                         }));
  c.context->dataset = data(3, Shape{8, 6, 1}, 3);
  BOOST_CHECK_THROW(c.run("tsne"), DataError);
}
