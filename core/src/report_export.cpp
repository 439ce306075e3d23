// Results as data: results.h5 (docs/formats.md has the layout), CSV and PNG files.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/image.hpp"
#include "ocellus/core/report.hpp"
#include "report_images.hpp"

namespace ocellus {
namespace fs = std::filesystem;
namespace {

Array column_of(const std::vector<int>& values) {
  return Array::of_ints(Shape{static_cast<int>(values.size())},
                        std::vector<int32_t>(values.begin(), values.end()));
}

// A dataset of rank 1 and more must not be empty: absent says the same.
void texts(H5Writer& file, const std::string& path, const std::vector<std::string>& values) {
  if (!values.empty()) file.dataset(path, values);
}

// Items of one shape and type as one array with the items in front; empty when they differ.
Array stacked(const std::vector<Array>& items) {
  for (const Array& i : items)
    if (i.shape() != items[0].shape() || i.type() != items[0].type()) return {};
  if (items.empty() || items[0].shape().rank() == Shape::max_rank) return {};
  Array all(items[0].shape().batched(static_cast<int>(items.size())), items[0].type());
  auto to = all.bytes().begin();
  for (const Array& i : items) to = std::copy(i.bytes().begin(), i.bytes().end(), to);
  return all;
}

// Writes one result into a group of its kind: /images/0, /tables/0, ...
class H5Results {
 public:
  explicit H5Results(H5Writer& file) : file_(file) {}
  void section(const Results& r) { analyzer_ = r.name; }

  void operator()(const Note& note) {
    notes_.push_back((note.warning ? "warning: " : "") + note.text);
  }

  void operator()(const Attribution& a) {
    const std::string at = begin("images", a.title);
    file_.dataset(at + "/input", a.input);
    file_.dataset(at + "/map", a.map);
    std::vector<std::string> classes;
    std::vector<float> scores;
    for (const auto& [name, value] : a.top) {
      classes.push_back(name);
      scores.push_back(static_cast<float>(value));
    }
    if (!scores.empty())
      file_.dataset(at + "/scores", Array(Shape{static_cast<int>(scores.size())}, scores));
    texts(file_, at + "/classes", classes);
    file_.attribute(at, "method", a.method);
    file_.attribute(at, "target", a.target);
    file_.attribute(at, "units", a.units);
    file_.attribute(at, "score", a.score);
  }

  void operator()(const ImageGrid& g) {
    const std::string at = begin("grids", g.title);
    if (const Array all = stacked(g.images); !all.empty())
      file_.dataset(at + "/images", all);
    else
      for (size_t i = 0; i < g.images.size(); ++i)
        file_.dataset(fmt::format("{}/images_{}", at, i), g.images[i]);
    texts(file_, at + "/captions", g.captions);
  }

  void operator()(const Table& t) {
    const std::string at = begin("tables", t.title);
    texts(file_, at + "/columns", t.columns);
    for (size_t c = 0; c < t.columns.size() && !t.rows.empty(); ++c)
      column(fmt::format("{}/column_{}", at, c), t, c);
  }

  void operator()(const Curves& c) {
    const std::string at = begin("curves", c.title);
    file_.attribute(at, "x_label", c.x_label);
    file_.attribute(at, "y_label", c.y_label);
    for (size_t s = 0; s < c.series.size(); ++s) {
      const Curves::Series& series = c.series[s];
      const std::string path = fmt::format("{}/series_{}", at, s);
      Array xy(Shape{static_cast<int>(series.x.size()), 2}, DType::f32);
      for (size_t i = 0; i < series.x.size(); ++i) {
        xy.f32()[2 * i] = static_cast<float>(series.x[i]);
        xy.f32()[2 * i + 1] = static_cast<float>(series.y[i]);
      }
      file_.dataset(path, xy);
      file_.attribute(path, "name", series.name);
    }
  }

