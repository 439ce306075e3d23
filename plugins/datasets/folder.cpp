// folder:DIR: images in subfolders, one a class, in order of their names. Where DIR holds `train`
// and `test` (or `val`, `validation`), those are the splits; otherwise every split is the whole
// folder. JPEG and PNG are told by content; files whose names begin with a dot are passed over, and
// what cannot be read as an image is left out and listed as a warning. Images are brought to one
// size: `size`, or that of the first. Decoded images stay in memory up to 2 GiB.
#include <algorithm>
#include <filesystem>
#include <optional>

#include "memory_dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/image.hpp"

namespace ocellus::datasets {
namespace {

namespace fs = std::filesystem;

struct Options : SplitOptions {
  std::optional<Size> size;
  std::string color_mode = "auto", resize = "stretch";
};

std::vector<fs::path> sorted_entries(const fs::path& folder, bool folders) {
  std::vector<fs::path> list;
  std::error_code error;
  for (const auto& e : fs::directory_iterator(folder, error)) {
    if (e.path().filename().string().starts_with(".")) continue;
    if (folders ? e.is_directory() : e.is_regular_file()) list.push_back(e.path());
  }
  if (error) throw DataError(folder.string() + ": " + error.message());
  std::ranges::sort(list);
  return list;
}

class Folder : public Dataset {
 public:
  explicit Folder(const Options& options) : fit_(fit_of(options.resize)) {
    if (options.size) size_ = *options.size;
    if (options.color_mode != "auto") channels_ = options.color_mode == "rgb" ? 3 : 1;
    const fs::path root = options.path.value;
    const std::vector<fs::path> parts = split_folders(root, options.split);
    for (const fs::path& part : parts)
      for (const fs::path& f : sorted_entries(part, true)) {
        const std::string name = f.filename().string();
        if (std::ranges::find(classes_, name) == classes_.end()) classes_.push_back(name);
      }
    if (classes_.empty())
      throw DataError(root.string() +
                      ": no subfolders; a data set has one a class, with its images inside");
    std::ranges::sort(classes_);
    for (const fs::path& part : parts) load(part);
    if (items_.empty())
      throw DataError(root.string() + ": no image in " + std::to_string(classes_.size()) +
                      " class folders" + (unreadable_.empty() ? "" : "; " + warnings()[0]));
  }

  int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  Shape item_shape() const override { return {size_.h, size_.w, channels_}; }
  DType item_type() const override { return DType::u8; }
  std::vector<std::string> classes() const override { return classes_; }
  std::string describe(int64_t index) const override { return item(index).file.string(); }

  void read(std::span<const int64_t> indices, Samples& out) const override {
    const int n = static_cast<int>(indices.size());
    out = {};
    out.images = Array(item_shape().batched(n), DType::u8);
    out.targets = Array(Shape{n}, DType::i32);
    const size_t bytes = static_cast<size_t>(item_shape().elements());
    for (int i = 0; i < n; ++i) {
      const Item& it = item(indices[i]);
      const Array image = it.image.empty() ? prepared(read_image(it.file)) : it.image;
      std::copy_n(image.u8().data(), bytes, out.images.u8().data() + i * bytes);
      out.targets.i32()[i] = it.label;
    }
  }

  std::vector<std::string> warnings() const override {
    if (unreadable_.empty()) return {};
    constexpr size_t most = 10;
    std::string text = std::to_string(unreadable_.size()) + " of " +
                       std::to_string(items_.size() + unreadable_.size()) +
                       " images could not be read: ";
    for (size_t i = 0; i < std::min(unreadable_.size(), most); ++i)
      text += (i ? ", " : "") + unreadable_[i];
    if (unreadable_.size() > most)
      text += " and " + std::to_string(unreadable_.size() - most) + " more";
    return {text};
  }

 private:
  struct Item {
    fs::path file;
    int label = 0;
    Array image;  ///< empty beyond the memory limit
  };

  const Item& item(int64_t index) const {
    if (index < 0 || index >= size())
      throw Error("item " + std::to_string(index) + " of a data set of " + std::to_string(size()));
    return items_[static_cast<size_t>(index)];
  }

  static std::vector<fs::path> split_folders(const fs::path& root, const std::string& split) {
    std::error_code ignored;
    if (!fs::exists(root, ignored)) throw DataError(root.string() + ": no such folder");
    if (!fs::is_directory(root, ignored)) throw DataError(root.string() + ": is not a folder");
    fs::path train, test;
    if (fs::is_directory(root / "train", ignored)) train = root / "train";
    for (const char* name : {"test", "validation", "val"})
      if (fs::is_directory(root / name, ignored)) test = root / name;
    if (train.empty() || test.empty()) return {root};
    if (split == "all") return {train, test};
    return {split == "train" ? train : test};
  }

  void load(const fs::path& part) {
    for (size_t label = 0; label < classes_.size(); ++label) {
      const fs::path folder = part / classes_[label];
      std::error_code ignored;
      if (!fs::is_directory(folder, ignored)) continue;
      for (const fs::path& file : sorted_entries(folder, false)) {
        try {
          Array image = prepared(read_image(file));
          bytes_ += image.bytes().size();
          if (bytes_ > size_t{2} << 30) image = {};
          items_.push_back({file, static_cast<int>(label), std::move(image)});
        } catch (const DataError&) {
          unreadable_.push_back(file.string());
        }
      }
    }
  }

  /// The first image decides what the options left open.
  Array prepared(Array image) {
    if (channels_ == 0) channels_ = image.shape()[2];
    if (size_.h == 0) size_ = {image.shape()[0], image.shape()[1]};
    return const_cast<const Folder*>(this)->prepared(std::move(image));
  }
  Array prepared(Array image) const {
    if (image.shape()[2] != channels_) image = with_channels(image, channels_);
    if (image.shape()[0] != size_.h || image.shape()[1] != size_.w)
      image = fit(image, size_.h, size_.w, fit_);
    return image;
  }

  Fit fit_;
  Size size_{0, 0};
  int channels_ = 0;
  std::vector<std::string> classes_, unreadable_;
  std::vector<Item> items_;
  size_t bytes_ = 0;
};

}  // namespace

void register_folder(Registrar& r) {
  Parameters<Options> p;
  p.add("path", static_cast<Path Options::*>(&Options::path), "folder with a subfolder a class")
      .required();
  p.add("split", static_cast<std::string Options::*>(&Options::split), "which part")
      .one_of({"train", "test", "all"});
  p.add("size", &Options::size, "height and width of all images; null: the first image's").min(1);
  p.add("color_mode", &Options::color_mode, "auto: as the first image")
      .one_of({"auto", "rgb", "grayscale"});
  p.add("resize", &Options::resize, "how images of another shape are fitted")
      .one_of({"stretch", "crop", "pad"});
  r.add<Folder>("folder", "JPEG and PNG images, a class a subfolder", p);
}

}  // namespace ocellus::datasets
