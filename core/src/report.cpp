#include "ocellus/core/report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "ocellus/core/abi.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus_core_files.hpp"
#include "report_images.hpp"

namespace ocellus {
namespace {

// Five digits are more than a picture shows; all of them would double the size of a page.
double rounded(double v) {
  if (v == 0 || !std::isfinite(v)) return v;
  const double unit = std::pow(10, std::floor(std::log10(std::abs(v))) - 4);
  return std::round(v / unit) * unit;
}

Json numbers(std::span<const double> values) {
  Json list = Json::list();
  for (double v : values) list.push_back(v);
  return list;
}

// How each result is handed to report.js.
struct ToJson {
  Json operator()(const Note& note) const {
    return Json::Object{{"type", "note"}, {"text", note.text}, {"warning", note.warning}};
  }

  Json operator()(const Attribution& a) const {
    const ColouredMap map = colour(a);
    Json top = Json::list();
    for (const auto& [name, value] : a.top) top.push_back(Json::List{name, value});
    Json j = Json::Object{{"type", "attribution"},
                          {"title", a.title},
                          {"input", inline_png(a.input)},
                          {"map", inline_png(map.image)},
                          {"method", a.method},
                          {"target", a.target},
                          {"units", a.units},
                          {"score", a.score},
                          {"low", map.low},
                          {"high", map.high},
                          {"top", top},
                          {"stops", Json::list_of(ramp_stops(a.is_signed))}};
    if (map.constant)
      j["warning"] =
          "The map has the same value everywhere: nothing that was tried changed the score.";
    return j;
  }

  Json operator()(const ImageGrid& grid) const {
    if (!grid.captions.empty() && grid.captions.size() != grid.images.size())
      throw Error(fmt::format("'{}' has {} captions for {} images", grid.title,
                              grid.captions.size(), grid.images.size()));
    Json images = Json::list();
    for (size_t i = 0; i < grid.images.size(); ++i) {
      Json image = inline_png(grid.images[i]);
      if (!grid.captions.empty()) image["caption"] = grid.captions[i];
      images.push_back(image);
    }
    return Json::Object{{"type", "grid"},
                        {"title", grid.title},
                        {"images", images},
                        {"columns", grid.columns},
                        {"pixelated", grid.pixelated}};
  }

  Json operator()(const Table& table) const {
    Json rows = Json::list();
    for (const auto& row : table.rows) {
      if (row.size() != table.columns.size())
        throw Error(fmt::format("a row of '{}' has {} cells, not {}", table.title, row.size(),
                                table.columns.size()));
      rows.push_back(Json(row));
    }
    return Json::Object{{"type", "table"},
                        {"title", table.title},
                        {"columns", Json::list_of(table.columns)},
                        {"rows", rows}};
  }

  Json operator()(const Curves& curves) const {
    Json series = Json::list();
    for (const Curves::Series& s : curves.series) {
      if (s.x.size() != s.y.size())
        throw Error(fmt::format("curve '{}' has {} x for {} y", s.name, s.x.size(), s.y.size()));
      series.push_back(Json::Object{{"name", s.name}, {"x", numbers(s.x)}, {"y", numbers(s.y)}});
    }
    return Json::Object{{"type", "curves"},
                        {"title", curves.title},
                        {"x_label", curves.x_label},
                        {"y_label", curves.y_label},
                        {"series", series}};
  }

  Json operator()(const Bars& bars) const {
    if (bars.names.size() != bars.values.size())
      throw Error(fmt::format("'{}' has {} names for {} values", bars.title, bars.names.size(),
                              bars.values.size()));
    return Json::Object{{"type", "bars"},
                        {"title", bars.title},
                        {"units", bars.units},
                        {"names", Json::list_of(bars.names)},
                        {"values", numbers(bars.values)}};
  }

