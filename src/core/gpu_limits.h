// What an architecture allows a kernel, known without a GPU.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace flashcore::core {

/// A compute capability and whether the architecture-specific instruction set is meant ("sm_90a").
struct Arch {
  int major = 0;
  int minor = 0;
  bool specific = false;

  bool operator==(const Arch&) const = default;
  [[nodiscard]] constexpr int number() const { return major * 10 + minor; }
  /// "sm_90a"
  [[nodiscard]] std::string to_string() const;
};

/// Parses "sm_80", "sm_90a"; empty where the text is not an architecture.
std::optional<Arch> arch_from_name(std::string_view text);

/// The architectures that `flashcore compile` knows: sm_80, sm_86, sm_87, sm_89, sm_90, sm_90a.
inline constexpr std::array known_archs{Arch{8, 0}, Arch{8, 6}, Arch{8, 7},
                                        Arch{8, 9}, Arch{9, 0}, Arch{9, 0, true}};

/// One of those by name. Throws invalid_argument, listing them, for any other text.
Arch known_arch(std::string_view text);
/// "sm_80, sm_86, …"
std::string known_arch_names();

/// Limits of a GPU, from the driver or, without one, from the architecture (multiprocessors: of the
/// largest part).
struct GpuLimits {
  Arch arch;
  int multiprocessors = 0;
  int shared_bytes_per_block = 0;  // with opt-in
  int shared_bytes_per_multiprocessor = 0;
  int registers_per_multiprocessor = 65536;
  int max_threads_per_block = 1024;
  int max_threads_per_multiprocessor = 2048;

  bool operator==(const GpuLimits&) const = default;
};

/// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability". Throws for an
/// architecture that is not in known_archs.
GpuLimits limits_of(Arch arch);

}  // namespace flashcore::core
