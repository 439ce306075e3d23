#include "ocellus/core/published.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/hash.hpp"
#include "ocellus/core/preprocessing.hpp"

using namespace ocellus;
using namespace ocellus::test;
namespace fs = std::filesystem;

namespace {

/// A cache of its own, and a list that only this test knows.
struct Cache : TemporaryDirectory {
  Cache() { setenv("OCELLUS_CACHE", path().c_str(), 1); }
  ~Cache() {
    unsetenv("OCELLUS_CACHE");
    unsetenv("OCELLUS_PUBLISHED");
  }
  void put(const std::string& item, const std::string& file, const std::string& text) const {
    fs::create_directories(path() / "published" / item);
    write_atomically(path() / "published" / item / file, text);
  }
  void list(const std::string& items) const {
    write_atomically(path() / "list.json",
                     R"({"schema": "ocellus published 1", "items": [)" + items + "]}");
    setenv("OCELLUS_PUBLISHED", (path() / "list.json").c_str(), 1);
  }
};

std::string item(const std::string& name, const std::string& rest = "",
                 const std::string& file = R"("name": "f", "address": "http://x/f")") {
  return R"({"name": ")" + name + "\"" + rest + R"(, "files": [{)" + file + "}]}";
}

}  // namespace

BOOST_AUTO_TEST_CASE(hashes) {
  const TemporaryDirectory dir;
  // FIPS 180-2's and RFC 1321's own examples, and a file longer than one piece: a million times
  // 'a'.
  write_atomically(dir / "abc", std::string_view("abc"));
  BOOST_TEST(hash_file(dir / "abc", "sha256") ==
             "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(hash_file(dir / "abc", "md5") == "md5:900150983cd24fb0d6963f7d28e17f72");
  write_atomically(dir / "empty", std::string_view());
  BOOST_TEST(hash_file(dir / "empty", "md5") == "md5:d41d8cd98f00b204e9800998ecf8427e");
  write_atomically(dir / "million", std::string(1000000, 'a'));
  int64_t seen = 0;
  BOOST_TEST(hash_file(dir / "million", "sha256", [&](int64_t n) { seen = n; }) ==
             "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  BOOST_TEST(seen == 1000000);
  BOOST_CHECK_EXCEPTION(hash_file(dir / "none", "md5"), DataError, says("No such file"));
  BOOST_CHECK_EXCEPTION(hash_file(dir / "abc", "crc"), UsageError, says("sha256 and md5"));
}

BOOST_AUTO_TEST_CASE(cache_follows_the_environment) {
  setenv("OCELLUS_CACHE", "/a", 1);
  setenv("XDG_CACHE_HOME", "/b", 1);
  setenv("HOME", "/c", 1);
  BOOST_TEST(cache_folder() == fs::path("/a"));
  unsetenv("OCELLUS_CACHE");
  BOOST_TEST(cache_folder() == fs::path("/b/ocellus"));
  unsetenv("XDG_CACHE_HOME");
  BOOST_TEST(cache_folder() == fs::path("/c/.cache/ocellus"));
  unsetenv("HOME");
  BOOST_TEST(cache_folder().empty());
  BOOST_CHECK_EXCEPTION(published_folder("mnist"), DataError, says("ocellus fetch mnist"));
}

BOOST_AUTO_TEST_CASE(the_shipped_list) {
  const std::vector<Published> items = published_items();
  std::set<std::string> names;
  for (const Published& i : items) {
    BOOST_TEST(names.insert(i.name).second, i.name << " stands twice");
    BOOST_TEST(!i.licence.empty(), i.name);
    for (const std::string& file : i.contents()) BOOST_TEST(!file.empty());
    if (!i.architecture.empty()) BOOST_CHECK_NO_THROW(Preprocessing::named(i.preprocessing));
    for (const PublishedFile& f : i.files)
      BOOST_TEST(f.address.ends_with("/" + f.name), f.address << " is not " << f.name);
  }
  for (const Published& i : items)
    for (const std::string& needed : i.needs) BOOST_TEST(names.count(needed), needed);
  for (const char* family : {"vgg16", "vgg19", "resnet50", "mobilenet", "mobilenet_v2",
                             "densenet121", "inception_v3", "efficientnet_b0"})
    for (const char* top : {"", "-notop"}) BOOST_TEST(names.count(std::string(family) + top));
}

BOOST_AUTO_TEST_CASE(found_where_fetch_puts_it) {
  const Cache cache;
  cache.list(
      item("toy", R"(, "needs": ["labels"])") + "," +
      item("packed", "", R"("name": "p.tar.gz", "address": "http://x/p", "unpack": ["a", "b"])"));
  BOOST_CHECK_EXCEPTION(published_folder("toy"), DataError,
                        says("toy: not in the cache; run: ocellus fetch toy"));
  BOOST_CHECK_EXCEPTION(published_folder("toi"), UsageError, says("did you mean 'toy'?"));
  cache.put("toy", "f", "1");
  BOOST_TEST(published_folder("toy") == cache / "published" / "toy");
  cache.put("packed", "a", "1");
  BOOST_CHECK_THROW(published_folder("packed"), DataError);
  cache.put("packed", "b", "2");
  BOOST_TEST(published_folder("packed") == cache / "published" / "packed");
}

BOOST_AUTO_TEST_CASE(weights_by_parameters) {
  const Cache cache;
  const auto parameters = [](double alpha, bool top, int classes) {
    return Json(Json::Object{{"alpha", alpha}, {"include_top", top}, {"classes", classes}});
  };
  BOOST_CHECK_EXCEPTION(published_weights("mobilenet", parameters(0.25, true, 1000)), DataError,
                        says("run: ocellus fetch mobilenet-0.25"));
  BOOST_CHECK_EXCEPTION(published_weights("mobilenet", parameters(1, false, 10)), DataError,
                        says("run: ocellus fetch mobilenet-notop"));
  BOOST_CHECK_EXCEPTION(published_weights("mobilenet", parameters(1, true, 10)), UsageError,
                        says("mobilenet-notop for {\"alpha\":1"));
  BOOST_CHECK_EXCEPTION(published_weights("lenet5", Json::object()), UsageError,
                        says("lenet5: no weights are published"));
  cache.put("mobilenet", "mobilenet_1_0_224_tf.h5", "");
  BOOST_TEST(published_weights("mobilenet", parameters(1, true, 1000)) ==
             cache / "published" / "mobilenet" / "mobilenet_1_0_224_tf.h5");
  BOOST_TEST(published_preprocessing("mobilenet", "mobilenet_1_0_224_tf.h5") == "tf");
  BOOST_TEST(published_preprocessing("vgg16", "mobilenet_1_0_224_tf.h5") == "");
}

BOOST_AUTO_TEST_CASE(class_names) {
  const Cache cache;
  BOOST_TEST(imagenet_classes().empty());
  cache.put("imagenet-classes", "imagenet_class_index.json",
            R"({"1": ["n2", "goldfish"], "0": ["n1", "tench"]})");
  BOOST_TEST(imagenet_classes() == (std::vector<std::string>{"tench", "goldfish"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(bad_lists_are_refused) {
  const Cache cache;
  const auto refused = [&](const std::string& items, const std::string& why) {
    cache.list(items);
    BOOST_CHECK_EXCEPTION(published_items(), DataError, says(why));
  };
  refused(item("../x"), "not a plain name");
  refused(item("a/b"), "not a plain name");
  refused(item("x", "", R"("name": "..", "address": "http://x")"), "not a plain name");
  refused(item("x", "", R"("name": "f", "address": "file:///etc/passwd")"), "neither http://");
  refused(item("x", "", R"("name": "f", "address": "http://x", "hash": "md5:12")"),
          "hash 'md5:12'");
  refused(item("x", "", R"("name": "f", "address": "http://x", "hsah": "")"), "'hash'");
  refused(item("x", "", R"("name": "f", "address": "http://x", "unpack": ["a/../b"])"),
          "not a plain name");
  refused(item("x", R"(, "license": "MIT")"), "did you mean 'licence'?");
  refused(R"({"name": "x", "files": []})", "it has no files");
  write_atomically(cache / "list.json", R"({"schema": "2", "items": []})");
  BOOST_CHECK_EXCEPTION(published_items(), DataError, says("its schema is '2'"));
  // A later list's item takes the earlier one's place.
  unsetenv("OCELLUS_PUBLISHED");
  write_atomically(cache / "list.json",
                   R"({"schema": "ocellus published 1", "items": [)" + item("vgg16") + "]}");
  for (const Published& i : published_items({cache / "list.json"}))
    if (i.name == "vgg16") BOOST_TEST(i.files[0].address == "http://x/f");
}
