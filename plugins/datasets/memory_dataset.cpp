#include "memory_dataset.hpp"

#include <algorithm>
#include <cstdlib>

#include "ocellus/core/error.hpp"
#include "ocellus/core/published.hpp"

namespace ocellus::datasets {

void MemoryDataset::check_index(int64_t index) const {
  if (index < 0 || index >= size())
    throw Error("item " + std::to_string(index) + " of a data set of " + std::to_string(size()));
}

void MemoryDataset::read(std::span<const int64_t> indices, Samples& out) const {
  const int n = static_cast<int>(indices.size());
  const size_t bytes = static_cast<size_t>(item_.elements());
  out = {};
  out.images = Array(item_.batched(n), DType::u8);
  out.targets = Array(Shape{n}, DType::i32);
  for (int i = 0; i < n; ++i) {
    check_index(indices[i]);
    std::copy_n(&pixels_[indices[i] * bytes], bytes, out.images.u8().data() + i * bytes);
    out.targets.i32()[i] = labels_[indices[i]];
  }
}

void MemoryDataset::number_classes() {
  const int top = labels_.empty() ? -1 : *std::ranges::max_element(labels_);
  for (int i = static_cast<int>(classes_.size()); i <= top; ++i)
    classes_.push_back(std::to_string(i));
}

Parameters<SplitOptions> split_parameters(const std::string& path_help, bool required) {
  Parameters<SplitOptions> p;
  ParameterInfo& path = p.add("path", &SplitOptions::path, path_help);
  if (required) path.required();
  p.add("split", &SplitOptions::split, "which part").one_of({"train", "test", "all"});
  return p;
}

std::filesystem::path named_folder(const std::string& name, const std::filesystem::path& packaged,
                                   const std::string& install) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const char* data = std::getenv("OCELLUS_DATA");
  if (data && *data && fs::is_directory(fs::path(data) / name, ignored))
    return fs::path(data) / name;
  if (fs::is_directory(packaged, ignored)) return packaged;
  try {
    return published_folder(name);
  } catch (const DataError& e) {
    if (install.empty()) throw;
    throw DataError(std::string(e.what()) + "; or " + install);
  }
}

}  // namespace ocellus::datasets
