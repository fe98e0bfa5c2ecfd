// What Hopper's matrix products (WGMMA) and the instructions of other warps cost each other.
//
// A warpgroup multiplies without a pause while one or two others issue instructions of one kind.
// For each kind: the cycles that one takes a warp alone and beside the products, the cycles of four
// products of 64 x 128 x 16 alone and beside them, and what each instruction of a multiprocessor's
// quarter, which has a warp of each warpgroup, costs the products. Ends with 3 without such a GPU.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"
#include "jit/compiler.h"

namespace flashcore {
namespace {

constexpr core::Arch sm_90a{9, 0, true};

constexpr jit::EmbeddedSource source{"beside_products/kernel.cuh", R"(
#include "device/ptx/tensor_copy.h"
#include "device/ptx/thread.h"
#include "device/ptx/wgmma.h"
#include "device/tile/warpgroup.h"
namespace flashcore::beside_products {

struct Params {
  unsigned* g_cycles;  // [blocks][3]: of each warpgroup's work
  float* g_sums;       // keeps results alive
  int groups;          // of four products, by warpgroup 0
  int rounds[2];       // of 32 instructions, by the others' warps
};

enum class Kind { fma, add, exp2, pack, maximum, integer_add, logic, half_add, half_fma };

inline unsigned cycle() {
  unsigned now;
  asm volatile("mov.u32 %0, %%clock;" : "=r"(now)::"memory");
  return now;
}

inline float multiply(int groups) {
  float sums[64] = {};
  const auto s_tile = device::shared_address(device::tensor_memory());
  const auto a = device::k_major(s_tile), b = device::k_major(s_tile + 16384);
#pragma unroll 1
  for (int group = 0; group < groups; ++group) {
    device::wgmma_fence();
#pragma unroll
    for (int step = 0; step < 4; ++step)
      device::multiply_shared<128>(device::Float16{}, sums, {a.bits + step * 2},
                                   {b.bits + step * 2}, true);
    device::wgmma_commit();
    device::wgmma_wait<0>();
  }
  device::hold(sums);
  float sum = 0;
  for (const float each : sums) sum += each;
  return sum;
}

template <Kind kind>
unsigned issue(unsigned x, unsigned y) {
  unsigned result;
  if constexpr (kind == Kind::fma)
    asm("fma.rn.f32 %0, %1, %2, %2;" : "=r"(result) : "r"(x), "r"(y));
  else if constexpr (kind == Kind::add)
    asm("add.f32 %0, %1, %2;" : "=r"(result) : "r"(x), "r"(y));
  else if constexpr (kind == Kind::exp2)
    asm("ex2.approx.ftz.f32 %0, %1;" : "=r"(result) : "r"(x));
  else if constexpr (kind == Kind::pack)
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "r"(x), "r"(y));
  else if constexpr (kind == Kind::maximum)
    asm("max.f32 %0, %1, %2;" : "=r"(result) : "r"(x), "r"(y));
  else if constexpr (kind == Kind::integer_add)
    asm("add.u32 %0, %1, %2;" : "=r"(result) : "r"(x), "r"(y));
  else if constexpr (kind == Kind::logic)
    asm("lop3.b32 %0, %1, %2, %2, 0x96;" : "=r"(result) : "r"(x), "r"(y));
  else if constexpr (kind == Kind::half_add)
    asm("add.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(x), "r"(y));
  else
    asm("fma.rn.f16x2 %0, %1, %2, %2;" : "=r"(result) : "r"(x), "r"(y));
  return result;
}

/// 32 chains, long enough that none waits for itself.
template <Kind kind>
float work(int rounds) {
  unsigned chains[32];
  for (int i = 0; i < 32; ++i) chains[i] = (device::thread_index() * 32 + i) * 0x9E3779B1U >> 4;
  const unsigned operand = device::thread_index() * 0x85EBCA6BU >> 3;
#pragma unroll 1
  for (int round = 0; round < rounds; ++round)
#pragma unroll
    for (unsigned& chain : chains) chain = issue<kind>(chain, operand ^ (round & 1));
  unsigned sum = 0;
  for (const unsigned chain : chains) sum ^= chain;
  return static_cast<float>(sum);
}

template <Kind kind>
__global__ void __launch_bounds__(384, 1) contend(const __grid_constant__ Params params) {
  auto* s_words = reinterpret_cast<unsigned*>(device::tensor_memory());
  for (int i = device::thread_index(); i < 8192; i += 384)
    s_words[i] = 0x3C003C00U ^ (i * 0x9E3779B1U & 0x03FF83FFU);  // about 1 and -1, in 16 bits
  device::fence_async_proxy();
  device::block_barrier();
  const int warpgroup = device::warpgroup_index();
  const unsigned begin = cycle();
  const float sum =
      warpgroup == 0 ? multiply(params.groups) : work<kind>(params.rounds[warpgroup - 1]);
  const unsigned end = cycle();
  params.g_sums[device::block_index() * 384 + device::thread_index()] = sum;
  if (device::thread_index() % 128 == 0)
    params.g_cycles[device::block_index() * 3 + warpgroup] = end - begin;
}

}  // namespace flashcore::beside_products
)"};

/// The kernel's, over there.
struct Params {
  void* g_cycles;
  void* g_sums;
  int groups;
  std::array<int, 2> rounds;
};

constexpr std::array kinds{
    std::pair{"fma", "FFMA"},       std::pair{"add", "FADD"},
    std::pair{"exp2", "MUFU.EX2"},  std::pair{"pack", "F2FP, two floats to 16 bits"},
    std::pair{"maximum", "FMNMX"},  std::pair{"integer_add", "IADD3 and IMAD"},
    std::pair{"logic", "LOP3"},     std::pair{"half_add", "HADD2"},
    std::pair{"half_fma", "HFMA2"},
};

cuda::Kernel compiled(const std::string& kind) {
  std::vector<jit::EmbeddedSource> sources{source};
  const auto embedded = jit::embedded_sources();
  sources.insert(sources.end(), embedded.begin(), embedded.end());
  const std::string name = "flashcore::beside_products::";
  const jit::Binary binary =
      jit::compile({"beside_products/kernel.cuh", name + "contend<" + name + "Kind::" + kind + ">"},
                   sm_90a, sources);
  return cuda::load_module(binary.cubin, binary.symbol, 0);
}

/// Launches and tells the median cycles of each warpgroup over the blocks.
class Contention {
 public:
  explicit Contention(const std::string& kind) : kernel_(compiled(kind)) {
    cuda::allow_shared_bytes(kernel_, shared_bytes, 0);
  }

