#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "core/temporary.hpp"
#include "ocellus/core/dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/image.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

const Registry& registry() {
  static const std::unique_ptr<Registry> r = [] {
    auto loaded = std::make_unique<Registry>();
    loaded->load(default_plugin_directory() / "datasets.so");
    return loaded;
  }();
  return *r;
}

void write(const fs::path& file, const std::vector<uint8_t>& bytes) {
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}
void write_gzip(const fs::path& file, const std::vector<uint8_t>& bytes) {
  gzFile f = gzopen(file.c_str(), "wb");
  BOOST_REQUIRE(gzwrite(f, bytes.data(), static_cast<unsigned>(bytes.size())) ==
                static_cast<int>(bytes.size()));
  gzclose(f);
}

std::vector<uint8_t> idx(std::vector<int> extents, int first) {
  std::vector<uint8_t> b = {0, 0, 8, static_cast<uint8_t>(extents.size())};
  int n = 1;
  for (const int e : extents) {
    n *= e;
    for (int shift = 24; shift >= 0; shift -= 8) b.push_back(static_cast<uint8_t>(e >> shift));
  }
  for (int i = 0; i < n; ++i)
    b.push_back(static_cast<uint8_t>(extents.size() == 1 ? (i + first) % 3 : i + first));
  return b;
}

/// 5 images of 2x3 for training, 2 for testing, the latter packed.
struct IdxFolder : TemporaryDirectory {
  IdxFolder() {
    write(*this / "train-images-idx3-ubyte", idx({5, 2, 3}, 0));
    write(*this / "train-labels-idx1-ubyte", idx({5}, 0));
    write_gzip(*this / "t10k-images-idx3-ubyte.gz", idx({2, 2, 3}, 100));
    write_gzip(*this / "t10k-labels-idx1-ubyte.gz", idx({2}, 1));
  }
  std::string address() const { return "idx:" + path().string(); }
};

Samples read(const Dataset& d, std::vector<int64_t> indices) {
  Samples s;
  d.read(indices, s);
  return s;
}

Array grey(int h, int w, int value) {
  Array a(Shape{h, w, 1}, DType::u8);
  for (uint8_t& v : a.u8()) v = static_cast<uint8_t>(value);
  return a;
}

}  // namespace

BOOST_AUTO_TEST_CASE(idx_files) {
  const IdxFolder dir;
  const auto train = open_dataset(registry(), dir.address(), "train");
  BOOST_TEST(train->size() == 5);
  BOOST_TEST((train->item_shape() == Shape{2, 3, 1}));
  BOOST_TEST(train->classes() == (std::vector<std::string>{"0", "1", "2"}));
  const Samples s = read(*train, {4, 0, 4});
  BOOST_TEST((s.images.shape() == Shape{3, 2, 3, 1}));
  for (int i = 0; i < 6; ++i) {
    BOOST_TEST(s.images.u8()[i] == 24 + i);
    BOOST_TEST(s.images.u8()[6 + i] == i);
  }
  BOOST_TEST((s.targets.i32()[0] == 1 && s.targets.i32()[1] == 0));
  const auto test = open_dataset(registry(), dir.address(), "test");
  BOOST_TEST(test->size() == 2);
  BOOST_TEST(read(*test, {1}).images.u8()[0] == 106);
  const auto all =
      open_dataset(registry(), dir.address() + "?split=all", "test");  // what the address says wins
  BOOST_TEST(all->size() == 7);
  BOOST_TEST(all->describe(6) == "test 1");
  BOOST_CHECK_THROW(read(*all, {7}), Error);
  write(dir / "classes.txt", {'a', '\n', 'b', '\n'});
  BOOST_TEST(open_dataset(registry(), dir.address(), "test")->classes() ==
             (std::vector<std::string>{"a", "b", "2"}));
}

BOOST_AUTO_TEST_CASE(damaged_idx_files) {
  const IdxFolder dir;
  const auto open = [&] { open_dataset(registry(), dir.address(), "train"); };
  const auto is_data = [](std::string part) {
    return [=](const DataError& e) { return e.exit_code() == ExitCode::data && says(part)(e); };
  };
  auto bytes = idx({5, 2, 3}, 0);
  const fs::path images = dir / "train-images-idx3-ubyte";
  bytes.resize(bytes.size() - 1);
  write(images, bytes);
  BOOST_CHECK_EXCEPTION(open(), DataError,
                        is_data("truncated: 5x2x3 bytes need a file of 46 bytes, found 45"));
  for (const size_t n : {0, 3, 9}) {
    write(images, std::vector<uint8_t>(bytes.begin(), bytes.begin() + n));
    BOOST_CHECK_EXCEPTION(open(), DataError, is_data("train-images-idx3-ubyte"));
  }
  bytes = idx({5, 2, 3}, 0);
  bytes[4] = 0xff;
  write(images, bytes);
  BOOST_CHECK_THROW(open(), DataError);
  write(images, idx({4, 2, 3}, 0));
  BOOST_CHECK_EXCEPTION(open(), DataError, is_data("5 labels for 4 images"));
  fs::remove(images);
  BOOST_CHECK_EXCEPTION(open(), DataError, is_data("'train-images'"));
  BOOST_CHECK_THROW(open_dataset(registry(), "idx:/no/such/folder", "train"), DataError);
}

