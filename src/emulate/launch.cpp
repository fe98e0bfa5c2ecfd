#include "emulate/launch.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/parallel.h"
#include "emulate/cluster.h"

namespace flashcore::emulate {

namespace {

constexpr unsigned most_threads = 1024;
/// Of a process: a fiber's stack takes two mappings of the 65530 that Linux allows.
constexpr unsigned most_fibers = 24 << 10;
constexpr unsigned most_shared_bytes = 256 << 10;

void require_launchable(const host::Module& module, const cuda::LaunchShape& shape) {
  if (module.version != host::module_version)
    core::fail(core::Status::invalid_argument, "emulator: the module has version {}, not {}",
               module.version, host::module_version);
  if (shape.grid == 0 || shape.block == 0 || shape.block > most_threads ||
      shape.shared_bytes > most_shared_bytes)
    core::fail(
        core::Status::invalid_argument,
        "emulator: {} blocks of {} threads with {} bytes of shared memory; there are 1 to {} "
        "threads and up to {} bytes",
        shape.grid, shape.block, shape.shared_bytes, most_threads, most_shared_bytes);
  cuda::require_clusters(shape);
}

/// What the system threads have gathered.
struct Gathered {
  std::atomic<unsigned> blocks = 0;
  std::mutex mutex;
  std::vector<Finding> findings;
  Counts counts;
  SiteTable sites;
};

void run_clusters(const Grid& grid, std::atomic<unsigned>& next, Gathered& gathered) {
  const unsigned size = grid.shape.cluster;
  Cluster cluster(grid);
  std::vector<Finding> findings;
  for (unsigned index; (index = next++) < grid.shape.grid / size;) {
    if (auto finding = cluster.run(std::int64_t{index} * size))
      findings.push_back(std::move(*finding));
    const unsigned done = gathered.blocks += size;
    if (grid.options.progress) grid.options.progress(done, grid.shape.grid);
  }
  const std::scoped_lock lock(gathered.mutex);
  gathered.findings.insert(gathered.findings.end(), std::make_move_iterator(findings.begin()),
                           std::make_move_iterator(findings.end()));
  cluster.add_counts(gathered.counts, gathered.sites);
}

void add_sites(const ModuleImage& image, const SiteTable& sites, Counts& counts) {
  for (const SiteTable::Sum& sum : sites.sums()) {
    SiteCounts site = sum.counts;
    site.kind = sum.kind;
    site.where = image.line(sum.site);
    counts.bytes[static_cast<std::size_t>(site.kind)] += site.bytes;
    counts.sites.push_back(std::move(site));
  }
  merge_lines(counts);
}

}  // namespace

Report launch(const host::Module& module, const cuda::LaunchShape& shape, const void* params,
              const Options& options) {
  require_launchable(module, shape);
  const Grid grid{.module = module, .shape = shape, .params = params, .options = options};
  Gathered gathered;
  std::atomic<unsigned> next = 0;
  const unsigned workers =
      std::min({shape.grid / shape.cluster, std::max(1U, std::thread::hardware_concurrency()),
                std::max(1U, most_fibers / (shape.block * shape.cluster))});
  core::parallel_for(workers, [&](std::size_t) { run_clusters(grid, next, gathered); });

  Report report{
      .findings = std::move(gathered.findings), .more_findings = 0, .counts = gathered.counts};
  std::sort(report.findings.begin(), report.findings.end(),
            [](const Finding& a, const Finding& b) { return a.block < b.block; });
  if (report.findings.size() > most_findings) {
    report.more_findings = report.findings.size() - most_findings;
    report.findings.resize(most_findings);
  }
  name_lines(report.findings);
  add_sites(grid.image, gathered.sites, report.counts);
  return report;
}

}  // namespace flashcore::emulate
