// A report: self-contained, escaped, well-formed; its numbers come back from results.h5, its
// pictures from PNG files.
#include "ocellus/core/report.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/image.hpp"

using namespace ocellus;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path =
      fs::temp_directory_path() / ("ocellus-report-" + std::to_string(std::random_device{}()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

Array ramp(int h, int w, int c) {
  Array a(Shape{h, w, c}, DType::u8);
  for (size_t i = 0; i < a.u8().size(); ++i) a.u8()[i] = static_cast<uint8_t>(i * 7 % 256);
  return a;
}

const char* nasty = "</script><b>\"'&amp; \\ \n\t\xc3\xa9";

Attribution attribution(float peak, bool is_signed) {
  Attribution a{"test 17",   ramp(5, 7, 1),     Array(Shape{5, 7}, DType::f32),
                "occlusion", "Sneaker (label)", "probability drop",
                0.75,        is_signed,         {{"Sneaker", 0.75}, {nasty, 0.25}}};
  for (int i = 0; i < 35; ++i) a.map.f32()[i] = static_cast<float>(i - 17) / 17;
  a.map.f32()[34] = peak;
  return a;
}

Report full_report() {
  Report report(nasty);
  report.header("command line", nasty);
  report.header("seed", "1");
  report.header("seed", "2");
  Results first{"occlusion", "Occlusion", {}};
  first.add(Note{nasty, true});
  first.add(attribution(1, true));
  first.add(ImageGrid{"grid", {ramp(3, 4, 3), ramp(3, 4, 3)}, {"one", nasty}, 2, true});
  report.add(first);
  Results second{"more", "", {}};
  second.add(Table{"table", {"name", "n"}, {{"a,\"b\"", 1}, {"c", nullptr}, {"d", NAN}}});
  second.add(Curves{"loss", "epoch", "nats", {{"training", {1, 2, 3}, {0.5, 0.25, 0.125}}}});
  second.add(Bars{"parameters", "millions", {"vgg16", nasty}, {138.357544, 0.5}});
  second.add(Matrix{"confusion",
                    "label",
                    "prediction",
                    {"x", "y"},
                    {"x", "y"},
                    Array(Shape{2, 2}, std::vector<float>{3, 0, 1, 4})});
  second.add(Scatter{"map",
                     Array(Shape{3, 2}, std::vector<float>{0, 0, 1, 1, 2, -1}),
                     {0, 1, 1},
                     {0, 0, 1},
                     {"x", "y"},
                     {"p", "q", "r"},
                     {ramp(2, 2, 1), ramp(2, 2, 1), ramp(2, 2, 1)}});
  report.add(second);
  return report;
}

// Opening and closing tags outside of scripts and styles match each other.
void expect_balanced(const std::string& html) {
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != html.npos; at = html.find('<', at)) {
    const size_t end = html.find('>', at);
    BOOST_REQUIRE(end != html.npos);
    std::string tag = html.substr(at + 1, end - at - 1);
    const bool closing = tag[0] == '/';
    tag = tag.substr(closing, tag.find_first_of(" \n") - closing);
    at = end;
    if (tag == "!DOCTYPE" || tag == "meta") continue;
    if (!closing) {
      open.push_back(tag);
      if (tag == "script" || tag == "style") at = html.find("</" + tag, at);
    } else {
      BOOST_REQUIRE(!open.empty());
      BOOST_TEST(open.back() == tag);
      open.pop_back();
    }
  }
  BOOST_TEST(open.empty());
}

Json data_of(const std::string& html) {
  const std::string begin = "id=\"data\">";
  const size_t from = html.find(begin) + begin.size();
  return Json::parse(html.substr(from, html.find("</script>", from) - from), "report");
}

}  // namespace

BOOST_AUTO_TEST_CASE(page_stands_alone_and_holds_what_it_was_given) {
  const Folder folder;
  full_report().write(folder.path / "new" / "folder");
  const std::string html = read_text(folder.path / "new" / "folder" / "report.html");
  BOOST_TEST(html.find("http://") == html.npos);
  BOOST_TEST(html.find("https://") == html.npos);
  BOOST_TEST(html.find("@SCRIPT@") == html.npos);
  BOOST_TEST(html.find("Chart.js v3") != html.npos);
  expect_balanced(html);

  const Json data = data_of(html);
  BOOST_TEST(data.at("title").as_string() == nasty);
  std::map<std::string, std::string> header;
  for (const Json& line : data.at("header").as_list())
    header[line.at(0).as_string()] = line.at(1).as_string();
  BOOST_TEST(header.at("command line") == nasty);
  BOOST_TEST(header.at("seed") == "2");
  BOOST_TEST(header.count("version") == 1u);
  const Json& items = data.at("sections").at(size_t{0}).at("items");
  BOOST_TEST(items.at(size_t{0}).at("text").as_string() == nasty);
  BOOST_TEST(items.at(1).at("top").at(1).at(size_t{0}).as_string() == nasty);
  BOOST_TEST(items.at(1).at("input").at("src").as_string().substr(0, 22) ==
             "data:image/png;base64,");
  BOOST_TEST(data.at("sections").at(1).at("title").as_string() ==
             "more");  // a section without a title has its name
  BOOST_TEST(data.at("sections").at(1).at("items").at(4).at("sprite").at("columns").as_int() == 2);
}

