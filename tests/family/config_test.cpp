#include "family/config.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "family/family.h"
#include "family/forward_call.h"
#include "support/message_of.h"

namespace flashcore::family {
namespace {

using core::Arch;

enum class Order { ascending, descending };

struct Example {
  int block = 64;
  bool swizzled = true;
  Order order = Order::descending;
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("block", config.block);
  visit("swizzled", config.swizzled);
  visit("order", config.order);
}

using test::message_of;

TEST(ConfigFields, EveryFamilysConfigsSurviveTextAndBack) {
  for (const Family* family : all_families())
    for (const auto& config : family->shipped_configs(core::limits_of(family->archs().front())))
      EXPECT_EQ(ConfigFields::parse(config.to_string()), config) << config.to_string();
}

TEST(ConfigFields, ATypedConfigSurvivesFieldsAndBack) {
  const Example config = from_fields<Example>(to_fields(Example{128, false, Order::ascending}));
  EXPECT_EQ(config.block, 128);
  EXPECT_FALSE(config.swizzled);
  EXPECT_EQ(config.order, Order::ascending);
}

TEST(ConfigFields, TheLiteralNamesEveryField) {
  EXPECT_EQ(to_literal("ns::Example", Example{}),
            "ns::Example{.block=64,.swizzled=true,.order=decltype(ns::Example::order)(1)}");
}

TEST(ConfigFields, GivenFieldsTakeTheDefaultsPlaceAndUnknownOnesAreRefused) {
  const ConfigFields base = to_fields(Example{});
  EXPECT_EQ(overlaid(base, ConfigFields::parse("order=0")).to_string(),
            "block=64,swizzled=1,order=0");
  EXPECT_EQ(overlaid(base, {}), base);
  EXPECT_EQ(message_of([&] { overlaid(base, ConfigFields::parse("stages=2")); }),
            "config: unknown field stages; the fields are block=64,swizzled=1,order=1");
}

TEST(ConfigFields, BadTextIsRefusedWithTheFieldsName) {
  EXPECT_EQ(message_of([] { ConfigFields::parse("block"); }),
            "config: 'block' is not of the form field=value");
  EXPECT_EQ(message_of([] { ConfigFields::parse("block=6x"); }),
            "config: block is '6x', which is not a whole number");
  EXPECT_EQ(message_of([] { ConfigFields::parse("block=1,block=2"); }),
            "config: block is given twice");
  EXPECT_EQ(message_of([] { ConfigFields::parse("block=1,"); }), "config: ends in a comma");
  EXPECT_EQ(message_of([] { ConfigFields::parse("block=99999999999999999999"); }),
            "config: block is '99999999999999999999', which is not a whole number");
}

TEST(ConfigFields, UnknownMissingAndOversizedFieldsAreRefused) {
  EXPECT_EQ(message_of([] { from_fields<Example>(ConfigFields::parse("block=1,stages=2")); }),
            "config: unknown field stages; the fields are block=64,swizzled=1,order=1");
  EXPECT_EQ(message_of([] { from_fields<Example>(ConfigFields::parse("block=1,order=0")); }),
            "config: field swizzled is missing");
  EXPECT_EQ(message_of([] {
              from_fields<Example>(ConfigFields::parse("block=4294967297,swizzled=1,order=0"));
            }),
            "config: block = 4294967297 does not fit the field's type");
}

TEST(Family, TheDefaultConfigIsValidAndInTheSpaceForEveryArchItClaims) {
  for (const Family* family : all_families())
    for (const Arch arch : family->archs()) {
      const auto gpu = core::limits_of(arch);
      for (const int head_dim : {1, 32, 40, 64, 72, 128, 200, 256}) {
        const auto problem =
            core::contiguous_problem(core::Dtype::bfloat16, 2, 4, 2, 100, 100, head_dim);
        const auto support = family->supports(problem, gpu);
        if (!support && head_dim % 8 != 0) continue;  // the contract asks for multiples of 8
        ASSERT_TRUE(support) << family->name() << ": " << support.reason();
        const auto config = family->default_config(problem, gpu);
        EXPECT_TRUE(family->valid(config, gpu)) << family->valid(config, gpu).reason();
        const auto space = family->space(problem, gpu);
        EXPECT_NE(std::find(space.begin(), space.end(), config), space.end())
            << family->name() << ' ' << config.to_string();
      }
    }
}

TEST(Family, AThreadsRegistersAreThoseOfTheFullestPartition) {
  const auto gpu = core::limits_of({8, 9});
  EXPECT_EQ(registers_per_thread(256, gpu), 255);
  EXPECT_EQ(registers_per_thread(384, gpu), 168);
  EXPECT_EQ(registers_per_thread(416, gpu), 128);
  EXPECT_EQ(registers_per_thread(512, gpu), 128);
  EXPECT_EQ(registers_per_thread(1024, gpu), 64);
}

TEST(Family, AConfigThatNeedsMoreBlocksThanAGridHasIsRefused) {
  const auto gpu = core::limits_of({9, 0, true});
  const auto problem =
      core::contiguous_problem(core::Dtype::float16, 1 << 20, 128, 128, 4096, 4096, 64);
  for (const Family* family : all_families()) {
    auto config = family->default_config(problem, gpu);
    if (family->name() == "forward_mma") config.set("kv_splits", 256);
    EXPECT_NE(message_of([&] { family->prepare(problem, config, gpu); }).find("needs more than"),
              std::string::npos)
        << family->name();
  }
}

TEST(ConfigFields, MergedHoldTheSecondsValueWhereBothHaveOne) {
  const auto merged = [](const char* first, const char* second) {
    return family::merged(ConfigFields::parse(first), ConfigFields::parse(second)).to_string();
  };
  EXPECT_EQ(merged("stages=2,block_kv=64", "block_kv=96,warps=4"), "stages=2,block_kv=96,warps=4");
  EXPECT_EQ(merged("", "stages=2"), "stages=2");
  EXPECT_EQ(merged("stages=2", ""), "stages=2");
}

TEST(Family, RefusalsSayWhatWasAskedAndWhatIsPossible) {
  const auto* family = find_family("forward_scalar");
  ASSERT_NE(family, nullptr);
  const auto gpu = core::limits_of({8, 9});
  const auto fp32 = core::contiguous_problem(core::Dtype::float32, 1, 1, 1, 8, 8, 64);
  EXPECT_EQ(family->supports(fp32, gpu).reason(),
            "forward_scalar computes fp16 and bf16, the tensors are fp32");
  const auto wide = core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 8, 8, 264);
  EXPECT_EQ(family->supports(wide, gpu).reason(),
            "forward_scalar takes head_dim up to 256, head_dim is 264");
  for (const char* name : {"forward_wmma", "forward_cp_async"}) {
    const auto* vectors = find_family(name);
    ASSERT_NE(vectors, nullptr);
    const auto odd = core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 8, 8, 20);
    EXPECT_EQ(vectors->supports(odd, gpu).reason(),
              std::string{name} + " takes head_dim in multiples of 8, head_dim is 20");
    auto shifted = core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 8, 8, 64);
    shifted.alignment = 4;
    EXPECT_EQ(vectors->supports(shifted, gpu).reason(),
              std::string{name} + " loads 16 bytes at a time, and rows are aligned to 4");
  }
  auto config = family->default_config(
      core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 8, 8, 64), gpu);
  config.set("threads_per_row", 3);
  EXPECT_EQ(family->valid(config, gpu).reason(),
            "threads_per_row 3 is not a power of two up to 32");
}

}  // namespace
}  // namespace flashcore::family
