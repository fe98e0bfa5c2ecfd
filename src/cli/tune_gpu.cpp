// flashcore tune: a search on the machine's GPUs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/provenance.h"
#include "bench/roofline.h"
#include "bench/run_case.h"
#include "bench/shape.h"
#include "cli/commands.h"
#include "cli/result_file.h"
#include "cli/tune_report.h"
#include "cli/tune_run.h"
#include "core/error.h"
#include "cuda/driver.h"
#include "dispatch/tuned.h"
#include "family/family.h"
#include "gate/record.h"
#include "gate/rules.h"
#include "io/file.h"
#include "io/problem_json.h"
#include "tune/evaluator.h"
#include "tune/finals.h"
#include "tune/pinned_config.h"
#include "tune/table.h"
#include "tune/trial.h"

namespace flashcore::cli {

using core::fail;
using core::Problem;
using core::Status;
using nlohmann::json;

namespace {

/// What is searched, and where.
struct Task {
  const family::Family* family = nullptr;
  Problem problem;
  const cuda::DeviceInfo* gpu = nullptr;  // the first of the devices: all are alike
  std::vector<int> devices;
};

const family::Family* family_of(const TuneFlags& flags) {
  std::string names;
  for (const family::Family* family : family::all_families())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", family->name());
  const family::Family* family = family::find_family(flags.family);
  if (family == nullptr)
    fail(Status::invalid_argument, "family: '{}' is not one of {}", flags.family, names);
  return family;
}

Problem problem_of(const TuneFlags& flags) {
  const auto problems = shape_problems(flags.problem);
  if (problems.size() > 1)
    fail(Status::invalid_argument, "shape: {} shapes are given, a search is of one",
         problems.size());
  if (!problems.empty()) return problems.front();
  const Problem mission = gate::mission_problem();
  return core::contiguous_problem(dtype_of(flags.problem), mission.batch, mission.heads_q, -1,
                                  mission.seq_q, -1, mission.head_dim, mask_of(flags.problem));
}

void check_devices(const std::vector<int>& devices) {
  if (!cuda::driver_available())
    fail(Status::no_device, "tune: measures on a GPU, but {}; --simulate needs none",
         cuda::driver_unavailable_reason());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i] < 0 || devices[i] >= cuda::device_count())
      fail(Status::no_device, "devices: there is no GPU {}, the driver finds {}", devices[i],
           cuda::device_count());
    if (std::count(devices.begin(), devices.end(), devices[i]) > 1)
      fail(Status::invalid_argument, "devices: {} is given twice", devices[i]);
    const auto& first = cuda::device_info(devices.front());
    if (cuda::device_info(devices[i]).name != first.name)
      fail(Status::invalid_argument, "devices: {} is a {}, {} a {}: they must be alike",
           devices.front(), first.name, devices[i], cuda::device_info(devices[i]).name);
  }
}

Task task_of(const TuneFlags& flags) {
  Task task{.family = family_of(flags),
            .problem = problem_of(flags),
            .gpu = nullptr,
            .devices = flags.devices};
  check_devices(task.devices);
  task.gpu = &cuda::device_info(task.devices.front());
  if (const auto supported = task.family->supports(task.problem, task.gpu->limits); !supported)
    fail(Status::unsupported, "{}", supported.reason());
  return task;
}

tune::Space space_of(const Task& task, const std::string& fixed) {
  const core::GpuLimits& gpu = task.gpu->limits;
  return {tune::matching(task.family->space(task.problem, gpu), fixed),
          task.family->default_config(task.problem, gpu)};
}

std::vector<std::string> worker_command(const TuneFlags& flags) {
  if (!flags.worker.empty()) return {flags.worker};
  return bench::CaseOptions{}.worker_command;
}

