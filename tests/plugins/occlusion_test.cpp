// Occlusion against published numbers (the tests of Captum, BSD 3-clause: their networks, inputs
// and results), and against masks that are laid on by hand.
#include <boost/test/unit_test.hpp>

#include "plugins/analysis_testing.hpp"

using namespace ocellus;
using namespace ocellus::testing;

namespace {

/// Net A: Conv 1 -> 2 of ones, bias (-50, -75), ReLU; dense over the channel-first order, five +1
/// and three -1, ReLU.
struct NetA : Case {
  static GraphRecord graph() {
    GraphBuilder b;
    b.input({4, 4, 1});
    b.add("Conv2D", {{"filters", 2}, {"kernel_size", 3}, {"activation", "relu"}}, "conv");
    b.add("Flatten");
    b.add("Dense", {{"units", 4}, {"activation", "relu"}}, "dense");
    return b.finish();
  }
  NetA() : Case(graph()) {
    set("conv", {std::vector<float>(18, 1), {-50, -75}});
    std::vector<float> dense(8 * 4);
    for (int pixel = 0; pixel < 4; ++pixel)
      for (int channel = 0; channel < 2; ++channel)
        for (int unit = 0; unit < 4; ++unit)
          dense[(pixel * 2 + channel) * 4 + unit] = channel * 4 + pixel < 5 ? 1 : -1;
    set("dense", {dense, {0, 0, 0, 0}});
  }
};

/// Net B: the sum of three inputs through two dense layers of ones.
struct NetB : Case {
  static GraphRecord graph() {
    GraphBuilder b;
    b.input({1, 3, 1});
    b.add("Flatten");
    b.add("Dense", {{"units", 3}}, "identity");
    b.add("Dense", {{"units", 4}, {"activation", "relu"}}, "hidden");
    b.add("Dense", {{"units", 2}}, "out");
    return b.finish();
  }
  NetB() : Case(graph()) {
    set("identity", {{1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0}});
    set("hidden", {std::vector<float>(12, 1), {-10, 1, 1, 1}});
    set("out", {std::vector<float>(8, 1), {-1, 1}});
    Array x(Shape{1, 3, 1}, DType::u8);
    std::ranges::copy(std::vector<uint8_t>{20, 50, 30}, x.u8().begin());
    context->images = {{"b", x, std::nullopt}};
    context->target = {TargetChoice::Kind::index, 0};
  }
};

AnalysisImage counting_image(int first) {
  Array x(Shape{4, 4, 1}, DType::u8);
  for (int i = 0; i < 16; ++i) x.u8()[i] = static_cast<uint8_t>(first + i);
  return {"a", x, 0};
}

void expect_map(const Array& map, const std::vector<float>& wanted) {
  BOOST_REQUIRE(map.f32().size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    BOOST_TEST(map.f32()[i] == wanted[i], boost::test_tools::tolerance(1e-5f));
}

/// f of the target for images that the test masks itself, and the mean over covering windows.
Array by_hand(Case& c, const Array& image, Size window, Size stride, float fill, int target) {
  const int h = image.shape()[0], w = image.shape()[1], channels = image.shape()[2];
  std::vector<Array> masked{image.to_f32()};
  std::vector<std::array<int, 2>> corners;
  for (int top = 0;; top += stride.h) {
    for (int left = 0;; left += stride.w) {
      Array copy = image.to_f32();
      for (int y = top; y < std::min(h, top + window.h); ++y)
        for (int x = left; x < std::min(w, left + window.w); ++x)
          for (int k = 0; k < channels; ++k) copy.f32()[(y * w + x) * channels + k] = fill;
      masked.push_back(copy);
      corners.push_back({top, left});
      if (left + window.w >= w) break;
    }
    if (top + window.h >= h) break;
  }
  Array all(image.shape().batched(static_cast<int>(masked.size())), DType::f32);
  for (size_t i = 0; i < masked.size(); ++i)
    std::ranges::copy(masked[i].f32(),
                      all.f32().begin() + static_cast<std::ptrdiff_t>(i * image.elements()));
  const Array scores = c.context->probabilities(all);
  Array map(Shape{h, w}, DType::f32);
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      double sum = 0, n = 0;
      for (size_t i = 0; i < corners.size(); ++i)
        if (y >= corners[i][0] && y < corners[i][0] + window.h && x >= corners[i][1] &&
            x < corners[i][1] + window.w) {
          sum += double{scores.f32()[target]} -
                 scores.f32()[(i + 1) * scores.shape().channels() + target];
          ++n;
        }
      map.f32()[y * w + x] = static_cast<float>(n > 0 ? sum / n : 0);
    }
  return map;
}

double largest_difference(const Array& a, const Array& b) {
  double m = 0;
  for (size_t i = 0; i < a.f32().size(); ++i)
    m = std::max(m, std::abs(double{a.f32()[i]} - b.f32()[i]));
  return m;
}
double largest(const Array& a) {
  double m = 0;
  for (float v : a.f32()) m = std::max(m, std::abs(double{v}));
  return m;
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_window_over_all) {
  NetA net;
  // 1..16 is the sum of the two inputs of the published case; without its second input, f is 54.
  for (const auto& [first, wanted] : {std::pair{1, 67.0f}, {0, 54.0f}}) {
    net.context->images = {counting_image(first)};
    const Results r =
        net.run("occlusion", {{"window", 4}, {"stride", 4}, {"fill", "zero"}, {"score", "logit"}});
    expect_map(result<Attribution>(r).map, std::vector<float>(16, wanted));
    BOOST_TEST(result<Attribution>(r).score == wanted);
  }
}

BOOST_AUTO_TEST_CASE(single_pixels_and_overlapping_windows) {
  NetB net;
  for (int batch : {1, 2, 3, 64}) {
    const Results one = net.run("occlusion", {{"window", 1},
                                              {"stride", 1},
                                              {"fill", "zero"},
                                              {"score", "logit"},
                                              {"batch_size", batch}});
    expect_map(result<Attribution>(one).map, {80, 200, 120});
    const Results two = net.run("occlusion", {{"window", Json::List{1, 2}},
                                              {"stride", 1},
                                              {"fill", "10"},
                                              {"score", "logit"},
                                              {"batch_size", batch}});
    expect_map(result<Attribution>(two).map, {200, 220, 240});
  }
}

// Not square, windows that the border cuts, one and three channels, every kind of output.
BOOST_AUTO_TEST_CASE(as_masked_by_hand) {
  for (const char* activation : {"softmax", "sigmoid", "linear"})
    for (const auto& [channels, units] : {std::pair{1, 4}, {3, 1}, {3, 2}}) {
      BOOST_TEST_CONTEXT(activation << ", " << channels << " channels, " << units << " units") {
        if (units == 1 && std::string(activation) == "softmax") continue;
        Case c(small_net(11, 7, channels, units, activation));
        c.randomize();
        const Array image = random_image(11, 7, channels, 1);
        c.context->images = {{"test 1", image, 1}};
        const Array wanted = by_hand(c, image, {4, 3}, {3, 2}, 10, 1);
        BOOST_TEST(largest(wanted) > 1e-4);  // a flat map would prove nothing
        for (int batch : {1, 5, 64})
          for (const char* method : {"auto", "full", "incremental"}) {
            const Results r = c.run("occlusion", {{"window", Json::List{4, 3}},
                                                  {"stride", Json::List{3, 2}},
                                                  {"fill", "10"},
                                                  {"method", method},
                                                  {"batch_size", batch}});
            BOOST_TEST(largest_difference(result<Attribution>(r).map, wanted) < 1e-5, method);
            BOOST_TEST(result<Attribution>(r).target == "class 1 (label)");
          }
      }
    }
}

// Of one sigmoid unit, hiding what speaks for class 1 speaks for class 0.
BOOST_AUTO_TEST_CASE(one_unit_is_two_classes) {
  Case c(small_net(8, 8, 1, 1, "sigmoid"));
  c.randomize();
  c.context->images = {{"i", random_image(8, 8, 1, 2), std::nullopt}};
  BOOST_TEST(c.context->class_count() == 2);
  Array maps[2];
  for (int target : {0, 1}) {
    c.context->target = {TargetChoice::Kind::index, target};
    maps[target] = result<Attribution>(c.run("occlusion")).map;
  }
  BOOST_TEST(largest(maps[0]) > 1e-4);
  for (size_t i = 0; i < maps[0].f32().size(); ++i)
    BOOST_TEST(std::abs(maps[0].f32()[i] + maps[1].f32()[i]) < 1e-5);
}

// The fall of the strongest map's total: with all hidden by one window, down to what the network
// answers to the fill.
BOOST_AUTO_TEST_CASE(strongest_map_of_a_layer) {
  Case c(small_net(6, 9, 1, 3, "softmax"));
  c.randomize();
  c.context->images = {{"i", random_image(6, 9, 1, 3), 0}};
  const Json::Object options = {
      {"window", Json::List{6, 9}}, {"stride", 1}, {"fill", "zero"}, {"layer", "conv2"}};
  const Results r = c.run("occlusion", options);
  const Attribution& a = result<Attribution>(r, 1);
  const auto totals = [&](const Array& pixels) {
    const Array maps = c.context->evaluate(pixels, "conv2");
    std::vector<double> sums(maps.shape()[3]);
    for (size_t i = 0; i < maps.f32().size(); ++i) sums[i % sums.size()] += maps.f32()[i];
    return sums;
  };
  const std::vector<double> clean = totals(c.context->images[0].pixels.reshaped(Shape{1, 6, 9, 1})),
                            hidden = totals(Array(Shape{1, 6, 9, 1}, DType::u8));
  const size_t strongest = std::ranges::max_element(clean) - clean.begin();
  BOOST_TEST(a.score == clean[strongest], boost::test_tools::tolerance(1e-4));
  BOOST_TEST(std::abs(a.map.f32()[17] - (clean[strongest] - hidden[strongest])) <
             1e-4 * (1 + clean[strongest]));
  BOOST_TEST(a.target == "conv2, channel " + std::to_string(strongest));
  // With small windows, incremental and full passes agree on the map of a layer too.
  Array maps[2];
  for (int i : {0, 1})
    maps[i] = result<Attribution>(c.run("occlusion", {{"window", 2},
                                                      {"stride", 1},
                                                      {"layer", "conv2"},
                                                      {"method", i ? "incremental" : "full"}}),
                                  1)
                  .map;
  BOOST_TEST(largest(maps[0]) > 1e-4);
  BOOST_TEST(largest_difference(maps[0], maps[1]) < 1e-5 * (1 + largest(maps[0])));
}

BOOST_AUTO_TEST_CASE(fills_and_defaults) {
  Case c(small_net(28, 28, 1, 3, "softmax"));
  c.randomize();
  c.context->images = {{"i", random_image(28, 28, 1, 4), std::nullopt}};
  Array first;
  for (const char* fill : {"mean", "grey", "blur", "noise", "zero", "200.5"}) {
    const Results r = c.run("occlusion", {{"fill", fill}, {"quick", true}});
    const Array map = result<Attribution>(r).map;
    BOOST_TEST(largest(map) > 0);
    BOOST_TEST(largest_difference(
                   result<Attribution>(c.run("occlusion", {{"fill", fill}, {"quick", true}})).map,
                   map) == 0);  // seeded
    if (!first.empty()) BOOST_TEST(largest_difference(map, first) > 0);
    first = map;
  }
  BOOST_TEST(result<Attribution>(c.run("occlusion")).method ==
             "occlusion, window 4x4, stride 1x1, fill mean");
  BOOST_TEST(result<Attribution>(c.run("occlusion", {{"quick", true}})).method ==
             "occlusion, window 6x6, stride 3x3, fill mean");
  BOOST_CHECK_THROW(c.run("occlusion", {{"fill", "mena"}}), UsageError);
  BOOST_CHECK_THROW(c.run("occlusion", {{"window", 2}, {"stride", 3}}), UsageError);
  c.context->target = {TargetChoice::Kind::index, 3};
  BOOST_CHECK_THROW(c.run("occlusion"), UsageError);
  c.context->target = {TargetChoice::Kind::label, 0};
  BOOST_CHECK_THROW(c.run("occlusion"), UsageError);
}
