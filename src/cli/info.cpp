#include "cli/commands.h"

namespace flashcore::cli {

void add_info(CLI::App& /*app*/, int& /*exit_code*/) {}

}  // namespace flashcore::cli