/// The parts of a search on GPUs, in the order of its life.
class GpuSearch {
 public:
  GpuSearch(const TuneFlags& flags, Task task)
      : flags_(flags),
        task_(std::move(task)),
        options_(search_options(flags)),
        space_(space_of(task_, flags.fixed)),
        journal_(flags.journal.empty() ? "tune.journal" : flags.journal),
        evaluator_(*task_.family, task_.problem, task_.gpu->limits,
                   {.devices = task_.devices,
                    .worker_command = worker_command(flags),
                    .time_limit = std::chrono::duration<double>(flags.time_limit_s),
                    .rounds = flags.rounds,
                    .seed = options_.seed}),
        progress_(tune::evaluation_limit(space_, options_)) {
    const bench::PeerChoice peers = bench::parse_peers(flags.peers);
    if (peers.torch)
      peer_.emplace(bench::torch_peer_command(), std::chrono::seconds(300), peers.backends);
    if (flags.target_ratio > 0 && !peers.torch)
      fail(Status::invalid_argument, "target-ratio: needs a peer, --peers is none");
  }

  int run() {
    const tune::Subject subject{
        .family = std::string{task_.family->name()},
        .problem = io::problem_to_json(task_.problem),
        .gpu = task_.gpu->name,
        .source_hash = dispatch::source_hash(*task_.family, start(), task_.gpu->limits.arch)};
    run_ = begin_or_resume(journal_, flags_.resume, subject, course_of(options_, space_));
    measure_marks();
    const tune::SearchResult result = search(subject);
    fmt::print("{}{}", tune_summary(result, space_), effort_line());
    write_outputs(result);
    const tune::Finals finals =
        run_finals(result, space_, task_.family->name(), task_.problem, options_.weights,
                   case_options(15), peer_ ? &*peer_ : nullptr);
    fmt::print("{}", finals_summary(finals));
    journal_.finish(run_, {{"stop", name(result.stop)},
                           {"marks",
                            {{"peer", marks_.peer},
                             {"peer_us", marks_.peer_us},
                             {"roofline_us", marks_.roofline_us}}},
                           {"finals", finals_to_json(finals)}});
    if (!finals.winner) return exit_failed;
    keep_record(finals);
    return exit_ok;
  }

 private:
  [[nodiscard]] const family::ConfigFields& start() const { return space_.config(space_.start()); }

  [[nodiscard]] bench::CaseOptions case_options(int rounds) {
    bench::CaseOptions options;
    options.worker_command = worker_command(flags_);
    options.phase_limit = std::chrono::seconds(300);
    options.ordinal = task_.devices.front();
    options.rounds = rounds;
    options.seed = options_.seed;
    options.progress = [this](std::string_view what) { progress_.note(what); };
    return options;
  }

  /// The peers' and the roofline's times, before the search: it may stop at a multiple of them.
  void measure_marks() {
    marks_.roofline_us = bench::gpu_bound_us(task_.problem, *task_.gpu,
                                             2 * static_cast<double>(task_.gpu->l2_bytes));
    if (peer_) {
      const tune::PinnedConfig pinned("default", task_.family->name(), start());
      bench::CaseOptions options = case_options(3);
      options.gates_left_out = {"ptxas", "correctness", "determinism", "stability", "safety"};
      const gate::CaseRecord record =
          bench::run_case(pinned.variant(), task_.problem, options, &*peer_);
      if (record.best_peer) {
        marks_.peer = record.best_peer->peer;
        marks_.peer_us = record.timing->cold.median / record.best_peer->ratio.median;
      } else {
        fmt::print(stderr, "no peer was measured: {}\n",
                   record.peers.empty() ? record.gates.at("latency").detail
                                        : record.peers.front().not_measured);
      }
    }
    if (flags_.target_ratio > 0 && marks_.peer_us == 0)
      fail(Status::unsupported, "target-ratio: no peer was measured");
    if (flags_.target_ratio > 0) {
      const double target_us = flags_.target_ratio * marks_.peer_us;
      options_.target_us =
          options_.target_us > 0 ? std::min(options_.target_us, target_us) : target_us;
    }
    progress_.set_marks(marks_);
  }

  tune::SearchResult search(const tune::Subject& subject) {
    tune::JournaledTrial trial(
        journal_, run_, subject, space_,
        [this](std::span<const family::ConfigFields> configs, const tune::TrialHooks& hooks) {
          tune::TrialHooks own = hooks;
          own.done = [&](std::size_t i, const tune::Outcome& outcome) {
            hooks.done(i, outcome);
            progress_.candidate_done();
          };
          return evaluator_.evaluate(configs, own);
        });
    const auto began = std::chrono::steady_clock::now();
    tune::SearchResult result = tune::search(
        space_, options_,
        [&](std::span<const std::size_t> batch, int generation) {
          return trial.evaluate(batch, generation);
        },
        [&](const tune::SearchResult& so_far) { progress_.generation_done(so_far); });
    search_s_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
  }

