#include "jit/ptxas_log.h"

#include <gmock/gmock.h>

#include <string>

#include "core/error.h"

namespace flashcore::jit {
namespace {

using ::testing::HasSubstr;

// Recorded from NVRTC 13.0: two entries, the first calling a function that was not inlined.
constexpr std::string_view two_entries = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z1kPf' for 'sm_80'
ptxas info    : Function properties for _Z1kPf
ptxas         .     32 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 48 bytes cumulative stack size, 512 bytes smem, 360 bytes cmem[0]
ptxas info    : Compile time = 15.653 ms
ptxas info    : Function properties for _Z3fooPfi
ptxas         .     16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Compiling entry function '_Z5otherPi' for 'sm_80'
ptxas info    : Function properties for _Z5otherPi
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers, 360 bytes cmem[0]
ptxas info    : Compile time = 1.505 ms
)";

// In the form of CUDA 12: indented continuation lines, no barriers, a warning between.
constexpr std::string_view spills = R"(ptxas info    : 0 bytes gmem, 16 bytes cmem[4]
ptxas info    : Compiling entry function '_Z4spilPf' for 'sm_90a'
ptxas warning : Registers are spilled to local memory in function '_Z4spilPf', 64 bytes spill stores, 80 bytes spill loads
ptxas info    : Function properties for _Z4spilPf
    96 bytes stack frame, 64 bytes spill stores, 80 bytes spill loads
ptxas info    : Used 255 registers, 49152 bytes smem, 400 bytes cmem[0], 16 bytes cmem[2]
)";

// From NVRTC 13.0, of two kernels the second.
constexpr std::string_view serialized =
    R"(ptxas info    : (C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources for the wgmma pipeline in the function '_Z6secondv'
ptxas info    : 121 bytes gmem
ptxas info    : Compiling entry function '_Z5firstv' for 'sm_90a'
ptxas info    : Function properties for _Z5firstv
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 168 registers, used 16 barriers
ptxas info    : Compiling entry function '_Z6secondv' for 'sm_90a'
ptxas info    : Function properties for _Z6secondv
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 168 registers, used 16 barriers
)";

std::string error_of(std::string_view log, std::string_view symbol) {
  try {
    parse_ptxas_log(log, symbol);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.status(), core::Status::compile_failed);
    return error.what();
  }
  return "parsed";
}

std::string without(std::string_view log, std::string_view part) {
  std::string text{log};
  const auto at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.erase(at, part.size());
}

TEST(PtxasLog, TakesTheRequestedEntryOutOfSeveral) {
  EXPECT_EQ(parse_ptxas_log(two_entries, "_Z5otherPi"), (ResourceReport{.registers = 8}));
}

TEST(PtxasLog, CountsWhatCalledFunctionsSpillAndStack) {
  EXPECT_EQ(parse_ptxas_log(two_entries, "_Z1kPf"), (ResourceReport{.registers = 32,
                                                                    .spill_bytes = 12,
                                                                    .stack_bytes = 48,
                                                                    .shared_bytes = 512,
                                                                    .barriers = 1}));
}

TEST(PtxasLog, AddsSpillStoresAndLoadsAndCountsThemOnce) {
  EXPECT_EQ(parse_ptxas_log(spills, "_Z4spilPf"),
            (ResourceReport{
                .registers = 255, .spill_bytes = 144, .stack_bytes = 96, .shared_bytes = 49152}));
}

TEST(PtxasLog, SaysWhoseProductsAreSerialized) {
  EXPECT_FALSE(parse_ptxas_log(serialized, "_Z5firstv").serialized_products);
  EXPECT_TRUE(parse_ptxas_log(serialized, "_Z6secondv").serialized_products);
}

TEST(PtxasLog, RefusesALogWithoutTheEntry) {
  EXPECT_THAT(error_of(two_entries, "_Z1k"), HasSubstr("nothing of _Z1k in"));
  EXPECT_THAT(error_of("", "_Z1kPf"), HasSubstr("nothing of _Z1kPf in 0 characters"));
}

TEST(PtxasLog, TakesNoMissingNumberForZero) {
  const auto missing = [](std::string_view part) {
    return error_of(without(spills, part), "_Z4spilPf");
  };
  EXPECT_THAT(missing("255"), HasSubstr("no register count"));
  EXPECT_THAT(missing("    96"), HasSubstr("no stack frame"));
  EXPECT_THAT(missing("96 bytes stack frame"), HasSubstr("no stack frame"));
  EXPECT_THAT(error_of(without(two_entries, "8 bytes spill stores"), "_Z1kPf"),
              HasSubstr("no spill stores"));
  EXPECT_THAT(error_of(without(two_entries, "4 bytes spill loads"), "_Z1kPf"),
              HasSubstr("no spill loads"));
}

TEST(PtxasLog, IsCutShortAnywhereWithoutACrash) {
  for (std::size_t length = 0; length < two_entries.size(); ++length) {
    const std::string outcome = error_of(two_entries.substr(0, length), "_Z5otherPi");
    const bool enough =
        length >= two_entries.rfind(" registers") + std::string_view(" registers").size();
    EXPECT_EQ(outcome == "parsed", enough) << length;
  }
}

}  // namespace
}  // namespace flashcore::jit
