// Which tasks a block takes, and when.
#pragma once

#include "device/tile/divisor.h"

namespace flashcore::forward_tma_wgmma {

/// The place in a row of tasks that a block takes in a round: forth through the blocks in one and
/// back in the next, so that whoever has a round's longest has the next one's shortest. `blocks` by
/// reference: a kernel reads it among its arguments each time, rather than keep it.
constexpr unsigned task_of_round(unsigned round, unsigned block, const unsigned& blocks) {
  return round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
}

/// How tasks are dealt to blocks. Most go round by round, which leaves some blocks with more than
/// others. What makes up for that are tasks of the last heads: of each the last few, which a causal
/// mask makes the shortest, are deferred until the rounds are over, and then all heads' longest
/// come first.
struct Deal {
  static constexpr unsigned most_blocks = 160;  // that can have deferred tasks

  unsigned dealt = 0;              // tasks that go round by round
  unsigned whole = 0;              // of these the first, of heads that defer none
  unsigned full_rounds = 0;        // in which every block takes one
  unsigned deferred = 0;           // of each of the last heads' tasks
  device::Divisor per_round = {};  // of each of the last heads' tasks, those that are not deferred
  device::Divisor heads = {};      // the last ones
  /// Of the deferred tasks, each block's first, and where the last block's end.
  unsigned short first_deferred[most_blocks + 1] = {};
};

/// The task, by its number among the call's, that a block takes in a round; `tasks` when it has
/// taken all of its own.
constexpr unsigned dealt_task(const Deal& deal, unsigned tasks, const unsigned& blocks,
                              unsigned block, unsigned round) {
  const unsigned place = task_of_round(round, block, blocks);
  if (place < deal.whole) return place;
  if (place < deal.dealt)
    return place + deal.per_round.divide(place - deal.whole).quotient * deal.deferred;
  if (deal.deferred == 0) return tasks;
  const bool in_last_round = task_of_round(deal.full_rounds, block, blocks) < deal.dealt;
  const unsigned deferred =
      deal.first_deferred[block] + round - deal.full_rounds - (in_last_round ? 1 : 0);
  if (deferred >= deal.first_deferred[block + 1]) return tasks;
  const auto by_head = deal.heads.divide(deferred);
  return deal.whole + by_head.remainder * (deal.per_round.value + deal.deferred) +
         deal.per_round.value + by_head.quotient;
}

}  // namespace flashcore::forward_tma_wgmma
