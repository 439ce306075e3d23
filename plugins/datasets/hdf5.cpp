// hdf5:FILE: images (N, H, W, C) or (N, H, W) and labels in an HDF5 file. Bytes are pixels 0..255,
// other numbers are taken as they are. Labels are classes (N) or dense targets (N, K). For split S
// the data sets `S/images` or `S_images` are read where they exist, `images` otherwise. Class names
// come from a text data set `classes`, or an attribute of that name on the root.
#include <cmath>

#include "memory_dataset.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/h5.hpp"
#include "ocellus/core/trial.hpp"

namespace ocellus::datasets {
namespace {

struct Options : SplitOptions {
  std::string images = "images", labels = "labels";
};

class Hdf5 : public Dataset {
 public:
  explicit Hdf5(const Options& options) : file_(options.path.value) {
    // A stranger's file is opened in a process of its own first; HDF5 may crash on a damaged one.
    trial_read(file_, [&] { load(options); });
    load(options);
  }

  int64_t size() const override { return images_.shape()[0]; }
  Shape item_shape() const override { return images_.shape().without_batch(); }
  DType item_type() const override { return images_.type(); }
  std::vector<std::string> classes() const override { return classes_; }
  std::string describe(int64_t index) const override { return file_ + " " + std::to_string(index); }

  void read(std::span<const int64_t> indices, Samples& out) const override {
    out = {};
    out.images = pick(images_, indices);
    if (!labels_.empty()) out.targets = pick(labels_, indices);
  }

 private:
  void load(const Options& o) {
    const H5Reader h5(file_);
    images_ = h5.read(find(h5, o.images, o.split));
    if (images_.shape().rank() == 3)
      images_ = images_.reshaped({images_.shape()[0], images_.shape()[1], images_.shape()[2], 1});
    if (images_.shape().rank() != 4)
      throw DataError(file_ + ": " + o.images + " must be (N, H, W, C) or (N, H, W), it is " +
                      images_.shape().str());
    if (images_.type() != DType::u8) images_ = images_.to_f32();
    if (o.labels.empty()) return;
    labels_ = read_labels(h5.read(find(h5, o.labels, o.split)));
    if (labels_.shape()[0] != images_.shape()[0])
      throw DataError(file_ + ": " + std::to_string(labels_.shape()[0]) + " labels for " +
                      std::to_string(images_.shape()[0]) + " images");
    read_names(h5);
  }

  std::string find(const H5Reader& h5, const std::string& name, const std::string& split) const {
    for (const std::string& path : {split + "/" + name, split + "_" + name, name})
      if (h5.has_dataset("/" + path)) return "/" + path;
    std::string there;
    for (const std::string& m : h5.members("/")) there += (there.empty() ? "" : ", ") + m;
    throw DataError(file_ + ": no data set '" + name + "' (there are: " + there + ")");
  }

  /// Whole numbers (N) or (N, 1) become classes; anything else dense f32 targets.
  static Array read_labels(const Array& raw) {
    const Shape& s = raw.shape();
    const bool one_an_item = s.rank() == 1 || (s.rank() == 2 && s[1] == 1);
    if (!one_an_item || raw.type() == DType::f32)
      return s.rank() == 1 ? raw.to_f32().reshaped({s[0], 1}) : raw.to_f32();
    Array out(Shape{s[0]}, DType::i32);
    const Array values = raw.to_f32();
    for (int i = 0; i < s[0]; ++i)
      out.i32()[i] = static_cast<int32_t>(std::lround(values.f32()[i]));
    return out;
  }

  void read_names(const H5Reader& h5) {
    if (h5.has_dataset("/classes")) {
      classes_ = h5.read_texts("/classes");
    } else if (h5.has_texts("/", "classes")) {
      classes_ = h5.texts("/", "classes");
    }
    if (labels_.type() != DType::i32) return;
    int32_t top = -1;
    for (const int32_t l : labels_.i32()) {
      if (l < 0) throw DataError(file_ + ": a class of " + std::to_string(l));
      top = std::max(top, l);
    }
    if (top > 1 << 20) throw DataError(file_ + ": a class of " + std::to_string(top));
    for (int i = static_cast<int>(classes_.size()); i <= top; ++i)
      classes_.push_back(std::to_string(i));
  }

  Array pick(const Array& from, std::span<const int64_t> indices) const {
    const int n = static_cast<int>(indices.size());
    Array to(from.shape().with_batch(n), from.type());
    const size_t bytes = from.bytes().size() / static_cast<size_t>(from.shape()[0]);
    for (int i = 0; i < n; ++i) {
      if (indices[i] < 0 || indices[i] >= from.shape()[0])
        throw Error(file_ + ": no item " + std::to_string(indices[i]));
      std::copy_n(from.bytes().data() + indices[i] * bytes, bytes, to.bytes().data() + i * bytes);
    }
    return to;
  }

  std::string file_;
  Array images_, labels_;
  std::vector<std::string> classes_;
};

}  // namespace

void register_hdf5(Registrar& r) {
  Parameters<Options> p;
  p.add("path", static_cast<Path Options::*>(&Options::path), "the file").required();
  p.add("split", static_cast<std::string Options::*>(&Options::split), "which part")
      .one_of({"train", "test", "all"});
  p.add("images", &Options::images, "data set of the images");
  p.add("labels", &Options::labels, "data set of the labels; empty: none");
  r.add<Hdf5>("hdf5", "images and labels in an HDF5 file", p);
}

}  // namespace ocellus::datasets