  Json operator()(const Matrix& m) const {
    if (m.values.elements() != static_cast<int64_t>(m.rows.size() * m.columns.size()))
      throw Error(fmt::format("'{}' has {} values for {} rows and {} columns", m.title,
                              m.values.elements(), m.rows.size(), m.columns.size()));
    const Array values = m.values.to_f32();
    Json list = Json::list();
    for (float v : values.f32()) list.push_back(rounded(v));
    return Json::Object{{"type", "matrix"},
                        {"title", m.title},
                        {"row_label", m.row_label},
                        {"column_label", m.column_label},
                        {"rows", Json::list_of(m.rows)},
                        {"columns", Json::list_of(m.columns)},
                        {"values", list}};
  }

  Json operator()(const Scatter& s) const {
    if (s.points.shape().rank() != 2 || s.points.shape()[1] != 2)
      throw Error(fmt::format("'{}' needs points of shape (N, 2), not {}", s.title,
                              s.points.shape().str()));
    Json x = Json::list(), y = Json::list();
    for (int i = 0; i < s.points.shape()[0]; ++i) {
      x.push_back(rounded(s.points.f32()[2 * i]));
      y.push_back(rounded(s.points.f32()[2 * i + 1]));
    }
    Json j = Json::Object{{"type", "scatter"},
                          {"title", s.title},
                          {"x", x},
                          {"y", y},
                          {"labels", Json::list_of(s.labels)},
                          {"predictions", Json::list_of(s.predictions)},
                          {"classes", Json::list_of(s.classes)},
                          {"names", Json::list_of(s.names)}};
    if (!s.thumbnails.empty()) j["sprite"] = inline_sprite(s.thumbnails);
    return j;
  }
};

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// JSON inside a <script>: no text in it may look like the element's end.
std::string script_safe(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (char c : json) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

// The template with each @NAME@ replaced; the parts that are put in are not looked at again.
std::string filled(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string_view>>& parts) {
  std::string out;
  for (;;) {
    size_t first = std::string_view::npos;
    const std::pair<std::string_view, std::string_view>* found = nullptr;
    for (const auto& part : parts)
      if (const size_t at = text.find(part.first); at < first) {
        first = at;
        found = &part;
      }
    out += text.substr(0, first);
    if (!found) return out;
    out += found->second;
    text.remove_prefix(first + found->first.size());
  }
}

}  // namespace

Report::Report(std::string title) : title_(std::move(title)) {
  header("version", "Ocellus " OCELLUS_VERSION);
  header("time", fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr))));
}

void Report::header(std::string key, std::string value) {
  for (auto& [known, old] : header_)
    if (known == key) {
      old = std::move(value);
      return;
    }
  header_.emplace_back(std::move(key), std::move(value));
}

void Report::add(Results section) { sections_.push_back(std::move(section)); }

void Report::write_html(const std::filesystem::path& file) const {
  Json header = Json::list(), sections = Json::list();
  for (const auto& [key, value] : header_) header.push_back(Json::List{key, value});
  for (const Results& section : sections_) {
    Json items = Json::list();
    for (const Result& item : section.items) items.push_back(std::visit(ToJson{}, item));
    sections.push_back(Json::Object{{"name", section.name},
                                    {"title", section.title.empty() ? section.name : section.title},
                                    {"items", items}});
  }
  const Json data = Json::Object{{"title", title_}, {"header", header}, {"sections", sections}};
  const std::string title = escaped(title_), json = script_safe(data.dump());
  const std::string script = std::string(files::scatter_js()) + std::string(files::report_js());
  write_atomically(file, filled(files::report_html(), {{"@TITLE@", title},
                                                       {"@CSS@", files::report_css()},
                                                       {"@DATA@", json},
                                                       {"@CHARTS@", files::chart_min_js()},
                                                       {"@SCRIPT@", script}}));
}

void Report::write(const std::filesystem::path& directory) const {
  std::filesystem::create_directories(directory);
  write_html(directory / "report.html");
  write_h5(directory / "results.h5");
}

}  // namespace ocellus
