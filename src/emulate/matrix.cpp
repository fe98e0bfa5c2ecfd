#include "emulate/matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "device/tile/fragment.h"

namespace flashcore::emulate {

namespace {

using device::TilePlace;

// What is assumed of the hardware, after Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical
// behavior of NVIDIA tensor cores", and Li, Li, Yoo and others 2024, "FTTN: Feature-Targeted
// Testing for Numerical Properties of NVIDIA & AMD Matrix Accelerators", for Hopper: the 16
// products and the sum that they are added to are exact, and not normalised; all 17 are aligned to
// the largest exponent among them and cut off 2 bits below the last place that a sum of that
// exponent has; what remains is added exactly, and cut off to fp32.
constexpr float kept_below = 0x1p25F;  // 2^(23 + 2): the places kept after the point

constexpr std::uint32_t exponent_bits = 0x7F800000U;

/// 2^exponent of a finite number; 0 for 0.
float power_of(float value, float least) {
  const float power = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & exponent_bits);
  return value == 0.0F ? 0.0F : std::max(power, least);
}

/// An element as fp32, and the power that its exponent stands for.
struct Elements16 {
  static constexpr float least_power = 0x1p-14F;  // of subnormals
  /// Exact. What is infinite or NaN comes out at 2^16 or above, which no finite element reaches.
  static float value(std::uint32_t bits) {
    const float magnitude = std::bit_cast<float>((bits & 0x7FFFU) << 13) * 0x1p112F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | (bits & 0x8000U) << 16);
  }
  static bool finite(std::uint32_t bits) { return (bits & 0x7C00U) != 0x7C00U; }
  static float any_value(std::uint32_t bits) {
    if (finite(bits)) return value(bits);
    const std::uint32_t payload = (bits & 0x3FFU) << 13;
    return std::bit_cast<float>(exponent_bits | payload | (bits & 0x8000U) << 16);
  }
};

struct ElementsB16 {
  static constexpr float least_power = 0x1p-126F;
  static float value(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }
  static bool finite(std::uint32_t bits) { return (bits & 0x7F80U) != 0x7F80U; }
  static float any_value(std::uint32_t bits) { return value(bits); }
};

void gather(const std::array<MatrixOperands*, 32>& lanes, MatrixTile& matrices) {
  for (int lane = 0; lane < 32; ++lane) {
    const MatrixOperands& mine = *lanes[static_cast<std::size_t>(lane)];
    const unsigned b_words[2] = {mine.b_low, mine.b_high};
    keep_a(lane, mine.a, matrices);
    for (int half = 0; half < 2; ++half)
      for (int i = 0; i < 2; ++i) {
        const TilePlace place = device::b_place(lane, i, half);
        matrices.b[place.row][place.column] = b_words[i] >> 16 * half & 0xFFFFU;
      }
    for (int i = 0; i < 4; ++i) {
      const TilePlace place = device::sum_place(lane, i);
      matrices.sums[place.row][place.column] = mine.sums.values[i];
    }
  }
}

void scatter(const MatrixTile& matrices, const std::array<MatrixOperands*, 32>& lanes) {
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const TilePlace place = device::sum_place(lane, i);
      lanes[static_cast<std::size_t>(lane)]->sums.values[i] =
          matrices.sums[place.row][place.column];
    }
}

/// To fp32, towards 0.
float cut_off(double value) {
  const auto nearest = static_cast<float>(value);
  const bool further = std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(nearest) - (further ? 1U : 0U));
}

