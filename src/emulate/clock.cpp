#include "emulate/clock.h"

#include <algorithm>

#include "core/error.h"

namespace flashcore::emulate {

void Join::add(Knowledge& thread) {
  if (thread.view->serial != last_added_) add(*thread.view);
  raise(times_[thread.self], thread.now);
  raise(times_[thread.copies], thread.copies_seen);
  raise(times_[thread.products], thread.products_seen);
  if (++thread.now > Epoch::most_time)
    core::fail(core::Status::unsupported, "emulator: a thread met others more than {} times",
               Epoch::most_time);
}

void Join::add(const View& view) {
  for (std::size_t agent = 0; agent < times_.size(); ++agent)
    raise(times_[agent], view.times[agent]);
  last_added_ = view.serial;
}

void Join::clear() {
  std::fill(times_.begin(), times_.end(), 0U);
  last_added_ = 0;
}

void Views::clear() {
  serial_ = 0;
  known_ = taught_ = joined_ = nullptr;
}

Join& Views::start() {
  scratch_.clear();
  return scratch_;
}

void Views::teach(Knowledge& thread, const ViewRef& view) {
  if (known_ != thread.view || taught_ != view) {
    known_ = thread.view;
    taught_ = view;
    Join& both = start();
    both.add(*known_);
    both.add(*taught_);
    joined_ = finish();
  }
  thread.view = joined_;
}

}  // namespace flashcore::emulate