  [[nodiscard]] std::array<double, 3> cycles(int groups, int first_rounds,
                                             int second_rounds) const {
    const Params params{cycles_.data(), sums_.data(), groups, {first_rounds, second_rounds}};
    for (int launch = 0; launch < 2; ++launch)  // the first one fills the instruction cache
      kernel_.launch({.grid = blocks, .block = 384, .shared_bytes = shared_bytes}, nullptr, params);
    cuda::synchronize_device();
    std::vector<unsigned> all(3UL * blocks);
    cuda::copy_to_host(all.data(), cycles_.data(), cycles_.bytes());
    std::array<double, 3> medians{};
    for (std::size_t warpgroup = 0; warpgroup < 3; ++warpgroup) {
      std::vector<unsigned> each;
      for (std::size_t block = 0; block < blocks; ++block)
        each.push_back(all[block * 3 + warpgroup]);
      std::nth_element(each.begin(), each.begin() + blocks / 2, each.end());
      medians[warpgroup] = each[blocks / 2];
    }
    return medians;
  }

 private:
  static constexpr unsigned blocks = 132;
  static constexpr unsigned shared_bytes = 1U << 15;

  cuda::Kernel kernel_;
  cuda::Buffer cycles_{sizeof(unsigned) * 3 * blocks};
  cuda::Buffer sums_{sizeof(float) * 384 * blocks};
};

void measure(const std::string& kind, const std::string& name) {
  constexpr int few = 100;         // of what is timed
  constexpr int many = 100 * few;  // of what outlasts it
  constexpr double instructions = 32.0 * few;
  const Contention contention(kind);
  const double products = contention.cycles(few, 0, 0)[0] / few;
  for (const int warps : {1, 2}) {
    const int second = warps - 1;
    const double alone = contention.cycles(0, few, few * second)[1] / instructions;
    const double beside = contention.cycles(many, few, few * second)[1] / instructions;
    const double products_beside = contention.cycles(few, many, many * second)[0] / few;
    const double issued = products_beside / beside * warps;  // while four products ran
    fmt::print("{:28} {:5} {:11.2f} {:11.2f} {:15.0f} {:11.0f} {:16.2f}\n", name, warps, alone,
               beside, products, products_beside, (products_beside - products) / issued);
  }
}

int run() {
  if (cuda::device_count() == 0 || cuda::device_info(0).limits.arch != sm_90a) {
    fmt::print(
        stderr, "a GPU of {} is needed: {}\n", sm_90a.to_string(),
        cuda::device_count() == 0 ? cuda::driver_unavailable_reason() : cuda::device_info(0).name);
    return 3;
  }
  const cuda::DeviceGuard guard(0);
  fmt::print("{}; cycles\n{:28} {:>5} {:>11} {:>11} {:>15} {:>11} {:>16}\n",
             cuda::device_info(0).name, "", "warps", "each, alone", "each, beside",
             "products, alone", "beside", "lost to each");
  for (const auto& [kind, name] : kinds) measure(kind, name);
  return 0;
}

}  // namespace
}  // namespace flashcore

int main() {
  try {
    return flashcore::run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
