#include "ocellus/opencl/tuning.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "core/temporary.hpp"
#include "reference/candidate.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
namespace fs = std::filesystem;
using Pass = TuningProblem::Pass;

namespace {

struct Cache : test::TemporaryCache {
  Cache() : TemporaryCache("OCELLUS_TUNING") {}
};

ConvolutionProblem convolution() {
  ConvolutionProblem p;
  p.batch = 3;
  p.h = Axis::same(11, 3, 2);
  p.w = Axis::valid(13, 5, 1, 2);
  p.in_channels = 6;
  p.out_channels = 4;
  p.groups = 2;
  return p;
}

const GemmProblem kProduct{.m = 7, .n = 11, .k = 13, .transpose_b = true};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void set_bytes(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(problems_are_told_by_their_text) {
  const TuningProblem product(kProduct);
  BOOST_TEST(product.text() == "gemm 7x13 * 13x11 nt");
  BOOST_TEST(TuningProblem::parse(product.text()).text() == product.text());
  const TuningProblem p(Pass::backward_data, convolution());
  BOOST_TEST(
      p.text() ==
      "backward_data 4x11x13x6 -> 6x5x4 kernel 3x5 stride 2x1 dilation 1x2 pad 1,0 groups 2");
  const TuningProblem again = TuningProblem::parse(p.text());
  BOOST_TEST(again.text() == p.text());
  BOOST_TEST((again.pass() == Pass::backward_data));
  BOOST_TEST((again.convolution().h == convolution().h));
  BOOST_TEST((again.convolution().w == convolution().w));

  // Batches share a text up to the next power of two; accumulation and epilogue do not count.
  ConvolutionProblem four = convolution(), five = convolution();
  four.batch = 4;
  four.accumulate = true;
  four.epilogue.stages = {{Stage::Kind::bias, ""}};
  five.batch = 5;
  BOOST_TEST(TuningProblem(Pass::backward_data, four).text() == p.text());
  BOOST_TEST(TuningProblem(Pass::backward_data, five).text() != p.text());
  BOOST_TEST(TuningProblem(Pass::forward, four).text() != p.text());

  for (const char* bad :
       {"", "gemm", "gemm 7x13 * 12x11 nt", "gemm 7x13 * 13x11 nx", "gemm 7x13 * 13x11 nt ",
        "sideways 4x11x13x6 -> 6x5x4 kernel 3x5 stride 2x1 dilation 1x2 pad 1,0 groups 2",
        "gemm 4x11x13x6 -> 6x5x4 kernel 3x5 stride 2x1 dilation 1x2 pad 1,0 groups 2",
        "forward 4x11x13x6 -> 6x5x4 kernel 3x5 stride 2x1 dilation 1x2 pad 1,0",
        "forward 3x11x13x6 -> 6x5x4 kernel 3x5 stride 2x1 dilation 1x2 pad 1,0 groups 2"})
    BOOST_CHECK_THROW(TuningProblem::parse(bad), Error);
}

BOOST_AUTO_TEST_CASE(a_table_comes_back_from_its_file) {
  const Cache cache;
  const fs::path file = cache.path() / "tuning" / "table";
  const TuningProblem product(kProduct), forward(Pass::forward, convolution());
  {
    TuningTable table(file, "one device");
    BOOST_TEST(table.complaint() == "");
    BOOST_TEST(table.choice(product) == "");
    table.choose(product, "thin");
    table.choose(forward, "gemm");
    table.choose(forward, "direct");
    table.save();
  }
  const TuningTable table(file, "one device");
  BOOST_TEST(table.complaint() == "");
  BOOST_TEST(table.size() == 2u);
  BOOST_TEST(table.choice(product) == "thin");
  BOOST_TEST(table.choice(forward) == "direct");
  BOOST_TEST(table.choice(TuningProblem(Pass::backward_weights, convolution())) == "");
  // Nothing else lies there: the temporary was renamed.
  BOOST_TEST(std::distance(fs::directory_iterator(file.parent_path()), {}) == 1);

  const TuningTable other(file, "another driver");
  BOOST_TEST(other.size() == 0u);
  BOOST_TEST(other.complaint().find("another device, driver or version") != std::string::npos);
  BOOST_TEST(bytes_of(file).size() > 0u);

  TuningTable cleared(file, "one device");
  cleared.clear();
  BOOST_TEST(cleared.size() == 0u);
  BOOST_TEST(!fs::exists(file));
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_ignored) {
  const Cache cache;
  const fs::path file = cache.path() / "table";
  {
    TuningTable table(file, "one device");
    table.choose(TuningProblem(kProduct), "thin");
    table.choose(TuningProblem(Pass::forward, convolution()), "gemm");
    table.save();
  }
  const std::string good = bytes_of(file);
  size_t refused = 0;
  for (size_t size = 0; size + 1 < good.size(); ++size) {
    set_bytes(file, good.substr(0, size));
    const TuningTable table(file, "one device");
    refused += table.size() == 0 && !table.complaint().empty();
  }
  BOOST_TEST(refused == good.size() - 1);
  set_bytes(file, std::string(100000, 'x'));
  BOOST_TEST(!TuningTable(file, "one device").complaint().empty());
  // It can be replaced all the same.
  TuningTable table(file, "one device");
  table.choose(TuningProblem(kProduct), "thin");
  table.save();
  BOOST_TEST(TuningTable(file, "one device").size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_is_an_error) {
  const Cache cache;
  set_bytes(cache.path() / "tuning", "a file where the folder should be");
  TuningTable table(cache.path() / "tuning" / "table", "one device");
  table.choose(TuningProblem(kProduct), "thin");
  BOOST_CHECK_THROW(table.save(), Error);
  BOOST_CHECK_THROW(TuningTable({}, "one device").save(), Error);
}

BOOST_AUTO_TEST_CASE(devices_follow_their_table) {
  const Cache cache;
  const auto device = Device::open();
  TuningTable& table = TuningTable::of(device->info());
  const auto product_rule = Gemm::algorithms(*device, kProduct);
  const auto rule = ConvolutionForward::algorithms(*device, convolution());
  BOOST_REQUIRE(product_rule.size() > 1u);
  BOOST_REQUIRE(rule.size() > 1u);
  table.choose(TuningProblem(kProduct), product_rule.back());
  table.choose(TuningProblem(Pass::forward, convolution()), rule.back());
  BOOST_TEST(Gemm(*device, kProduct).algorithm() == product_rule.back());
  BOOST_TEST(Gemm(*device, kProduct, product_rule[0]).algorithm() == product_rule[0]);
  BOOST_TEST(ConvolutionForward(*device, convolution()).algorithm() == rule.back());
  // The rest keep their order behind it.
  const auto tuned = ConvolutionForward::algorithms(*device, convolution());
  BOOST_TEST(std::vector<std::string>(tuned.begin() + 1, tuned.end()) ==
                 std::vector<std::string>(rule.begin(), rule.end() - 1),
             boost::test_tools::per_element());
  // Other problems and other batches follow the rule; so does one whose algorithm is not there.
  ConvolutionProblem larger = convolution();
  larger.batch = 5;
  BOOST_TEST(ConvolutionForward(*device, larger).algorithm() ==
             ConvolutionForward::algorithms(*device, larger)[0]);
  BOOST_TEST(ConvolutionForward(*device, larger).algorithm() != "naive");
  table.choose(TuningProblem(kProduct), "long gone");
  BOOST_TEST(Gemm(*device, kProduct).algorithm() == product_rule[0]);

  // The table of another family is another one, and "off" means none.
  const auto tiled = Device::open({.family = "tiled"});
  BOOST_TEST((&TuningTable::of(tiled->info()) != &table || tiled->family() == device->family()));
  setenv("OCELLUS_TUNING", "off", 1);
  BOOST_TEST(ConvolutionForward(*device, convolution()).algorithm() == rule[0]);
  unsetenv("OCELLUS_TUNING");
}

BOOST_AUTO_TEST_CASE(a_tile_is_part_of_a_choice) {
  const Cache cache;
  const auto device = Device::open({.family = "tiled"});
  TuningTable& table = TuningTable::of(device->info());
  const GemmProblem gemm{.m = 40, .n = 30, .k = 20};
  const TuningProblem product(gemm);
  BOOST_TEST(product.with_tiles(*device, "naive").empty());
  const auto names = product.with_tiles(*device, "tiled");
  BOOST_REQUIRE(names.size() > 1u);
  table.choose(product, names.back());
  BOOST_TEST(product.algorithms(*device)[0] == names.back());
  BOOST_TEST(Gemm(*device, gemm).algorithm() == names.back());
  BOOST_TEST(reference::Candidates(*device, product).measure(names.back(), 1e9).good());
  // What is no tile or does not fit leaves the tile to the rule; named by hand it is an error.
  for (const char* bad : {"tiled:", "tiled:7", "tiled:4096,4096,64,8,8"}) {
    table.choose(product, bad);
    BOOST_TEST(Gemm(*device, gemm).algorithm() == "tiled");
    BOOST_CHECK_THROW(Gemm(*device, gemm, bad), Error);
  }
  BOOST_CHECK_THROW(Gemm(*device, gemm, "naive:64,32,8,8,4"), Error);

  // The tile is what runs: sums over pixels are cut into fewer parts where there are more tiles.
  ConvolutionProblem p;
  p.in_channels = 8, p.out_channels = 16;
  p.h = p.w = Axis::same(64, 3);
  const auto workspace = [&](const char* name) {
    return ConvolutionBackwardWeights(*device, p, name).workspace_bytes();
  };
  BOOST_TEST(workspace("tiled:64,8,8,4,2") < workspace("tiled:128,16,8,8,2"));
}

BOOST_AUTO_TEST_CASE(the_user_goes_before_the_table) {
  const Cache cache;
  const auto device = Device::open();
  const ConvolutionProblem problem = convolution();
  TuningTable::of(device->info()).choose({Pass::forward, problem}, "tiled");
  const auto first = [&] { return ConvolutionForward(*device, problem).algorithm(); };
  BOOST_TEST(first() == "tiled");
  setenv("OCELLUS_ALGORITHMS", "winograd2,naive,gemm", 1);  // the stride keeps Winograd away
  BOOST_TEST(first() == "naive");
  BOOST_TEST(ConvolutionForward::algorithms(*device, problem)[1] == "gemm");
  BOOST_TEST(Gemm(*device, kProduct).algorithm() == "naive");
  setenv("OCELLUS_ALGORITHMS", "naive,winograd3", 1);
  BOOST_CHECK_EXCEPTION(first(), Error, [](const Error& e) {
    return std::string(e.what()).find("no algorithm 'winograd3' (there are: clblast") !=
           std::string::npos;
  });
  unsetenv("OCELLUS_ALGORITHMS");
}

BOOST_AUTO_TEST_CASE(planned_problems_are_recorded) {
  const Cache cache;
  const auto device = Device::open();
  TuningTable& table = TuningTable::of(device->info());
  Gemm before(*device, kProduct);
  BOOST_TEST(table.recorded().empty());
  table.start_recording();
  Gemm once(*device, kProduct), twice(*device, kProduct), named(*device, {2, 3, 4}, "naive");
  ConvolutionBackwardWeights weights(*device, convolution());
  const auto found = table.recorded();
  BOOST_REQUIRE(found.size() == 2u);
  BOOST_TEST(found[0].text() == TuningProblem(kProduct).text());
  BOOST_TEST(found[1].text() == TuningProblem(Pass::backward_weights, convolution()).text());
  Gemm after(*device, {5, 6, 7});
  BOOST_TEST(table.recorded().empty());
}

/// The judge of candidates: every algorithm passes, in every pass, where all results are compared
/// and where some are; what a wrong one gets is shown by tune_test.
BOOST_AUTO_TEST_CASE(candidates_are_compared_with_the_definition) {
  const Cache cache;
  const auto device = Device::open();
  ConvolutionProblem large = convolution();
  large.h = large.w = Axis::same(96, 3);
  large.in_channels = 32;
  large.out_channels = 48;
  std::vector<TuningProblem> problems{
      TuningProblem(kProduct), TuningProblem({.m = 40, .n = 30, .k = 20, .transpose_a = true}),
      TuningProblem({.m = 700, .n = 500, .k = 300})};
  for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
    problems.emplace_back(pass, convolution());
    problems.emplace_back(pass, large);
  }
  for (const TuningProblem& p : problems) {
    reference::Candidates candidates(*device, p);
    for (const std::string& name : p.algorithms(*device)) {
      if (name != p.algorithms(*device)[0] && name != "naive") continue;  // compile few kernels
      const reference::Measurement m = candidates.measure(name, 1e9);
      BOOST_TEST(m.good(), p.text()
                               << ": " << name << ": error " << m.error << " of " << m.allowed);
      BOOST_TEST(m.error > 0);
      BOOST_TEST(m.milliseconds > 0);
      BOOST_TEST(m.runs >= 3);
    }
    BOOST_CHECK_THROW(candidates.measure("long gone", 1e9), Error);
  }
}
