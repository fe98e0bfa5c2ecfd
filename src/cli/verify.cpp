#include "cli/commands.h"

namespace flashcore::cli {

void add_verify(CLI::App& /*app*/, int& /*exit_code*/) {}

}  // namespace flashcore::cli
