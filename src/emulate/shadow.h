// What is known of every byte of a block's shared memory: who wrote it last, and who read it since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "emulate/clock.h"
#include "emulate/site.h"

namespace flashcore::emulate {

struct Access {
  Epoch epoch;  // none: no access
  SiteId site = 0;
  bool operator==(const Access&) const = default;
};

/// The readers of a byte since it was written, as a number: bytes that were read alike, as those of
/// a tile are, have the same. Readers that a later one comes after are forgotten.
class ReaderSets {
 public:
  using Id = std::uint32_t;
  static constexpr Id nobody = 0;

  ReaderSets() : last_found_(cache_size) { clear(); }

  /// The set with one more reader.
  Id with(Id set, const Knowledge& reader, Epoch epoch, SiteId site);
  /// A reader whom the thread does not come after, or null.
  [[nodiscard]] const Access* unordered(Id set, const Knowledge& thread) const;
  void clear();

 private:
  struct Found {
    Id set = 0;
    Epoch epoch;
    std::uint32_t view = 0;
    Id result = 0;
  };
  static constexpr std::size_t cache_size = 4096;

  Id make(Id set, const Knowledge& reader, Epoch epoch, SiteId site);

  std::vector<std::uint32_t> begins_;  // of set s in readers_; the next one's begin is its end
  std::vector<Access> readers_;
  std::vector<Found> last_found_;
};

class Shadow {
 public:
  /// An access that another thread's, or nobody's, makes wrong.
  struct Conflict {
    std::size_t offset = 0;
    Access other;  // none: nobody wrote the byte
    bool with_read = false;
  };

  /// What it means to read a byte that nobody has written.
  enum class Unwritten { conflict, given };

  explicit Shadow(std::size_t bytes, Unwritten unwritten = Unwritten::conflict)
      : unwritten_(unwritten), writes_(bytes), reads_(bytes) {}

  /// Both take note of the access, up to a conflict, which is then left in `conflict`; whether
  /// there was none.
  /// `epoch`: the thread's, or that of what it starts.
  bool read(std::size_t offset, std::size_t bytes, const Knowledge& thread, Epoch epoch,
            SiteId site, Conflict& conflict);
  bool write(std::size_t offset, std::size_t bytes, const Knowledge& thread, Epoch epoch,
             SiteId site, Conflict& conflict);
  /// The first of the bytes whose last write the predicate (Epoch) wants.
  template <typename Predicate>
  [[nodiscard]] std::optional<Conflict> find_write(std::size_t offset, std::size_t bytes,
                                                   Predicate&& wanted) const {
    Epoch last;
    for (std::size_t i = offset; i < offset + bytes; ++i) {
      if (writes_[i].epoch == last) continue;
      last = writes_[i].epoch;
      if (!last.none() && wanted(last)) return Conflict{i, writes_[i], false};
    }
    return std::nullopt;
  }
  /// Of so many bytes, where it was of fewer.
  void grow(std::size_t bytes);
  /// As at the beginning of a block.
  void clear();

 private:
  /// The end of the bytes from `offset` on that have the same history.
  [[nodiscard]] std::size_t same_until(std::size_t offset, std::size_t end) const;

  /// Whether the thread may read what was written so.
  [[nodiscard]] bool readable(const Access& written, const Knowledge& thread) const {
    return written.epoch.none() ? unwritten_ == Unwritten::given : thread.ordered(written.epoch);
  }

  Unwritten unwritten_;
  std::vector<Access> writes_;
  std::vector<ReaderSets::Id> reads_;
  ReaderSets sets_;
};

}  // namespace flashcore::emulate
