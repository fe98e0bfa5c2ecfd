#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace flashcore::cli {

namespace {

/// Columns of the terminal, so that the line never wraps.
std::size_t terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

}  // namespace

std::string format_seconds(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::max(seconds, 0.0)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(std::size_t total, std::string label)
    : total_(total),
      label_(std::move(label)),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(std::chrono::steady_clock::now()) {
  draw();
}

Progress::~Progress() {
  clear();
}

void Progress::note(std::string_view what) {
  const std::scoped_lock lock(mutex_);
  note_ = what;
  draw();
}

void Progress::advance() {
  const std::scoped_lock lock(mutex_);
  ++done_;
  note_.clear();
  draw();
}

void Progress::clear() {
  const std::scoped_lock lock(mutex_);
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void Progress::draw() {
  if (!terminal_) return;
  std::string line = total_ > 0 ? fmt::format("{} {}/{}", label_, done_, total_) : label_;
  if (done_ > 0 && done_ < total_) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    const double per_step = elapsed.count() / static_cast<double>(done_);
    line +=
        fmt::format(", {} left", format_seconds(per_step * static_cast<double>(total_ - done_)));
  }
  if (!note_.empty()) line += ": " + note_;
  line.resize(std::min(line.size(), terminal_columns() - 1));
  fmt::print(stderr, "\r\033[K{}", line);
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace flashcore::cli
