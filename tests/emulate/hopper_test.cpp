// Hopper's instructions on the emulator: copies and products are those of a plain computation, and
// small kernels with one mistake are caught, where the same without it are not.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "emulate/launch.h"
#include "emulate/tensor_map.h"
#include "kernels/hopper/params.h"
#include "small_kernel.h"

namespace flashcore::emulate {
namespace {

using hopper::Task;
using ::testing::HasSubstr;

std::string findings_of(const Report& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.to_string() + '\n';
  return text;
}

/// A tensor [dims[3]][dims[2]][dims[1]][dims[0]] of random values whose lines lie dense, with a
/// map.
struct MappedTensor {
  MappedTensor(std::array<std::uint64_t, 4> dims, std::array<std::uint32_t, 4> box,
               cuda::Swizzle swizzle = cuda::Swizzle::bytes_128)
      : tensor{.element = device::Element::float16,
               .dims = dims,
               .strides_bytes = {dims[0] * 2, dims[0] * dims[1] * 2,
                                 dims[0] * dims[1] * dims[2] * 2},
               .box = box,
               .swizzle = swizzle},
        storage((dims[0] * dims[1] * dims[2] * dims[3]) + 8) {
    while (reinterpret_cast<std::uintptr_t>(storage.data() + first) % 16 != 0) ++first;
    encode_for_emulator(tensor, elements(), map);
  }
  MappedTensor(const MappedTensor&) = delete;
  MappedTensor& operator=(const MappedTensor&) = delete;

  std::uint16_t* elements() { return storage.data() + first; }
  [[nodiscard]] std::size_t count() const { return storage.size() - 8; }
  Buffer buffer(const char* name, bool written) { return {elements(), count() * 2, name, written}; }
  /// The element at these coordinates; 0 outside.
  std::uint16_t at(long long c0, long long c1, long long c2, long long c3) {
    const long long place[] = {c0, c1, c2, c3};
    std::size_t index = 0;
    for (std::size_t d = 4; d-- > 0;) {
      if (place[d] < 0 || place[d] >= static_cast<long long>(tensor.dims[d])) return 0;
      index = index * tensor.dims[d] + static_cast<std::size_t>(place[d]);
    }
    return elements()[index];
  }

  cuda::TensorBox tensor;
  std::vector<std::uint16_t> storage;
  std::size_t first = 0;
  device::TensorMap map;
};

struct Call {
  hopper::Params params{};
  std::vector<Buffer> buffers;
  std::vector<float> out = std::vector<float>(64 * 256);

