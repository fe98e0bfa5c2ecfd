// Reading what ptxas -v prints.
#pragma once

#include <string_view>

#include "jit/binary.h"

namespace flashcore::jit {

/// The report of the entry function `symbol`, with the spills and the stack of the functions that
/// it calls and that were not inlined, and whether its WGMMAs are serialized. Throws compile_failed
/// naming what the log lacks: a number that is not there is not a zero.
ResourceReport parse_ptxas_log(std::string_view log, std::string_view symbol);

}  // namespace flashcore::jit