  void operator()(const Bars& b) {
    const std::string at = begin("bars", b.title);
    if (!b.values.empty())
      file_.dataset(at + "/values", Array(Shape{static_cast<int>(b.values.size())},
                                          std::vector<float>(b.values.begin(), b.values.end())));
    texts(file_, at + "/names", b.names);
    file_.attribute(at, "units", b.units);
  }

  void operator()(const Matrix& m) {
    const std::string at = begin("matrices", m.title);
    file_.dataset(at + "/values", m.values);
    texts(file_, at + "/rows", m.rows);
    texts(file_, at + "/columns", m.columns);
    file_.attribute(at, "row_label", m.row_label);
    file_.attribute(at, "column_label", m.column_label);
  }

  void operator()(const Scatter& s) {
    const std::string at = begin("scatters", s.title);
    file_.dataset(at + "/points", s.points);
    if (!s.labels.empty()) file_.dataset(at + "/labels", column_of(s.labels));
    if (!s.predictions.empty()) file_.dataset(at + "/predictions", column_of(s.predictions));
    texts(file_, at + "/classes", s.classes);
    texts(file_, at + "/names", s.names);
    if (const Array all = stacked(s.thumbnails); !all.empty())
      file_.dataset(at + "/thumbnails", all);
  }

  void end() { texts(file_, "/notes", notes_); }

 private:
  std::string begin(const std::string& kind, const std::string& title) {
    const std::string at = fmt::format("/{}/{}", kind, counts_[kind]++);
    file_.group(at);
    file_.attribute(at, "title", title);
    file_.attribute(at, "analyzer", analyzer_);
    return at;
  }

  // Numbers where all cells are numbers (an absent one is NaN), else texts.
  void column(const std::string& path, const Table& t, size_t c) {
    const auto number = [&](const auto& row) {
      return row.at(c).is_number() || row.at(c).is_null();
    };
    if (std::all_of(t.rows.begin(), t.rows.end(), number)) {
      std::vector<float> values;
      for (const auto& row : t.rows)
        values.push_back(row[c].is_null() ? NAN : static_cast<float>(row[c].as_double()));
      file_.dataset(path, Array(Shape{static_cast<int>(values.size())}, values));
    } else {
      std::vector<std::string> values;
      for (const auto& row : t.rows)
        values.push_back(row[c].is_string() ? row[c].as_string() : row[c].dump());
      file_.dataset(path, values);
    }
    file_.attribute(path, "name", t.columns[c]);
  }

  H5Writer& file_;
  std::string analyzer_;
  std::map<std::string, int> counts_;
  std::vector<std::string> notes_;
};

// "03-occlusion-test-17-sneaker": sorted as in the report, safe on every file system.
std::string file_stem(size_t number, const std::string& section, const std::string& title) {
  std::string words;
  for (char c : section + " " + title) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      words += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!words.empty() && words.back() != '-')
      words += '-';
  }
  while (!words.empty() && words.back() == '-') words.pop_back();
  return fmt::format("{:02}-{}", number, words.substr(0, 80));
}

std::string cell(const Json& value) {
  std::string text = value.is_null() ? "" : value.is_string() ? value.as_string() : value.dump();
  if (text.find_first_of("\",\n\r") == std::string::npos) return text;
  for (size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '"');
  return '"' + text + '"';
}

std::string csv_line(const std::vector<Json>& cells) {
  std::string line;
  for (const Json& c : cells) line += (&c == cells.data() ? "" : ",") + cell(c);
  return line + "\n";
}

