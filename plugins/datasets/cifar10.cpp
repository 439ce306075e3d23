// cifar10:DIR, or cifar10 alone for what `ocellus fetch cifar10` or $OCELLUS_DATA/cifar10 holds:
// the binary version of CIFAR-10 (Krizhevsky, 2009): data_batch_*.bin for training, test_batch.bin;
// a record is a label byte and 32x32 pixels as three planes. Class names come from batches.meta.txt
// where it is there.
#include <algorithm>
#include <filesystem>

#include "memory_dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/text.hpp"

namespace ocellus::datasets {
namespace {

namespace fs = std::filesystem;
constexpr int plane = 32 * 32, record = 1 + 3 * plane;

class Cifar10 : public MemoryDataset {
 public:
  explicit Cifar10(const SplitOptions& options) {
    const fs::path folder =
        options.path.value.empty() ? named_folder("cifar10") : fs::path(options.path.value);
    item_ = Shape{32, 32, 3};
    std::vector<fs::path> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("data_batch") && name.ends_with(".bin")) files.push_back(entry.path());
    }
    if (error) throw DataError(folder.string() + ": " + error.message());
    std::ranges::sort(files);
    if (wants(options, "train")) {
      if (files.empty()) throw DataError(folder.string() + ": no data_batch_*.bin");
      for (const fs::path& f : files) append(f);
    }
    train_ = size();
    if (wants(options, "test")) append(folder / "test_batch.bin");
    read_names(folder / "batches.meta.txt");
    number_classes();
  }

  std::string describe(int64_t index) const override {
    check_index(index);
    return index < train_ ? "train " + std::to_string(index)
                          : "test " + std::to_string(index - train_);
  }

 private:
  void append(const fs::path& file) {
    const std::vector<std::byte> bytes = read_maybe_gzip(file);
    if (bytes.empty() || bytes.size() % record)
      throw DataError(file.string() + ": truncated: " + std::to_string(bytes.size()) +
                      " bytes are not whole records of " + std::to_string(record) +
                      " bytes; expected " +
                      std::to_string((bytes.size() + record - 1) / record * record));
    const size_t n = bytes.size() / record;
    size_t to = pixels_.size();
    pixels_.resize(to + n * 3 * plane);
    for (size_t i = 0; i < n; ++i) {
      const std::byte* p = &bytes[i * record];
      const int label = std::to_integer<int>(*p++);
      if (label > 9)
        throw DataError(file.string() + ": record " + std::to_string(i) + " has label " +
                        std::to_string(label));
      labels_.push_back(label);
      for (int at = 0; at < plane; ++at)
        for (int c = 0; c < 3; ++c) pixels_[to++] = std::to_integer<uint8_t>(p[c * plane + at]);
    }
  }

  void read_names(const fs::path& file) {
    if (!fs::exists(file)) return;
    for (const std::string& line : split(read_text(file), '\n'))
      if (!trim(line).empty()) classes_.emplace_back(trim(line));
  }

  int64_t train_ = 0;
};

}  // namespace

void register_cifar10(Registrar& r) {
  r.add<Cifar10>(
      "cifar10", "CIFAR-10's binary version: 32x32 RGB, 10 classes",
      split_parameters("folder with the .bin files; without it, what was fetched", false));
}

}  // namespace ocellus::datasets
