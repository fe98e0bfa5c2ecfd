#include "profile/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"

namespace flashcore::profile {

namespace {

struct StallReason {
  std::string_view name;
  std::string_view meaning;
};

/// Nsight Compute's documentation, "Warp Scheduler States"; `selected` is a warp that issues.
constexpr std::array stall_reasons{
    StallReason{"barrier", "other warps of the block at a barrier"},
    StallReason{"branch_resolving", "a branch's target"},
    StallReason{"dispatch_stall", "the dispatcher, which is held up by other work"},
    StallReason{"drain", "its last stores to leave the chip's pipelines"},
    StallReason{"gmma", "a warpgroup matrix product"},
    StallReason{"imc_miss", "a constant that the cache does not hold"},
    StallReason{"lg_throttle", "room in the queue of loads from and stores to global memory"},
    StallReason{"long_scoreboard", "data from global or local memory, L2 or the texture path"},
    StallReason{"math_pipe_throttle", "its turn on a busy arithmetic or tensor pipe"},
    StallReason{"membar", "a memory fence"},
    StallReason{"mio_throttle", "room in the queue of shared-memory and special instructions"},
    StallReason{"misc", "something that has no name of its own"},
    StallReason{"no_instruction", "its next instruction to be fetched"},
    StallReason{"not_selected", "nothing: another warp was chosen"},
    StallReason{"short_scoreboard", "data from shared memory or the special-function unit"},
    StallReason{"sleeping", "the end of a sleep it asked for"},
    StallReason{"tex_throttle", "room in the texture queue"},
    StallReason{"wait", "the fixed latency of the instruction before"},
};

std::string stall_metric(std::string_view reason) {
  return fmt::format("smsp__average_warps_issue_stalled_{}_per_issue_active.ratio", reason);
}

const std::vector<Figure>& all_figures() {
  static const std::vector<Figure> all{
      {"duration_us", "duration", "us", {"gpu__time_duration.sum"}, 1e-3},
      {"tensor_pipe_percent",
       "tensor pipe active",
       "%",
       {"sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active",
        "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active"}},
      {"warp_efficiency_percent",
       "warp execution efficiency",
       "%",
       {"smsp__thread_inst_executed_per_inst_executed.ratio"},
       100.0 / 32},
      {"occupancy_percent",
       "achieved occupancy",
       "%",
       {"sm__warps_active.avg.pct_of_peak_sustained_active"}},
      {"issue_percent",
       "issue slots used",
       "%",
       {"smsp__issue_active.avg.pct_of_peak_sustained_active",
        "smsp__inst_issued.avg.pct_of_peak_sustained_active"}},
      {"dram_percent",
       "DRAM throughput",
       "%",
       {"dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed"}},
      {"l2_percent",
       "L2 throughput",
       "%",
       {"lts__throughput.avg.pct_of_peak_sustained_elapsed",
        "lts__t_sectors.avg.pct_of_peak_sustained_elapsed"}},
      {"dram_bytes", "DRAM traffic", "bytes", {"dram__bytes.sum"}},
      {"bank_conflicts",
       "shared-memory bank conflicts",
       "",
       {"l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum"}},
      {"shared_wavefronts",
       "shared-memory wavefronts",
       "",
       {"l1tex__data_pipe_lsu_wavefronts_mem_shared.sum"}},
      {"local_load_sectors",
       "local-memory loads",
       "sectors",
       {"l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum", "smsp__inst_executed_op_local_ld.sum",
        "smsp__sass_inst_executed_op_local_ld.sum"}},
      {"local_store_sectors",
       "local-memory stores",
       "sectors",
       {"l1tex__t_sectors_pipe_lsu_mem_local_op_st.sum", "smsp__inst_executed_op_local_st.sum",
        "smsp__sass_inst_executed_op_local_st.sum"}},
      {"registers", "registers per thread", "", {"launch__registers_per_thread"}},
  };
  return all;
}

/// The first of the sentences whose bound the value reaches; bounds fall.
struct Reading {
  double at_least;
  std::string_view sentence;
};

std::string_view reading(double value, std::initializer_list<Reading> readings) {
  for (const Reading& each : readings)
    if (value >= each.at_least) return each.sentence;
  return "";
}

}  // namespace

std::span<const Figure> figures() {
  return all_figures();
}

const Figure& figure(std::string_view key) {
  for (const Figure& each : all_figures())
    if (each.key == key) return each;
  core::fail(core::Status::internal, "profile: there is no figure {}", key);
}

std::optional<double> value_of(const Figure& figure, const KernelSample& sample) {
  for (const std::string_view metric : figure.metrics)
    if (const auto found = sample.metrics.find(std::string{metric}); found != sample.metrics.end())
      return figure.scale * found->second;
  return std::nullopt;
}

std::optional<double> value_of(std::string_view key, const KernelSample& sample) {
  return value_of(figure(key), sample);
}

std::string meaning_of(std::string_view key, double value) {
  const auto say = [&](std::initializer_list<Reading> readings) {
    return std::string{reading(value, readings)};
  };
  if (key == "duration_us") return "one launch under the profiler, its caches flushed before";
  if (key == "tensor_pipe_percent")
    return say(
        {{70, "the matrix units are busy: what is left lies in fewer instructions around them"},
         {40, "the matrix units wait in turns: the softmax or the loads are not fully hidden"},
         {1e-9, "the matrix units idle most of the time: something else bounds the kernel"},
         {-1, "no matrix instruction ran: the products are ordinary arithmetic"}});
  if (key == "warp_efficiency_percent")
    return say({{95, "nearly every lane of every warp computes"},
                {-1, "lanes idle: masks, tails or single-lane branches cost whole warps"}});
  if (key == "occupancy_percent")
    return say(
        {{50, "many warps take turns, which hides latency without help from the schedule"},
         {-1, "few warps are resident: latency must be hidden inside them, by stages and order"}});
  if (key == "issue_percent")
    return say(
        {{75, "the schedulers issue nearly every cycle: fewer instructions are the only gain"},
         {40, "the schedulers have room: waiting costs more than the number of instructions"},
         {-1, "the schedulers mostly have nothing to issue: latency bounds the kernel"}});
  if (key == "dram_percent")
    return say({{60, "memory bandwidth bounds the kernel"},
                {-1, "memory bandwidth is not what bounds the kernel"}});
  if (key == "l2_percent")
    return say(
        {{60, "L2 is close to its limit: larger query tiles would read keys and values less often"},
         {-1, "L2 has room for the tiles that are read again"}});
  if (key == "dram_bytes")
    return "what left and entered the chip's memory, to hold against the tensors' size";
  if (key == "bank_conflicts")
    return say({{1, "extra passes through shared memory: hold them against the wavefronts below"},
                {-1, "the swizzle keeps every access to shared memory free of conflicts"}});
  if (key == "shared_wavefronts") return "passes through shared memory, conflicts among them";
  if (key.starts_with("local_"))
    return say(
        {{1, "registers are spilled or indexed at run time: the register budget is exceeded"},
         {-1, "nothing is spilled"}});
  if (key == "registers")
    return "with the threads of a block, what limits the blocks on a multiprocessor";
  return "";
}

std::string_view stall_meaning(std::string_view reason) {
  for (const StallReason& each : stall_reasons)
    if (each.name == reason) return each.meaning;
  return "";
}

std::vector<Stall> top_stalls(const KernelSample& sample, std::size_t most) {
  std::vector<Stall> stalls;
  for (const StallReason& reason : stall_reasons) {
    const auto found = sample.metrics.find(stall_metric(reason.name));
    if (found == sample.metrics.end() || found->second <= 0) continue;
    stalls.push_back({reason.name, reason.meaning, found->second});
  }
  std::stable_sort(stalls.begin(), stalls.end(),
                   [](const Stall& a, const Stall& b) { return a.per_issue > b.per_issue; });
  stalls.resize(std::min(stalls.size(), most));
  return stalls;
}

std::vector<std::string> metric_names() {
  std::vector<std::string> names;
  for (const Figure& each : all_figures())
    for (const std::string_view metric : each.metrics) names.emplace_back(metric);
  for (const StallReason& reason : stall_reasons) names.push_back(stall_metric(reason.name));
  return names;
}

}  // namespace flashcore::profile
