#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "ocellus/core/results.hpp"

namespace ocellus {

/// Renders results: one self-contained HTML file that works from file:// (pictures and charts
/// inlined), and results.h5 (layout: docs/formats.md). Both are written whole or not at all.
class OCELLUS_API Report {
 public:
  explicit Report(std::string title);
  /// A line of the header: "command line", "model", "device", "seed", ...
  void header(std::string key, std::string value);
  void add(Results section);
  const std::vector<Results>& sections() const { return sections_; }

  void write_html(const std::filesystem::path& file) const;
  void write_h5(const std::filesystem::path& file) const;
  /// DIR/report.html and DIR/results.h5; makes DIR.
  void write(const std::filesystem::path& directory) const;
  /// Also each picture as PNG, each table as CSV, into DIR.
  void write_png(const std::filesystem::path& directory) const;
  void write_csv(const std::filesystem::path& directory) const;

 private:
  std::string title_;
  std::vector<std::pair<std::string, std::string>> header_;
  std::vector<Results> sections_;
};

}  // namespace ocellus
