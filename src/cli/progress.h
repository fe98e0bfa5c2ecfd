// Progress of long work: one line on a terminal that overwrites itself, nothing in a pipe.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace flashcore::cli {

/// Several threads may show what they are at.
class Progress {
 public:
  /// `total` steps, 0 where nobody knows. Writes to stderr only where that is a terminal.
  Progress(std::size_t total, std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows what the current step is at.
  void note(std::string_view what);
  /// One step done.
  void advance();
  /// Takes the line off the terminal, so that something else may be printed; the next call draws it
  /// again.
  void clear();

 private:
  void draw();

  std::mutex mutex_;
  std::size_t total_;
  std::size_t done_ = 0;
  std::string label_;
  std::string note_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_;
};

/// "3 s", "2 min 05 s", "1 h 02 min"
std::string format_seconds(double seconds);

}  // namespace flashcore::cli