  Report run(std::uint64_t seed = 0) {
    params.g_out = out.data();
    std::vector<Buffer> all = buffers;
    all.push_back({out.data(), out.size() * sizeof(float), "out", true});
    static const host::Module& module = small_kernel("hopper");
    return launch(module, {.block = hopper::threads, .shared_bytes = hopper::shared_bytes}, &params,
                  {.seed = seed, .buffers = all, .label = "hopper"});
  }
};

void fill_with_numbers(MappedTensor& tensor) {
  for (std::size_t i = 0; i < tensor.count(); ++i)
    tensor.elements()[i] = static_cast<std::uint16_t>(i + 1);
}

/// Where a box's element lies in shared memory, counted in elements.
std::size_t place_in_box(const cuda::TensorBox& tensor, std::size_t line, std::size_t column) {
  const std::size_t byte = (line * tensor.box[0] + column) * 2;
  const std::size_t pattern = tensor.swizzle == cuda::Swizzle::bytes_128  ? byte / 128 % 8
                              : tensor.swizzle == cuda::Swizzle::bytes_64 ? byte / 128 % 4
                              : tensor.swizzle == cuda::Swizzle::bytes_32 ? byte / 128 % 2
                                                                          : 0;
  return (byte ^ pattern * 16) / 2;
}

struct Box {
  std::array<std::uint64_t, 4> dims;
  std::array<std::uint32_t, 4> box;
  std::array<int, 4> at;
  cuda::Swizzle swizzle;
};

class Boxes : public testing::TestWithParam<Box> {};

TEST_P(Boxes, ArriveSwizzledAndAreZeroOutsideOfTheTensor) {
  const Box& box = GetParam();
  MappedTensor tensor(box.dims, box.box, box.swizzle);
  fill_with_numbers(tensor);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    Call call;
    call.params.which = Task::load_a_box;
    call.params.a = tensor.map;
    std::copy(box.at.begin(), box.at.end(), call.params.at);
    call.params.box_bytes = static_cast<int>(box.box[0] * box.box[1] * box.box[2] * box.box[3] * 2);
    call.buffers = {tensor.buffer("a", false)};
    ASSERT_EQ(findings_of(call.run(seed)), "");
    const auto* arrived = reinterpret_cast<const std::uint16_t*>(call.out.data());
    std::size_t line = 0;
    for (int i3 = 0; i3 < static_cast<int>(box.box[3]); ++i3)
      for (int i2 = 0; i2 < static_cast<int>(box.box[2]); ++i2)
        for (int i1 = 0; i1 < static_cast<int>(box.box[1]); ++i1, ++line)
          for (int i0 = 0; i0 < static_cast<int>(box.box[0]); ++i0)
            ASSERT_EQ(arrived[place_in_box(tensor.tensor, line, static_cast<std::size_t>(i0))],
                      tensor.at(box.at[0] + i0, box.at[1] + i1, box.at[2] + i2, box.at[3] + i3))
                << "line " << line << " column " << i0;
  }
}

TEST_P(Boxes, AreStoredWhereTheTensorIsAndNowhereElse) {
  const Box& box = GetParam();
  MappedTensor tensor(box.dims, box.box, box.swizzle);
  fill_with_numbers(tensor);
  MappedTensor expected(box.dims, box.box, box.swizzle);
  fill_with_numbers(expected);
  std::vector<std::uint16_t> shared(hopper::shared_bytes / 2);  // word i is i
  for (std::size_t i = 0; i < shared.size(); ++i)
    shared[i] = i % 2 == 0 ? static_cast<std::uint16_t>(i / 2) : 0;
  std::size_t line = 0;
  for (std::uint32_t i3 = 0; i3 < box.box[3]; ++i3)
    for (std::uint32_t i2 = 0; i2 < box.box[2]; ++i2)
      for (std::uint32_t i1 = 0; i1 < box.box[1]; ++i1, ++line)
        for (std::uint32_t i0 = 0; i0 < box.box[0]; ++i0) {
          std::size_t index = 0;
          bool inside = true;
          const std::uint32_t offsets[] = {i0, i1, i2, i3};
          for (std::size_t d = 4; d-- > 0;) {
            const long long place = box.at[d] + static_cast<long long>(offsets[d]);
            inside = inside && place >= 0 && place < static_cast<long long>(box.dims[d]);
            index = index * box.dims[d] + static_cast<std::size_t>(place);
          }
          if (inside) expected.elements()[index] = shared[place_in_box(tensor.tensor, line, i0)];
        }
  Call call;
  call.params.which = Task::store_a_box;
  call.params.a = tensor.map;
  std::copy(box.at.begin(), box.at.end(), call.params.at);
  call.params.box_bytes = static_cast<int>(box.box[0] * box.box[1] * box.box[2] * box.box[3] * 2);
  call.buffers = {tensor.buffer("a", true)};
  ASSERT_EQ(findings_of(call.run(1)), "");
  for (std::size_t i = 0; i < tensor.count(); ++i)
    ASSERT_EQ(tensor.elements()[i], expected.elements()[i]) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(
    Tensors, Boxes,
    testing::Values(Box{{64, 100, 3, 2}, {64, 64, 1, 1}, {0, 0, 1, 1}, cuda::Swizzle::bytes_128},
                    Box{{64, 100, 3, 2}, {64, 64, 1, 1}, {0, 64, 2, 0}, cuda::Swizzle::bytes_128},
                    Box{{96, 20, 3, 2}, {64, 24, 2, 1}, {64, -5, 2, 1}, cuda::Swizzle::bytes_128},
                    Box{{40, 20, 2, 2}, {32, 24, 1, 2}, {-8, 3, 0, 0}, cuda::Swizzle::bytes_64},
                    Box{{40, 20, 2, 2}, {16, 8, 1, 2}, {32, 3, 1, 0}, cuda::Swizzle::bytes_32},
                    Box{{72, 20, 2, 2}, {72, 9, 2, 1}, {8, 12, 0, 1}, cuda::Swizzle::none}));

class Products : public testing::TestWithParam<std::tuple<int, bool, bool, bool>> {};

TEST_P(Products, AreThoseOfAPlainComputation) {
  const auto [columns, bfloat16, transposed_b, a_in_registers] = GetParam();
  const auto n = static_cast<std::uint64_t>(columns);
  MappedTensor a({64, 64, 1, 1}, {64, 64, 1, 1});
  MappedTensor b({transposed_b ? n : 64, transposed_b ? 64 : n, 1, 1},
                 {64, static_cast<std::uint32_t>(transposed_b ? 64 : columns), 1, 1});
  std::mt19937 random(static_cast<unsigned>(columns));
  // Integers, whose sums are exact in any order.
  const auto bits_of = [&](int value) {
    const auto number = static_cast<float>(value);
    std::uint32_t bits;
    std::memcpy(&bits, &number, sizeof(bits));
    if (bfloat16) return static_cast<std::uint16_t>(bits >> 16);
    if (value == 0) return std::uint16_t{0};
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | ((bits >> 23 & 0xFFU) - 112U) << 10 |
                                      (bits >> 13 & 0x3FFU));
  };
  std::vector<int> a_values(64 * 64), b_values(64 * n);  // [row][k], [k][column]
  for (std::size_t i = 0; i < a_values.size(); ++i)
    a.elements()[i] = bits_of(a_values[i] = static_cast<int>(random() % 17) - 8);
  for (std::size_t k = 0; k < 64; ++k)
    for (std::size_t column = 0; column < n; ++column)
      b.elements()[transposed_b ? k * n + column : column * 64 + k] =
          bits_of(b_values[k * n + column] = static_cast<int>(random() % 17) - 8);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    Call call;
    call.params.which = Task::multiply;
    call.params.columns = columns;
    call.params.bfloat16 = bfloat16;
    call.params.transposed_b = transposed_b;
    call.params.a_in_registers = a_in_registers;
    call.params.a = a.map;
    call.params.b = b.map;
    call.params.g_a = a.elements();
    call.buffers = {a.buffer("a", false), b.buffer("b", false)};
    const Report report = call.run(seed);
    ASSERT_EQ(findings_of(report), "");
    EXPECT_EQ(report.counts.of(host::Instruction::wgmma), 16U);  // four steps of four warps
    EXPECT_EQ(report.counts.of(host::Instruction::set_registers), 5U);
    for (std::size_t row = 0; row < 64; ++row)
      for (std::size_t column = 0; column < n; ++column) {
        int sum = 0;
        for (std::size_t k = 0; k < 64; ++k)
          sum += a_values[row * 64 + k] * b_values[k * n + column];
        ASSERT_EQ(call.out[row * n + column], static_cast<float>(sum))
            << "row " << row << " column " << column;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Products,
                         testing::Combine(testing::Values(32, 64, 96, 128, 192, 256),
                                          testing::Bool(), testing::Bool(), testing::Bool()));

struct Mistake {
  Task which;
  FindingKind kind;
  std::vector<std::string> words;
};

void PrintTo(const Mistake& mistake, std::ostream* stream) {
  *stream << "case " << static_cast<int>(mistake.which);
}

class Mistakes : public testing::TestWithParam<Mistake> {
 protected:
  Report run(bool broken, std::uint64_t seed) {
    const Task which = GetParam().which;
    const bool stores = which == Task::store_overwritten || which == Task::store_left_behind ||
                        which == Task::store_without_async_fence;
    Call call;
    call.params.which = which;
    call.params.broken = broken;
    call.params.a = tensor_.map;
    call.params.box_bytes = 64 * 64 * 2;
    call.buffers = {tensor_.buffer("a", stores)};
    return call.run(seed);
  }

 private:
  MappedTensor tensor_{{64, 64, 1, 1}, {64, 64, 1, 1}};
};

TEST_P(Mistakes, AreFoundInEverySchedule) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const Report report = run(true, seed);
    ASSERT_EQ(report.findings.size(), 1U) << "seed " << seed;
    const std::string message = report.findings[0].to_string();
    if (seed > 0) continue;  // which of a mistake's consequences comes first is the schedule's
    EXPECT_EQ(report.findings[0].kind, GetParam().kind) << message;
    for (const std::string& words : GetParam().words) EXPECT_THAT(message, HasSubstr(words));
  }
}

