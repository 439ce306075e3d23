#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ocellus/core/dataset.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus::datasets {

/// Images of one size as bytes in memory, a class each.
class MemoryDataset : public Dataset {
 public:
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  Shape item_shape() const override { return item_; }
  DType item_type() const override { return DType::u8; }
  std::vector<std::string> classes() const override { return classes_; }
  void read(std::span<const int64_t> indices, Samples& out) const override;

 protected:
  /// Throws Error when index is no item.
  void check_index(int64_t index) const;
  /// Names the classes that `names` does not: "0", "1", ... up to the largest label.
  void number_classes();

  Shape item_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
  std::vector<std::string> classes_;
};

struct SplitOptions {
  Path path;
  std::string split = "all";
};
/// Parameters `path` and `split`.
Parameters<SplitOptions> split_parameters(const std::string& path_help, bool required = true);
/// Folder of a data set that goes by its own name: $OCELLUS_DATA/NAME, `packaged` where a
/// distribution's package puts it, or where `ocellus fetch NAME` does. Throws DataError with what
/// to do, `install` being another way.
std::filesystem::path named_folder(const std::string& name,
                                   const std::filesystem::path& packaged = {},
                                   const std::string& install = {});
inline bool wants(const SplitOptions& o, const char* part) {
  return o.split == "all" || o.split == part;
}

// Each file registers the types that it holds.
void register_idx(Registrar& r);
void register_cifar10(Registrar& r);
void register_hdf5(Registrar& r);
void register_folder(Registrar& r);

}  // namespace ocellus::datasets
