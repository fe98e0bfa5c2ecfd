// A stand-in for Nsight Compute: a script that says what a recorded run said.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/temp_dir.h"

namespace flashcore::test {

/// What ncu prints for two kernels, the main one and a merge, by the documented format of
/// `--csv --page raw --print-units base`. Values in `main_metrics` replace the main kernel's.
inline std::string ncu_output(const std::string& tensor = "61.50",
                              const std::string& threads = "31.92",
                              const std::string& local_stores = "0") {
  return R"csv(==PROF== Connected to process 4242 (/opt/flashcore)
==PROF== Profiling "forward" - 0: 0%....50%....100% - 9 passes
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","gpu__time_duration.sum","sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active","smsp__thread_inst_executed_per_inst_executed.ratio","sm__warps_active.avg.pct_of_peak_sustained_active","dram__bytes.sum","l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum","l1tex__t_sectors_pipe_lsu_mem_local_op_st.sum","smsp__average_warps_issue_stalled_long_scoreboard_per_issue_active.ratio","smsp__average_warps_issue_stalled_wait_per_issue_active.ratio"
"","","","","","","","","","","","nsecond","%","","%","byte","","","inst","inst"
"0","4242","flashcore","node","void forward<Config{.block_q=128, .name=""x""}>(Params)","1","7","(256, 1, 1)","(2,048, 1, 1)","0","9.0","1,843,200",")csv" +
         tensor + R"csv(",")csv" + threads + R"csv(","12.4","134,217,728","0",")csv" +
         local_stores +
         R"csv(","0.42","1.31"
"1","4242","flashcore","node","merge(Params)","1","7","(128, 1, 1)","(512, 1, 1)","0","9.0","4,210","0","30.1","44","1,000","0","0","3.1","0.1"
==PROF== Disconnected from process 4242
)csv";
}

/// A folder with a program `ncu` in it.
class FakeNcu {
 public:
  explicit FakeNcu(const std::string& script) {
    write_text(program(), "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
  }
  /// One that prints this.
  static FakeNcu that_prints(const std::string& output) {
    return FakeNcu("cat <<'NCU'\n" + output + "NCU");
  }

  [[nodiscard]] std::filesystem::path program() const { return directory_.path() / "ncu"; }
  [[nodiscard]] std::string file(const std::string& name) const { return directory_.file(name); }
  /// The variable that puts it first.
  [[nodiscard]] std::string path_variable() const {
    return "PATH=" + directory_.path().string() + ":" + std::getenv("PATH");
  }

 private:
  TempDir directory_;
};

}  // namespace flashcore::test
