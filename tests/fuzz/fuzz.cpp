// Hostile model files against everything that reads them.
//
//   ocellus_fuzz structure   valid HDF5 whose names, links, types, shapes and JSON are damaged,
//   read
//                            in this process: made for the address sanitizer
//   ocellus_fuzz zip         .keras archives with damaged bytes, entries and JSON, in this process
//   ocellus_fuzz json        damaged texts of JSON, short models and typed models, in this process
//   ocellus_fuzz bytes       damaged bytes of HDF5 files, through the trial read in a child
//
// An input may open or be refused with an Error; a crash, any other exception, more than 30 seconds
// or a file left behind is a failure, told with the seed that makes the input again.
#include <fmt/format.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include "h5_tree.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"
#include "ocellus/core/model.hpp"
#include "ocellus/core/network.hpp"
#include "ocellus/core/zip.hpp"

namespace ocellus::fuzz {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string mode;
  double seconds = 10;
  uint64_t seed = 1, count = 0;  ///< count 0: as many as the seconds allow
};

// Which input is being read: for the handlers of signals, which may not allocate.
char current[256];

void tell_and_die(int signal) {
  const char* what = signal == SIGALRM ? "does not end: " : "crashes: ";
  [[maybe_unused]] auto n = ::write(2, what, std::strlen(what));
  n = ::write(2, current, std::strlen(current));
  ::signal(signal, SIG_DFL);
  ::raise(signal == SIGALRM ? SIGABRT : signal);
}

class Fuzzer {
 public:
  Fuzzer(const fs::path& corpus, const fs::path& folder) : folder_(folder) {
    registry_.load_default();
    for (const auto& entry : fs::recursive_directory_iterator(corpus)) {
      const std::string name = entry.path().filename().string();
      if (name.find(".io.") != std::string::npos) continue;
      if (name.ends_with(".h5")) h5_.push_back(entry.path());
      if (name.ends_with(".keras")) zips_.push_back(entry.path());
    }
    std::sort(h5_.begin(), h5_.end());
    std::sort(zips_.begin(), zips_.end());
    if (h5_.empty() || zips_.empty()) throw Error(corpus.string() + ": holds no models to damage");
  }

  void structure(Dice& dice) {
    const fs::path& source = dice.of(h5_);
    auto [known, fresh] = trees_.try_emplace(source);
    if (fresh) known->second = read_tree(source);
    Node tree = known->second;
    damage(tree, dice);
    const fs::path file = folder_ / "damaged.h5";
    write_tree(tree, file);
    open(file, true);
  }

  void bytes(Dice& dice) {
    std::vector<std::byte> content = read_file(dice.of(h5_));
    damage(content, dice);
    const fs::path file = folder_ / "damaged.h5";
    write_atomically(file, content);
    open(file, false);
  }

  void zip(Dice& dice) {
    const fs::path& source = dice.of(zips_);
    const fs::path file = folder_ / "damaged.keras";
    if (dice.one_in(3)) {
      std::vector<std::byte> content = read_file(source);
      damage(content, dice);
      write_atomically(file, content);
    } else {
      repack(source, file, dice);
    }
    // The weights are HDF5, whose library may crash on damaged bytes: those go through a child.
    open(file, false);
  }

  void json(Dice& dice) {
    static const std::vector<std::string> texts = {
        R"({"name": "tiny", "input": [28, 28, 1], "layers": [["Conv2D", {"filters": 8, "kernel_size": 3, "name": "stem"}], ["MaxPooling2D", {"pool_size": [2, 2]}], "Flatten", ["Dense", {"units": 10, "activation": "softmax"}]], "classes": ["a", "b"], "preprocessing": "unit"})",
        R"({"inputs": {"left": [8, 8, 3], "right": [8, 8, 3]}, "layers": [["Add", {"inputs": ["left", "right"]}], ["BatchNormalization", {"axis": -1}], ["GlobalAveragePooling2D", {}], ["Dense", {"units": 2}]], "outputs": ["dense"]})",
        "28x28x1: conv3(32) conv3(64) pool dropout(0.5) dense(10)",
        "8x8x3: conv5x3(16,s2,same) bn LeakyReLU(negative_slope=0.1) gap dense(4, linear)",
        "lenet5(classes=7, input_shape=[32, 32, 3], pooling=average)"};
    std::string text = dice.of(texts);
    const bool is_json = text.starts_with("{");
    for (size_t i = dice.below(3); i > 0; --i) damage_document(text, dice);
    if (is_json) {
      const fs::path file = folder_ / "damaged.json";
      write_atomically(file, std::string_view(text));
      open(file, true);
    } else {
      attempt([&] { build({.address = text}); });
    }
  }

  uint64_t opened() const { return opened_; }
  uint64_t refused() const { return refused_; }