TEST_P(Mistakes, AndNothingWithoutThem) {
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_EQ(findings_of(run(false, seed)), "") << "seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(
    Copies, Mistakes,
    testing::Values(
        Mistake{Task::expects_too_few_bytes, FindingKind::barrier, {"64 bytes fewer than copies"}},
        Mistake{Task::expects_too_many_bytes,
                FindingKind::deadlock,
                {"threads 0-127 wait for the mbarrier", "expects 64 more bytes"}},
        Mistake{Task::missing_init_fence, FindingKind::barrier, {"no fence_barrier_init"}},
        Mistake{Task::misaligned_tile, FindingKind::misaligned, {"aligned to 1024 bytes"}},
        Mistake{Task::no_tensor_map, FindingKind::out_of_bounds, {"no tensor map"}},
        Mistake{Task::missing_mbarrier_wait,
                FindingKind::pending_copy,
                {"the target of a copy that arrives at an mbarrier", "not complete"}},
        Mistake{Task::mbarrier_test_without_effect,
                FindingKind::pending_copy,
                {"the target of a copy that arrives at an mbarrier", "not complete"}},
        Mistake{Task::overwritten_before_it_was_read, FindingKind::race, {"copies 8192 bytes"}}));

INSTANTIATE_TEST_SUITE_P(
    Products, Mistakes,
    testing::Values(Mistake{Task::freed_before_the_products_end,
                            FindingKind::race,
                            {"is read by a matrix product"}},
                    Mistake{Task::sums_read_before_the_wait,
                            FindingKind::pending_copy,
                            {"reads sums of a matrix product"}},
                    Mistake{Task::missing_wgmma_fence, FindingKind::barrier, {"no wgmma_fence"}},
                    Mistake{Task::missing_async_fence, FindingKind::race, {"no fence_async_proxy"}},
                    Mistake{Task::product_that_a_warp_leaves_out,
                            FindingKind::divergence,
                            {"its warp 2 left out"}},
                    Mistake{Task::products_left_behind,
                            FindingKind::pending_copy,
                            {"leaves the kernel", "the matrix product"}}));

INSTANTIATE_TEST_SUITE_P(Stores, Mistakes,
                         testing::Values(Mistake{Task::store_overwritten,
                                                 FindingKind::pending_copy,
                                                 {"the source of an asynchronous copy"}},
                                         Mistake{Task::store_left_behind,
                                                 FindingKind::pending_copy,
                                                 {"leaves the kernel", "the store"}},
                                         Mistake{Task::store_without_async_fence,
                                                 FindingKind::race,
                                                 {"no fence_async_proxy"}}));

INSTANTIATE_TEST_SUITE_P(
    NamedBarriers, Mistakes,
    testing::Values(
        Mistake{Task::missing_named_barrier, FindingKind::race, {"no barrier lies"}},
        Mistake{Task::named_barrier_that_a_warp_misses,
                FindingKind::deadlock,
                {"named barrier 3, where 128 of 160 threads have arrived"}},
        Mistake{Task::named_barrier_of_other_threads, FindingKind::barrier, {"named barrier 3"}}));

}  // namespace
}  // namespace flashcore::emulate
