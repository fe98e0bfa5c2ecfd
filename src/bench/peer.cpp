#include "bench/peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "gate/record.h"
#include "io/json_reader.h"
#include "io/problem_json.h"

namespace flashcore::bench {

using io::JsonReader;
using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 3> gpu_backends{"flash", "cudnn", "efficient"};
constexpr std::string_view cpu_backend = "cpu";

json request_of(const PeerTask& task, const std::vector<std::string>& backends) {
  return {{"do", "prepare"},
          {"backends", backends},
          {"problem", io::problem_to_json(task.problem)},
          {"device", task.on_gpu ? "cuda" : "cpu"},
          {"ordinal", task.ordinal},
          {"threads", task.threads},
          {"seed", task.seed},
          {"sets", task.rotation.sets},
          {"launches", task.rotation.launches}};
}

double positive_time(const JsonReader& answer, const char* key) {
  const double time = answer.at(key).number();
  if (!(time > 0) || !std::isfinite(time)) answer.at(key).expected("a time above 0");
  return time;
}

}  // namespace

PeerChoice parse_peers(std::string_view text) {
  if (text == "none") return {};
  PeerChoice choice{.torch = true, .backends = {}};
  for (std::string_view rest = text; text != "torch";) {
    const auto comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::string_view backend = item.substr(std::min(item.find(':') + 1, item.size()));
    const bool known =
        std::find(gpu_backends.begin(), gpu_backends.end(), backend) != gpu_backends.end() ||
        backend == cpu_backend;
    if (!item.starts_with("torch:") || !known)
      core::fail(core::Status::invalid_argument,
                 "peers: '{}' is neither none nor torch nor some of torch:flash, torch:cudnn, "
                 "torch:efficient, torch:cpu with commas",
                 item);
    choice.backends.emplace_back(backend);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return choice;
}

std::vector<std::string> TorchPeer::backend_names(bool on_gpu) const {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (only_.empty() || std::find(only_.begin(), only_.end(), name) != only_.end())
      names.emplace_back(name);
  };
  if (on_gpu)
    std::for_each(gpu_backends.begin(), gpu_backends.end(), add);
  else
    add(cpu_backend);
  return names;
}

std::vector<PeerBackend> TorchPeer::none_measured(bool on_gpu, const std::string& why) const {
  std::vector<PeerBackend> backends;
  for (std::string& name : backend_names(on_gpu)) backends.push_back({std::move(name), why});
  return backends;
}

std::vector<PeerBackend> TorchPeer::none_of_this_device(bool on_gpu) const {
  std::vector<PeerBackend> backends;
  for (const std::string& name : only_)
    backends.push_back(
        {name, fmt::format("SDPA has no such backend on the {}", on_gpu ? "GPU" : "CPU")});
  return backends;
}

void TorchPeer::start_early(const PeerTask& task) {
  try {
    if (absent_.empty() && child_ == nullptr) start(task);
  } catch (const std::exception&) {
    child_.reset();  // absent_ says why
  }
}

std::vector<PeerBackend> TorchPeer::prepare(const PeerTask& task) {
  if (backend_names(task.on_gpu).empty()) return none_of_this_device(task.on_gpu);
  if (!absent_.empty()) return none_measured(task.on_gpu, absent_);
  try {
    if (child_ == nullptr || !child_->alive()) start(task);
    const json answer = ask(request_of(task, backend_names(task.on_gpu)));
    std::vector<PeerBackend> backends;
    const JsonReader reader{answer, "answer"};
    reader.at("backends").for_each_element([&](const JsonReader& each) {
      backends.push_back({each.at("name").string(), each.at("not_measured").string()});
    });
    if (reader.has("ceilings"))
      ceilings_ = {.matmul_tflops = reader.at("ceilings").at("matmul_tflops").number(),
                   .copy_gb_per_s = reader.at("ceilings").at("copy_gb_per_s").number()};
    return backends;
  } catch (const std::exception& failure) {
    child_.reset();
    return none_measured(task.on_gpu, failure.what());
  }
}

Round TorchPeer::measure(const std::string& backend) {
  try {
    if (child_ == nullptr) throw ChildFailure("is not running");
    const json answer = ask({{"do", "measure"}, {"backend", backend}});
    const JsonReader reader{answer, "answer"};
    return {.cold_us = positive_time(reader, "cold_us"),
            .warm_us = positive_time(reader, "warm_us"),
            .eager_us = positive_time(reader, "eager_us")};
  } catch (const core::Error& error) {
    throw ChildFailure(error.what());
  }
}

void TorchPeer::start(const PeerTask& task) {
  try {
    child_ = std::make_unique<Child>(
        command_, std::vector{"OMP_NUM_THREADS=" + std::to_string(task.threads)});
    const json hello = ask({{"do", "hello"}});
    version_ = JsonReader{hello, "hello"}.at("version").string();
  } catch (const std::exception& failure) {
    absent_ = failure.what();  // what does not start once is not waited for again
    throw;
  }
}

json TorchPeer::ask(const json& request) {
  json answer = child_->ask(request, limit_);
  if (!answer["ok"].get<bool>())
    throw ChildFailure(JsonReader{answer, "answer"}.at("error").string());
  return answer;
}

std::vector<std::string> torch_peer_command() {
  namespace fs = std::filesystem;
  const char* python = std::getenv("FLASHCORE_PYTHON");
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const fs::path script = fs::path("peers") / "torch_sdpa.py";
  for (const fs::path& folder :
       {program / "../../tools", program / "../share/flashcore", fs::path("tools")})
    if (fs::exists(folder / script, ignored))
      return {python != nullptr ? python : "python3", (folder / script).lexically_normal()};
  core::fail(core::Status::io, "tools/peers/torch_sdpa.py: not found beside {} nor here",
             program.string());
}

}  // namespace flashcore::bench
