// After the first batch a network asks nobody for memory: not the driver, in inference and in
// training, and the host gets back in each batch what it took.
// Counted where it happens: this program stands before the OpenCL library and the C++ library with
// functions of the same names.
#include <dlfcn.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <new>

#include "core/networks.hpp"
#include "core/synthetic_data.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/trainer.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

std::atomic<int64_t> buffers, kernels, programs, taken, given_back;

/// The next function of that name behind this program's.
template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

/// What the driver was asked for so far.
struct Asked {
  int64_t buffers = ::buffers, kernels = ::kernels, programs = ::programs;
  bool operator==(const Asked&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Asked& a) {
  return out << a.buffers << " buffers, " << a.kernels << " kernels, " << a.programs << " programs";
}

}  // namespace

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void* host,
                      cl_int* status) {
  ++buffers;
  return next<decltype(clCreateBuffer)>("clCreateBuffer")(context, flags, size, host, status);
}
cl_kernel clCreateKernel(cl_program program, const char* name, cl_int* status) {
  ++kernels;
  return next<decltype(clCreateKernel)>("clCreateKernel")(program, name, status);
}
cl_program clCreateProgramWithSource(cl_context context, cl_uint count, const char** strings,
                                     const size_t* lengths, cl_int* status) {
  ++programs;
  return next<decltype(clCreateProgramWithSource)>("clCreateProgramWithSource")(
      context, count, strings, lengths, status);
}

// Not inlined: the compiler would see malloc() and delete as a pair that does not match.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++taken;
  if (void* const p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
// std::stable_sort's. The default calls the one above, but the address sanitizer's has memory of
// its own, which free() would then refuse.
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  ++taken;
  return std::malloc(bytes ? bytes : 1);
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p) ++given_back;
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace {

/// A layer of each kind that asks for memory: packed and unpacked kernels, workspace, states.
std::unique_ptr<Network> network() {
  GraphBuilder b("all sorts");
  b.input({8, 8, 1});
  b.add("Conv2D", {{"filters", 32}, {"kernel_size", 3}, {"padding", "same"}});
  b.add("BatchNormalization");
  b.add("Activation", {{"activation", "relu"}});
  b.add("Conv2D", {{"filters", 48}, {"kernel_size", 3}, {"padding", "same"}});  // Winograd's
  b.add("MaxPooling2D");
  b.add("DepthwiseConv2D", {{"kernel_size", 3}});
  b.add("Conv2D", {{"filters", 16}, {"kernel_size", 1}});
  b.add("Flatten");
  b.add("Dropout", {{"rate", 0.2}});
  b.add("Dense", {{"units", 4}, {"activation", "softmax"}});
  auto n = std::make_unique<Network>(world().registry, b.finish());
  n->preprocessing = Preprocessing::named("unit");
  n->place(world().device, 5);
  return n;
}

}  // namespace

void infer(bool halves, int64_t comes_and_goes) {
  const auto n = network();
  opencl::Queue& queue = world().device->compute();
  Execution e(*n, {.batch = 16, .halves = halves});
  const Array x = noise(e.feed().shape, 1);
  const auto batch = [&] {
    upload(queue, x, e.feed());
    e.forward();
    download(queue, e.fetch());
  };
  BOOST_TEST(Asked().buffers > 0);  // it does count
  batch();
  const Asked first;
  if (halves) batch();  // the first on two queues
  const int64_t held = taken - given_back, before = taken;
  for (int i = 0; i < 50; ++i) batch();
  BOOST_TEST(Asked() == first);
  BOOST_TEST(std::abs(taken - given_back - held) <= comes_and_goes);
  BOOST_TEST_MESSAGE("a batch asks the host " << (taken - before) / 50.0 << " times");
}

BOOST_AUTO_TEST_CASE(inference) { infer(false, 0); }

// On two queues a driver keeps notes that come and go; what a batch left behind would be there
// fifty times.
BOOST_AUTO_TEST_CASE(inference_in_halves) { infer(true, 49); }

/// Notes what was asked for after each step.
struct Notes : SilentProgress {
  bool stop_requested() const override {
    steps.emplace_back();
    return false;
  }
  mutable std::vector<Asked> steps;
};

BOOST_AUTO_TEST_CASE(training) {
  const auto n = network();
  TrainingOptions options;
  options.epochs = 4;
  options.batch = 32;
  Notes notes;
  SilentLog log;
  Trainer trainer(world().registry, *n, std::make_shared<Bars>(320), std::make_shared<Bars>(80),
                  options);
  trainer.run(notes, log);
  // Ten steps an epoch, and the question whether to validate. The first epoch's end is the first
  // validation.
  BOOST_REQUIRE(notes.steps.size() >= 40u);
  const size_t epoch = notes.steps.size() / 4;
  for (size_t i = 1; i < notes.steps.size(); ++i)
    if (i < 10 || i >= 2 * epoch)
      BOOST_TEST(notes.steps[i] == notes.steps[i < 10 ? 0 : 2 * epoch],
                 "step " << i << ": " << notes.steps[i]);
}
