// Which process a journal's run belongs to, in a form that a later process can check.
#pragma once

#include <string>
#include <string_view>

namespace flashcore::tune {

/// This process: the boot of the machine, the process's number and when it started, so that a
/// number that is used again is not taken for it.
std::string own_identity();

/// Whether the process is still there. One of another boot or machine is taken to be gone.
bool is_alive(std::string_view identity);

}  // namespace flashcore::tune