BOOST_AUTO_TEST_CASE(addresses) {
  const auto open = [](const std::string& a) { open_dataset(registry(), a, "train"); };
  BOOST_CHECK_EXCEPTION(open("fashion-mnst"), UsageError, says("did you mean 'fashion-mnist'"));
  BOOST_CHECK_EXCEPTION(open("idx"), UsageError, says("idx:PATH"));
  BOOST_CHECK_EXCEPTION(open("fashion-mnist:/tmp"), UsageError, says("takes no path"));
  BOOST_CHECK_EXCEPTION(open("folder:/tmp?sise=3"), UsageError, says("'size'"));
  BOOST_CHECK_EXCEPTION(open("folder:/tmp?size=0"), UsageError, says("size"));
  const TemporaryDirectory dir;
  BOOST_CHECK_EXCEPTION(open(dir.path().string()), UsageError, says("folder:"));
}

BOOST_AUTO_TEST_CASE(fashion_mnist_says_what_to_install) {
  const IdxFolder dir;
  fs::create_directory(dir / "fashion-mnist");
  for (const char* f : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"})
    fs::rename(dir / f, dir / "fashion-mnist" / f);
  setenv("OCELLUS_DATA", dir.path().c_str(), 1);
  const auto d = open_dataset(registry(), "fashion-mnist", "train");
  BOOST_TEST((d->size() == 5 && d->classes().size() == 10 && d->classes()[9] == "Ankle boot"));
  const TemporaryDirectory empty;
  setenv("OCELLUS_DATA", empty.path().c_str(), 1);
  if (fs::exists("/usr/share/datasets/fashion-mnist")) {
    BOOST_TEST(open_dataset(registry(), "fashion-mnist", "train")->size() == 60000);
    BOOST_TEST(open_dataset(registry(), "fashion-mnist", "test")->size() == 10000);
  } else {
    BOOST_CHECK_EXCEPTION(open_dataset(registry(), "fashion-mnist", "train"), DataError,
                          says("dataset-fashion-mnist"));
  }
  unsetenv("OCELLUS_DATA");
}

BOOST_AUTO_TEST_CASE(data_sets_by_name) {
  const TemporaryDirectory empty;
  setenv("OCELLUS_CACHE", empty.path().c_str(), 1);
  for (const std::string name : {"mnist", "cifar10"})
    BOOST_CHECK_EXCEPTION(open_dataset(registry(), name, "all"), DataError,
                          says("run: ocellus fetch " + name));
  const IdxFolder dir;
  const fs::path cached = empty / "published" / "mnist";
  fs::create_directories(cached);
  // As they are published: all four packed.
  for (const char* part : {"train", "t10k"}) {
    write_gzip(cached / (std::string(part) + "-images-idx3-ubyte.gz"), idx({4, 2, 3}, 0));
    write_gzip(cached / (std::string(part) + "-labels-idx1-ubyte.gz"), idx({4}, 0));
  }
  BOOST_TEST(open_dataset(registry(), "mnist", "all")->size() == 8);
  // One's own folder comes first.
  setenv("OCELLUS_DATA", dir.path().c_str(), 1);
  fs::create_directory(dir / "mnist");
  BOOST_CHECK_EXCEPTION(open_dataset(registry(), "mnist", "train"), DataError,
                        says((dir / "mnist").string()));
  unsetenv("OCELLUS_DATA");
  unsetenv("OCELLUS_CACHE");
}

BOOST_AUTO_TEST_CASE(cifar10) {
  const TemporaryDirectory dir;
  std::vector<uint8_t> bytes;
  for (int r = 0; r < 2; ++r) {
    bytes.push_back(static_cast<uint8_t>(7 - r));
    for (int i = 0; i < 3072; ++i)
      bytes.push_back(static_cast<uint8_t>(i / 1024 * 80 + i % 64 + r));
  }
  write(dir / "test_batch.bin", bytes);
  write(dir / "batches.meta.txt", {'c', 'a', 't', '\n', 'd', 'o', 'g', '\n', '\n'});
  const auto d = open_dataset(registry(), "cifar10:" + dir.path().string(), "test");
  BOOST_TEST((d->size() == 2 && d->item_shape() == Shape{32, 32, 3} && d->classes()[1] == "dog" &&
              d->classes().size() == 8));
  const Samples s = read(*d, {1});
  BOOST_TEST(s.targets.i32()[0] == 6);
  for (const int p : {0, 5, 1023})
    for (int c = 0; c < 3; ++c) BOOST_TEST(s.images.u8()[p * 3 + c] == c * 80 + p % 64 + 1);
  bytes.pop_back();
  write(dir / "test_batch.bin", bytes);
  BOOST_CHECK_EXCEPTION(open_dataset(registry(), "cifar10:" + dir.path().string(), "test"),
                        DataError, says("truncated: 6145 bytes"));
  BOOST_CHECK_EXCEPTION(open_dataset(registry(), "cifar10:" + dir.path().string(), "train"),
                        DataError, says("data_batch"));
}

BOOST_AUTO_TEST_CASE(folders_of_images) {
  const TemporaryDirectory dir;
  const std::string address = "folder:" + dir.path().string();
  BOOST_CHECK_EXCEPTION(open_dataset(registry(), address, "train"), DataError,
                        says("no subfolders"));
  fs::create_directory(dir / "zebra");
  fs::create_directory(dir / "ant");
  BOOST_CHECK_EXCEPTION(open_dataset(registry(), address, "train"), DataError,
                        says("no image in 2 class folders"));
  write_png(dir / "zebra" / "b.dat", grey(4, 6, 200));  // by content, not by name
  write_png(dir / "zebra" / "a.png", grey(8, 12, 100));
  write_png(dir / "ant" / "x.png", grey(4, 6, 50));
  write(dir / "ant" / "no.jpg", {'n', 'o', 't', ' ', 'a', ' ', 'J', 'P', 'E', 'G'});
  write(dir / "ant" / "cut.jpg", {0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0});
  const auto d = open_dataset(registry(), address, "train");
  BOOST_TEST(d->size() == 3);
  BOOST_TEST(d->classes() == (std::vector<std::string>{"ant", "zebra"}));
  BOOST_TEST((d->item_shape() == Shape{4, 6, 1}));  // that of ant/x.png
  BOOST_REQUIRE_EQUAL(d->warnings().size(), 1u);
  BOOST_TEST(d->warnings()[0].find("2 of 5 images could not be read") == 0u);
  BOOST_TEST(d->warnings()[0].find("no.jpg") != std::string::npos);
  const Samples s = read(*d, {0, 1, 2});
  const int values[] = {50, 100, 200};
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(s.images.u8()[i * 24 + 7] == values[i]);
    BOOST_TEST(s.targets.i32()[i] == (i > 0));
  }
  BOOST_TEST(d->describe(1).ends_with("zebra/a.png"));
  const auto other = open_dataset(registry(), address + "?size=2x3&color_mode=rgb", "train");
  BOOST_TEST((other->item_shape() == Shape{2, 3, 3}));

  const TemporaryDirectory split;
  for (const char* part : {"train", "val"})
    for (const char* name : {"a", "b"}) {
      fs::create_directories(split / part / name);
      write_png(split / part / name / "1.png", grey(2, 2, part[0]));
    }
  const std::string both = "folder:" + split.path().string();
  BOOST_TEST(read(*open_dataset(registry(), both, "train"), {0}).images.u8()[0] == 't');
  BOOST_TEST(read(*open_dataset(registry(), both, "test"), {1}).images.u8()[0] == 'v');
  BOOST_TEST(open_dataset(registry(), both, "all")->size() == 4);
  BOOST_TEST(open_dataset(registry(), both, "all")->classes().size() == 2u);
}

