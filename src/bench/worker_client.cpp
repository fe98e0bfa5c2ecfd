#include "bench/worker_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/status.h"
#include "gate/record.h"
#include "io/json_reader.h"
#include "io/problem_json.h"

namespace flashcore::bench {

using nlohmann::json;

WorkerClient::~WorkerClient() {
  if (options_.workers != nullptr && child_ != nullptr && child_->alive())
    options_.workers->give_back(std::move(child_));
}

std::unique_ptr<Child> WorkerClient::find_worker() {
  std::unique_ptr<Child> idle = options_.workers == nullptr ? nullptr : options_.workers->take();
  return idle != nullptr ? std::move(idle) : std::make_unique<Child>(options_.worker_command);
}

json WorkerClient::ask(json request, std::string_view phase) {
  if (options_.fault.phase == phase) request["fault"] = options_.fault.kind;
  try {
    if (child_ == nullptr) {
      child_ = find_worker();
      json prepare{{"do", "prepare"},
                   {"backend", dispatch::name(variant_.backend)},
                   {"family", variant_.family},
                   {"config", variant_.config},
                   {"problem", io::problem_to_json(problem_)},
                   {"ordinal", options_.ordinal},
                   {"seed", options_.seed}};
      if (options_.overlap) prepare["overlap"] = true;
      if (options_.emulated) prepare["emulated"] = options_.emulated->to_string();
      ask_once(prepare);
    }
    return ask_once(request);
  } catch (const ChildFailure& failure) {
    child_.reset();
    throw PhaseFailure(fmt::format("the worker {}, in {}", failure.what(), phase), failure.end());
  } catch (const PhaseFailure&) {
    child_.reset();  // an error on a device may have spoiled the process
    throw;
  }
}

json WorkerClient::ask_once(const json& request) {
  json answer = child_->ask(request, options_.phase_limit, options_.progress);
  if (answer["ok"].get<bool>()) return answer;
  const io::JsonReader reader{answer, "answer"};
  const auto status = core::status_from_name(reader.at("status").string());
  throw PhaseFailure(reader.at("error").string(), status.value_or(core::Status::internal));
}

}  // namespace flashcore::bench
