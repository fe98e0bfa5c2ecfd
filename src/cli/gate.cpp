#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/table.h"
#include "core/error.h"
#include "gate/audit.h"
#include "profile/profile.h"

namespace flashcore::cli {

namespace {

struct GateFlags {
  std::vector<std::string> files;
  std::vector<std::string> required;
  bool json = false;
};

constexpr const char* gate_footer = R"(
Every verdict is worked out again from what was measured: a gate that is absent, or recorded as
passed while its numbers say otherwise, fails. Skipped and inconclusive gates are counted but do not
fail, unless --require names them. Exit status: 0 none failed, 1 one did, 2 a file is not a result.

Example: flashcore gate --require correctness,safety results/*.json)";

struct FileCases {
  std::string file;
  std::vector<gate::AuditedCase> cases;
};

std::vector<FileCases> audit_files(const GateFlags& flags) {
  for (const std::string& name : flags.required)
    if (name != gate::ladder_gate &&
        std::find(gate::gate_names.begin(), gate::gate_names.end(), name) == gate::gate_names.end())
      core::fail(core::Status::invalid_argument,
                 "require: '{}' is not a gate; the gates are {}, {}", name,
                 fmt::join(gate::gate_names, ", "), gate::ladder_gate);
  std::vector<FileCases> audited;
  for (const std::string& file : flags.files) {
    FileCases& cases = audited.emplace_back(FileCases{file, {}});
    const nlohmann::json document = gate::read_document(file);
    if (profile::holds_profiles(document)) {
      for (const profile::ProfileRecord& record : profile::read_profiles(document, file))
        cases.cases.push_back(profile::audit_profile(record));
      continue;
    }
    for (const gate::CaseRecord& record : gate::read_results(document, file))
      cases.cases.push_back(gate::audit(record, flags.required));
  }
  return audited;
}

void print_table(const std::vector<FileCases>& audited) {
  Table table({{"case"}, {"gate"}, {"status"}, {"detail"}});
  for (const FileCases& file : audited)
    for (const gate::AuditedCase& each : file.cases) {
      if (table.rows() > 0) table.add_rule();
      std::string name = each.name;
      for (const std::string_view gate : gate::names_of(each.gates)) {
        const gate::GateResult& result = each.gates.at(std::string{gate});
        table.add_row(
            {name, std::string{gate}, std::string{gate::name(result.verdict)}, result.detail});
        name.clear();
      }
    }
  fmt::print("{}", table.to_string());
}

nlohmann::json to_json(const std::vector<FileCases>& audited) {
  nlohmann::json cases = nlohmann::json::array();
  for (const FileCases& file : audited)
    for (const gate::AuditedCase& each : file.cases) {
      nlohmann::json gates;
      for (const auto& [gate, result] : each.gates) gates[gate] = gate::gate_to_json(result);
      cases.push_back({{"file", file.file}, {"case", each.name}, {"gates", gates}});
    }
  return cases;
}

int run_gate(const GateFlags& flags) {
  const std::vector<FileCases> audited = audit_files(flags);
  gate::AuditTotals totals;
  bool empty_file = audited.empty();
  for (const FileCases& file : audited) {
    const gate::AuditTotals own = gate::count(file.cases);
    totals.pass += own.pass;
    totals.fail += own.fail;
    totals.inconclusive += own.inconclusive;
    totals.skipped += own.skipped;
    if (file.cases.empty()) {
      fmt::print(stderr, "flashcore: {}: holds no case, which shows nothing\n", file.file);
      empty_file = true;
    }
  }
  if (flags.json)
    fmt::print("{}\n", nlohmann::json{{"cases", to_json(audited)},
                                      {"totals",
                                       {{"pass", totals.pass},
                                        {"fail", totals.fail},
                                        {"inconclusive", totals.inconclusive},
                                        {"skipped", totals.skipped}}}}
                           .dump(2));
  else
    print_table(audited);
  if (!flags.json)
    fmt::print("{} passed, {} failed, {} inconclusive, {} skipped\n", totals.pass, totals.fail,
               totals.inconclusive, totals.skipped);
  return totals.fail > 0 || empty_file ? exit_failed : exit_ok;
}

}  // namespace

void add_gate(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("gate", "Judge result files by the gates' rules");
  const auto flags = std::make_shared<GateFlags>();
  command->footer(gate_footer);
  command->add_option("FILE", flags->files, "Result files of `flashcore bench --json`")->required();
  command
      ->add_option("--require", flags->required,
                   "Gates, with commas, for which skipped or inconclusive is a failure")
      ->delimiter(',');
  command->add_flag("--json", flags->json, "Print the verdicts as JSON");
  command->callback([flags, &exit_code] { exit_code = run_gate(*flags); });
}

}  // namespace flashcore::cli
