// The deal that leaves no block with much more than the others.
#pragma once

#include <vector>

#include "forward_tma_wgmma/deal.h"

namespace flashcore::forward_tma_wgmma {

/// What each block takes of a deal of heads whose tasks cost costs[i], in their order.
std::vector<double> shares_of(const Deal& deal, const std::vector<double>& costs, unsigned heads,
                              unsigned blocks);

/// The deal whose longest share is shortest, among those that defer tasks of at most the last
/// `near_heads` heads.
Deal balanced(const std::vector<double>& costs, unsigned heads, unsigned near_heads,
              unsigned blocks);

}  // namespace flashcore::forward_tma_wgmma
