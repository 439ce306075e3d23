// Arrays on the host, and tensors that carry them to a device and back.
#include "ocellus/core/array.hpp"

#include <boost/test/unit_test.hpp>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/tensor.hpp"

using namespace ocellus;
using test::says;

namespace {

Array counting(const Shape& shape, DType type) {
  Array a(shape, type);
  for (size_t i = 0; i < a.bytes().size(); ++i) a.bytes()[i] = static_cast<std::byte>(i * 31 + 7);
  return a;
}

bool same(const Array& a, const Array& b) {
  return a.shape() == b.shape() && a.type() == b.type() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

opencl::Device& device() {
  static const auto d = opencl::Device::open();
  return *d;
}

constexpr DType types[] = {DType::f32, DType::i32, DType::u8, DType::i64};

}  // namespace

BOOST_AUTO_TEST_CASE(arrays_are_typed) {
  const Array zeros(Shape({2, 3}), DType::i64);
  BOOST_TEST(zeros.bytes().size() == 48);
  for (int64_t v : zeros.i64()) BOOST_TEST(v == 0);
  BOOST_CHECK_EXCEPTION(zeros.f32(), Error, says("an array of i64 was read as f32"));
  BOOST_CHECK_EXCEPTION(Array(Shape({2, 3}), std::vector<float>(5)), Error,
                        says("(2, 3) has 6 elements, 5 were given"));
  BOOST_TEST(Array(Shape(), std::vector<float>{3}).elements() == 1);
  BOOST_TEST(Array(Shape({0, 4}), DType::f32).empty());
}

BOOST_AUTO_TEST_CASE(copies_share_until_one_changes) {
  Array a = counting(Shape({4}), DType::f32);
  const Array b = a;
  const std::byte* shared = b.bytes().data();
  BOOST_TEST(std::as_const(a).bytes().data() == shared);
  a.f32()[0] = 5;
  BOOST_TEST(b.bytes().data() == shared);
  BOOST_TEST(b.f32()[0] != 5.0f);
  BOOST_TEST(a.f32()[0] == 5.0f);
}

BOOST_AUTO_TEST_CASE(lazy_arrays_are_read_when_looked_at) {
  const Array source = counting(Shape({5, 3}), DType::f32);
  int reads = 0;
  Array a = Array::lazy(Shape({5, 3}), DType::f32, [&](size_t first, std::span<std::byte> to) {
    ++reads;
    source.copy_bytes(first, to);
  });
  BOOST_TEST((a.byte_count() == 60 && !a.empty() && a.is_lazy() && reads == 0));
  std::vector<std::byte> part(8);
  a.copy_bytes(12, part);
  BOOST_TEST(std::equal(part.begin(), part.end(), source.bytes().begin() + 12));
  BOOST_TEST(reads == 1);
  const Array b = a;
  BOOST_TEST((same(b, source) && same(b, source) && reads == 2));
  BOOST_TEST(same(a.item(4), source.item(4)));
  BOOST_CHECK_EXCEPTION(a.copy_bytes(56, part), Error, says("no bytes 56 to 64"));
  a.f32()[0] = 1;
  BOOST_TEST((!a.is_lazy() && b.is_lazy() && same(b, source)));
  const Array broken = Array::lazy(Shape({2}), DType::f32,
                                   [](size_t, std::span<std::byte>) { throw DataError("gone"); });
  for (int i = 0; i < 2; ++i) BOOST_CHECK_EXCEPTION(broken.bytes(), DataError, says("gone"));
}

BOOST_AUTO_TEST_CASE(arrays_are_converted_and_cut) {
  const Array a = Array::of_ints(Shape({3, 2}), std::vector<int32_t>{1, -2, 3, 4, 5, 6});
  BOOST_TEST(a.to_f32().f32()[1] == -2.0f);
  BOOST_TEST(a.item(2).i32()[0] == 5);
  BOOST_TEST((a.item(2).shape() == Shape({2})));
  BOOST_TEST((a.reshaped(Shape({6})).shape() == Shape({6})));
  BOOST_CHECK_EXCEPTION(a.reshaped(Shape({4})), ShapeError,
                        says("(3, 2) cannot be reshaped to (4)"));
  BOOST_CHECK_EXCEPTION(a.item(3), Error, says("no item 3"));
  BOOST_CHECK_EXCEPTION(a.item(-1), Error, says("no item -1"));
  Array bytes(Shape({2}), DType::u8);
  bytes.u8()[1] = 255;
  BOOST_TEST(bytes.to_f32().f32()[1] == 255.0f);
}

BOOST_AUTO_TEST_CASE(tensors_carry_arrays_both_ways) {
  auto& queue = device().compute();
  for (DType type : types)
    for (const Shape& s :
         {Shape({1}), Shape({7, 5}), Shape({2, 3, 4, 3}), Shape({0, 3}), Shape()}) {
      const Array a = counting(s, type);
      const Tensor t = Tensor::make(device(), s, "test", type);
      upload(queue, a, t);
      BOOST_TEST(same(download(queue, t), a), s.str() << " " << to_string(type));
    }
  const Tensor t = Tensor::make(device(), Shape({2, 2}), "test");
  BOOST_CHECK_EXCEPTION(upload(queue, Array(Shape({4}), DType::f32), t), Error, says("(4)"));
  BOOST_CHECK_EXCEPTION(upload(queue, Array(Shape({2, 2}), DType::i32), t), Error, says("i32"));
}

BOOST_AUTO_TEST_CASE(slices_touch_only_their_own_elements) {
  auto& queue = device().compute();
  for (DType type : types) {
    const Shape shape({3, 2, 2, 5});
    const Array whole = counting(shape, type);
    const Tensor t = Tensor::make(device(), shape, "test", type);
    upload(queue, whole, t);
    const size_t size = bytes_of(type);
    for (const auto& [first, count] :
         {std::pair(0, 2), std::pair(1, 3), std::pair(4, 1), std::pair(0, 5)}) {
      // Items 1 and 2, some channels: what the host expects, byte by byte.
      const Tensor slice = t.items(1, 2).channels(first, count);
      const Array got = download(queue, slice);
      BOOST_TEST((got.shape() == Shape({2, 2, 2, count})));
      for (size_t p = 0; p < 8; ++p)
        for (size_t b = 0; b < count * size; ++b)
          BOOST_REQUIRE((got.bytes()[p * count * size + b] ==
                         whole.bytes()[((p + 4) * 5 + static_cast<size_t>(first)) * size + b]));
      Array marked(slice.shape, type);
      for (auto& b : marked.bytes()) b = std::byte{0xee};
      upload(queue, marked, slice);
      const Array after = download(queue, t);
      for (size_t p = 0; p < 12; ++p)
        for (size_t c = 0; c < 5; ++c)
          for (size_t b = 0; b < size; ++b) {
            const bool inside =
                p >= 4 && c >= static_cast<size_t>(first) && c < static_cast<size_t>(first + count);
            const size_t at = (p * 5 + c) * size + b;
            BOOST_REQUIRE((after.bytes()[at] == (inside ? std::byte{0xee} : whole.bytes()[at])));
          }
      upload(queue, whole, t);
    }
    BOOST_TEST(same(download(queue, t.reshaped(Shape({12, 5}))), whole.reshaped(Shape({12, 5}))));
  }
  // A pixel stride whose slice crosses the row that its offset falls into.
  Tensor odd = Tensor::make(device(), Shape({16}), "test");
  const Array line(Shape({16}),
                   std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  upload(queue, line, odd);
  odd.offset = 3;
  odd.pixel_stride = 4;
  odd.shape = Shape({3, 2});
  BOOST_TEST(download(queue, odd).f32() == (std::vector<float>{3, 4, 7, 8, 11, 12}),
             boost::test_tools::per_element());
  upload(queue, Array(Shape({3, 2}), std::vector<float>{-1, -2, -3, -4, -5, -6}), odd);
  BOOST_TEST(download(queue, odd).f32() == (std::vector<float>{-1, -2, -3, -4, -5, -6}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(views_are_checked) {
  const Tensor t = Tensor::make(device(), Shape({2, 3, 4}), "test");
  BOOST_CHECK_EXCEPTION(t.channels(3, 2), Error, says("no channels 3 to 5"));
  BOOST_CHECK_EXCEPTION(t.items(-1, 1), Error, says("no items"));
  BOOST_CHECK_EXCEPTION(t.channels(1, 2).reshaped(Shape({12})), Error, says("strided"));
  BOOST_CHECK_EXCEPTION(t.channels(1, 2).matrix(6), Error, says("strided"));
  BOOST_CHECK_EXCEPTION(t.matrix(5), Error, says("no whole rows"));
  BOOST_TEST(t.matrix(12).stride == 12);
  BOOST_TEST(t.items(1, 1).offset == 12);
  BOOST_TEST(t.items(1, 1).channels(2, 2).offset == 14);
}