// The scale is the value under which 98 % lie: one bright pixel of 35 must not set it... and does,
// of so few.
BOOST_AUTO_TEST_CASE(scale_and_colours_of_maps) {
  const Folder folder;
  Report report("maps");
  Results r{"r", "r", {}};
  Attribution many = attribution(1, true);
  many.map = Array(Shape{20, 20}, DType::f32);
  for (int i = 0; i < 400; ++i) many.map.f32()[i] = static_cast<float>(i) / 400;
  many.map.f32()[0] = -1000;  // one outlier of 400
  many.input = ramp(20, 20, 1);
  r.add(many);
  Attribution constant = attribution(1, false);
  std::fill(constant.map.f32().begin(), constant.map.f32().end(), 0.5f);
  r.add(constant);
  report.add(r);
  report.write_html(folder.path / "r.html");
  const Json items =
      data_of(read_text(folder.path / "r.html")).at("sections").at(size_t{0}).at("items");
  BOOST_TEST(items.at(size_t{0}).at("high").as_double() == 0.98,
             boost::test_tools::tolerance(0.01));
  BOOST_TEST(items.at(size_t{0}).at("low").as_double() ==
             -items.at(size_t{0}).at("high").as_double());
  BOOST_TEST(!items.at(size_t{0}).find("warning"));
  BOOST_TEST(items.at(1).find("warning"));

  report.write_png(folder.path);
  const Array map = read_image(folder.path / "01-r-test-17-map.png");
  BOOST_TEST(map.shape().str() == "(20, 20, 3)");
  // Lowest and highest: blue over red and red over blue; near zero white.
  const auto pixel = [&](int i) { return map.u8().subspan(3 * static_cast<size_t>(i), 3); };
  BOOST_TEST(pixel(0)[2] > pixel(0)[0] + 80);
  BOOST_TEST(pixel(399)[0] > pixel(399)[2] + 80);
  BOOST_TEST(pixel(1)[0] > 230);
  BOOST_TEST(pixel(1)[2] > 230);
}

BOOST_AUTO_TEST_CASE(results_come_back_from_hdf5) {
  const Folder folder;
  full_report().write_h5(folder.path / "results.h5");
  const H5Reader h5(folder.path / "results.h5");
  BOOST_TEST(h5.text("/", "schema") == "ocellus results 1");
  BOOST_TEST(h5.text("/images/0", "target") == "Sneaker (label)");
  BOOST_TEST(h5.text("/images/0", "method") == "occlusion");
  BOOST_TEST(h5.text("/images/0", "units") == "probability drop");
  BOOST_TEST(h5.text("/images/0", "analyzer") == "occlusion");
  const Attribution a = attribution(1, true);
  const Array map = h5.read("/images/0/map"), input = h5.read("/images/0/input"),
              scores = h5.read("/images/0/scores");
  BOOST_TEST(std::equal(map.f32().begin(), map.f32().end(), a.map.f32().begin()));
  BOOST_TEST(std::equal(input.u8().begin(), input.u8().end(), a.input.u8().begin()));
  BOOST_TEST(scores.f32()[0] == 0.75f);
  BOOST_TEST(h5.shape("/grids/0/images").str() == "(2, 3, 4, 3)");
  BOOST_TEST(h5.read_texts("/tables/0/column_0").at(0) == "a,\"b\"");
  const Array numbers = h5.read("/tables/0/column_1");
  BOOST_TEST(numbers.f32()[0] == 1.0f);
  BOOST_TEST(std::isnan(numbers.f32()[1]));
  BOOST_TEST(h5.read("/curves/0/series_0").f32()[5] == 0.125f);
  BOOST_TEST(h5.text("/curves/0/series_0", "name") == "training");
  BOOST_TEST(h5.read("/bars/0/values").f32()[0] == 138.357544f);
  BOOST_TEST(h5.read_texts("/bars/0/names")[1] == nasty);
  BOOST_TEST(h5.text("/bars/0", "units") == "millions");
  BOOST_TEST(h5.read("/matrices/0/values").f32()[3] == 4.0f);
  BOOST_TEST(h5.read("/scatters/0/labels").i32()[2] == 1);
  BOOST_TEST(h5.shape("/scatters/0/thumbnails").str() == "(3, 2, 2, 1)");
  BOOST_TEST(h5.read_texts("/notes").at(0) == std::string("warning: ") + nasty);
}

BOOST_AUTO_TEST_CASE(tables_and_curves_as_csv) {
  const Folder folder;
  full_report().write_csv(folder.path);
  BOOST_TEST(read_text(folder.path / "04-more-table.csv") ==
             "name,n\n\"a,\"\"b\"\"\",1\nc,\nd,null\n");
  BOOST_TEST(read_text(folder.path / "05-more-loss.csv") ==
             "series,epoch,nats\ntraining,1.0,0.5\ntraining,2.0,0.25\ntraining,3.0,0.125\n");
  BOOST_TEST(
      read_text(folder.path / "08-more-map.csv") ==
      "index,x,y,label,prediction,name\n0,0.0,0.0,x,x,p\n1,1.0,1.0,y,x,q\n2,2.0,-1.0,y,y,r\n");
}

BOOST_AUTO_TEST_CASE(results_that_do_not_fit_are_refused_and_leave_the_old_report) {
  const Folder folder;
  full_report().write_html(folder.path / "report.html");
  const std::string before = read_text(folder.path / "report.html");
  const auto refused = [&](Result bad) {
    Report report("bad");
    report.add(Results{"bad", "bad", {std::move(bad)}});
    BOOST_CHECK_THROW(report.write_html(folder.path / "report.html"), Error);
    BOOST_TEST((read_text(folder.path / "report.html") == before));
  };
  refused(Table{"t", {"a", "b"}, {{1}}});
  refused(Curves{"c", "", "", {{"s", {1, 2}, {1}}}});
  refused(Matrix{"m", "", "", {"a"}, {"b"}, Array(Shape{2, 1}, DType::f32)});
  refused(Scatter{"s", Array(Shape{2, 3}, DType::f32), {}, {}, {}, {}, {}});
  refused(ImageGrid{"g", {ramp(2, 2, 1)}, {"a", "b"}, 0, true});
}
