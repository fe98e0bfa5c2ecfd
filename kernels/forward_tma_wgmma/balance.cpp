#include "forward_tma_wgmma/balance.h"

#include <algorithm>
#include <numeric>

namespace flashcore::forward_tma_wgmma {
namespace {

/// A deal and the longest of its shares.
struct Dealt {
  Deal deal;
  double longest;
};

double longest_of(const std::vector<double>& shares) {
  return *std::max_element(shares.begin(), shares.end());
}

/// Gives each block in turn what of the deferred tasks, in their order, it can take before its
/// share is `longest`. False where some remain.
bool fill(const std::vector<double>& shares, const std::vector<double>& deferred, double longest,
          Deal& deal) {
  std::size_t next = 0;
  for (std::size_t block = 0; block < shares.size(); ++block) {
    deal.first_deferred[block] = static_cast<unsigned short>(next);
    for (double share = shares[block]; next < deferred.size() && share + deferred[next] <= longest;
         ++next)
      share += deferred[next];
  }
  deal.first_deferred[shares.size()] = static_cast<unsigned short>(next);
  return next == deferred.size();
}

/// With so many of the tasks of each of the last heads deferred.
Dealt deferring(const std::vector<double>& costs, unsigned heads, unsigned last_heads,
                unsigned deferred, unsigned blocks) {
  const auto count = static_cast<unsigned>(costs.size());
  const unsigned per_round = count - deferred;
  const unsigned whole = (heads - last_heads) * count;
  const unsigned dealt = whole + last_heads * per_round;
  Deal deal{.dealt = dealt,
            .whole = whole,
            .full_rounds = dealt / blocks,
            .deferred = deferred,
            .per_round = device::make_divisor(per_round),
            .heads = device::make_divisor(last_heads)};
  const auto shares = shares_of(deal, costs, heads, blocks);
  std::vector<double> tasks;
  for (unsigned i = per_round; i < count; ++i) tasks.insert(tasks.end(), last_heads, costs[i]);
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0) +
                     std::accumulate(tasks.begin(), tasks.end(), 0.0);
  double low = std::max(sum / blocks, longest_of(shares));
  double high = low + costs.front();
  while (!fill(shares, tasks, high, deal)) high += costs.front();
  constexpr int halvings = 16;
  for (int i = 0; i < halvings; ++i) {
    const double middle = (low + high) / 2;
    (fill(shares, tasks, middle, deal) ? high : low) = middle;
  }
  fill(shares, tasks, high, deal);
  return {.deal = deal, .longest = high};
}

}  // namespace

std::vector<double> shares_of(const Deal& deal, const std::vector<double>& costs, unsigned heads,
                              unsigned blocks) {
  const auto tasks = heads * static_cast<unsigned>(costs.size());
  std::vector<double> shares(blocks);
  for (unsigned block = 0; block < blocks; ++block)
    for (unsigned round = 0;; ++round) {
      const unsigned task = dealt_task(deal, tasks, blocks, block, round);
      if (task >= tasks) break;
      shares[block] += costs[task % costs.size()];
    }
  return shares;
}

Deal balanced(const std::vector<double>& costs, unsigned heads, unsigned near_heads,
              unsigned blocks) {
  const auto count = static_cast<unsigned>(costs.size());
  Dealt best{.deal = {.dealt = heads * count, .whole = heads * count}, .longest = 0};
  best.longest = longest_of(shares_of(best.deal, costs, heads, blocks));
  constexpr unsigned fewest_heads = 32;
  for (unsigned last_heads = std::min(heads, near_heads); last_heads > 0;
       last_heads = last_heads * 3 / 4) {
    unsigned before = 0;
    for (const unsigned sixteenths : {2U, 3U, 4U, 5U, 6U, 8U}) {
      const unsigned deferred = (count * sixteenths + 15) / 16;
      if (deferred == before || deferred >= count) continue;
      before = deferred;
      const Dealt dealt = deferring(costs, heads, last_heads, deferred, blocks);
      if (dealt.longest < best.longest) best = dealt;
    }
    if (last_heads < fewest_heads) break;
  }
  return best.deal;
}

}  // namespace flashcore::forward_tma_wgmma
