// `flashcore run`: attention on the user's own tensors.
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/attention_call.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "core/error.h"
#include "gate/accuracy.h"
#include "io/npy.h"
#include "io/safetensors.h"

namespace flashcore::cli {

namespace {

namespace fs = std::filesystem;
using core::Status;
using nlohmann::json;

struct RunOptions {
  std::string q, k, v;
  std::string input, prefix;
  std::string out, lse;
  std::string layout = "bhsd";
  std::string mask = "none";
  std::string window, scale;
  std::string device = "auto";
  bool verify = false;
  bool json = false;
};

/// Runs `action`; its errors name the flag they belong to.
template <typename Action>
auto for_flag(std::string_view flag, Action&& action) {
  try {
    return action();
  } catch (const core::Error& error) {
    core::fail(error.status(), "{}: {}", flag, error.what());
  }
}

Inputs load(const RunOptions& o) {
  if (o.input.empty()) {
    if (o.q.empty() || o.k.empty() || o.v.empty())
      core::fail(Status::invalid_argument, "give --q, --k and --v, or one file with --input");
    const auto read = [](const char* flag, const std::string& path) {
      return for_flag(flag, [&] { return io::read_npy(path); });
    };
    return {read("--q", o.q), read("--k", o.k), read("--v", o.v)};
  }
  return for_flag("--input", [&]() -> Inputs {
    const io::SafetensorsFile file{o.input};
    return {file.read(o.prefix + "q"), file.read(o.prefix + "k"), file.read(o.prefix + "v")};
  });
}

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

Mask parse_mask(const RunOptions& o) {
  Mask mask;
  mask.kind = static_cast<MaskKind>(*core::mask_kind_from_name(o.mask));
  if (o.window.empty()) return mask;
  const std::string_view text = o.window;
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || !parse_number(text.substr(0, comma), mask.window_left) ||
      !parse_number(text.substr(comma + 1), mask.window_right) || mask.window_left < -1 ||
      mask.window_right < -1)
    core::fail(Status::invalid_argument,
               "--window: {:?} is not LEFT,RIGHT: two counts of keys, -1 for unlimited", o.window);
  return mask;
}

std::optional<float> parse_scale(const std::string& text) {
  if (text.empty()) return std::nullopt;
  float scale = 0;
  if (!parse_number(text, scale) || !std::isfinite(scale))
    core::fail(Status::invalid_argument, "--scale: {:?} is not a finite number in fp32", text);
  return scale;
}

bool is_safetensors(const std::string& path) {
  return path.ends_with(".safetensors");
}

/// Refuses, before any work is done, a name that could not be written or must not be.
void check_output(std::string_view flag, const std::string& path, const RunOptions& o) {
  if (path.empty()) return;
  if (!path.ends_with(".npy") && !is_safetensors(path))
    core::fail(Status::invalid_argument, "{}: {:?} ends neither in .npy nor in .safetensors", flag,
               path);
  std::error_code ignored;  // a file that is not there is not the same as another
  for (const std::string& input : {o.q, o.k, o.v, o.input})
    if (fs::equivalent(path, input, ignored))
      core::fail(Status::invalid_argument, "{}: {} is an input too, which it would replace", flag,
                 path);
  for_flag(flag, [&] { io::OutputFile{path}; });
}

void check_outputs(const RunOptions& o) {
  check_output("--out", o.out, o);
  check_output("--lse", o.lse, o);
  if (!o.out.empty() && !o.lse.empty() &&
      fs::weakly_canonical(o.out) == fs::weakly_canonical(o.lse))
    core::fail(Status::invalid_argument, "--lse: {} is --out too", o.lse);
}

/// Writes every output, and only then lets any of them appear.
void write_outputs(const RunOptions& o, const AttentionCall& call) {
  const io::ArrayView out{call.host.o.dtype(), call.output_shape, call.host.o.data()};
  const io::ArrayView lse{core::Dtype::float32, call.lse_shape,
                          reinterpret_cast<const std::byte*>(call.host.lse.data())};
  std::vector<std::unique_ptr<io::OutputFile>> files;
  if (!o.out.empty()) {
    auto& file = *files.emplace_back(std::make_unique<io::OutputFile>(o.out));
    is_safetensors(o.out) ? write_safetensors(file, {{"o", out}, {"lse", lse}})
                          : write_npy(file, out);
  }
  if (!o.lse.empty()) {
    auto& file = *files.emplace_back(std::make_unique<io::OutputFile>(o.lse));
    is_safetensors(o.lse) ? write_safetensors(file, {{"lse", lse}}) : write_npy(file, lse);
  }
  for (const auto& file : files) file->commit();
}

std::optional<gate::Accuracy> verify(const RunOptions& o, AttentionCall& call) {
  if (!o.verify) return std::nullopt;
  Progress progress(0, "comparing with the float64 oracle");
  progress.note(call.host.problem.to_string());
  return gate::check_accuracy(call.host, true, false);
}

std::string in_units(double us) {
  return us < 1e3   ? fmt::format("{:.1f} us", us)
         : us < 1e6 ? fmt::format("{:.2f} ms", us / 1e3)
                    : fmt::format("{:.2f} s", us / 1e6);
}

void print_text(const RunOptions& o, const AttentionCall& call, const Served& served,
                const std::optional<gate::Accuracy>& accuracy) {
  const auto& choice = served.choice;
  fmt::print("attention  {} scale={:g}\n", call.host.problem.to_string(), call.host.scale);
  fmt::print("served by  {}: {} {}, {}\n", served.device, choice.backend, choice.family,
             choice.config);
  fmt::print("because    {}; {}\n", served.why_there, choice.reason);
  fmt::print("time       {} the first call", in_units(served.first_call_us));
  if (served.repeat_call_us) fmt::print(", {} the next", in_units(*served.repeat_call_us));
  const auto place = [](const std::string& path) {
    return path.empty() ? std::string{"not written"} : "in " + path;
  };
  const bool good = !accuracy || accuracy->correct;
  fmt::print("\no          {} {}, {}\n", io::to_string(call.output_shape),
             name(call.host.o.dtype()), good ? place(o.out) : "not written");
  fmt::print("lse        {} fp32, {}\n", io::to_string(call.lse_shape),
             !good                                    ? "not written"
             : o.lse.empty() && is_safetensors(o.out) ? place(o.out)
                                                      : place(o.lse));
  if (!accuracy) return;
  fmt::print(
      "verified   {}: largest error {:.3g} in o (a plain implementation's: {:.3g}), {:.3g} in "
      "lse\n",
      good ? "within the numerics contract" : "OUT OF CONTRACT", accuracy->max_error,
      accuracy->plain_error, accuracy->max_lse_error);
  if (!good) fmt::print("           {}\n", accuracy->reason);
}

json to_json(const RunOptions& o, const AttentionCall& call, const Served& served,
             const std::optional<gate::Accuracy>& accuracy) {
  const auto& choice = served.choice;
  const bool good = !accuracy || accuracy->correct;
  const auto path = [&](const std::string& p) { return p.empty() || !good ? json() : json(p); };
  json report{{"backend", choice.backend},  {"family", choice.family},
              {"config", choice.config},    {"reason", served.why_there + "; " + choice.reason},
              {"device", served.device},    {"problem", call.host.problem.to_string()},
              {"scale", call.host.scale},   {"dtype", name(call.host.o.dtype())},
              {"shape", call.output_shape}, {"first_call_us", served.first_call_us},
              {"out", path(o.out)},         {"lse", path(o.lse)}};
  if (served.repeat_call_us) report["repeat_call_us"] = *served.repeat_call_us;
  if (accuracy)
    report["verify"] = {{"correct", accuracy->correct},
                        {"max_error", accuracy->max_error},
                        {"plain_error", accuracy->plain_error},
                        {"max_lse_error", accuracy->max_lse_error},
                        {"reason", accuracy->reason}};
  return report;
}

int run(const RunOptions& o) {
  const Mask mask = parse_mask(o);
  const std::optional<float> scale = parse_scale(o.scale);
  check_outputs(o);
  AttentionCall call =
      make_call(load(o), o.layout == "bhsd" ? Layout::bhsd : Layout::bshd, mask, scale);
  const Served served = serve(call, o.device == "cpu"        ? DeviceWish::cpu
                                    : o.device == "gpu"      ? DeviceWish::gpu
                                    : o.device == "emulator" ? DeviceWish::emulator
                                                             : DeviceWish::automatic);
  const auto accuracy = verify(o, call);
  const bool good = !accuracy || accuracy->correct;
  if (good) write_outputs(o, call);  // a result known to be wrong is not left lying about
  if (o.json)
    fmt::print("{}\n", to_json(o, call, served, accuracy).dump(2));
  else
    print_text(o, call, served, accuracy);
  return good ? exit_ok : exit_failed;
}

constexpr const char* run_footer = R"(
Tensors are fp16, bf16 or fp32 (fp32 on the CPU only), all of one dtype:
  rank 4  [batch, heads, seq, head_dim], or [batch, seq, heads, head_dim] with --layout bshd
  rank 3  the same without the batch, which is then 1
  rank 2  [seq, head_dim]: one head
k and v may have fewer heads than q (a divisor of q's) and another seq.

o has q's dtype and shape; lse is fp32, [batch, heads, seq]. bf16 goes into .npy as ml_dtypes writes
it; read it back with numpy.load("o.npy").view(ml_dtypes.bfloat16), or write o.safetensors, which
holds both o and lse. Files appear when they are complete, or not at all.

Examples:
  flashcore run --q q.npy --k k.npy --v v.npy --out o.npy
  flashcore run --q q.npy --k k.npy --v v.npy --out o.npy --mask causal_bottom_right --window 128,0
  flashcore run --input acts.safetensors --prefix layer0. --out o.safetensors --verify)";

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("run", "Attention on your own tensors");
  auto o = std::make_shared<RunOptions>();
  // An unset variable of a script arrives as "", and must not pass for a flag that was not given.
  const CLI::Validator given([](const std::string& text) { return text.empty() ? "is empty" : ""; },
                             "");
  const auto add = [&](const char* flag, std::string& text, const char* help) {
    return command->add_option(flag, text, help)->check(given);
  };
  auto* q = add("--q", o->q, "Queries, a .npy file");
  auto* k = add("--k", o->k, "Keys, a .npy file");
  auto* v = add("--v", o->v, "Values, a .npy file");
  add("--input", o->input, "A .safetensors file with all three")
      ->excludes(q)
      ->excludes(k)
      ->excludes(v);
  command
      ->add_option("--prefix", o->prefix, "With --input: the tensors are PREFIXq, PREFIXk, PREFIXv")
      ->needs("--input");
  add("--out", o->out, "Where o goes, .npy or .safetensors; without it, nowhere");
  add("--lse", o->lse, "Where the log-sum-exp goes, .npy or .safetensors");
  command->add_option("--layout", o->layout, "The order of dimensions")
      ->check(CLI::IsMember({"bhsd", "bshd"}))
      ->capture_default_str();
  command->add_option("--mask", o->mask, "Which keys a query sees")
      ->check(CLI::IsMember({"none", "causal_top_left", "causal_bottom_right"}))
      ->capture_default_str();
  add("--window", o->window, "LEFT,RIGHT: keys seen before and after the diagonal, -1 for all");
  add("--scale", o->scale, "Of the scores; 1/sqrt(head_dim) if not given");
  command
      ->add_option(
          "--device", o->device,
          "auto: the first GPU if it serves the call, or the CPU; emulator: the GPU's kernel, "
          "executed and checked on the CPU")
      ->check(CLI::IsMember({"auto", "cpu", "gpu", "emulator"}))
      ->capture_default_str();
  command->add_flag(
      "--verify", o->verify,
      "Compare with the float64 oracle; exit 1 and write nothing when out of contract");
  command->add_flag("--json", o->json, "Print the answer as JSON");
  command->footer(run_footer);
  command->callback([o, &exit_code] {
    try {
      exit_code = run(*o);
    } catch (const Error& error) {  // the public API's own exception
      throw core::Error(static_cast<Status>(error.status()), error.what());
    }
  });
}

}  // namespace flashcore::cli
