#include "ocellus/core/json.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"

using namespace ocellus;
using test::says;

BOOST_AUTO_TEST_CASE(values_survive_a_round_trip) {
  const std::string texts[] = {"null",
                               "true",
                               "-7",
                               "9223372036854775807",
                               "0.1",
                               "1.0",
                               "-1e-300",
                               "1.7976931348623157e+308",
                               R"("a\"\\\n\u0001ü")",
                               "[]",
                               "{}",
                               R"([1,[2.5,[null]],{"b":1,"a":[{}]}])"};
  for (const std::string& text : texts) {
    const Json j = Json::parse(text, "t");
    BOOST_TEST(j.dump() == text);
    BOOST_TEST((Json::parse(j.dump(2), "t") == j));
  }
  // Every double comes back with all of its bits, as a number and not as an integer.
  for (double v : {1.0 / 3, 5e-324, 1e22, 123456789.0, 4503599627370497.5}) {
    const Json back = Json::parse(Json(v).dump(), "t");
    BOOST_TEST(back.as_double() == v);
    BOOST_TEST((back.type() == Json::Type::number));
  }
  BOOST_TEST(Json(std::numeric_limits<double>::quiet_NaN()).dump() == "null");
  BOOST_TEST(Json(-std::numeric_limits<double>::infinity()).dump() == "null");
  BOOST_TEST(Json::parse("18446744073709551615", "t").as_double() == 18446744073709551615.0);
  BOOST_TEST(Json("broken \xff utf-8").dump() == "\"broken \xef\xbf\xbd utf-8\"");
}

BOOST_AUTO_TEST_CASE(objects_keep_their_order) {
  const Json j = Json::parse(R"({"z": 1, "a": 2, "m": {"y": 3, "b": 4}})", "t");
  BOOST_TEST(j.dump() == R"({"z":1,"a":2,"m":{"y":3,"b":4}})");
  BOOST_TEST(j.dump(1) == "{\n \"z\": 1,\n \"a\": 2,\n \"m\": {\n  \"y\": 3,\n  \"b\": 4\n }\n}");
  BOOST_TEST(Json::parse(R"({"kernel_size": [3, 5]})", "t").dump(2) ==
             "{\n  \"kernel_size\": [3, 5]\n}");
}

BOOST_AUTO_TEST_CASE(comments_are_allowed) {
  BOOST_TEST(Json::parse("// a recipe\n{ /* rate */ \"rate\": 0.5 // half\n}", "t").dump() ==
             R"({"rate":0.5})");
}

BOOST_AUTO_TEST_CASE(errors_say_where) {
  BOOST_CHECK_EXCEPTION(Json::parse("{\n  \"a\": 1,\n  \"b\": x}", "recipe.json"), DataError,
                        says("recipe.json: line 3, column 8"));
  BOOST_CHECK_EXCEPTION(Json::parse("", "t"), DataError, says("t: line 1"));
  BOOST_CHECK_EXCEPTION(Json::parse("[1, 2", "t"), DataError, says("end of input"));
  BOOST_CHECK_EXCEPTION(Json::parse("[1] 2", "t"), DataError, says("line 1, column 5"));
  BOOST_CHECK_EXCEPTION(Json::parse(R"({"a": 1, "b": 2, "a": 3})", "t"), DataError,
                        says("'a' stands twice"));
  BOOST_CHECK_EXCEPTION(Json::parse("\"\xff\"", "t"), DataError, says("UTF-8"));
  // The limit is 200, and a bomb of a million levels is refused rather than a stack overflow.
  BOOST_CHECK_NO_THROW(Json::parse(std::string(200, '[') + std::string(200, ']'), "t"));
  BOOST_CHECK_EXCEPTION(Json::parse(std::string(201, '[') + std::string(201, ']'), "t"), DataError,
                        says("200 levels"));
  BOOST_CHECK_EXCEPTION(Json::parse(std::string(1000000, '['), "t"), DataError, says("200 levels"));
}

BOOST_AUTO_TEST_CASE(types_are_checked) {
  const Json j = Json::parse(
      R"({"s": "x", "i": 3, "d": 3.5, "whole": 4.0, "big": 5000000000, "b": true, "l": [1], "n": null})",
      "t");
  BOOST_CHECK_EXCEPTION(j.at("s").as_double(), DataError,
                        says("expected a number, found a string"));
  BOOST_CHECK_EXCEPTION(j.at("i").as_string(), DataError,
                        says("expected a string, found an integer"));
  BOOST_CHECK_EXCEPTION(j.at("d").as_int(), DataError, says("expected an integer, found 3.5"));
  BOOST_CHECK_EXCEPTION(j.at("big").as_int(), DataError, says("too large"));
  BOOST_CHECK_EXCEPTION(j.at("b").as_int(), DataError, says("found a boolean"));
  BOOST_CHECK_EXCEPTION(j.at("nothing"), DataError, says("'nothing' is missing"));
  BOOST_CHECK_EXCEPTION(j.at("l").at(size_t{1}), DataError, says("no item 1"));
  BOOST_TEST(j.at("whole").as_int() == 4);
  BOOST_TEST(j.at("big").as_int64() == 5000000000);
  BOOST_TEST(j.get("i", 0) == 3);
  BOOST_TEST(j.get("i", 0.5) == 3.0);
  BOOST_TEST(j.get("s", "other") == "x");
  BOOST_TEST(j.get("absent", "other") == "other");
  BOOST_TEST(j.get("n", 7) == 7);
  BOOST_TEST(j.get("b", false));
  BOOST_CHECK_EXCEPTION(j.get("s", 1), DataError, says("'s': expected an integer"));
}

BOOST_AUTO_TEST_CASE(values_are_built_and_changed) {
  Json j;
  j["name"] = "conv1";
  j["config"]["filters"] = size_t{8};
  j["shapes"].push_back(Json::list_of(std::vector<int>{1, 2}));
  BOOST_TEST(j.dump() == R"({"name":"conv1","config":{"filters":8},"shapes":[[1,2]]})");
  BOOST_TEST(j.erase("name"));
  BOOST_TEST(!j.erase("name"));
  BOOST_TEST(j.find("name") == nullptr);
  BOOST_TEST(Json(3u).is_integer());
  BOOST_TEST(Json(true).is_bool());
  BOOST_TEST(Json("text").is_string());
  BOOST_TEST((Json(1) != Json(1.0)));
  BOOST_CHECK_THROW(Json(1)["x"], DataError);
  BOOST_CHECK_THROW(Json("x").push_back(1), DataError);
}