// The CSV text of a result; empty for those that are pictures or sentences.
struct ToCsv {
  std::string operator()(const Table& t) const {
    std::string text = csv_line({t.columns.begin(), t.columns.end()});
    for (const auto& row : t.rows) text += csv_line(row);
    return text;
  }
  std::string operator()(const Curves& c) const {
    std::string text = csv_line(
        {"series", c.x_label.empty() ? "x" : c.x_label, c.y_label.empty() ? "y" : c.y_label});
    for (const Curves::Series& s : c.series)
      for (size_t i = 0; i < s.x.size(); ++i) text += csv_line({s.name, s.x[i], s.y[i]});
    return text;
  }
  std::string operator()(const Bars& b) const {
    std::string text = csv_line({"name", b.units.empty() ? "value" : b.units});
    for (size_t i = 0; i < b.values.size(); ++i) text += csv_line({b.names[i], b.values[i]});
    return text;
  }
  std::string operator()(const Matrix& m) const {
    std::vector<Json> head{m.row_label + " \\ " + m.column_label};
    head.insert(head.end(), m.columns.begin(), m.columns.end());
    std::string text = csv_line(head);
    const Array values = m.values.to_f32();
    for (size_t r = 0; r < m.rows.size(); ++r) {
      std::vector<Json> line{m.rows[r]};
      for (size_t c = 0; c < m.columns.size(); ++c)
        line.push_back(double{values.f32()[r * m.columns.size() + c]});
      text += csv_line(line);
    }
    return text;
  }
  std::string operator()(const Scatter& s) const {
    const auto class_name = [&](int i) -> Json {
      return i >= 0 && i < static_cast<int>(s.classes.size()) ? Json(s.classes[i]) : Json(i);
    };
    std::string text = csv_line({"index", "x", "y", "label", "prediction", "name"});
    for (int i = 0; i < s.points.shape()[0]; ++i)
      text += csv_line({i, double{s.points.f32()[2 * i]}, double{s.points.f32()[2 * i + 1]},
                        s.labels.empty() ? Json() : class_name(s.labels[i]),
                        s.predictions.empty() ? Json() : class_name(s.predictions[i]),
                        s.names.empty() ? Json() : Json(s.names[i])});
    return text;
  }
  std::string operator()(const auto&) const { return {}; }
};

void save_png(const fs::path& file, const Array& image) {
  write_atomically(file, encode_png(for_display(image)));
}

}  // namespace

void Report::write_h5(const fs::path& file) const {
  H5Writer::write(file, [&](H5Writer& h5) {
    h5.attribute("/", "schema", "ocellus results 1");
    h5.attribute("/", "title", title_);
    h5.group("/header");
    for (const auto& [key, value] : header_) h5.attribute("/header", key, value);
    H5Results results(h5);
    for (const Results& section : sections_) {
      results.section(section);
      for (const Result& item : section.items) std::visit(results, item);
    }
    results.end();
  });
}

void Report::write_csv(const fs::path& directory) const {
  fs::create_directories(directory);
  size_t number = 0;
  for (const Results& section : sections_)
    for (const Result& item : section.items) {
      ++number;
      const std::string text = std::visit(ToCsv{}, item);
      const std::string title = std::visit(
          [](const auto& r) -> std::string {
            if constexpr (requires { r.title; })
              return r.title;
            else
              return {};
          },
          item);
      if (!text.empty())
        write_atomically(directory / (file_stem(number, section.name, title) + ".csv"), text);
    }
}

void Report::write_png(const fs::path& directory) const {
  fs::create_directories(directory);
  size_t number = 0;
  for (const Results& section : sections_)
    for (const Result& item : section.items) {
      ++number;
      if (const auto* a = std::get_if<Attribution>(&item)) {
        const std::string stem = file_stem(number, section.name, a->title);
        const Array map = colour(*a).image;
        save_png(directory / (stem + "-input.png"), a->input);
        save_png(directory / (stem + "-map.png"), map);
        save_png(directory / (stem + "-overlay.png"), overlay(a->input, map));
      } else if (const auto* grid = std::get_if<ImageGrid>(&item)) {
        const std::string stem = file_stem(number, section.name, grid->title);
        for (size_t i = 0; i < grid->images.size(); ++i)
          save_png(directory / fmt::format("{}-{:03}.png", stem, i), grid->images[i]);
      }
    }
}

}  // namespace ocellus