/// One row of A times B, added to the row's sums. Real is what holds products and their scaled
/// values exactly.
template <typename Real>
void multiply_row(const Real (&a)[16], const Real (&a_powers)[16], const Real (&b)[16][8],
                  const Real (&b_powers)[16][8], float (&sums)[8]) {
  Real largest[8], scale[8];
  std::int32_t total[8] = {};
  std::fill(std::begin(largest), std::end(largest), Real{0});
  for (int k = 0; k < 16; ++k)
    for (int column = 0; column < 8; ++column) {
      const Real power = a_powers[k] * b_powers[k][column];
      largest[column] = largest[column] > power ? largest[column] : power;
    }
  Real sum_powers[8];
  for (int column = 0; column < 8; ++column) {
    sum_powers[column] = power_of(sums[column], 0x1p-126F);
    // With no product but 0 the sum stays as it is.
    const Real most = largest[column] > sum_powers[column] ? largest[column] : sum_powers[column];
    scale[column] = largest[column] == 0 ? Real{0} : kept_below / most;
  }
  for (int k = 0; k < 16; ++k)
    for (int column = 0; column < 8; ++column)
      total[column] += static_cast<std::int32_t>(a[k] * b[k][column] * scale[column]);
  for (int column = 0; column < 8; ++column) {
    if (scale[column] == 0 || !std::isfinite(sums[column])) continue;
    const double sum = std::trunc(static_cast<double>(sums[column]) * scale[column]);
    sums[column] = cut_off((total[column] + sum) / scale[column]);
  }
}

template <typename Elements, typename Real>
void multiply_finite(MatrixTile& matrices) {
  Real b[16][8], b_powers[16][8];
  for (int k = 0; k < 16; ++k)
    for (int column = 0; column < 8; ++column) {
      const float value = Elements::value(matrices.b[k][column]);
      b[k][column] = value;
      b_powers[k][column] = power_of(value, Elements::least_power);
    }
  for (int row = 0; row < 16; ++row) {
    Real a[16], a_powers[16];
    for (int k = 0; k < 16; ++k) {
      const float value = Elements::value(matrices.a[row][k]);
      a[k] = value;
      a_powers[k] = power_of(value, Elements::least_power);
    }
    multiply_row(a, a_powers, b, b_powers, matrices.sums[row]);
  }
}

/// Where an operand is infinite or NaN, only that matters which sums become so.
template <typename Elements>
void multiply_any(MatrixTile& matrices) {
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      double sum = matrices.sums[row][column];
      for (int k = 0; k < 16; ++k)
        sum += static_cast<double>(Elements::any_value(matrices.a[row][k])) *
               Elements::any_value(matrices.b[k][column]);
      matrices.sums[row][column] = static_cast<float>(sum);
    }
}

template <typename Elements, typename Real>
void multiply(MatrixTile& matrices) {
  bool finite = true;
  for (const auto& row : matrices.a)
    for (const std::uint32_t bits : row) finite &= Elements::finite(bits);
  for (const auto& row : matrices.b)
    for (const std::uint32_t bits : row) finite &= Elements::finite(bits);
  if (finite)
    multiply_finite<Elements, Real>(matrices);
  else
    multiply_any<Elements>(matrices);
}

}  // namespace

void keep_a(int lane, const host::Words& words, MatrixTile& tile) {
  for (int half = 0; half < 2; ++half)
    for (int i = 0; i < 4; ++i) {
      const TilePlace place = device::a_place(lane, i, half);
      tile.a[place.row][place.column] = words.values[i] >> 16 * half & 0xFFFFU;
    }
}

void multiply_add(device::Element element, MatrixTile& tile) {
  if (element == device::Element::float16)
    multiply<Elements16, float>(tile);
  else
    multiply<ElementsB16, double>(tile);
}

void multiply_add(device::Element element, const std::array<MatrixOperands*, 32>& lanes) {
  MatrixTile tile;
  gather(lanes, tile);
  multiply_add(element, tile);
  scatter(tile, lanes);
}

void load_matrices(bool transposed, const std::array<MatrixLoad*, 32>& lanes) {
  for (int lane = 0; lane < 32; ++lane)
    for (int matrix = 0; matrix < 4; ++matrix) {
      unsigned word = 0;
      for (int half = 0; half < 2; ++half) {
        int row = lane / 4, column = lane % 4 * 2 + half;
        if (transposed) std::swap(row, column);
        std::uint16_t bits = 0;
        std::memcpy(&bits,
                    lanes[static_cast<std::size_t>(matrix * 8 + row)]->s_row +
                        sizeof(bits) * static_cast<std::size_t>(column),
                    sizeof(bits));
        word |= static_cast<unsigned>(bits) << 16 * half;
      }
      lanes[static_cast<std::size_t>(lane)]->words.values[matrix] = word;
    }
}

}  // namespace flashcore::emulate
