#include "cli/commands.h"

namespace flashcore::cli {

void add_gate(CLI::App& /*app*/, int& /*exit_code*/) {}

}  // namespace flashcore::cli
