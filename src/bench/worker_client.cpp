#include "bench/worker_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/status.h"
#include "gate/json_reader.h"
#include "gate/record.h"

namespace flashcore::bench {

using nlohmann::json;

json WorkerClient::ask(json request, std::string_view phase) {
  if (options_.fault.phase == phase) request["fault"] = options_.fault.kind;
  try {
    if (child_ == nullptr) {
      child_ = std::make_unique<Child>(options_.worker_command);
      ask_once({{"do", "prepare"},
                {"variant", variant_.name},
                {"problem", gate::problem_to_json(problem_)},
                {"ordinal", options_.ordinal},
                {"seed", options_.seed}});
    }
    return ask_once(request);
  } catch (const ChildFailure& failure) {
    child_.reset();
    throw PhaseFailure(fmt::format("the worker {}, in {}", failure.what(), phase), false);
  } catch (const PhaseFailure&) {
    child_.reset();  // an error on a device may have spoiled the process
    throw;
  }
}

json WorkerClient::ask_once(const json& request) {
  json answer = child_->ask(request, options_.phase_limit, options_.progress);
  if (answer["ok"].get<bool>()) return answer;
  const gate::JsonReader reader{answer, "answer"};
  const std::string status = reader.at("status").string();
  throw PhaseFailure(reader.at("error").string(),
                     status == core::name(core::Status::unsupported) ||
                         status == core::name(core::Status::no_device));
}

}  // namespace flashcore::bench
