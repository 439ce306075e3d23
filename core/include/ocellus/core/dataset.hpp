#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ocellus/core/array.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// Items read from a data set, on the host.
struct Samples {
  Array images;   ///< u8 (0..255) or f32, (n, H, W, C)
  Array targets;  ///< i32 (n) classes, or f32 (n, K); empty when there are none
  Array weights;  ///< f32 (n), or empty
};

/// Labelled items by index. read() may be called from several threads.
class OCELLUS_API Dataset {
 public:
  using Interface = Dataset;
  static constexpr Kind kind = Kind::dataset;
  virtual ~Dataset();
  virtual int64_t size() const = 0;
  virtual Shape item_shape() const = 0;                            ///< (H, W, C)
  virtual DType item_type() const = 0;                             ///< u8 or f32
  virtual std::vector<std::string> classes() const { return {}; }  ///< empty: no classes
  /// Reads items in the order asked for. Throws DataError naming file and item.
  virtual void read(std::span<const int64_t> indices, Samples& out) const = 0;
  /// What a person may call item i: a path, or "test 17".
  virtual std::string describe(int64_t index) const = 0;
  /// Things found while opening that a user should see ("3 of 200 images could not be read: a.jpg,
  /// ...").
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// Where data come from: "fashion-mnist", "idx:DIR", "folder:DIR", ... plus options after '?':
/// "folder:DIR?size=32x32". Data set types take the reserved parameters `path` (Path) and `split`
/// ("train", "test" or "all") as far as their schema has them. Throws UsageError for an unknown
/// scheme, DataError for bad files.
OCELLUS_API std::shared_ptr<Dataset> open_dataset(const Registry& registry,
                                                  const std::string& address,
                                                  const std::string& split);

}  // namespace ocellus
