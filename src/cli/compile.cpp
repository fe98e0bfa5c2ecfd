#include "cli/commands.h"

namespace flashcore::cli {

void add_compile(CLI::App& /*app*/, int& /*exit_code*/) {}

}  // namespace flashcore::cli
