#include "emulate/fiber.h"

#include <gtest/gtest.h>

#include <string>

namespace flashcore::emulate {
namespace {

/// Three fibers that write their names in turn.
struct Writers {
  Fibers fibers{3, body, this};
  std::string text;

  static void body(void* owner, int fiber) {
    auto& writers = *static_cast<Writers*>(owner);
    for (;;) {
      writers.text += static_cast<char>('a' + fiber);
      writers.fibers.switch_to(fiber, fiber == 2 ? Fibers::outside : fiber + 1);
    }
  }
  void round() { fibers.switch_to(Fibers::outside, 0); }
};

TEST(Fibers, GoOnWhereTheyWere) {
  Writers writers;
  for (int fiber = 0; fiber < 3; ++fiber) writers.fibers.restart(fiber);
  writers.round();
  writers.round();
  EXPECT_EQ(writers.text, "abcabc");
}

TEST(Fibers, StartAgainWhateverTheyWereDoing) {
  Writers writers;
  for (int time = 0; time < 1000; ++time) {
    for (int fiber = 0; fiber < 3; ++fiber) writers.fibers.restart(fiber);
    writers.round();
  }
  EXPECT_EQ(writers.text.size(), 3000U);
}

}  // namespace
}  // namespace flashcore::emulate
