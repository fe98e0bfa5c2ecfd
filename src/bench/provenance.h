// Where a result comes from: enough to run it again, and to see why it may differ.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

namespace flashcore::bench {

/// Date, command line, commit and whether the tree was clean, host CPU and instruction set, NVRTC,
/// and where there is one the GPU with driver. What cannot be found out is null.
nlohmann::json run_provenance(std::span<const std::string> command_line);

/// The GPU's clocks in MHz, temperature and power just now, from nvidia-smi; null without it.
nlohmann::json gpu_state(int ordinal);

}  // namespace flashcore::bench