  [[nodiscard]] std::string effort_line() const {
    const tune::Effort effort = evaluator_.effort();
    const double own_s = std::max(0.0, search_s_ - effort.workers_s);
    return fmt::format(
        "took {}: compiling {} and, beside it, checking and timing {}; the tuner "
        "itself {:.1f}%\n",
        format_seconds(search_s_), format_seconds(effort.compile_s),
        format_seconds(effort.device_s), 100 * own_s / std::max(search_s_, 1e-9));
  }

  void write_outputs(const tune::SearchResult& result) const {
    if (!flags_.json.empty()) write_json(flags_.json, search_to_json(result, space_));
    if (flags_.record_table.empty()) return;
    const std::string text =
        to_text(tune::table_of(result, space_, std::string{task_.family->name()}, task_.problem,
                               bench::run_provenance(command_line())));
    io::OutputFile file(flags_.record_table);
    file.write(text.data(), text.size());
    file.commit();
  }

  /// The winner's, also where that is the default: then nobody searches again.
  void keep_record(const tune::Finals& finals) const {
    const std::filesystem::path folder = flags_.records.empty()
                                             ? dispatch::user_tuned_folder()
                                             : std::filesystem::path(flags_.records);
    if (folder.empty())
      fail(Status::io, "records: there is no home directory to keep them in; give a folder");
    dispatch::add_tuned(folder, record_of(finals));
    fmt::print("recorded in {}\n", (folder / dispatch::gpu_folder(task_.gpu->name)).string());
  }

  [[nodiscard]] dispatch::TunedRecord record_of(const tune::Finals& finals) const {
    const tune::Finalist& winner = finals.finalists[*finals.winner];
    const json from = bench::run_provenance(command_line());
    const auto text = [](const json& value) {
      return value.is_string() ? value.get<std::string>() : std::string{"unknown"};
    };
    dispatch::TunedRecord record{.family = std::string{task_.family->name()},
                                 .problem = task_.problem,
                                 .config = family::ConfigFields::parse(winner.config),
                                 .gpu = task_.gpu->name,
                                 .arch = task_.gpu->limits.arch.to_string(),
                                 .driver = text(from["gpu"].value("driver", json())),
                                 .nvrtc = text(from["nvrtc"]),
                                 .source_hash = "",
                                 .time_us = winner.record.timing->cold.median,
                                 .noise = winner.record.noise,
                                 .default_us = 0,
                                 .date = text(from["date"]),
                                 .commit = text(from["commit"]["id"]) +
                                           (from["commit"]["dirty"] == json(true) ? "-dirty" : "")};
    record.source_hash =
        dispatch::source_hash(*task_.family, record.config, task_.gpu->limits.arch);
    for (const tune::Finalist& each : finals.finalists)
      if (each.is_start && each.record.timing) record.default_us = each.record.timing->cold.median;
    return record;
  }

  const TuneFlags& flags_;
  Task task_;
  tune::SearchOptions options_;
  tune::Space space_;
  tune::Journal journal_;
  tune::Evaluator evaluator_;
  TuneProgress progress_;
  std::optional<bench::TorchPeer> peer_;
  std::int64_t run_ = 0;
  tune::Marks marks_;
  double search_s_ = 0;
};

}  // namespace

std::int64_t begin_or_resume(tune::Journal& journal, bool resume, const tune::Subject& subject,
                             const json& course) {
  if (resume) {
    if (const auto run = journal.resume(subject, course)) {
      fmt::print(stderr, "resuming run {}\n", *run);
      return *run;
    }
    fmt::print(stderr, "nothing to resume: the journal has no unfinished run of this search\n");
  }
  return journal.begin(subject, course, bench::run_provenance(command_line()));
}

int tune_on_gpu(const TuneFlags& flags) {
  for (const std::string& path : {flags.json, flags.record_table})
    if (!path.empty()) io::OutputFile{path};  // what cannot be written is found out now
  return GpuSearch(flags, task_of(flags)).run();
}

}  // namespace flashcore::cli
