#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ocellus/core/array.hpp"
#include "ocellus/core/json.hpp"

namespace ocellus {

/// A sentence for the reader; warnings stand out.
struct Note {
  std::string text;
  bool warning = false;
};

/// How much each pixel of an image matters.
struct Attribution {
  std::string title;                                ///< "test 17 (Sneaker)"
  Array input;                                      ///< u8 or f32 in 0..1, (H, W, C)
  Array map;                                        ///< f32 (H, W) or (H, W, C)
  std::string method;                               ///< "occlusion"
  std::string target;                               ///< "Sneaker (label)"
  std::string units;                                ///< "probability drop"
  double score = 0;                                 ///< the target's score on the clean image
  bool is_signed = true;                            ///< red-white-blue, else one ramp
  std::vector<std::pair<std::string, double>> top;  ///< best classes and probabilities
};

struct ImageGrid {
  std::string title;
  std::vector<Array> images;          ///< u8 or f32 in 0..1, (H, W, C), C = 1 or 3
  std::vector<std::string> captions;  ///< one an image, or empty
  int columns = 0;                    ///< 0: as fits
  bool pixelated = true;              ///< small images are enlarged without smoothing
};

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<Json>> rows;
};

struct Curves {
  struct Series {
    std::string name;
    std::vector<double> x, y;
  };
  std::string title, x_label, y_label;
  std::vector<Series> series;
};

/// One quantity of several things, side by side.
struct Bars {
  std::string title, units;
  std::vector<std::string> names;
  std::vector<double> values;  ///< one a name
};

struct Matrix {
  std::string title, row_label, column_label;
  std::vector<std::string> rows, columns;
  Array values;  ///< f32 (R, C)
};

/// Points in the plane: t-SNE.
struct Scatter {
  std::string title;
  Array points;                  ///< f32 (N, 2)
  std::vector<int> labels;       ///< a point, or empty
  std::vector<int> predictions;  ///< a point, or empty
  std::vector<std::string> classes;
  std::vector<std::string> names;  ///< a point, or empty
  std::vector<Array> thumbnails;   ///< u8 (H, W, C) a point, or empty
};

using Result = std::variant<Note, Attribution, ImageGrid, Table, Curves, Bars, Matrix, Scatter>;

/// What an analyzer returns: typed, with units, never HTML.
struct Results {
  std::string name;   ///< analyzer
  std::string title;  ///< heading of its section
  std::vector<Result> items;
  void add(Result r) { items.push_back(std::move(r)); }
};

}  // namespace ocellus
