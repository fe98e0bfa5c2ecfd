#include "report/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "gate/ladder.h"
#include "gate/rules.h"

namespace flashcore::report {

using gate::CaseRecord;
using gate::PeerRecord;

namespace {

constexpr const char* sweep_title = "Throughput against sequence length";
constexpr const char* grid = "set grid lc rgb '#dddddd'\nset border lc rgb '#444444'\n";

/// The looks of a contender: ours strong and solid, peers fixed, so that pictures agree.
class Looks {
 public:
  std::string of(const std::string& label) {
    static const std::map<std::string, std::string> peers{
        {"torch_sdpa flash", "lc rgb '#555555' dt 2 pt 6"},
        {"torch_sdpa cudnn", "lc rgb '#5a9e00' dt 4 pt 8"},
        {"torch_sdpa efficient", "lc rgb '#b08030' dt 3 pt 10"}};
    if (const auto found = peers.find(label); found != peers.end()) return found->second;
    static constexpr std::array colours{"#0b5fa5", "#d1495b", "#7b4fa3", "#e08a00", "#00868b",
                                        "#a0522d", "#c2006b", "#2e6b2e", "#303030"};
    static constexpr std::array points{7, 5, 9, 11, 13, 15, 7, 5, 9};
    const std::size_t index = place_of(label) % colours.size();
    return fmt::format("lc rgb '{}' dt 1 pt {}", colours[index], points[index]);
  }

 private:
  /// Rungs have the same place in every picture, others one after them.
  std::size_t place_of(const std::string& label) {
    const auto rungs = dispatch::ladder();
    for (std::size_t i = 0; i < rungs.size(); ++i)
      if (rungs[i].variant == label) return i;
    return others_.try_emplace(label, rungs.size() + others_.size()).first->second;
  }

  std::map<std::string, std::size_t> others_;
};

std::string label_of(const PeerRecord& peer) {
  return fmt::format("{} {}", peer.name, peer.backend);
}

/// Calls `visit(label, cold microseconds)` for a case's own time and for each peer's.
void for_each_time(const CaseRecord& record,
                   const std::function<void(const std::string&, double)>& visit) {
  if (record.timing) visit(record.variant, record.timing->cold.median);
  for (const PeerRecord& peer : record.peers)
    if (peer.timing) visit(label_of(peer), peer.timing->cold.median);
}

double tflops(const CaseRecord& record, double us) {
  return record.problem.flops() / us / 1e6;
}

/// Points by contender, in the order in which they appear; a point that comes again is left out.
class Curves {
 public:
  void add(const std::string& label, double x, double y) {
    auto found = std::find_if(curves_.begin(), curves_.end(),
                              [&](const Curve& curve) { return curve.label == label; });
    if (found == curves_.end())
      found = curves_.insert(curves_.end(), {label, looks_.of(label), {}});
    const bool known = std::any_of(found->points.begin(), found->points.end(),
                                   [&](const auto& point) { return point.first == x; });
    if (!known) found->points.emplace_back(x, y);
  }
  [[nodiscard]] std::vector<Curve> sorted() const {
    std::vector<Curve> curves = curves_;
    for (Curve& curve : curves) std::sort(curve.points.begin(), curve.points.end());
    return curves;
  }

