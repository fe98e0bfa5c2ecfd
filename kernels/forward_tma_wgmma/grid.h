// How many blocks share a call's tasks.
#pragma once

#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::forward_tma_wgmma {

/// The most tiles that one of so many blocks goes through, which take the tasks as task.h's
/// Schedule deals them.
double longest_share(const Params& params, const Config& config, unsigned blocks);

/// One for each multiprocessor, or somewhat fewer where the lengths of a mask's rows would
/// otherwise fall in step with the rounds and give some blocks all of the longest.
unsigned blocks_for(const Params& params, const Config& config, int multiprocessors);

}  // namespace flashcore::forward_tma_wgmma