 private:
  void repack(const fs::path& source, const fs::path& file, Dice& dice) {
    const ZipReader reader(source);
    std::vector<std::pair<std::string, std::string>> entries;
    for (const std::string& name : reader.entries())
      entries.emplace_back(name, reader.read_text(name));
    auto& [name, content] = entries[dice.below(entries.size())];
    if (dice.one_in(8)) {
      damage(name, dice);
    } else if (name.ends_with(".json")) {
      damage_document(content, dice);
    } else {
      const auto* data = reinterpret_cast<const std::byte*>(content.data());
      std::vector<std::byte> bytes(data, data + content.size());
      damage(bytes, dice);
      content.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    try {
      ZipWriter::write(file, [&](ZipWriter& zip) {
        for (const auto& [n, c] : entries) zip.add(n, c);
      });
    } catch (const Error&) {  // a name that no archive can hold
      write_atomically(file, std::string_view(content));
    }
  }

  void open(const fs::path& file, bool trust) {
    attempt([&] { build({.address = file.string(), .trust = trust}); });
    fs::remove(file);
    for (const auto& entry : fs::directory_iterator(folder_))
      throw std::runtime_error("leaves behind " + entry.path().string());
  }

  // What opens must make a network, or say why not; and what makes one must be savable.
  void build(const ModelRequest& request) {
    const ModelDocument document = open_model(registry_, request, log_);
    const Network network(registry_, document);
    // Writing gigabytes of weights that no file gave would test the disk.
    if (network.parameter_count() > 1 << 22) return;
    const fs::path saved = folder_ / "saved.h5";
    try {
      save_model(registry_, network.document(), saved.string(), log_);
      const ModelDocument again =
          open_model(registry_, {.address = saved.string(), .trust = true}, log_);
      if (again.graph.layers.size() != network.graph().layers.size())
        throw std::runtime_error("does not come back as it was saved");
    } catch (...) {
      fs::remove(saved);
      throw;
    }
    fs::remove(saved);
  }

  void attempt(const std::function<void()>& work) {
    try {
      work();
      ++opened_;
    } catch (const Error&) {
      ++refused_;
    }
  }

  fs::path folder_;
  Registry registry_;
  SilentLog log_;
  std::vector<fs::path> h5_, zips_;
  std::map<fs::path, Node> trees_;
  uint64_t opened_ = 0, refused_ = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (word == "--seconds")
      o.seconds = std::atof(value().c_str());
    else if (word == "--seed")
      o.seed = std::strtoull(value().c_str(), nullptr, 10);
    else if (word == "--count")
      o.count = std::strtoull(value().c_str(), nullptr, 10);
    else
      o.mode = word;
  }
  return o;
}

int run(const Options& o) {
  const std::map<std::string, void (Fuzzer::*)(Dice&)> modes = {{"structure", &Fuzzer::structure},
                                                                {"zip", &Fuzzer::zip},
                                                                {"json", &Fuzzer::json},
                                                                {"bytes", &Fuzzer::bytes}};
  const auto mode = modes.find(o.mode);
  if (mode == modes.end()) {
    std::cerr
        << "usage: ocellus_fuzz structure|zip|json|bytes [--seconds S] [--seed N] [--count N]\n";
    return 2;
  }
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
#if !defined(__SANITIZE_ADDRESS__)
  const rlimit memory{rlim_t{6} << 30, rlim_t{6} << 30};
  setrlimit(RLIMIT_AS, &memory);
  for (const int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::signal(s, tell_and_die);
#endif
  ::signal(SIGALRM, tell_and_die);
  std::string pattern = (fs::temp_directory_path() / "ocellus-fuzz-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw Error("no temporary directory");
  const fs::path folder = pattern;
  Fuzzer fuzzer(OCELLUS_FIXTURES, folder);
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  uint64_t done = 0;
  for (; o.count ? done < o.count : elapsed() < o.seconds; ++done) {
    const uint64_t seed = o.seed + done;
    std::snprintf(current, sizeof current, "ocellus_fuzz %s --seed %llu --count 1\n",
                  o.mode.c_str(), static_cast<unsigned long long>(seed));
    // The sanitizer ends the process without asking: the file says which input it was.
    std::ofstream(folder.string() + ".seed") << current;
    Dice dice(seed);
    ::alarm(30);
    try {
      (fuzzer.*mode->second)(dice);
    } catch (const std::exception& e) {
      std::cerr << "FAILED: " << e.what() << "\nagain with: " << current;
      return 1;
    }
    ::alarm(0);
  }
  fs::remove_all(folder);
  fs::remove(folder.string() + ".seed");
  fmt::print("{}: {} inputs in {:.0f} s, seeds {} to {}: {} opened, {} refused, none failed\n",
             o.mode, done, elapsed(), o.seed, o.seed + done - 1, fuzzer.opened(), fuzzer.refused());
  return fuzzer.opened() && fuzzer.refused() ? 0 : 1;
}

}  // namespace
}  // namespace ocellus::fuzz

int main(int argc, char** argv) { return ocellus::fuzz::run(ocellus::fuzz::parse(argc, argv)); }