 private:
  std::vector<Curve> curves_;
  Looks looks_;
};

/// Adds the curves' data to `script` as blocks of these names; what draws them, with commas
/// between.
std::string plots_of(const std::vector<Curve>& curves, const std::string& name,
                     const std::string& how, std::string& script) {
  std::string plots;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string block = fmt::format("{}{}", name, i);
    script += data_block(block, curves[i].points);
    plots += fmt::format("{}${} {} {} title {}", i == 0 ? "" : ", \\\n     ", block, how,
                         curves[i].style, quoted(curves[i].label));
  }
  return plots;
}

struct CeilingLines {
  double peak_tflops = 0, peak_gb_per_s = 0, measured_tflops = 0, measured_gb_per_s = 0;
};

CeilingLines ceilings_of(std::span<const CaseRecord> cases) {
  CeilingLines lines;
  for (const CaseRecord& record : cases) {
    if (!record.on_gpu() || !record.roofline) continue;
    const gate::RooflineRecord& roofline = *record.roofline;
    // Records from before the peaks were kept: the bound is the peak wherever arithmetic sets it.
    const double implied =
        roofline.bound_us > 0 ? record.problem.flops() / roofline.bound_us / 1e6 : 0;
    lines.peak_tflops =
        std::max(lines.peak_tflops, roofline.peak_tflops > 0 ? roofline.peak_tflops : implied);
    lines.peak_gb_per_s = std::max(lines.peak_gb_per_s, roofline.peak_gb_per_s);
    lines.measured_tflops = std::max(lines.measured_tflops, roofline.measured_tflops);
    lines.measured_gb_per_s = std::max(lines.measured_gb_per_s, roofline.measured_gb_per_s);
  }
  return lines;
}

/// A roof: bandwidth up to the ridge, arithmetic from there; flat where the bandwidth is not known.
std::string roof(double gb_per_s, double teraflops) {
  if (gb_per_s <= 0) return fmt::format("{:.6g}", teraflops);
  return fmt::format("(x * {:.6g} < {:.6g} ? x * {:.6g} : {:.6g})", gb_per_s / 1e3, teraflops,
                     gb_per_s / 1e3, teraflops);
}

std::string bandwidth_text(double gb_per_s) {
  return gb_per_s > 0 ? fmt::format(", {:.2f} TB/s", gb_per_s / 1e3) : "";
}

struct Range {
  double least = 1e300, most = 0;
  void take(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

std::string roofline_script(const std::vector<Curve>& curves, const CeilingLines& ceilings) {
  Range x, y;
  for (const Curve& curve : curves)
    for (const auto& [intensity, speed] : curve.points) {
      x.take(intensity);
      y.take(speed);
    }
  if (ceilings.peak_gb_per_s > 0) x.take(1e3 * ceilings.peak_tflops / ceilings.peak_gb_per_s);
  y.take(ceilings.peak_tflops);
  std::string script = grid;
  script += fmt::format(
      "set logscale xy\nset xrange [{:.6g}:{:.6g}]\nset yrange [{:.6g}:{:.6g}]\n"
      "set xlabel 'arithmetic intensity, FLOP for each byte of Q, K, V and O'\n"
      "set ylabel 'throughput, TFLOP/s (cold)'\nset format y '%g'\nset format x '%g'\n"
      "set key outside right top reverse Left samplen 2.5 spacing 1.35 width -4\nset samples "
      "1000\n",
      x.least / 3, x.most * 3, y.least / 2, y.most * 2);
  std::string plots;
  const auto line = [&](const std::string& what, const std::string& style,
                        const std::string& title) {
    plots += fmt::format("{}{} with lines {} title {}", plots.empty() ? "plot " : ", \\\n     ",
                         what, style, quoted(title));
  };
  if (ceilings.peak_tflops > 0)
    line(roof(ceilings.peak_gb_per_s, ceilings.peak_tflops), "lw 2 lc rgb '#aaaaaa' dt 1",
         fmt::format("peak {:.0f} TFLOP/s{}", ceilings.peak_tflops,
                     bandwidth_text(ceilings.peak_gb_per_s)));
  if (ceilings.measured_tflops > 0)
    line(roof(ceilings.measured_gb_per_s, ceilings.measured_tflops), "lw 2 lc rgb '#222222' dt 1",
         fmt::format("measured {:.0f} TFLOP/s{}", ceilings.measured_tflops,
                     bandwidth_text(ceilings.measured_gb_per_s)));
  plots += plots.empty() ? "plot " : ", \\\n     ";
  plots += plots_of(curves, "points", "with points ps 1.1 lw 2", script);
  return script + plots + "\n";
}

/// The one record for each rung: the last that was compared with flash at the mission shape.
const CaseRecord* rung_record(std::span<const CaseRecord> cases, std::string_view variant) {
  const CaseRecord* found = nullptr;
  for (const CaseRecord& record : cases)
    if (record.variant == variant && record.timing && record.problem == gate::mission_problem())
      found = &record;
  return found;
}

/// A peer's cold time as measured beside a case; 0 where it was not.
double peer_us(const CaseRecord& record, std::string_view backend) {
  for (const PeerRecord& peer : record.peers)
    if (peer.backend == backend && peer.timing) return peer.timing->cold.median;
  return 0;
}

double multiple_of_flash(const CaseRecord& record) {
  if (const PeerRecord* flash = gate::find_peer(record, gate::ladder_peer))
    return flash->comparison->ratio.median;
  const double flash_us = peer_us(record, gate::ladder_peer);  // a record from before
  return flash_us > 0 ? record.timing->cold.median / flash_us : 0;
}

using PanelKey = std::pair<std::int64_t, core::MaskKind>;  // head_dim, mask

using Panels = std::map<PanelKey, Curves>;

/// Cases of one backend that differ in length alone, the number of tokens held constant, with three
/// lengths or more.
Panels sweep_panels(std::span<const CaseRecord> cases) {
  std::map<std::pair<PanelKey, std::int64_t>, std::vector<const CaseRecord*>> groups;
  for (const CaseRecord& record : cases) {
    const core::Problem& p = record.problem;
    if (!record.timing || p.seq_q != p.seq_kv || p.mask.window_left >= 0) continue;
    groups[{{p.head_dim, p.mask.kind}, p.batch * p.seq_q}].push_back(&record);
  }
  Panels panels;
  for (const auto& [key, records] : groups) {
    std::set<std::int64_t> lengths;
    for (const CaseRecord* record : records) lengths.insert(record->problem.seq_q);
    if (lengths.size() < 3) continue;
    Curves panel;
    for (const CaseRecord* record : records)
      for_each_time(*record, [&](const std::string& label, double us) {
        panel.add(label, static_cast<double>(record->problem.seq_q), tflops(*record, us));
      });
    panels.insert_or_assign(key.first, panel);  // of several numbers of tokens, the largest
  }
  return panels;
}

std::string panel_title(const PanelKey& key) {
  return fmt::format("head_dim {}, {}", key.first,
                     key.second == core::MaskKind::none ? "no mask" : "causal");
}

std::string panel_script(const PanelKey& key, const std::vector<Curve>& curves, double top,
                         std::size_t number) {
  std::string script;
  const std::string plots =
      plots_of(curves, fmt::format("panel{}_", number), "with linespoints ps 0.8 lw 2", script);
  return script +
         fmt::format("set title {}\nset yrange [0:{:.6g}]\nplot ", quoted(panel_title(key)), top) +
         plots + "\n";
}

}  // namespace

std::optional<Picture> roofline_picture(std::span<const CaseRecord> cases,
                                        std::span<const profile::ProfileRecord> profiles) {
  Curves curves;
  bool any = false;
  for (const CaseRecord& record : cases) {
    if (!record.on_gpu() || !record.timing) continue;
    any = true;
    const double intensity = record.problem.flops() / record.problem.bytes();
    for_each_time(record, [&](const std::string& label, double us) {
      curves.add(label, intensity, tflops(record, us));
    });
  }
  for (const profile::ProfileRecord& record : profiles) {
    if (!record.kernel) continue;
    const auto bytes = record.kernel->figures.at("dram_bytes");
    const auto us = record.kernel->figures.at("duration_us");
    if (!bytes || !us || *bytes <= 0 || *us <= 0) continue;
    any = true;
    curves.add(record.variant + " by its DRAM traffic", record.problem.flops() / *bytes,
               record.problem.flops() / *us / 1e6);
  }
  if (!any) return std::nullopt;
  return Picture{
      .name = "roofline",
      .title = "Roofline",
      .caption =
          "Each point is one problem. Below the slope memory bounds it, below the flat "
          "part arithmetic does; far below both, latency. Grey: what the data sheet's "
          "rates allow; black: what a matrix product and a copy reached in the same run.",
      .width = 1040,
      .script = roofline_script(curves.sorted(), ceilings_of(cases))};
}

std::optional<Picture> ladder_picture(std::span<const CaseRecord> cases) {
  std::string ticks;
  std::vector<std::pair<double, double>> places, limits;
  const CaseRecord* last = nullptr;
  Range y;
  y.take(1);
  for (const dispatch::Rung& rung : dispatch::ladder()) {
    const CaseRecord* record = rung_record(cases, rung.variant);
    const double multiple = record == nullptr ? 0 : multiple_of_flash(*record);
    if (multiple <= 0) continue;
    const auto place = static_cast<double>(places.size());
    ticks +=
        fmt::format("{}{} {}", ticks.empty() ? "" : ", ", quoted(std::string{rung.variant}), place);
    places.emplace_back(place, multiple);
    y.take(multiple);
    if (rung.limit > 0) limits.emplace_back(place, rung.limit);
    if (rung.limit > 0) y.take(rung.limit);
    last = record;
  }
  if (places.empty()) return std::nullopt;

  const double flash_us = peer_us(*last, gate::ladder_peer);
  std::string script = grid;
  script += data_block("rungs", places) + data_block("limits", limits);
  script += fmt::format(
      "set logscale y\nset yrange [{:.6g}:{:.6g}]\nset xrange [-0.6:{:.6g}]\nset xtics ({}) "
      "nomirror\n"
      "set ylabel \"times SDPA's flash backend ({:.1f} us)\"\n"
      "set ytics (0.25, 0.5, 0.7, 1, 1.4, 2, 2.8, 5, 7, 10, 14, 20, 50, 100, 200)\n"
      "set format y '%g'\nset key outside top center horizontal\n",
      y.least / 1.5, y.most * 1.6, static_cast<double>(places.size()) - 0.3, ticks, flash_us);
  std::string plots = "plot 1 with lines lw 2 lc rgb '#555555' dt 2 title 'torch_sdpa flash'";
  Looks looks;
  for (const PeerRecord& peer : last->peers)
    if (peer.timing && peer.backend != gate::ladder_peer && flash_us > 0)
      plots += fmt::format(", \\\n     {:.6g} with lines lw 1.5 {} title {}",
                           peer.timing->cold.median / flash_us,
                           looks.of(label_of(peer)).substr(0, looks.of(label_of(peer)).find(" pt")),
                           quoted(label_of(peer)));
  if (!limits.empty())
    plots +=
        ", \\\n     $limits using ($1-0.3):2:(0.6):(0) with vectors nohead lw 3 lc rgb '#d1495b' "
        "title 'limit'";
  plots +=
      ", \\\n     $rungs with linespoints lw 2 ps 1.2 pt 7 lc rgb '#0b5fa5' title 'FlashCore'"
      ", \\\n     $rungs using 1:2:(sprintf('%.2f', $2)) with labels offset -3.4,-0.7 notitle\n";
  return Picture{.name = "ladder",
                 .title = "The ladder",
                 .caption = fmt::format(
                     "{}: GPU time on cold buffers as a multiple of PyTorch SDPA's flash backend, "
                     "measured in the same rounds. Red: the most that a rung may take.",
                     last->problem.to_string()),
                 .script = script + plots};
}

std::optional<Picture> sweep_picture(std::span<const CaseRecord> cases) {
  const Panels panels = sweep_panels(cases);
  if (panels.empty()) return std::nullopt;
  std::set<std::int64_t> columns;
  std::set<core::MaskKind> rows;
  double top = 0;
  Range lengths;
  for (const auto& [key, curves] : panels) {
    columns.insert(key.first);
    rows.insert(key.second);
    for (const Curve& curve : curves.sorted())
      for (const auto& [seq, speed] : curve.points) {
        lengths.take(seq);
        top = std::max(top, speed);
      }
  }
  std::string script = grid;
  script += fmt::format(
      "set multiplot layout {},{} title {} margins 0.07,0.985,0.08,0.88 spacing 0.05,0.14\n"
      "set logscale x 2\nset xtics ('512' 512, '1k' 1024, '2k' 2048, '4k' 4096, '8k' 8192, '16k' "
      "16384, '32k' 32768, '256' 256, '128' 128)\n"
      "set xlabel 'sequence length' offset 0,0.5\n"
      "set key bottom right reverse Left samplen 2\nset xrange [{:.6g}:{:.6g}]\n",
      rows.size(), columns.size(), quoted(sweep_title), lengths.least / 1.25, lengths.most * 1.25);
  std::size_t number = 0;
  for (const core::MaskKind mask : rows)
    for (const std::int64_t head_dim : columns) {
      const auto panel = panels.find({head_dim, mask});
      script += fmt::format("set ylabel '{}' offset 1.5,0\n",
                            head_dim == *columns.begin() ? "TFLOP/s (cold)" : "");
      if (panel == panels.end())
        script += "set multiplot next\n";
      else
        script += panel_script(panel->first, panel->second.sorted(), 1.12 * top, number);
      ++number;
      script += "unset key\n";  // the first panel's serves all
    }
  return Picture{.name = "sweep",
                 .title = sweep_title,
                 .caption =
                     "The number of tokens is constant: longer sequences come in smaller "
                     "batches. Only the pairs that the mask lets through are counted.",
                 .width = static_cast<int>(120 + 340 * columns.size()),
                 .height = static_cast<int>(100 + 330 * rows.size()),
                 .script = script + "unset multiplot\n"};
}

std::optional<Picture> latency_picture(std::span<const CaseRecord> cases) {
  constexpr double short_us = 50;
  std::vector<std::string> problems;
  Curves curves;  // from a Problem's line to a time
  Range times;
  for (const CaseRecord& record : cases) {
    if (!record.on_gpu() || !record.timing || record.timing->cold.median > short_us) continue;
    const std::string name = record.problem.to_string();
    const auto known = std::find(problems.begin(), problems.end(), name);
    const auto line = static_cast<double>(known - problems.begin());
    if (known == problems.end()) problems.push_back(name);
    for_each_time(record, [&](const std::string& label, double us) {
      curves.add(label, line, us);
      times.take(us);
    });
  }
  if (problems.size() < 2) return std::nullopt;
  std::string ticks;
  for (std::size_t i = 0; i < problems.size(); ++i)
    ticks += fmt::format("{}{} {}", i == 0 ? "" : ", ", report::quoted(problems[i]), i);
  std::string script = grid;
  script += fmt::format(
      "set logscale x\nset xrange [{:.6g}:{:.6g}]\nset yrange [{:.6g}:-0.6]\nset ytics ({})\n"
      "set xtics (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500, 1000)\n"
      "set xlabel 'GPU time, us (cold)'\nset key outside right top reverse Left samplen 1\n",
      times.least / 1.2, times.most * 1.2, static_cast<double>(problems.size()) - 0.4, ticks);
  const std::string plots =
      plots_of(curves.sorted(), "latency", "using 2:1 with points ps 1.4 lw 2", script);
  return Picture{.name = "latency",
                 .title = "Short calls",
                 .caption = "GPU time of one call on cold buffers, those of at most 50 us.",
                 .width = 1040,
                 .height = static_cast<int>(120 + 50 * problems.size()),
                 .script = script + "plot " + plots + "\n"};
}

std::optional<Picture> stall_picture(std::span<const profile::ProfileRecord> profiles) {
  std::vector<const profile::ProfileRecord*> profiled;
  std::vector<std::string> reasons;
  for (const profile::ProfileRecord& record : profiles) {
    if (!record.kernel || record.kernel->stalls.empty()) continue;
    profiled.push_back(&record);
    for (const auto& [reason, per_issue] : record.kernel->stalls)
      if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end())
        reasons.push_back(reason);
  }
  if (profiled.empty()) return std::nullopt;
  std::string data = "$stalls << EOD\nreason";
  for (const auto* record : profiled) data += " " + record->variant;
  data += '\n';
  for (const std::string& reason : reasons) {
    data += reason;
    for (const auto* record : profiled) {
      double value = 0;
      for (const auto& [name, per_issue] : record->kernel->stalls)
        if (name == reason) value = per_issue;
      data += fmt::format(" {:.6g}", value);
    }
    data += '\n';
  }
  std::string script = grid + data + "EOD\n";
  script +=
      "set style data histograms\nset style histogram clustered gap 1\nset style fill solid 0.9\n"
      "set boxwidth 0.9\nset ylabel 'warps waiting for each instruction issued'\n"
      "set xtics rotate by -30 nomirror\nset yrange [0:*]\nset key top right\nset rmargin 6\n";
  std::string plots;
  Looks looks;
  for (std::size_t i = 0; i < profiled.size(); ++i) {
    const std::string look = looks.of(profiled[i]->variant);
    plots += fmt::format("{}$stalls using {}{} skip 1 {} title {}",
                         i == 0 ? "plot " : ", \\\n     ", i + 2, i == 0 ? ":xtic(1)" : "",
                         look.substr(0, look.find(" dt")), quoted(profiled[i]->variant));
  }
  return Picture{.name = "stalls",
                 .title = "What warps wait for",
                 .caption =
                     "Nsight Compute's stall reasons, the largest of each kernel: a warp that "
                     "was resident and could not issue, for each instruction that was issued.",
                 .script = script + plots + "\n"};
}

}  // namespace flashcore::report
