#include "ocellus/opencl/peaks.hpp"

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;

// Speeds depend on the machine and on what else it does; that the numbers are of the right order is
// all that can be asked. What the kernels compute and copy is checked by measure_peaks() itself.
BOOST_AUTO_TEST_CASE(peaks_of_both_families) {
  for (const auto& device : both_families()) {
    const opencl::Peaks peaks = opencl::measure_peaks(*device);
    BOOST_TEST(peaks.gflops > 0.01, describe(*device) << ": " << peaks.gflops << " GFLOP/s");
    BOOST_TEST(peaks.gflops < 1e7, describe(*device) << ": " << peaks.gflops << " GFLOP/s");
    BOOST_TEST(peaks.gbytes_per_s > 0.01, describe(*device) << ": " << peaks.gbytes_per_s);
    BOOST_TEST(peaks.gbytes_per_s < 1e5, describe(*device) << ": " << peaks.gbytes_per_s);
  }
}
