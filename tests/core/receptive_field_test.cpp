// Receptive fields against the published table (Araujo, Norris and Sim, Distill 2019), and against
// what a network really sees.
#include "ocellus/core/receptive_field.hpp"

#include <boost/test/unit_test.hpp>

#include "ocellus/core/graph_builder.hpp"

using namespace ocellus;

namespace {

const Registry& registry() {
  static const auto r = [] {
    auto registry = std::make_unique<Registry>();
    registry->load_default();
    return registry;
  }();
  return *r;
}

// Fields do not depend on the number of filters: one is enough.
void conv(GraphBuilder& b, int kernel, int stride, const std::string& padding,
          const std::string& name) {
  b.add("Conv2D",
        {{"filters", 1},
         {"kernel_size", kernel},
         {"strides", stride},
         {"padding", padding},
         {"activation", "relu"}},
        name);
}
void pool(GraphBuilder& b, int size, int stride, const std::string& padding,
          const std::string& name) {
  b.add("MaxPooling2D", {{"pool_size", size}, {"strides", stride}, {"padding", padding}}, name);
}

ReceptiveField field(const Network& network, const std::string& tensor) {
  return receptive_fields(network)[network.tensor(tensor).node];
}

void expect(const Network& network, const std::string& tensor, double size, double jump,
            double padding) {
  BOOST_TEST_CONTEXT(tensor) {
    const ReceptiveField f = field(network, tensor);
    BOOST_TEST(!f.global);
    for (const FieldAxis& a : {f.h, f.w}) {
      BOOST_TEST(a.size == size);
      BOOST_TEST(a.jump == jump);
      BOOST_TEST(a.start == -padding);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(vgg16_as_published) {
  GraphBuilder b;
  b.input({224, 224, 3});
  const int convolutions[] = {2, 2, 3, 3, 3};
  for (int block = 1; block <= 5; ++block) {
    for (int i = 1; i <= convolutions[block - 1]; ++i)
      conv(b, 3, 1, "same", "conv" + std::to_string(block) + "_" + std::to_string(i));
    pool(b, 2, 2, "valid", "pool" + std::to_string(block));
  }
  b.add("Flatten", {}, "flat");
  const Network network(registry(), b.finish());
  expect(network, "pool1", 6, 2, 2);
  expect(network, "pool2", 16, 4, 6);
  expect(network, "pool3", 44, 8, 18);
  expect(network, "pool4", 100, 16, 42);
  expect(network, "conv5_2", 164, 16, 74);
  expect(network, "pool5", 212, 32, 90);
  BOOST_TEST(field(network, "flat").global);
}

BOOST_AUTO_TEST_CASE(alexnet_v2_as_published) {
  GraphBuilder b;
  b.input({224, 224, 3});
  conv(b, 11, 4, "valid", "conv1");
  pool(b, 3, 2, "valid", "pool1");
  conv(b, 5, 1, "same", "conv2");
  pool(b, 3, 2, "valid", "pool2");
  for (const char* name : {"conv3", "conv4", "conv5"}) conv(b, 3, 1, "same", name);
  pool(b, 3, 2, "valid", "pool5");
  expect(Network(registry(), b.finish()), "pool5", 195, 32, 64);
}

// The bottlenecks of slim's ResNet-50 v1: the last unit of a block has the stride; identity
// shortcuts are subsampled.
BOOST_AUTO_TEST_CASE(resnet50_v1_as_published) {
  GraphBuilder b;
  b.input({224, 224, 3});
  conv(b, 7, 2, "same", "conv1");
  pool(b, 3, 2, "same", "pool1");
  const int units[] = {3, 4, 6, 3};
  for (int block = 0; block < 4; ++block)
    for (int unit = 1; unit <= units[block]; ++unit) {
      const int stride = block < 3 && unit == units[block] ? 2 : 1;
      TensorRef shortcut = b.last();
      if (stride == 2)
        shortcut = b.add("MaxPooling2D", {{"pool_size", 1}, {"strides", 2}}, {shortcut});
      const TensorRef in = stride == 2 ? b.output_of(unit == 1 ? "pool1"
                                                               : "add" + std::to_string(block) +
                                                                     "_" + std::to_string(unit - 1))
                                       : shortcut;
      b.add("Conv2D", {{"filters", 1}, {"kernel_size", 1}}, {in});
      b.add("Conv2D",
            {{"filters", 1}, {"kernel_size", 3}, {"strides", stride}, {"padding", "same"}});
      const TensorRef residual = b.add("Conv2D", {{"filters", 1}, {"kernel_size", 1}});
      b.add("Add", {}, {shortcut, residual},
            "add" + std::to_string(block) + "_" + std::to_string(unit));
    }
  const Network network(registry(), b.finish());
  const ReceptiveField f = field(network, "add3_3");
  BOOST_TEST(f.h.size == 483);
  BOOST_TEST(f.w.size == 483);
  BOOST_TEST(f.h.jump == 32);
}

BOOST_AUTO_TEST_CASE(paths_that_disagree_are_named) {
  GraphBuilder b;
  const TensorRef in = b.input({8, 8, 1});
  const TensorRef a =
      b.add("Conv2D", {{"filters", 1}, {"kernel_size", 2}, {"strides", 2}}, {in}, "coarse");
  const TensorRef c = b.add("Conv2D", {{"filters", 1}, {"kernel_size", 5}}, {in}, "fine");
  b.add("Add", {}, {a, c}, "sum");
  const Network network(registry(), b.finish());
  BOOST_CHECK_EXCEPTION(receptive_fields(network), ShapeError, [](const ShapeError& e) {
    const std::string text = e.what();
    return text.find("sum") != text.npos && text.find("coarse") != text.npos &&
           text.find("fine") != text.npos;
  });
}

BOOST_AUTO_TEST_CASE(boxes_are_clipped_and_axes_kept_apart) {
  GraphBuilder b;
  b.input({9, 13, 1});
  b.add("Conv2D",
        {{"filters", 1},
         {"kernel_size", Json::List{3, 5}},
         {"strides", Json::List{1, 2}},
         {"padding", "same"}},
        "conv");
  const Network network(registry(), b.finish());
  const ReceptiveField f = field(network, "conv");
  BOOST_TEST(f.h.size == 3);
  BOOST_TEST(f.w.size == 5);
  BOOST_TEST(f.w.jump == 2);
  BOOST_TEST(f.w.start == -2);
  const PixelBox corner = clipped(f, 0, 0, 9, 13), middle = clipped(f, 4, 3, 9, 13),
                 last = clipped(f, 8, 6, 9, 13);
  BOOST_TEST((corner.top == 0 && corner.left == 0 && corner.bottom == 2 && corner.right == 3));
  BOOST_TEST((middle.top == 3 && middle.left == 4 && middle.bottom == 6 && middle.right == 9));
  BOOST_TEST((last.top == 7 && last.left == 10 && last.bottom == 9 && last.right == 13));
}
