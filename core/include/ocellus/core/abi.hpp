#pragma once

// The ABI tag: a C++ interface crosses a library boundary only between builds that agree on all of
// this. While the version is 0.x, the exact version is part of it.
#define OCELLUS_VERSION "0.1.0"

#define OCELLUS_ABI_STR_(x) #x
#define OCELLUS_ABI_STR(x) OCELLUS_ABI_STR_(x)

#if defined(__clang__)
#define OCELLUS_ABI_COMPILER "clang"
#elif defined(__GNUC__)
#define OCELLUS_ABI_COMPILER "gcc"
#else
#error "Ocellus knows gcc and clang"
#endif

#include <cstddef>
#if defined(_LIBCPP_VERSION)
#define OCELLUS_ABI_LIBRARY "libc++-" OCELLUS_ABI_STR(_LIBCPP_ABI_VERSION)
#else
#include <string>
#define OCELLUS_ABI_LIBRARY "libstdc++-cxx11abi" OCELLUS_ABI_STR(_GLIBCXX_USE_CXX11_ABI)
#endif

#if defined(__SANITIZE_ADDRESS__)
#define OCELLUS_ABI_SANITIZER "asan"
#elif defined(__SANITIZE_THREAD__)
#define OCELLUS_ABI_SANITIZER "tsan"
#else
#define OCELLUS_ABI_SANITIZER "plain"
#endif

#define OCELLUS_ABI_TAG                                                                      \
  OCELLUS_VERSION " " OCELLUS_ABI_COMPILER " " OCELLUS_ABI_LIBRARY " " OCELLUS_ABI_SANITIZER \
                  " ptr" OCELLUS_ABI_STR(__SIZEOF_POINTER__)