BOOST_AUTO_TEST_CASE(hdf5_files) {
  const TemporaryDirectory dir;
  const fs::path file = dir / "data.h5";
  Array images(Shape{4, 2, 2}, DType::u8), dense(Shape{4, 2}, DType::f32);
  for (int i = 0; i < 16; ++i) images.u8()[i] = static_cast<uint8_t>(i);
  for (int i = 0; i < 8; ++i) dense.f32()[i] = 0.5f * static_cast<float>(i);
  const std::vector<int32_t> labels = {1, 0, 2, 1};
  H5Writer::write(file, [&](H5Writer& h5) {
    h5.dataset("/images", images);
    h5.dataset("/labels", Array::of_ints({4}, labels));
    h5.dataset("/dense", dense);
    h5.dataset("/test_images", images);
    h5.dataset("/test_labels", Array::of_ints({4}, labels));
    h5.attribute("/", "classes", std::vector<std::string>{"x", "y", "z"});
  });
  const auto d = open_dataset(registry(), "hdf5:" + file.string(), "train");
  BOOST_TEST((d->size() == 4 && d->item_shape() == Shape{2, 2, 1} && d->item_type() == DType::u8));
  BOOST_TEST(d->classes() == (std::vector<std::string>{"x", "y", "z"}));
  const Samples s = read(*d, {2, 1});
  BOOST_TEST((s.images.u8()[0] == 8 && s.images.u8()[4] == 4 && s.targets.i32()[0] == 2));
  const auto other = open_dataset(registry(), "hdf5:" + file.string() + "?labels=dense", "train");
  BOOST_TEST((read(*other, {3}).targets.shape() == Shape{1, 2} &&
              read(*other, {3}).targets.f32()[1] == 3.5f));
  BOOST_CHECK_EXCEPTION(open_dataset(registry(), "hdf5:" + file.string() + "?labels=none", "train"),
                        DataError, says("no data set 'none'"));
  write(dir / "bad.h5", {1, 2, 3});
  BOOST_CHECK_THROW(open_dataset(registry(), "hdf5:" + (dir / "bad.h5").string(), "train"),
                    DataError);
}
