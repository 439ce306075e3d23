#include "ocellus/core/hash.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "ocellus/core/error.hpp"

namespace ocellus {
namespace {

void check(int ok) {
  if (!ok) throw Error("the cryptographic library failed to compute a hash");
}

}  // namespace

std::string hash_file(const std::filesystem::path& file, std::string_view algorithm,
                      const std::function<void(int64_t)>& progress) {
  const EVP_MD* method = algorithm == "sha256" ? EVP_sha256()
                         : algorithm == "md5"  ? EVP_md5()
                                               : nullptr;
  if (!method) throw UsageError(fmt::format("no hash '{}'; there are sha256 and md5", algorithm));
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(fmt::format("{}: {}", file.string(), std::strerror(errno)));

  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  check(context && EVP_DigestInit_ex(context.get(), method, nullptr));
  std::vector<char> piece(1 << 20);
  int64_t done = 0;
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    check(EVP_DigestUpdate(context.get(), piece.data(), static_cast<size_t>(in.gcount())));
    done += in.gcount();
    if (progress) progress(done);
  }
  if (in.bad())
    throw DataError(fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno)));

  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  check(EVP_DigestFinal_ex(context.get(), digest.data(), &size));
  std::string text = fmt::format("{}:", algorithm);
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace ocellus
