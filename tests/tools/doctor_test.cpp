#include "doctor.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

// Machines as `ocellus devices --doctor` meets them: folders in place of /.

using namespace ocellus;
namespace fs = std::filesystem;

namespace {

struct Machine {
  fs::path root = fs::temp_directory_path() / ("ocellus_doctor_test_" + std::to_string(getpid()));
  std::vector<opencl::DeviceInfo> devices;

  Machine() {
    unsetenv("RUSTICL_ENABLE");
    fs::create_directories(root);
    opencl::DeviceInfo pocl;
    pocl.name = "cpu-haswell", pocl.vendor = "GenuineIntel", pocl.type = CL_DEVICE_TYPE_CPU;
    pocl.platform = "Portable Computing Language", pocl.max_work_group = 4096;
    devices.push_back(pocl);
  }
  ~Machine() {
    unsetenv("RUSTICL_ENABLE");
    fs::remove_all(root);
  }

  void file(const std::string& name, const std::string& text) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  }
  void release(const char* id, const char* version) {
    file("etc/os-release",
         std::string("PRETTY_NAME=\"x\"\nVERSION_ID=\"") + version + "\"\nID=" + id);
  }
  void card(const char* pci, const char* module) {
    if (*pci) file("sys/class/drm/card0/device/vendor", std::string(pci) + "\n");
    file("sys/class/drm/card0/device/uevent", std::string("DRIVER=") + module + "\nPCI_ID=x\n");
  }
  void gpu(const char* vendor, const char* platform, const char* driver) {
    opencl::DeviceInfo d;
    d.name = "a GPU", d.vendor = vendor, d.platform = platform, d.driver = driver;
    d.type = CL_DEVICE_TYPE_GPU, d.max_work_group = 256, d.index = 1;
    devices.push_back(d);
  }
  std::string advice() const {
    std::string all;
    for (const std::string& line : tools::examine_machine(devices, root)) all += line + "\n";
    return all;
  }
  bool says(const char* part) const { return advice().find(part) != std::string::npos; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_machine_without_a_gpu_is_well, Machine) {
  BOOST_TEST(advice() == "");
  devices.clear();
  BOOST_TEST(says("pocl-opencl-icd"));
}

BOOST_FIXTURE_TEST_CASE(packages_are_those_of_the_release, Machine) {
  card("0x8086", "i915");
  release("debian", "12");
  BOOST_TEST(says("a GPU by Intel without an OpenCL driver; package: intel-opencl-icd"));
  release("debian", "13");
  BOOST_TEST(says("mesa-opencl-icd (Debian 13 has no intel-opencl-icd)"));
  BOOST_TEST(says("RUSTICL_ENABLE=iris"));
  release("ubuntu", "24.04");
  BOOST_TEST(says("package: intel-opencl-icd"));
  card("0x10de", "nvidia");
  BOOST_TEST(says("libnvidia-compute-NNN"));
  BOOST_TEST(!says("Intel"));
}

BOOST_FIXTURE_TEST_CASE(a_driver_ends_the_advice, Machine) {
  card("0x8086", "i915");
  gpu("Intel(R) Corporation", "Intel(R) OpenCL Graphics", "24.35.1");
  BOOST_TEST(advice() == "");
}

BOOST_FIXTURE_TEST_CASE(mesa_wants_a_variable, Machine) {
  card("0x1002", "amdgpu");
  release("debian", "13");
  BOOST_TEST(says("package: mesa-opencl-icd, or AMD's ROCm; then set RUSTICL_ENABLE=radeonsi"));
  file("etc/OpenCL/vendors/rusticl.icd", "libRusticlOpenCL.so.1");
  BOOST_TEST(says("only with RUSTICL_ENABLE=radeonsi"));
  setenv("RUSTICL_ENABLE", "radeonsi", 1);
  gpu("AMD", "rusticl", "25.0.7");
  BOOST_TEST(advice() == "");
}

BOOST_FIXTURE_TEST_CASE(gpus_without_pci_are_seen, Machine) {
  card("", "panthor");
  BOOST_TEST(says("a GPU by Arm"));
  card("", "asahi");
  BOOST_TEST(says("a GPU by Apple"));
  card("", "vc4");
  BOOST_TEST(advice() == "");
}

BOOST_FIXTURE_TEST_CASE(bad_drivers_are_named, Machine) {
  card("0x10de", "nouveau");
  BOOST_TEST(says("nouveau"));
  fs::remove_all(root);
  gpu("AMD", "Clover", "22.3.6");
  BOOST_TEST(says("device 1: Mesa's Clover"));
  devices.back().platform = "rusticl";
  BOOST_TEST(says("Mesa 22.3.6 is an early version"));
  devices.back().driver = "25.0.7-2";
  BOOST_TEST(advice() == "");
  devices.back().max_work_group = 12;
  BOOST_TEST(says("at most 12"));
  devices.back().platform = "Intel Gen OCL Driver";
  BOOST_TEST(says("Beignet"));
}
