// Division by a number that the host knows: a multiplication and a shift (Granlund and Montgomery
// 1994, "Division by Invariant Integers using Multiplication").
#pragma once

namespace flashcore::device {

/// Divides numbers below 2^31 by a number in [1, 2^31).
struct Divisor {
  unsigned value = 1;
  unsigned multiplier = 1U << 31;  // ceil(2^(31 + ceil(log2 value)) / value)
  unsigned shift = 31;

  struct Result {
    unsigned quotient;
    unsigned remainder;
  };

  constexpr Result divide(unsigned number) const {
    const auto product = static_cast<unsigned long long>(number) * multiplier;
    const auto quotient = static_cast<unsigned>(product >> shift);
    return {quotient, number - quotient * value};
  }
};

constexpr Divisor make_divisor(unsigned value) {
  unsigned log2 = 0;
  while ((1ULL << log2) < value) ++log2;
  const unsigned long long power = 1ULL << (31 + log2);
  return {value, static_cast<unsigned>((power + value - 1) / value), 31 + log2};
}

}  // namespace flashcore::device
