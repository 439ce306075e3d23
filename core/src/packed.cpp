#include "ocellus/core/packed.hpp"

namespace ocellus {

const opencl::Buffer& PackedCopies::get(
    opencl::Device& device, const std::string& layout, size_t bytes, uint64_t version,
    const std::function<void(const opencl::Operand& original, const opencl::Buffer& to)>& pack) {
  Copy& copy = copies_[layout];
  if (!copy.buffer) copy.buffer = device.allocate(bytes, "a packed copy of weights");
  if (copy.version != version) {
    pack(original_().operand(), copy.buffer);
    copy.version = version;
  }
  return copy.buffer;
}

}  // namespace ocellus
