// idx:DIR: the format of MNIST, one file of images and one of labels for training (names with
// "train-images", "train-labels") and for testing ("t10k-images", "t10k-labels"), packed with gzip
// or not.
//   http://yann.lecun.com/exdb/mnist: bytes 0 0 8 RANK, RANK extents as big-endian 32-bit numbers,
//   then bytes.
// Class names are read from classes.txt, one a line, where the folder has it.
// mnist: the 70,000 digits of LeCun, Cortes and Burges, from $OCELLUS_DATA/mnist or `ocellus
// fetch`. fashion-mnist: Zalando's 70,000 pictures of clothes (Xiao, Rasul, Vollgraf,
// arXiv:1708.07747), in the same format, from $OCELLUS_DATA/fashion-mnist, Debian's package
// dataset-fashion-mnist or `ocellus fetch`.
#include <filesystem>

#include "memory_dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::datasets {
namespace {

namespace fs = std::filesystem;

struct IdxFile {
  std::vector<int> extents;
  std::vector<std::byte> bytes;
  size_t header = 0;
};

uint32_t big_endian(const std::byte* p) {
  return std::to_integer<uint32_t>(p[0]) << 24 | std::to_integer<uint32_t>(p[1]) << 16 |
         std::to_integer<uint32_t>(p[2]) << 8 | std::to_integer<uint32_t>(p[3]);
}

IdxFile read_idx(const fs::path& file) {
  IdxFile idx;
  idx.bytes = read_maybe_gzip(file);
  const auto& b = idx.bytes;
  if (b.size() < 4 || b[0] != std::byte{0} || b[1] != std::byte{0})
    throw DataError(file.string() + ": not an IDX file");
  if (b[2] != std::byte{8})
    throw DataError(file.string() + ": an IDX file of another type than unsigned bytes");
  const size_t rank = std::to_integer<size_t>(b[3]);
  idx.header = 4 + 4 * rank;
  uint64_t expected = 1;
  std::string shape;
  for (size_t i = 0; i < rank && b.size() >= idx.header; ++i) {
    const uint32_t extent = big_endian(&b[4 + 4 * i]);
    if (extent == 0 || extent > 1u << 30 || (expected *= extent) > 1ull << 40)
      throw DataError(file.string() + ": damaged: an extent of " + std::to_string(extent));
    idx.extents.push_back(static_cast<int>(extent));
    shape += (i ? "x" : "") + std::to_string(extent);
  }
  if (b.size() != idx.header + expected || rank == 0)
    throw DataError(file.string() + ": " +
                    (b.size() < idx.header + expected ? "truncated" : "too long") + ": " + shape +
                    " bytes need a file of " + std::to_string(idx.header + expected) +
                    " bytes, found " + std::to_string(b.size()));
  return idx;
}

/// The file of a folder whose name holds `part`; an unpacked one comes first.
fs::path find_file(const fs::path& folder, const std::string& part) {
  std::error_code error;
  fs::path found;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.find(part) != std::string::npos &&
        (found.empty() || name.size() < found.filename().string().size()))
      found = entry.path();
  }
  if (error) throw DataError(folder.string() + ": " + error.message());
  if (found.empty())
    throw DataError(folder.string() + ": no file whose name contains '" + part + "'");
  return found;
}

class Idx : public MemoryDataset {
 public:
  explicit Idx(const SplitOptions& options) : Idx(options, options.path.value, {}) {}

  std::string describe(int64_t index) const override {
    check_index(index);
    return index < train_ ? "train " + std::to_string(index)
                          : "test " + std::to_string(index - train_);
  }

 protected:
  Idx(const SplitOptions& options, const fs::path& folder, std::vector<std::string> classes) {
    if (wants(options, "train")) append(folder, "train");
    train_ = size();
    if (wants(options, "test")) append(folder, "t10k");
    classes_ = std::move(classes);
    if (classes_.empty() && fs::exists(folder / "classes.txt"))
      for (const std::string& line : split(read_text(folder / "classes.txt"), '\n'))
        if (!trim(line).empty()) classes_.emplace_back(trim(line));
    number_classes();
  }

 private:
  void append(const fs::path& folder, const std::string& part) {
    const fs::path image_file = find_file(folder, part + "-images"),
                   label_file = find_file(folder, part + "-labels");
    const IdxFile images = read_idx(image_file), labels = read_idx(label_file);
    if (images.extents.size() != 3 && images.extents.size() != 4)
      throw DataError(image_file.string() + ": images need 3 or 4 axes, it has " +
                      std::to_string(images.extents.size()));
    if (labels.extents.size() != 1) throw DataError(label_file.string() + ": labels need one axis");
    if (labels.extents[0] != images.extents[0])
      throw DataError(label_file.string() + ": " + std::to_string(labels.extents[0]) +
                      " labels for " + std::to_string(images.extents[0]) + " images in " +
                      image_file.string());
    const Shape item{images.extents[1], images.extents[2],
                     images.extents.size() == 4 ? images.extents[3] : 1};
    if (!labels_.empty() && item != item_)
      throw DataError(image_file.string() + ": images of " + item.str() +
                      ", those for training are " + item_.str());
    item_ = item;
    const auto* pixels = reinterpret_cast<const uint8_t*>(images.bytes.data());
    pixels_.insert(pixels_.end(), pixels + images.header, pixels + images.bytes.size());
    for (size_t i = labels.header; i < labels.bytes.size(); ++i)
      labels_.push_back(std::to_integer<int32_t>(labels.bytes[i]));
  }

  int64_t train_ = 0;
};

struct NamedOptions {
  std::string split = "all";
};

class Mnist : public Idx {
 public:
  explicit Mnist(const NamedOptions& options)
      : Idx({{}, options.split}, named_folder("mnist"), {}) {}
};

class FashionMnist : public Idx {
 public:
  explicit FashionMnist(const NamedOptions& options)
      : Idx({{}, options.split},
            named_folder("fashion-mnist", "/usr/share/datasets/fashion-mnist",
                         "install the package dataset-fashion-mnist"),
            {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
             "Bag", "Ankle boot"}) {}
};

}  // namespace

void register_idx(Registrar& r) {
  r.add<Idx>("idx", "images and labels in MNIST's format",
             split_parameters("folder with the four files"));
  Parameters<NamedOptions> p;
  p.add("split", &NamedOptions::split, "which part").one_of({"train", "test", "all"});
  r.add<Mnist>("mnist", "70,000 handwritten digits, 28x28, 10 classes", p);
  r.add<FashionMnist>("fashion-mnist", "70,000 pictures of clothes, 28x28, 10 classes", p);
}

}  // namespace ocellus::datasets
