#include "dispatch/plan_cache.h"

namespace flashcore::dispatch {

PlanCache& PlanCache::instance() {
  static auto* cache = new PlanCache;  // never destroyed: calls may come from static destructors
  return *cache;
}

const Plan& PlanCache::get(const core::Problem& problem, const Device& device) {
  const Key key{problem, device};
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = plans_.find(key); found != plans_.end()) return *found->second;
  }
  // Made outside the lock, since it may compile; of two that race, the first one in stays.
  auto plan = std::make_unique<Plan>(problem, device, Pinned{});
  const std::unique_lock lock(mutex_);
  return *plans_.try_emplace(key, std::move(plan)).first->second;
}

}  // namespace flashcore::dispatch
