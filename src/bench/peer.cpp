#include "bench/peer.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "gate/json_reader.h"
#include "gate/record.h"

namespace flashcore::bench {

using gate::JsonReader;
using nlohmann::json;

namespace {

std::vector<std::string> backend_names(bool on_gpu) {
  if (on_gpu) return {"flash", "cudnn", "efficient"};
  return {"cpu"};
}

std::vector<PeerBackend> none_measured(bool on_gpu, const std::string& why) {
  std::vector<PeerBackend> backends;
  for (std::string& name : backend_names(on_gpu)) backends.push_back({std::move(name), why});
  return backends;
}

json request_of(const PeerTask& task) {
  return {{"do", "prepare"},
          {"problem", gate::problem_to_json(task.problem)},
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

std::vector<PeerBackend> TorchPeer::prepare(const PeerTask& task) {
  if (!absent_.empty()) return none_measured(task.on_gpu, absent_);
  try {
    if (child_ == nullptr || !child_->alive()) start(task);
    const json answer = ask(request_of(task));
    std::vector<PeerBackend> backends;
    const JsonReader reader{answer, "answer"};
    reader.at("backends").for_each_element([&](const JsonReader& each) {
      backends.push_back({each.at("name").string(), each.at("not_measured").string()});
    });
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
